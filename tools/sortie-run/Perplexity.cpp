// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The text of a file, chunk by chunk.

#include "tools/sortie-run/Perplexity.h"

#include "tools/common/FileClaims.h"
#include "tools/sortie-run/LoadedModel.h"
#include "tools/sortie-run/StandardOutput.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace sortie::tool {

static Error claimFiles(const Options &options) {
  FileClaims claims;
  if (Error error = claimSources(options, claims))
    return error;
  if (Error error = claims.claimInput(options.perplexity.file, "--file"))
    return error;
  return claims.claimOutput("-", "the perplexity");
}

static Expected<std::vector<int32_t>> readTokens(const tokenizer::Tokenizer &tokenizer,
                                                 const std::string &path) {
  Expected<std::unique_ptr<MemoryBuffer>> text = readText(path);
  if (!text)
    return text.takeError();
  Expected<std::vector<int32_t>> tokens = tokenizer.encode((*text)->getBuffer());
  if (!tokens)
    return makeError("--file " + path + ": " + toString(tokens.takeError()));
  return tokens;
}

Error printPerplexity(const Options &options, raw_fd_ostream &out) {
  if (Error error = claimFiles(options))
    return error;
  Expected<ModelProgram> program = ModelProgram::open(options);
  if (!program)
    return program.takeError();
  Expected<int64_t> context = program->contextOf(options.perplexity.context);
  if (!context)
    return context.takeError();
  Expected<ModelTokenizer> source = ModelTokenizer::open(options);
  if (!source)
    return source.takeError();
  const tokenizer::Tokenizer &tokenizer = *source->tokenizer;
  Expected<std::vector<int32_t>> tokens = readTokens(tokenizer, options.perplexity.file);
  if (!tokens)
    return tokens.takeError();
  Expected<LoadedModel> loaded =
      LoadedModel::load(*program, options,
                        {.context = *context,
                         .pages = cache::CacheManager::pagesFor(*context),
                         .rows = program->rowsOfRun()});
  if (!loaded)
    return loaded.takeError();

  size_t chunks = 0;
  Expected<generation::Likelihoods> all = generation::measureLikelihoods(
      loaded->model, *tokens, tokenizer.beginOfText(),
      [&](const generation::Likelihoods &likelihoods) {
        out << (chunks == 0 ? "" : ",")
            << format("[%zu]%.4f", chunks + 1, likelihoods.perplexity());
        out.flush();
        ++chunks;
      });
  if (!all)
    return all.takeError();
  out << format("\nFinal estimate: PPL = %.4f +/- %.5f\n", all->perplexity(), all->error());
  return Error::success();
}

} // namespace sortie::tool
