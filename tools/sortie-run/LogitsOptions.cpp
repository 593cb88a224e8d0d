// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The options of `sortie-run logits`.

#include "tools/sortie-run/ModelWords.h"

#include "runtime/support/Error.h"

using namespace llvm;

namespace sortie::tool {

namespace {

cl::opt<std::string> tokens("tokens", cl::value_desc("ids.npy"), cl::sub(logitsCommand()),
                            cl::cat(modelCategory()),
                            cl::desc("The tokens: int32 [S, T], S sequences by themselves"));

cl::opt<std::string> output("output", cl::value_desc("logits.npy"), cl::sub(logitsCommand()),
                            cl::cat(modelCategory()),
                            cl::desc("Where the logits go: float32 [S, T, V], after each token"));

cl::opt<bool> lastOnly("last", cl::sub(logitsCommand()), cl::cat(modelCategory()),
                       cl::desc("Only the logits after each sequence's last token: [S, V]"));

cl::opt<int64_t> context("context", cl::value_desc("number"), cl::init(0), cl::sub(logitsCommand()),
                         cl::cat(modelCategory()),
                         cl::desc("Room for so many positions; default: as many as the sequences "
                                  "have. Changes no bit of a result"));

} // namespace

Error getLogitsOptions(LogitsOptions &options) {
  if (tokens.empty())
    return makeError("give the tokens with --tokens ids.npy");
  if (output.empty())
    return makeError("say where the logits go with --output logits.npy");
  if (Error error = checkContext(context))
    return error;
  options.context = context;
  options.tokens = tokens;
  options.output = output;
  options.lastOnly = lastOnly;
  return Error::success();
}

} // namespace sortie::tool
