// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tokens of a file to logits of another.

#include "tools/sortie-run/Logits.h"

#include "tools/common/FileClaims.h"
#include "tools/common/OutputFile.h"
#include "tools/sortie-run/LoadedModel.h"

#include "llvm/Support/Endian.h"

using namespace llvm;

namespace sortie::tool {

static Error claimFiles(const Options &options) {
  FileClaims claims;
  if (Error error = claimSources(options, claims))
    return error;
  if (Error error = claims.claimInput(options.logits.tokens, "--tokens"))
    return error;
  return claims.claimOutput(options.logits.output, "--output");
}

/// The logits of one sequence, added to `logits`.
static Error addLogits(generation::LanguageModel &model, ArrayRef<int32_t> tokens, bool lastOnly,
                       std::vector<float> &logits) {
  Expected<uint32_t> sequence = model.createSequence();
  if (!sequence)
    return sequence.takeError();
  const auto keep = [&](size_t, size_t, ArrayRef<float> row) {
    logits.insert(logits.end(), row.begin(), row.end());
    return Error::success();
  };
  Error error =
      model.extend(generation::Piece{*sequence, tokens, lastOnly ? tokens.size() - 1 : 0}, keep);
  return joinErrors(std::move(error), model.removeSequence(*sequence));
}

Expected<std::vector<float>> logitsOf(generation::LanguageModel &model, ArrayRef<int32_t> tokens,
                                      int64_t length, bool lastOnly,
                                      function_ref<void(uint64_t, uint64_t)> progress) {
  std::vector<float> logits;
  uint64_t before = 0; // tokens of the sequences that are done
  model.progress = [&](uint64_t done, uint64_t) { progress(before + done, tokens.size()); };
  Error error = Error::success();
  for (; !error && before < tokens.size(); before += static_cast<uint64_t>(length))
    error = addLogits(model, tokens.slice(before, static_cast<size_t>(length)), lastOnly, logits);
  model.progress = nullptr;
  if (error)
    return error;
  return logits;
}

/// The tokens of the file, of which there are some.
static Expected<NpyArray> readTokens(const std::string &path) {
  Expected<NpyArray> tokens = readNpy(path, SORTIE_I32);
  if (!tokens)
    return tokens.takeError();
  if (tokens->shape.size() != 2)
    return makeError("--tokens " + path + ": has " + Twine(tokens->shape.size()) +
                     " dimensions; give tokens of shape [sequences, tokens]");
  if (is_contained(tokens->shape, 0))
    return makeError("--tokens " + path + ": has no tokens; give at least one sequence of one");
  return tokens;
}

static std::vector<int32_t> decode(StringRef bytes) {
  std::vector<int32_t> tokens(bytes.size() / sizeof(int32_t));
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] =
        support::endian::read<int32_t, endianness::little>(bytes.data() + i * sizeof(int32_t));
  return tokens;
}

/// What --context says, or as many positions as the sequences have.
static Expected<int64_t> contextOf(const ModelProgram &program, const LogitsOptions &options,
                                   int64_t length) {
  Expected<int64_t> most = program.contextOf(options.context);
  if (!most)
    return most.takeError();
  if (length > *most)
    return makeError("--tokens " + options.tokens + ": has sequences of " + Twine(length) +
                     " tokens, and the context is " + Twine(*most) +
                     "; give shorter ones, a larger --context, or import the model with one");
  return options.context != 0 ? *most : length;
}

Error writeLogits(const Options &options) {
  if (Error error = claimFiles(options))
    return error;
  Expected<NpyArray> file = readTokens(options.logits.tokens);
  if (!file)
    return file.takeError();
  Expected<ModelProgram> program = ModelProgram::open(options);
  if (!program)
    return program.takeError();
  const int64_t length = file->shape[1];
  const bool lastOnly = options.logits.lastOnly;
  Expected<int64_t> context = contextOf(*program, options.logits, length);
  if (!context)
    return context.takeError();
  Expected<LoadedModel> loaded =
      LoadedModel::load(*program, options,
                        {.context = *context,
                         .pages = cache::CacheManager::pagesFor(*context),
                         .rows = lastOnly ? 1 : program->rowsOfRun()});
  if (!loaded)
    return loaded.takeError();
  ProgressBar bar;
  Expected<std::vector<float>> logits =
      logitsOf(loaded->model, decode(file->data), length, lastOnly,
               [&](uint64_t done, uint64_t total) { bar.update("logits", done, total); });
  if (!logits)
    return logits.takeError();
  const int64_t vocabulary = loaded->model.vocabulary();
  std::string contents = lastOnly ? npyHeader(SORTIE_F32, {file->shape[0], vocabulary})
                                  : npyHeader(SORTIE_F32, {file->shape[0], length, vocabulary});
  contents.append(reinterpret_cast<const char *>(logits->data()), logits->size() * sizeof(float));
  return writeOutputFile(options.logits.output, contents);
}

} // namespace sortie::tool
