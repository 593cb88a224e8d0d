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

static double secondsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

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

Error Generator::prepare() {
  spent = {};
  firstText = 0;
  ends = endTokens(tokenizer.data());
  append_range(ends, options.ends);
  if (options.ignoresEnd)
    options.sampling.banned = ends;
  Expected<Sampler> made = Sampler::create(options.sampling);
  if (!made)
    return made.takeError();
  sampler = std::move(*made);
  return Error::success();
}

Error Generator::begin(ArrayRef<std::vector<int32_t>> prompts) {
  streams.clear();
  Expected<StopStrings> stops = StopStrings::create(options.stops);
  if (!stops)
    return stops.takeError();
  for (const std::vector<int32_t> &prompt : prompts)
    if (Error error = addStream(prompt, *stops))
      return error;
  return Error::success();
}

/// That of beginWith(), or a new one.
Expected<uint32_t> Generator::takeSequence(const std::vector<int32_t> &prompt) {
  if (!begun)
    return model.createSequence();
  Expected<ArrayRef<int32_t>> text = model.tokens(*begun);
  if (!text)
    return text.takeError();
  if (!ArrayRef(prompt).take_front(text->size()).equals(*text))
    return makeError("sequence " + Twine(*begun) + " does not have the first tokens of the prompt");
  // The logits after the last token are wanted.
  if (text->size() == prompt.size())
    if (Error error = model.truncate(*begun, static_cast<int64_t>(prompt.size()) - 1))
      return error;
  return *std::exchange(begun, std::nullopt);
}

Error Generator::addStream(const std::vector<int32_t> &prompt, const StopStrings &stops) {
  tokenizer::Detokenizer detokenizer(tokenizer, {.showsSpecial = options.showsSpecial});
  // What the prompt ends with decides whether a space is text.
  for (const int32_t id : prompt)
    if (Expected<std::string> text = detokenizer.push(id); !text)
      return text.takeError();
  Expected<uint32_t> sequence = takeSequence(prompt);
  if (!sequence)
    return sequence.takeError();
  streams.push_back({*sequence, prompt, std::move(detokenizer), stops, {}});
  return Error::success();
}

Error Generator::releaseSequence(Stream &stream) {
  const uint32_t sequence = *std::exchange(stream.sequence, std::nullopt);
  if (!options.keepsSequences)
    return model.removeSequence(sequence);
  stream.result.sequence = sequence;
  return Error::success();
}

Error Generator::removeSequences() {
  Error error = Error::success();
  for (Stream &stream : streams)
    for (std::optional<uint32_t> *sequence : {&stream.sequence, &stream.result.sequence})
      if (*sequence)
        error = joinErrors(std::move(error),
                           model.removeSequence(*std::exchange(*sequence, std::nullopt)));
  return error;
}

Error Generator::emit(size_t index, StringRef text, TextSink sink) {
  if (text.empty())
    return Error::success();
  streams[index].result.text += text;
  return sink(firstText + index, text);
}

Error Generator::end(size_t index, EndReason reason, TextSink sink) {
  Stream &stream = streams[index];
  stream.result.end = reason;
  if (Error error = releaseSequence(stream))
    return error;
  std::string rest = stream.stops.push(stream.detokenizer.finish());
  rest += stream.stops.finish();
  return emit(index, rest, sink);
}

Error Generator::addText(size_t index, const GeneratedToken &token, TextSink sink) {
  Stream &stream = streams[index];
  stream.result.tokens.push_back(token);
  stream.history.push_back(token.id);
  if (is_contained(ends, token.id))
    return end(index, EndReason::EndToken, sink);
  Expected<std::string> piece = stream.detokenizer.push(token.id);
  if (!piece)
    return piece.takeError();
  if (Error error = emit(index, stream.stops.push(*piece), sink))
    return error;
  if (stream.stops.isFound())
    return end(index, EndReason::StopString, sink);
  if (static_cast<int64_t>(stream.result.tokens.size()) == options.tokens)
    return end(index, EndReason::Tokens, sink);
  if (static_cast<int64_t>(stream.history.size()) > model.context())
    return end(index, EndReason::Context, sink);
  return Error::success();
}

Error Generator::takeToken(size_t index, ArrayRef<float> logits, TextSink sink) {
  const Stream &stream = streams[index];
  const auto position = static_cast<int64_t>(stream.history.size());
  Expected<int32_t> id =
      sampler->sample(logits, stream.history, {static_cast<uint32_t>(firstText + index), position});
  if (!id)
    return id.takeError();
  GeneratedToken token{*id, std::numeric_limits<float>::quiet_NaN()};
  if (options.wantsLogProbabilities) {
    Expected<float> probability = logProbability(logits, *id);
    if (!probability)
      return probability.takeError();
    token.logProbability = *probability;
  }
  return addText(index, token, sink);
}

