// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/sortie-run/Program.h"

#include "runtime/gguf/Model.h"

#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace sortie::tool {

static Error loadProgram(const std::string &path, sortie_program **program) {
  if (path != "-")
    return toError(sortie_program_open(path.c_str(), program));
  ErrorOr<std::unique_ptr<MemoryBuffer>> input = MemoryBuffer::getSTDIN();
  if (!input)
    return makeError("cannot read the program from the standard input: " +
                     input.getError().message());
  const StringRef bytes = (*input)->getBuffer();
  return toError(sortie_program_parse(bytes.data(), bytes.size(), "<stdin>", program));
}

Expected<ProgramPtr> openProgram(const std::string &path) {
  sortie_program *opened = nullptr;
  if (Error error = loadProgram(path, &opened))
    return error;
  return ProgramPtr(opened);
}

Expected<size_t> chooseFunction(const sortie_program *program, const Options &options) {
  if (!options.function.empty()) {
    size_t index = 0;
    if (Error error =
            toError(sortie_program_find_function(program, options.function.c_str(), &index)))
      return error;
    return index;
  }
  sortie_program_info info = SORTIE_INIT(sortie_program_info);
  sortie_program_get_info(program, &info);
  if (info.function_count == 1)
    return 0;
  return makeError(options.program + ": has " + Twine(info.function_count) +
                   " functions; choose one with --function (--describe lists them)");
}

Error claimSources(const Options &options, FileClaims &claims) {
  if (Error error = claims.claimInput(options.program, "the program"))
    return error;
  if (options.weights.empty() || isRandom(options.weights))
    return Error::success();
  if (options.weights == "-")
    return makeError("--weights: a model is mapped into memory and cannot be read from the "
                     "standard input; give the name of its file");
  for (const std::string &file : gguf::modelFiles(options.weights))
    if (Error error = claims.claimInput(file, "--weights"))
      return error;
  return Error::success();
}

Error claimPrinted(const Options &options, const Twine &what) {
  FileClaims claims;
  if (Error error = claimSources(options, claims))
    return error;
  return claims.claimOutput("-", what);
}

Error readWeightsOption(const Options &options, sortie_weights_options &weights) {
  weights.source = SORTIE_WEIGHTS_FILE;
  weights.path = options.weights.c_str();
  weights.threads = options.threads;
  StringRef random = options.weights;
  if (!random.consume_front("random:"))
    return Error::success();
  if (!random.consume_front("seed=") || random.getAsInteger(10, weights.seed))
    return makeError("--weights " + options.weights + ": give random:seed=<number>");
  weights.source = SORTIE_WEIGHTS_RANDOM;
  return Error::success();
}

} // namespace sortie::tool
