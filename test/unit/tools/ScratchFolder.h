// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef SORTIE_TEST_UNIT_TOOLS_SCRATCHFOLDER_H
#define SORTIE_TEST_UNIT_TOOLS_SCRATCHFOLDER_H

#include "gtest/gtest.h"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace sortie {

/// A test with a folder of its own.
class ScratchFolder : public testing::Test {
protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "sortie-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  std::string path(const std::string &name) const { return (folder / name).string(); }
  std::string makeFile(const std::string &name, const std::string &contents = "old") const {
    std::ofstream(path(name)) << contents;
    return path(name);
  }
  std::string makeLink(const std::string &target, const std::string &name) const {
    std::filesystem::create_symlink(target, folder / name);
    return path(name);
  }
  std::string read(const std::string &name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  size_t countFiles() const {
    return std::distance(std::filesystem::directory_iterator(folder), {});
  }

  /// What permissions forbid, root is allowed: `check` in a child process, of another user if this
  /// one is root; 0 if it returns true.
  template <typename Check> static int asUser(Check check) {
    constexpr uid_t kUser = 12345;
    const pid_t child = fork();
    if (child == 0)
      _exit((getuid() != 0 || (setgid(kUser) == 0 && setuid(kUser) == 0)) && check() ? 0 : 1);
    int result = -1;
    waitpid(child, &result, 0);
    return result;
  }

  std::filesystem::path folder;
};

} // namespace sortie

#endif // SORTIE_TEST_UNIT_TOOLS_SCRATCHFOLDER_H
