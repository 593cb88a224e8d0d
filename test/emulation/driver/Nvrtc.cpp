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
#include <spawn.h>
#include <string>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

extern char **environ;

namespace fs = std::filesystem;

//===- The headers of the emulation ---------------------------------------===//

// Their text is within this library, so that it works wherever it is copied to, and so that a key
// made of the library's file changes with them.
// clang-format off
#define SORTIE_EMBED(symbol, path)                                                                 \
  asm(".section .rodata\n"                                                                         \
      #symbol ":\n.incbin \"" path "\"\n.byte 0\n"                                                 \
      ".text\n");                                                                                  \
  extern "C" const char symbol[] asm(#symbol);
// clang-format on
SORTIE_EMBED(sortieHardwareText, SORTIE_EMULATION_FOLDER "/sortie_hardware.h")
SORTIE_EMBED(sortieBlockText, SORTIE_EMULATION_FOLDER "/Block.h")
SORTIE_EMBED(sortieChecksText, SORTIE_EMULATION_FOLDER "/KernelChecks.h")

//===- NVRTC's interface --------------------------------------------------===//

// Names and numbers of nvrtc.h.
enum nvrtcResult {
  NVRTC_SUCCESS = 0,
  NVRTC_ERROR_INVALID_INPUT = 3,
  NVRTC_ERROR_INVALID_PROGRAM = 4,
  NVRTC_ERROR_COMPILATION = 6,
};

struct _nvrtcProgram {
  std::string source;
  std::string name;
  std::vector<std::pair<std::string, std::string>> headers; ///< name and text
  std::string image;
  std::string log;
};
using nvrtcProgram = _nvrtcProgram *;

//===- Compilation --------------------------------------------------------===//

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

static bool writeInputs(const _nvrtcProgram &program, const TemporaryFolder &folder) {
  bool isWritten = folder.write("kernel.cpp", program.source);
  for (const auto &[name, text] : program.headers)
    isWritten &= folder.write(name, text);
  return isWritten && folder.write("sortie_hardware.h", sortieHardwareText) &&
         folder.write("test/emulation/Block.h", sortieBlockText) &&
         folder.write("test/emulation/KernelChecks.h", sortieChecksText);
}

/// Compiles kernel.cpp to kernel.o. `options` are the caller's, of which only definitions matter
/// here.
static std::vector<std::string> compileCommand(const char *compiler, const TemporaryFolder &folder,
                                               int count, const char *const *options) {
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
  for (int i = 0; i < count; ++i)
    if (std::strncmp(options[i], "-D", 2) == 0)
      command.emplace_back(options[i]);
  return command;
}

/// Links kernel.o, without the sanitizer's run-time part that the flags of checks would ask for.
static std::vector<std::string> linkCommand(const char *compiler, const TemporaryFolder &folder) {
  return {compiler,
          "-shared",
          "-Wl,-Bsymbolic",
          "-o",
          folder.pathOf("kernel.so"),
          folder.pathOf("kernel.o")};
}

#define SORTIE_EXPORTED extern "C" __attribute__((visibility("default")))

SORTIE_EXPORTED nvrtcResult nvrtcCompileProgram(nvrtcProgram program, int count,
                                                const char *const *options) {
  if (program == nullptr)
    return NVRTC_ERROR_INVALID_PROGRAM;
  const TemporaryFolder folder;
  if (!folder.exists() || !writeInputs(*program, folder)) {
    program->log = "the emulated NVRTC cannot write its temporary folder: check $TMPDIR";
    return NVRTC_ERROR_COMPILATION;
  }
  const char *named = std::getenv("CXX");
  const char *compiler = named != nullptr ? named : "g++";
  const bool isCompiled =
      run(compileCommand(compiler, folder, count, options), folder.pathOf("log")) &&
      run(linkCommand(compiler, folder), folder.pathOf("log"));
  program->log = folder.read("log");
  if (!isCompiled) {
    program->log += "the emulated NVRTC compiles " + program->name + " with " + compiler +
                    ", which failed or was not found; $CXX names another compiler";
    return NVRTC_ERROR_COMPILATION;
  }
  program->image = folder.read("kernel.so");
  return NVRTC_SUCCESS;
}

//===- Everything else ----------------------------------------------------===//

SORTIE_EXPORTED nvrtcResult nvrtcVersion(int *major, int *minor) {
  *major = 13;
  *minor = 0;
  return NVRTC_SUCCESS;
}

SORTIE_EXPORTED nvrtcResult nvrtcCreateProgram(nvrtcProgram *program, const char *source,
                                               const char *name, int headers,
                                               const char *const *headerTexts,
                                               const char *const *headerNames) {
  if (program == nullptr || source == nullptr || headers < 0)
    return NVRTC_ERROR_INVALID_INPUT;
  *program = new _nvrtcProgram{source, name != nullptr ? name : "default_program", {}, {}, {}};
  for (int i = 0; i < headers; ++i)
    (*program)->headers.emplace_back(headerNames[i], headerTexts[i]);
  return NVRTC_SUCCESS;
}

SORTIE_EXPORTED nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program) {
  if (program == nullptr || *program == nullptr)
    return NVRTC_ERROR_INVALID_PROGRAM;
  delete *program;
  *program = nullptr;
  return NVRTC_SUCCESS;
}

static nvrtcResult copyOut(nvrtcProgram program, std::string _nvrtcProgram::*bytes, char *out) {
  if (program == nullptr)
    return NVRTC_ERROR_INVALID_PROGRAM;
  std::memcpy(out, (program->*bytes).data(), (program->*bytes).size());
  return NVRTC_SUCCESS;
}
static nvrtcResult sizeOf(nvrtcProgram program, std::string _nvrtcProgram::*bytes, size_t *size) {
  if (program == nullptr)
    return NVRTC_ERROR_INVALID_PROGRAM;
  *size = (program->*bytes).size();
  return NVRTC_SUCCESS;
}

SORTIE_EXPORTED nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t *size) {
  return sizeOf(program, &_nvrtcProgram::image, size);
}
SORTIE_EXPORTED nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char *cubin) {
  return copyOut(program, &_nvrtcProgram::image, cubin);
}
SORTIE_EXPORTED nvrtcResult nvrtcGetPTXSize(nvrtcProgram program, size_t *size) {
  return sizeOf(program, &_nvrtcProgram::image, size);
}
SORTIE_EXPORTED nvrtcResult nvrtcGetPTX(nvrtcProgram program, char *ptx) {
  return copyOut(program, &_nvrtcProgram::image, ptx);
}

// A log ends with a zero byte, which counts.
SORTIE_EXPORTED nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t *size) {
  const nvrtcResult result = sizeOf(program, &_nvrtcProgram::log, size);
  if (result == NVRTC_SUCCESS)
    ++*size;
  return result;
}
SORTIE_EXPORTED nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char *log) {
  const nvrtcResult result = copyOut(program, &_nvrtcProgram::log, log);
  if (result == NVRTC_SUCCESS)
    log[program->log.size()] = '\0';
  return result;
}

SORTIE_EXPORTED const char *nvrtcGetErrorString(nvrtcResult result) {
  switch (result) {
  case NVRTC_SUCCESS:
    return "NVRTC_SUCCESS";
  case NVRTC_ERROR_INVALID_INPUT:
    return "NVRTC_ERROR_INVALID_INPUT";
  case NVRTC_ERROR_INVALID_PROGRAM:
    return "NVRTC_ERROR_INVALID_PROGRAM";
  case NVRTC_ERROR_COMPILATION:
    return "NVRTC_ERROR_COMPILATION";
  }
  return "NVRTC_ERROR unknown";
}