Expected<std::vector<std::vector<float>>> Generator::run(ArrayRef<Piece> pieces, uint64_t &tokens) {
  std::vector<std::vector<float>> rows(pieces.size());
  if (Error error = model.extend(pieces, [&](size_t piece, size_t, ArrayRef<float> logits) {
        rows[piece] = logits.vec();
        return Error::success();
      }))
    return error;
  for (const Piece &piece : pieces)
    tokens += piece.tokens.size();
  return rows;
}

Expected<std::vector<std::vector<float>>> Generator::readPrompts() {
  std::vector<Piece> pieces;
  for (const Stream &stream : streams) {
    const auto read = static_cast<size_t>(cantFail(model.length(*stream.sequence)));
    const ArrayRef<int32_t> tokens = ArrayRef(stream.history).drop_front(read);
    pieces.push_back({*stream.sequence, tokens, tokens.size() - 1});
  }
  const auto begin = std::chrono::steady_clock::now();
  auto rows = run(pieces, spent.promptTokens);
  spent.promptSeconds += secondsSince(begin);
  return rows;
}

Error Generator::tellPromptsRead() {
  if (promptRead)
    for (const auto &[prompt, stream] : enumerate(streams))
      if (Error error = promptRead(firstText / options.samples + prompt, *stream.sequence))
        return error;
  return Error::success();
}

Error Generator::forkStreams() {
  const size_t prompts = streams.size();
  for (int64_t sample = 1; sample < options.samples; ++sample)
    for (size_t prompt = 0; prompt < prompts; ++prompt) {
      Expected<uint32_t> sequence = model.fork(*streams[prompt].sequence);
      if (!sequence)
        return sequence.takeError();
      Stream copy = streams[prompt];
      copy.sequence = *sequence;
      streams.push_back(std::move(copy));
    }
  return Error::success();
}

Error Generator::step(TextSink sink) {
  std::vector<Piece> pieces;
  std::vector<size_t> indices;
  for (const auto &[index, stream] : enumerate(streams)) {
    if (!stream.sequence)
      continue;
    pieces.push_back({*stream.sequence, ArrayRef(stream.history).take_back(1), 0});
    indices.push_back(index);
  }
  // Tokens are taken when all have been run: a stream's history may not move while it is read.
  auto rows = run(pieces, spent.generatedTokens);
  if (!rows)
    return rows.takeError();
  for (const auto &[row, index] : zip_equal(*rows, indices))
    if (Error error = takeToken(index, row, sink))
      return error;
  return Error::success();
}

Error Generator::runAll(TextSink sink) {
  auto rows = readPrompts();
  if (!rows)
    return rows.takeError();
  if (Error error = tellPromptsRead())
    return error;
  if (Error error = forkStreams())
    return error;
  for (size_t index = 0; index < streams.size(); ++index)
    if (Error error = takeToken(index, (*rows)[index % rows->size()], sink))
      return error;
  const auto begin = std::chrono::steady_clock::now();
  while (any_of(streams, [](const Stream &stream) { return stream.sequence.has_value(); }))
    if (Error error = step(sink))
      return error;
  spent.generationSeconds += secondsSince(begin);
  return Error::success();
}

Error Generator::generateAtOnce(ArrayRef<std::vector<int32_t>> prompts, TextSink sink,
                                std::vector<GeneratedText> &results) {
  Error error = begin(prompts);
  if (!error)
    error = runAll(sink);
  if (error)
    return joinErrors(std::move(error), removeSequences());
  for (Stream &stream : streams)
    results.push_back(std::move(stream.result));
  firstText += streams.size();
  return Error::success();
}

Expected<std::vector<GeneratedText>> Generator::generate(ArrayRef<std::vector<int32_t>> prompts,
                                                         TextSink sink) {
  if (Error error = checkPrompts(prompts))
    return error;
  if (Error error = prepare())
    return error;
  const size_t most = options.parallel == 0 ? prompts.size() : options.parallel;
  std::vector<GeneratedText> results;
  for (; !prompts.empty(); prompts = prompts.drop_front(std::min(most, prompts.size())))
    if (Error error = generateAtOnce(prompts.take_front(most), sink, results))
      return error;
  return results;
}

} // namespace sortie::generation
