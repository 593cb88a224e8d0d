// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVRTC through dlopen. The declarations are our own, of the few functions that are called.

#include "codegen/Nvrtc.h"

#include "codegen/KernelHeaders.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/ScopeExit.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"

#include <algorithm>
#include <dlfcn.h>

using namespace llvm;

namespace sortie::codegen {

//===----------------------------------------------------------------------===//
// Architectures
//===----------------------------------------------------------------------===//

bool isPtxArchitecture(StringRef name) {
  return name.consume_front("compute_") && (name.size() == 2 || name.size() == 3) &&
         all_of(name, isDigit);
}

//===----------------------------------------------------------------------===//
// The library
//===----------------------------------------------------------------------===//

/// The functions that are used, as nvrtc.h of CUDA 12 and 13 declares them. Results are 0 for
/// success.
struct Nvrtc::Api {
  using Program = struct OpaqueProgram *;

  const char *(*getErrorString)(int) = nullptr;
  int (*version)(int *major, int *minor) = nullptr;
  int (*createProgram)(Program *, const char *source, const char *name, int headers,
                       const char *const *headerTexts, const char *const *headerNames) = nullptr;
  int (*destroyProgram)(Program *) = nullptr;
  int (*compileProgram)(Program, int options, const char *const *) = nullptr;
  int (*getPtxSize)(Program, size_t *) = nullptr;
  int (*getPtx)(Program, char *) = nullptr;
  int (*getCubinSize)(Program, size_t *) = nullptr;
  int (*getCubin)(Program, char *) = nullptr;
  int (*getLogSize)(Program, size_t *) = nullptr;
  int (*getLog)(Program, char *) = nullptr;

  /// Looks all of them up in `library`. Returns the name of one that is missing, or null.
  const char *resolve(void *library);

  /// What two functions of the library, one for the size and one for the bytes, say of `program`.
  std::string read(Program program, int (*getSize)(Program, size_t *),
                   int (*getBytes)(Program, char *)) const;
};

const char *Nvrtc::Api::resolve(void *library) {
  const char *missing = nullptr;
  auto lookUp = [&](auto &function, const char *name) {
    function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
    if (!function)
      missing = name;
  };
  lookUp(getErrorString, "nvrtcGetErrorString");
  lookUp(version, "nvrtcVersion");
  lookUp(createProgram, "nvrtcCreateProgram");
  lookUp(destroyProgram, "nvrtcDestroyProgram");
  lookUp(compileProgram, "nvrtcCompileProgram");
  lookUp(getPtxSize, "nvrtcGetPTXSize");
  lookUp(getPtx, "nvrtcGetPTX");
  lookUp(getCubinSize, "nvrtcGetCUBINSize");
  lookUp(getCubin, "nvrtcGetCUBIN");
  lookUp(getLogSize, "nvrtcGetProgramLogSize");
  lookUp(getLog, "nvrtcGetProgramLog");
  return missing;
}

std::string Nvrtc::Api::read(Program program, int (*getSize)(Program, size_t *),
                             int (*getBytes)(Program, char *)) const {
  size_t size = 0;
  if (getSize(program, &size) != 0 || size == 0)
    return {};
  std::string bytes(size, '\0');
  if (getBytes(program, bytes.data()) != 0)
    return {};
  return bytes;
}

/// Appends the libraries of CUDA's Python packages in the environment `root`.
static void appendPythonPackages(SmallVectorImpl<std::string> &files, const Twine &root) {
  std::error_code code;
  for (sys::fs::directory_iterator python(root + "/lib", code), end; !code && python != end;
       python.increment(code))
    for (StringRef folder : {"cu13", "cuda_nvrtc"})
      files.push_back(python->path() + "/site-packages/nvidia/" + folder.str() +
                      "/lib/libnvrtc.so.13");
}

/// Where the library may be, the best place first. A name without a folder is the dynamic loader's
/// to find.
static SmallVector<std::string> candidateFiles() {
  SmallVector<std::string> files = {"libnvrtc.so.13", "libnvrtc.so"};
  for (StringRef variable : {"CUDA_HOME", "CUDA_PATH"})
    if (std::optional<std::string> root = sys::Process::GetEnv(variable))
      for (StringRef folder : {"lib64", "lib"})
        files.push_back(*root + "/" + folder.str() + "/libnvrtc.so");
  if (std::optional<std::string> root = sys::Process::GetEnv("VIRTUAL_ENV"))
    appendPythonPackages(files, *root);
  for (StringRef folder : {"/usr/local/cuda/lib64", "/usr/local/cuda/lib", "/opt/cuda/lib64",
                           "/usr/lib/x86_64-linux-gnu"})
    files.push_back(folder.str() + "/libnvrtc.so");
  return files;
}

static constexpr StringLiteral kHowToInstall =
    "install it with 'pip install nvidia-cuda-nvrtc' or the CUDA toolkit, and name the file "
    "libnvrtc.so.13 in SORTIE_NVRTC if it is not found; target=cpu needs nothing of this";

static Expected<void *> openLibrary() {
  if (std::optional<std::string> file = sys::Process::GetEnv("SORTIE_NVRTC")) {
    if (void *library = dlopen(file->c_str(), RTLD_NOW | RTLD_LOCAL))
      return library;
    return makeError("cannot load NVRTC from SORTIE_NVRTC: " + Twine(dlerror()),
                     std::errc::no_such_file_or_directory);
  }
  for (const std::string &file : candidateFiles())
    if (void *library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL))
      return library;
  return makeError("compiling for CUDA needs NVIDIA's compiler NVRTC, and no libnvrtc.so.13 was "
                   "found: " +
                       kHowToInstall,
                   std::errc::no_such_file_or_directory);
}

