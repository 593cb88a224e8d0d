// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emulated libnvrtc.so.13: "compiles" a kernel with the host's compiler against the emulated
// sortie_hardware.h. The "cubin" and the "PTX" of any architecture are a shared library, which the
// emulated libcuda.so.1 loads. The compiler is $CXX, or g++.

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <tuple>
#include <unistd.h>
#include <utility>
#include <vector>

extern char **environ;

namespace fs = std::filesystem;

//===- The headers of the emulation --------------------------------------===//

// Their text is within this library, so that it works wherever it is copied to, and so that a key
// made of the library's file changes with them.
// clang-format off
#define SORTIE_EMBED(symbol, path)                                                                 \
  asm(".section .rodata\n"                                                                         \
      #symbol ":\n.incbin \"" path "\"\n.byte 0\n"                                                 \
      ".text\n");                                                                                  \
  extern "C" const char(symbol)[] asm(#symbol);
// clang-format on
SORTIE_EMBED(sortieHardwareText, SORTIE_EMULATION_FOLDER "/sortie_hardware.h")
SORTIE_EMBED(sortieHardwareSm90Text, SORTIE_EMULATION_FOLDER "/sortie_hardware_sm90.h")
SORTIE_EMBED(sortieBlockText, SORTIE_EMULATION_FOLDER "/Block.h")
SORTIE_EMBED(sortieChecksText, SORTIE_EMULATION_FOLDER "/KernelChecks.h")
SORTIE_EMBED(sortieTensorMapText, SORTIE_EMULATION_FOLDER "/TensorMap.h")

//===- NVRTC's interface -------------------------------------------------===//

/// Numbers of nvrtc.h.
enum Result {
  Success = 0,
  InvalidInput = 3,
  InvalidProgram = 4,
  CompilationFailed = 6,
};

struct Program {
  std::string source;
  std::string name;
  std::vector<std::pair<std::string, std::string>> headers; ///< name and text
  std::string image;
  std::string log;
};

//===- Compilation -------------------------------------------------------===//

namespace {
/// A folder that goes away with everything in it.
class TemporaryFolder {
public:
  TemporaryFolder() {
    std::error_code error;
    std::string pattern = (fs::temp_directory_path(error) / "sortie-nvrtc-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr)
      folder = pattern;
  }
  ~TemporaryFolder() {
    std::error_code error;
    if (!folder.empty())
      fs::remove_all(folder, error);
  }
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  bool exists() const { return !folder.empty(); }
  std::string pathOf(const std::string &name) const { return (folder / name).string(); }

  bool write(const std::string &name, std::string_view text) const {
    std::error_code error;
    fs::create_directories((folder / name).parent_path(), error);
    std::ofstream file(folder / name, std::ios::binary);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    return file.good();
  }
  std::string read(const std::string &name) const {
    std::ifstream file(folder / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

private:
  fs::path folder;
};
} // namespace

/// Runs a command with its output in a file. True if it succeeds.
static bool run(const std::vector<std::string> &command, const std::string &logFile) {
  std::vector<char *> arguments;
  for (const std::string &argument : command)
    arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, logFile.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int failure =
      posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  return failure == 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

static bool writeInputs(const Program &program, const TemporaryFolder &folder) {
  bool isWritten = folder.write("kernel.cpp", program.source);
  for (const auto &[name, text] : program.headers)
    isWritten &= folder.write(name, text);
  return isWritten && folder.write("sortie_hardware.h", sortieHardwareText) &&
         folder.write("sortie_hardware_sm90.h", sortieHardwareSm90Text) &&
         folder.write("test/emulation/Block.h", sortieBlockText) &&
         folder.write("test/emulation/KernelChecks.h", sortieChecksText) &&
         folder.write("test/emulation/TensorMap.h", sortieTensorMapText);
}

/// Compiles kernel.cpp to kernel.o.
static std::vector<std::string> compileCommand(const std::string &compiler,
                                               const TemporaryFolder &folder,
                                               const std::vector<std::string> &definitions) {
  std::vector<std::string> command = {compiler,
                                      "-c",
                                      "-std=c++20",
                                      "-O1",
                                      "-fPIC",
                                      "-ffp-contract=off",
                                      "-fno-trapping-math",
                                      "-fno-exceptions",
                                      "-fvisibility=hidden",
                                      SORTIE_KERNEL_CHECKS,
                                      "-DSORTIE_KERNEL_CHECKS",
                                      "-w",
                                      "-I" + folder.pathOf("."),
                                      "-o",
                                      folder.pathOf("kernel.o"),
                                      folder.pathOf("kernel.cpp")};
  command.insert(command.end(), definitions.begin(), definitions.end());
  return command;
}

/// Links kernel.o, without the sanitizer's run-time part that the flags of checks would ask for.
static std::vector<std::string> linkCommand(const std::string &compiler,
                                            const TemporaryFolder &folder) {
  return {compiler,
          "-shared",
          "-Wl,-Bsymbolic",
          "-o",
          folder.pathOf("kernel.so"),
          folder.pathOf("kernel.o")};
}

/// What a compilation gives.
struct Output {
  bool isCompiled = false;
  std::string image, log;
};

static Output compile(const Program &program, const std::string &compiler,
                      const std::vector<std::string> &definitions) {
  const TemporaryFolder folder;
  if (!folder.exists() || !writeInputs(program, folder))
    return {false, "", "the emulated NVRTC cannot write its temporary folder: check $TMPDIR"};
  const bool isCompiled =
      run(compileCommand(compiler, folder, definitions), folder.pathOf("log")) &&
      run(linkCommand(compiler, folder), folder.pathOf("log"));
  Output output = {isCompiled, isCompiled ? folder.read("kernel.so") : "", folder.read("log")};
  if (!isCompiled)
    output.log += "the emulated NVRTC compiles " + program.name + " with " + compiler +
                  ", which failed or was not found; $CXX names another compiler";
  return output;
}

/// Gives the same program the same output: it is compiled for several architectures, which are one
/// here. Whoever asks for it meanwhile waits.
static const Output &compileOnce(const Program &program, const std::string &compiler,
                                 const std::vector<std::string> &definitions) {
  struct Entry {
    std::once_flag isMade;
    Output output;
  };
  using Key = std::tuple<std::string, std::string, std::vector<std::pair<std::string, std::string>>,
                         std::string, std::vector<std::string>>;
  static std::mutex mutex;
  static std::map<Key, Entry> entries;
  std::unique_lock lock(mutex);
  Entry &entry = entries[{program.name, program.source, program.headers, compiler, definitions}];
  lock.unlock();
  std::call_once(entry.isMade, [&] { entry.output = compile(program, compiler, definitions); });
  return entry.output;
}

#define SORTIE_EXPORTED extern "C" __attribute__((visibility("default")))

SORTIE_EXPORTED Result nvrtcCompileProgram(Program *program, int count,
                                           const char *const *options) {
  if (program == nullptr)
    return InvalidProgram;
  std::vector<std::string> definitions;
  for (int i = 0; i < count; ++i)
    if (std::strncmp(options[i], "-D", 2) == 0)
      definitions.emplace_back(options[i]);
  const char *named = std::getenv("CXX");
  const Output &output = compileOnce(*program, named != nullptr ? named : "g++", definitions);
  program->log = output.log;
  program->image = output.image;
  return output.isCompiled ? Success : CompilationFailed;
}

//===- Everything else ---------------------------------------------------===//

SORTIE_EXPORTED Result nvrtcVersion(int *major, int *minor) {
  *major = 13;
  *minor = 0;
  return Success;
}

SORTIE_EXPORTED Result nvrtcCreateProgram(Program **program, const char *source, const char *name,
                                          int headers, const char *const *headerTexts,
                                          const char *const *headerNames) {
  if (program == nullptr || source == nullptr || headers < 0)
    return InvalidInput;
  *program = new Program{source, name != nullptr ? name : "default_program", {}, {}, {}};
  for (int i = 0; i < headers; ++i)
    (*program)->headers.emplace_back(headerNames[i], headerTexts[i]);
  return Success;
}

SORTIE_EXPORTED Result nvrtcDestroyProgram(Program **program) {
  if (program == nullptr || *program == nullptr)
    return InvalidProgram;
  delete *program;
  *program = nullptr;
  return Success;
}

static Result copyOut(Program *program, std::string Program::*bytes, char *out) {
  if (program == nullptr)
    return InvalidProgram;
  (program->*bytes).copy(out, std::string::npos);
  return Success;
}
static Result sizeOf(Program *program, std::string Program::*bytes, size_t *size) {
  if (program == nullptr)
    return InvalidProgram;
  *size = (program->*bytes).size();
  return Success;
}

SORTIE_EXPORTED Result nvrtcGetCUBINSize(Program *program, size_t *size) {
  return sizeOf(program, &Program::image, size);
}
SORTIE_EXPORTED Result nvrtcGetCUBIN(Program *program, char *cubin) {
  return copyOut(program, &Program::image, cubin);
}
SORTIE_EXPORTED Result nvrtcGetPTXSize(Program *program, size_t *size) {
  return sizeOf(program, &Program::image, size);
}
SORTIE_EXPORTED Result nvrtcGetPTX(Program *program, char *ptx) {
  return copyOut(program, &Program::image, ptx);
}

// A log ends with a zero byte, which counts.
SORTIE_EXPORTED Result nvrtcGetProgramLogSize(Program *program, size_t *size) {
  const Result result = sizeOf(program, &Program::log, size);
  if (result == Success)
    ++*size;
  return result;
}
SORTIE_EXPORTED Result nvrtcGetProgramLog(Program *program, char *log) {
  const Result result = copyOut(program, &Program::log, log);
  if (result == Success)
    log[program->log.size()] = '\0';
  return result;
}

SORTIE_EXPORTED const char *nvrtcGetErrorString(Result result) {
  switch (result) {
  case Success:
    return "NVRTC_SUCCESS";
  case InvalidInput:
    return "NVRTC_ERROR_INVALID_INPUT";
  case InvalidProgram:
    return "NVRTC_ERROR_INVALID_PROGRAM";
  case CompilationFailed:
    return "NVRTC_ERROR_COMPILATION";
  }
  return "NVRTC_ERROR unknown";
}
