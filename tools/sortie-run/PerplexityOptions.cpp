// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The options of `sortie-run perplexity`.

#include "tools/sortie-run/ModelWords.h"

#include "runtime/support/Error.h"

using namespace llvm;

namespace sortie::tool {

namespace {

cl::opt<std::string> file("file", cl::value_desc("text.txt"), cl::sub(perplexityCommand()),
                          cl::cat(modelCategory()), cl::desc("The text; - is the standard input"));

cl::opt<int64_t> context("context", cl::value_desc("number"), cl::init(512),
                         cl::sub(perplexityCommand()), cl::cat(modelCategory()),
                         cl::desc("Tokens of a chunk; of the first half of each, none is counted. "
                                  "Default: 512"));

} // namespace

Error getPerplexityOptions(PerplexityOptions &options) {
  constexpr int64_t kLeast = 4;
  if (file.empty())
    return makeError("give the text with --file text.txt");
  if (context < kLeast)
    return makeError("--context " + Twine(context) + ": give at least " + Twine(kLeast));
  options.file = file;
  options.context = context;
  return Error::success();
}

} // namespace sortie::tool