/// The file that `symbol` was loaded from; empty if nobody knows.
static std::string fileOf(const void *symbol) {
  Dl_info info = {};
  return dladdr(symbol, &info) != 0 ? info.dli_fname : "";
}

/// Loads the second library that NVRTC loads by its bare name when it compiles. The dynamic loader
/// does not find it beside the first one, outside of its own folders, but takes what is loaded.
static void loadBuiltins(StringRef nvrtc, StringRef version) {
  const std::string file =
      (sys::path::parent_path(nvrtc) + "/libnvrtc-builtins.so." + version).str();
  (void)dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
}

/// `version` and what can be seen of the library's file: releases that differ in their last number
/// have one version.
static std::string describeLibrary(StringRef version, StringRef file) {
  sys::fs::file_status status;
  if (sys::fs::status(file, status))
    return version.str();
  return formatv("nvrtc {0} {1} {2} {3}", version, file, status.getSize(),
                 status.getLastModificationTime().time_since_epoch().count());
}

Expected<Nvrtc> Nvrtc::load() {
  Expected<void *> library = openLibrary();
  if (!library)
    return library.takeError();
  auto api = std::make_shared<Api>();
  if (const char *missing = api->resolve(*library))
    return makeError("the NVRTC that was found has no function " + Twine(missing) + ": " +
                         kHowToInstall,
                     std::errc::not_supported);
  int major = 0, minor = 0;
  api->version(&major, &minor);
  const std::string version = formatv("{0}.{1}", major, minor);
  const std::string file = fileOf(reinterpret_cast<const void *>(api->version));
  loadBuiltins(file, version);
  return Nvrtc(std::move(api), describeLibrary(version, file));
}

//===----------------------------------------------------------------------===//
// Compilation
//===----------------------------------------------------------------------===//

SmallVector<std::string> Nvrtc::getFlags(StringRef architecture) {
  SmallVector<std::string> flags = {
      ("--gpu-architecture=" + architecture).str(),
      "--std=c++20",
      "--fmad=false",
      "--ftz=false",
      "--prec-div=true",
      "--prec-sqrt=true",
      "--device-as-default-execution-space",
  };
  if (!isPtxArchitecture(architecture))
    flags.push_back("--ptxas-options=-v");
  return flags;
}

/// Texts and names of the headers, as NVRTC takes them.
static std::pair<SmallVector<const char *>, SmallVector<const char *>> headerLists() {
  std::pair<SmallVector<const char *>, SmallVector<const char *>> lists;
  for (const KernelHeader &header : ArrayRef(kKernelHeaders, kKernelHeaderCount)) {
    lists.first.push_back(header.text);
    lists.second.push_back(header.name);
  }
  return lists;
}

Expected<Nvrtc::Output> Nvrtc::compile(StringRef name, StringRef source,
                                       StringRef architecture) const {
  auto fail = [&](StringRef what, int code, StringRef log) {
    return makeError(formatv("cannot compile kernel '{0}' for {1}: {2}: {3}\n{4}", name,
                             architecture, what, api->getErrorString(code), log)
                         .str());
  };
  auto [texts, names] = headerLists();
  Api::Program program = nullptr;
  if (int code = api->createProgram(&program, source.str().c_str(), (name + ".cu").str().c_str(),
                                    texts.size(), texts.data(), names.data()))
    return fail("NVRTC did not start", code, "");
  const scope_exit destroy([&] { api->destroyProgram(&program); });

  const SmallVector<std::string> flags = getFlags(architecture);
  SmallVector<const char *> options;
  for (const std::string &flag : flags)
    options.push_back(flag.c_str());
  const int code = api->compileProgram(program, options.size(), options.data());
  Output output;
  output.log = api->read(program, api->getLogSize, api->getLog);
  while (!output.log.empty() && (output.log.back() == '\0' || output.log.back() == '\n'))
    output.log.pop_back();
  if (code != 0)
    return fail("NVRTC refused it", code, output.log);
  output.image = isPtxArchitecture(architecture)
                     ? api->read(program, api->getPtxSize, api->getPtx)
                     : api->read(program, api->getCubinSize, api->getCubin);
  if (output.image.empty())
    return fail("NVRTC gave no image", code, output.log);
  return output;
}

} // namespace sortie::codegen
