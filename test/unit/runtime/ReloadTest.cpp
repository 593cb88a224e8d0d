// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// libsortie.so as a plugin: opened, used and closed again and again.

#include "runtime/include/sortie/sortie.h"
#include "test/unit/program/ProgramText.h"

#include "gtest/gtest.h"

#include <dlfcn.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace sortie::test;

namespace {

/// The library, opened for a scope.
class Library {
public:
  Library() : handle(dlopen(SORTIE_LIBRARY, RTLD_NOW | RTLD_LOCAL)) {
    EXPECT_TRUE(handle) << dlerror();
  }
  ~Library() { EXPECT_EQ(dlclose(handle), 0); }

  template <typename Function> Function *find(const char *name) const {
    return reinterpret_cast<Function *>(dlsym(handle, name));
  }

private:
  void *handle;
};

#define SORTIE_FIND(library, name) (library).find<decltype(name)>(#name)

/// Opens the library, runs a function with two threads, and gives everything back.
void useOnce() {
  const Library library;
  const std::string text = programText(kDenseProgram);
  sortie_program *program = nullptr;
  sortie_weights *weights = nullptr;
  sortie_session *session = nullptr;
  ASSERT_EQ(SORTIE_FIND(library, sortie_program_parse)(text.data(), text.size(), "test", &program),
            nullptr);
  sortie_weights_options source = SORTIE_INIT(sortie_weights_options);
  source.source = SORTIE_WEIGHTS_RANDOM;
  ASSERT_EQ(SORTIE_FIND(library, sortie_weights_create)(program, &source, &weights), nullptr);
  sortie_session_options options = SORTIE_INIT(sortie_session_options);
  options.threads = 2;
  ASSERT_EQ(SORTIE_FIND(library, sortie_session_create)(program, weights, &options, &session),
            nullptr);

  const int64_t wide[2] = {2, 8}, narrow[2] = {2, 4};
  float x[16] = {1, 2, 3}, y[8] = {};
  sortie_tensor input = SORTIE_INIT(sortie_tensor), output = input;
  input.name = "x", input.data = x, input.rank = 2, input.shape = wide;
  output.name = "y", output.data = y, output.rank = 2, output.shape = narrow;
  sortie_run_options run = SORTIE_INIT(sortie_run_options);
  run.inputs = &input, run.input_count = 1;
  run.outputs = &output, run.output_count = 1;
  EXPECT_EQ(SORTIE_FIND(library, sortie_session_run)(session, &run), nullptr);
  EXPECT_NE(y[0], 0.0f);
  // An error that passes through.
  run.function = 9;
  sortie_error *error = SORTIE_FIND(library, sortie_session_run)(session, &run);
  EXPECT_STREQ(SORTIE_FIND(library, sortie_error_message)(error),
               "there is no function 9: there are 2");
  SORTIE_FIND(library, sortie_error_destroy)(error);
  SORTIE_FIND(library, sortie_session_destroy)(session);
  SORTIE_FIND(library, sortie_weights_destroy)(weights);
  SORTIE_FIND(library, sortie_program_destroy)(program);
}

/// Bytes of this process in memory.
int64_t residentBytes() {
  std::ifstream file("/proc/self/statm");
  int64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

/// How many parts of the library are mapped.
int64_t mappings() {
  std::ifstream file("/proc/self/maps");
  int64_t count = 0;
  for (std::string line; std::getline(file, line);)
    count += line.find("libsortie") != std::string::npos;
  return count;
}

int64_t filesIn(const char *folder) {
  return std::distance(std::filesystem::directory_iterator(folder),
                       std::filesystem::directory_iterator());
}

} // namespace

// Before anything is used: the C++ library and LLVM allocate when they are loaded.
TEST(Reload, openingTakesMemoryOnce) {
  for (int i = 0; i < 10; ++i)
    Library();
  const int64_t before = residentBytes();
  for (int i = 0; i < 500; ++i)
    Library();
  EXPECT_LT(residentBytes() - before, int64_t{1} << 18);
}

TEST(Reload, nothingGrowsWithUse) {
  for (int i = 0; i < 10; ++i)
    useOnce();
  const int64_t before = residentBytes();
  const int64_t mapped = mappings(), files = filesIn("/proc/self/fd");
  for (int i = 0; i < 50; ++i)
    useOnce();
  EXPECT_LT(residentBytes() - before, int64_t{1} << 20);
  EXPECT_EQ(filesIn("/proc/self/task"), 1);
  EXPECT_EQ(filesIn("/proc/self/fd"), files);
  EXPECT_EQ(mappings(), mapped);
}
