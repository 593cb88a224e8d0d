// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/sortie/CompiledProgram.h"

#include "dialect/moert/Seal.h"
#include "runtime/gguf/Fingerprint.h"
#include "runtime/gguf/Model.h"
#include "runtime/support/Error.h"
#include "runtime/support/FileCache.h"
#include "tools/common/FileClaims.h"
#include "tools/common/Version.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

#include <sys/mman.h>

using namespace llvm;

namespace sortie::driver {

namespace {

constexpr StringLiteral kImporter = "sortie-translate";
constexpr StringLiteral kCompiler = "sortie-opt";

/// What --keep-temps names files by: a name that no tool takes for an option.
std::string stemOf(const CommandLine &call) {
  const StringRef stem = sys::path::stem(call.model);
  return (stem.starts_with("-") ? "./" + stem : stem).str();
}

std::string targetOf(const CommandLine &call) {
  return std::string("target=") + (call.isForCuda ? "cuda" : "cpu");
}

/// Imports the model into the file `graph`, and compiles that into `program`.
Error compile(const CommandLine &call, const Siblings &siblings, const std::string &graph,
              const std::string &program) {
  std::vector<std::string> import = {"--import-gguf", call.model, "-o", graph};
  append_range(import, call.importOptions);
  if (Error error = siblings.run(kImporter, import, "import '" + call.model + "'"))
    return error;
  std::string options = targetOf(call);
  for (const std::string &option : call.compileOptions)
    options += " " + option;
  Error error = siblings.run(
      kCompiler, {graph, "--sortie-compile=" + options, "--emit-bytecode", "-o", program},
      "compile '" + call.model + "'");
  if (!error || call.keepsFiles)
    return error;
  return makeError(toString(std::move(error)) + "; --keep-temps writes the graph to " +
                   stemOf(call) + ".mlir");
}

/// Finds out, before anything is written, whether a file that is kept is one that the call reads or
/// writes. The tools themselves know only the files of their own stage.
Error claimKeptFiles(const CommandLine &call, StringRef graph, StringRef program) {
  FileClaims claims;
  for (const std::string &file : gguf::modelFiles(call.model))
    if (Error error = claims.claimInput(file, "the model"))
      return error;
  for (const WordFile &file : call.wordFiles)
    if (Error error = file.isWritten ? claims.claimOutput(file.path, file.option)
                                     : claims.claimInput(file.path, file.option))
      return error;
  for (const StringRef kept : {graph, program})
    if (Error error = claims.claimOutput(kept, "--keep-temps"))
      return error;
  return Error::success();
}

Expected<std::string> compileIntoFolder(const CommandLine &call, const Siblings &siblings) {
  const std::string graph = stemOf(call) + ".mlir";
  std::string program = stemOf(call) + ".mlirbc";
  if (Error error = claimKeptFiles(call, graph, program))
    return error;
  if (Error error = compile(call, siblings, graph, program))
    return error;
  return program;
}

/// Changes when the tool does: its size and the time of its last change.
Expected<std::string> describeTool(const Siblings &siblings, StringRef tool) {
  Expected<std::string> path = siblings.find(tool);
  if (!path)
    return path.takeError();
  sys::fs::file_status status;
  if (std::error_code code = sys::fs::status(*path, status))
    return makeError("cannot look at '" + *path + "': " + code.message());
  return (Twine(status.getSize()) + " " +
          Twine(status.getLastModificationTime().time_since_epoch().count()))
      .str();
}

/// What decides the bytes of the program. The fingerprint covers all that an import reads: the
/// metadata, the tensor table, and of each tensor the samples by which the runtime would refuse
/// another model's program.
Expected<std::string> makeKey(const CommandLine &call, const Siblings &siblings) {
  // Opened as the runner does: a file that cannot be run needs no program.
  Expected<std::unique_ptr<gguf::Model>> model = gguf::Model::open(call.model);
  if (!model)
    return model.takeError();
  const std::optional<uint64_t> fingerprint = gguf::fingerprintOfNamedKeys(**model, {"*"});
  if (!fingerprint)
    return makeError(call.model + ": holds no weights, only their names; give the whole model");
  std::vector<std::string> parts = {"program 1", getVersion().str(), utohexstr(*fingerprint)};
  for (const StringRef tool : {kImporter, kCompiler}) {
    Expected<std::string> description = describeTool(siblings, tool);
    if (!description)
      return description.takeError();
    parts.push_back(*description);
  }
  append_range(parts, call.importOptions);
  parts.push_back(targetOf(call));
  append_range(parts, call.compileOptions);
  // Kernels are compiled by the NVRTC that the compiler finds, which may be the emulation's.
  if (call.isForCuda)
    for (const char *variable : {"SORTIE_NVRTC", "LD_LIBRARY_PATH"})
      parts.push_back(sys::Process::GetEnv(variable).value_or(""));
  return FileCache::makeKey(SmallVector<StringRef>(parts.begin(), parts.end()));
}

/// A file without a name in any folder, which the processes that this one starts can open by
/// path(). It is there until all of them end.
class MemoryFile {
public:
  static Expected<MemoryFile> create() {
    const int descriptor = memfd_create("sortie", /*flags=*/0);
    if (descriptor < 0)
      return makeError("cannot make a file in memory: " + sys::StrError());
    return MemoryFile(descriptor);
  }

  std::string path() const { return "/dev/fd/" + std::to_string(descriptor); }

private:
  explicit MemoryFile(int descriptor) : descriptor(descriptor) {}

  int descriptor;
};

/// Keeps what `program` holds in the cache; its name there.
Expected<std::string> keep(const FileCache &cache, StringRef key, const MemoryFile &program) {
  auto bytes = MemoryBuffer::getFile(program.path());
  if (!bytes)
    return errorCodeToError(bytes.getError());
  if (Error error = cache.makeUsable())
    return error;
  if (Error error = cache.store(key, (*bytes)->getBuffer()))
    return error;
  cache.trim();
  return cache.pathOf(key);
}

bool isWhole(StringRef program) { return !errorToBool(moert::checkSeal(program)); }

} // namespace

Expected<std::string> getCompiledProgram(const CommandLine &call, const Siblings &siblings) {
  if (call.keepsFiles)
    return compileIntoFolder(call, siblings);
  Expected<std::string> key = makeKey(call, siblings);
  if (!key)
    return key.takeError();
  const FileCache cache(FileCache::getDefaultFolder(), ".mlirbc");
  if (cache.lookUp(*key, isWhole))
    return cache.pathOf(*key);
  Expected<MemoryFile> graph = MemoryFile::create();
  if (!graph)
    return graph.takeError();
  Expected<MemoryFile> program = MemoryFile::create();
  if (!program)
    return program.takeError();
  if (Error error = compile(call, siblings, graph->path(), program->path()))
    return error;
  Expected<std::string> kept = keep(cache, *key, *program);
  if (kept)
    return kept;
  // A folder that cannot be written to costs time, and nothing else.
  if (call.showsCommands)
    errs() << "sortie: the program is not kept: " << toString(kept.takeError()) << '\n';
  else
    consumeError(kept.takeError());
  return program->path();
}

} // namespace sortie::driver
