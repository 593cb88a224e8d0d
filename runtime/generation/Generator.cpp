// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The loop of generation.

#include "runtime/generation/Generator.h"

#include "runtime/generation/EndTokens.h"

#include "llvm/ADT/STLExtras.h"

#include <chrono>
#include <limits>

using namespace llvm;

namespace sortie::generation {

Error Generator::checkPrompts(ArrayRef<std::vector<int32_t>> prompts) const {
  for (const auto &[index, prompt] : enumerate(prompts)) {
    const auto length = static_cast<int64_t>(prompt.size());
    if (length == 0)
      return makeError("prompt " + Twine(index) +
                       " has no tokens, and the model's tokenizer adds none at the beginning of a "
                       "text; give some text");
    if (length > model.context())
      return makeError("prompt " + Twine(index) + " has " + Twine(length) +
                       " tokens, and the context is " + Twine(model.context()) +
                       "; give a shorter prompt or a larger context");
  }
  return Error::success();
}

Error Generator::begin(ArrayRef<std::vector<int32_t>> prompts) {
  spent = {};
  streams.clear();
  ends = endTokens(tokenizer.data());
  if (options.ignoresEnd)
    options.sampling.banned = ends;
  Expected<Sampler> made = Sampler::create(options.sampling);
  if (!made)
    return made.takeError();
  sampler = std::move(*made);
  Expected<StopStrings> stops = StopStrings::create(options.stops);
  if (!stops)
    return stops.takeError();
  for (const std::vector<int32_t> &prompt : prompts)
    if (Error error = addStream(prompt, *stops))
      return error;
  return Error::success();
}

Error Generator::addStream(const std::vector<int32_t> &prompt, const StopStrings &stops) {
  tokenizer::Detokenizer detokenizer(tokenizer);
  // What the prompt ends with decides whether a space is text.
  for (const int32_t id : prompt)
    if (Expected<std::string> text = detokenizer.push(id); !text)
      return text.takeError();
  Expected<uint32_t> sequence = model.createSequence();
  if (!sequence)
    return sequence.takeError();
  streams.push_back({*sequence, prompt, std::move(detokenizer), stops, {}});
  return Error::success();
}

Error Generator::removeSequence(Stream &stream) {
  const uint32_t sequence = *stream.sequence;
  stream.sequence.reset();
  return model.removeSequence(sequence);
}

Error Generator::emit(size_t prompt, StringRef text, TextSink sink) {
  if (text.empty())
    return Error::success();
  streams[prompt].result.text += text;
  return sink(prompt, text);
}

Error Generator::end(size_t prompt, EndReason reason, TextSink sink) {
  Stream &stream = streams[prompt];
  stream.result.end = reason;
  if (Error error = removeSequence(stream))
    return error;
  std::string rest = stream.stops.push(stream.detokenizer.finish());
  rest += stream.stops.finish();
  return emit(prompt, rest, sink);
}

Error Generator::addText(size_t prompt, const GeneratedToken &token, TextSink sink) {
  Stream &stream = streams[prompt];
  stream.result.tokens.push_back(token);
  stream.history.push_back(token.id);
  if (is_contained(ends, token.id))
    return end(prompt, EndReason::EndToken, sink);
  Expected<std::string> piece = stream.detokenizer.push(token.id);
  if (!piece)
    return piece.takeError();
  if (Error error = emit(prompt, stream.stops.push(*piece), sink))
    return error;
  if (stream.stops.isFound())
    return end(prompt, EndReason::StopString, sink);
  if (static_cast<int64_t>(stream.result.tokens.size()) == options.tokens)
    return end(prompt, EndReason::Tokens, sink);
  if (static_cast<int64_t>(stream.history.size()) > model.context())
    return end(prompt, EndReason::Context, sink);
  return Error::success();
}

Error Generator::takeToken(size_t prompt, ArrayRef<float> logits, TextSink sink) {
  const Stream &stream = streams[prompt];
  const auto position = static_cast<int64_t>(stream.history.size());
  Expected<int32_t> id =
      sampler->sample(logits, stream.history, {static_cast<uint32_t>(prompt), position});
  if (!id)
    return id.takeError();
  GeneratedToken token{*id, std::numeric_limits<float>::quiet_NaN()};
  if (options.wantsLogProbabilities) {
    Expected<float> probability = logProbability(logits, *id);
    if (!probability)
      return probability.takeError();
    token.logProbability = *probability;
  }
  return addText(prompt, token, sink);
}

Error Generator::step(TextSink sink, bool isPrompt) {
  std::vector<Piece> pieces;
  std::vector<size_t> prompts;
  for (const auto &[index, stream] : enumerate(streams)) {
    if (!stream.sequence)
      continue;
    ArrayRef<int32_t> tokens = stream.history;
    if (!isPrompt)
      tokens = tokens.take_back(1);
    pieces.push_back({*stream.sequence, tokens, tokens.size() - 1});
    prompts.push_back(index);
  }
  // Tokens are taken when all have been run: a stream's history may not move while it is read.
  std::vector<std::vector<float>> rows(pieces.size());
  const auto begin = std::chrono::steady_clock::now();
  if (Error error = model.extend(pieces, [&](size_t piece, size_t, ArrayRef<float> logits) {
        rows[piece] = logits.vec();
        return Error::success();
      }))
    return error;
  for (const auto &[row, prompt] : zip_equal(rows, prompts))
    if (Error error = takeToken(prompt, row, sink))
      return error;
  uint64_t count = 0;
  for (const Piece &piece : pieces)
    count += piece.tokens.size();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  (isPrompt ? spent.promptTokens : spent.generatedTokens) += count;
  (isPrompt ? spent.promptSeconds : spent.generationSeconds) += seconds.count();
  return Error::success();
}

Error Generator::runAll(TextSink sink) {
  bool isPrompt = true;
  while (any_of(streams, [](const Stream &stream) { return stream.sequence.has_value(); })) {
    if (Error error = step(sink, isPrompt))
      return error;
    isPrompt = false;
  }
  return Error::success();
}

Expected<std::vector<GeneratedText>> Generator::generate(ArrayRef<std::vector<int32_t>> prompts,
                                                         TextSink sink) {
  if (Error error = checkPrompts(prompts))
    return error;
  Error error = begin(prompts);
  if (!error)
    error = runAll(sink);
  for (Stream &stream : streams)
    if (stream.sequence)
      error = joinErrors(std::move(error), removeSequence(stream));
  if (error)
    return error;
  std::vector<GeneratedText> results;
  for (Stream &stream : streams)
    results.push_back(std::move(stream.result));
  return results;
}

} // namespace sortie::generation
