// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Pieces of sequences, cut into runs.

#include "runtime/generation/LanguageModel.h"

#include <algorithm>

using namespace llvm;

namespace sortie::generation {

Expected<LanguageModel> LanguageModel::create(std::unique_ptr<ForwardPass> pass, int64_t sequences,
                                              int64_t context) {
  const ForwardShape &shape = pass->shape();
  if (const int64_t most = shape.tablePages * cache::kPagePositions; context > most)
    return makeError("a context of " + Twine(context) + " positions: the program has room for " +
                     Twine(most) + "; import the model with a larger --context");
  if (sequences > shape.sequences)
    return makeError(Twine(sequences) + " sequences at once: the program has room for " +
                     Twine(shape.sequences) + "; take fewer, or compile it for more");
  Expected<cache::CacheManager> cache = cache::CacheManager::create(
      {sequences, context}, {cache::CacheGroup{static_cast<int32_t>(shape.pages)}});
  if (!cache)
    return cache.takeError();
  return LanguageModel(std::move(pass), std::move(*cache), context);
}

Error LanguageModel::checkHasPages(const Twine &purpose) const {
  if (pass->shape().copies > 0)
    return Error::success();
  return makeError(purpose +
                   ": the program has no functions that copy, read and write pages of its "
                   "caches; compile it again");
}

Expected<uint32_t> LanguageModel::fork(uint32_t sequence) {
  if (Error error = checkHasPages("cannot fork sequence " + Twine(sequence)))
    return error;
  Expected<uint32_t> copy = cache.fork(sequence);
  if (copy) {
    std::vector<int32_t> text = textOf(sequence);
    textOf(*copy) = std::move(text);
  }
  return copy;
}

std::vector<int32_t> &LanguageModel::textOf(uint32_t sequence) {
  if (sequence >= texts.size())
    texts.resize(sequence + size_t{1});
  return texts[sequence];
}

Expected<uint32_t> LanguageModel::createSequence() {
  Expected<uint32_t> sequence = cache.createSequence();
  if (sequence)
    textOf(*sequence).clear();
  return sequence;
}

Expected<ArrayRef<int32_t>> LanguageModel::tokens(uint32_t sequence) const {
  if (Expected<int64_t> length = cache.length(sequence); !length)
    return length.takeError();
  return ArrayRef<int32_t>(texts[sequence]);
}

Error LanguageModel::truncate(uint32_t sequence, int64_t length) {
  if (Error error = cache.truncate(sequence, length))
    return error;
  textOf(sequence).resize(static_cast<size_t>(length));
  return Error::success();
}

void LanguageModel::Run::clear() {
  for (std::vector<int32_t> *array : {&tokens, &positions, &sequences, &pages, &rows})
    array->clear();
  places.clear();
  highest = 0;
}

Error LanguageModel::checkPieces(ArrayRef<Piece> pieces) const {
  if (pieces.empty())
    return makeError("a run without tokens; give at least one");
  for (const Piece &piece : pieces) {
    if (piece.tokens.empty())
      return makeError("sequence " + Twine(piece.sequence) +
                       " is to grow by no tokens; give at least one");
    for (const int32_t token : piece.tokens)
      if (token < 0 || token >= vocabulary())
        return makeError("token " + Twine(token) +
                         " is not in the model's vocabulary: its tokens "
                         "are 0 to " +
                         Twine(vocabulary() - 1));
  }
  return Error::success();
}

bool LanguageModel::hasRoom(bool isWanted) const {
  const ForwardShape &shape = pass->shape();
  return static_cast<int64_t>(run.tokens.size()) < shape.tokens &&
         (!isWanted || static_cast<int64_t>(run.rows.size()) < shape.rows);
}

void LanguageModel::addToken(const Piece &piece, Place place, int64_t position) {
  if (place.token >= piece.firstWanted) {
    run.rows.push_back(static_cast<int32_t>(run.tokens.size()));
    run.places.push_back(place);
  }
  run.tokens.push_back(piece.tokens[place.token]);
  run.positions.push_back(static_cast<int32_t>(position));
  run.sequences.push_back(static_cast<int32_t>(piece.sequence));
  run.highest = std::max(run.highest, piece.sequence);
}

/// The program's table has places for its own context, which may be longer than this one.
void LanguageModel::fillPages() {
  const auto places = static_cast<size_t>(pass->shape().tablePages);
  const auto used = static_cast<size_t>(cache.tablePages());
  const ArrayRef<cache::Page> table = cache.table(0);
  run.pages.assign((run.highest + size_t{1}) * places, cache::kNoPage);
  for (size_t sequence = 0; sequence <= run.highest; ++sequence)
    std::copy_n(table.begin() + sequence * used, used, run.pages.begin() + sequence * places);
}

Error LanguageModel::flush(LogitsSink sink) {
  fillPages();
  const auto width = static_cast<size_t>(vocabulary());
  logits.resize(run.rows.size() * width);
  if (Error error =
          pass->run({run.tokens, run.positions, run.sequences, run.pages, run.rows}, logits))
    return error;
  for (const auto &[row, place] : enumerate(run.places))
    if (Error error =
            sink(place.piece, place.token, ArrayRef<float>(logits).slice(row * width, width)))
      return error;
  run.clear();
  return Error::success();
}

Error LanguageModel::runAll(ArrayRef<Piece> pieces, ArrayRef<int64_t> lengths, LogitsSink sink) {
  uint64_t total = 0;
  for (const Piece &piece : pieces)
    total += piece.tokens.size();
  uint64_t done = 0;
  run.clear();
  const auto runOne = [&] {
    done += run.tokens.size();
    Error error = flush(sink);
    if (!error && progress)
      progress(done, total);
    return error;
  };
  for (const auto &[index, piece] : enumerate(pieces))
    for (size_t token = 0; token < piece.tokens.size(); ++token) {
      if (!hasRoom(token >= piece.firstWanted))
        if (Error error = runOne())
          return error;
      addToken(piece, {index, token}, lengths[index] + static_cast<int64_t>(token));
    }
  return runOne();
}

Error LanguageModel::makeCopies() {
  append_range(copies, cache.takeCopies());
  while (!copies.empty()) {
    std::vector<int32_t> from, to;
    for (const cache::PageCopy &copy : copies) {
      // A call reads all pages before it writes one.
      if (static_cast<int64_t>(from.size()) == pass->shape().copies || is_contained(to, copy.from))
        break;
      from.push_back(copy.from);
      to.push_back(copy.to);
    }
    if (Error error = pass->copyPages(from, to))
      return error;
    copies.erase(copies.begin(), copies.begin() + static_cast<ptrdiff_t>(from.size()));
  }
  return Error::success();
}

Error LanguageModel::extend(ArrayRef<Piece> pieces, LogitsSink sink) {
  if (Error error = checkPieces(pieces))
    return error;
  std::vector<cache::Growth> growths;
  std::vector<int64_t> lengths;
  for (const Piece &piece : pieces) {
    Expected<int64_t> length = cache.length(piece.sequence);
    if (!length)
      return length.takeError();
    lengths.push_back(*length);
    growths.push_back({piece.sequence, static_cast<int64_t>(piece.tokens.size())});
  }
  if (Error error = cache.extend(growths))
    return error;
  Error error = makeCopies();
  if (!error)
    error = runAll(pieces, lengths, sink);
  if (error)
    for (const auto &[piece, length] : zip_equal(pieces, lengths))
      cantFail(cache.truncate(piece.sequence, length));
  else
    for (const Piece &piece : pieces)
      append_range(textOf(piece.sequence), piece.tokens);
  return error;
}

ArrayRef<int32_t> LanguageModel::pagesOf(uint32_t sequence, size_t tokens) const {
  const auto places = static_cast<size_t>(cache.tablePages());
  return cache.table(0).slice(sequence * places, pagesOfTokens(tokens));
}

Error LanguageModel::save(uint32_t sequence, raw_ostream &out) {
  Expected<ArrayRef<int32_t>> text = tokens(sequence);
  if (!text)
    return text.takeError();
  if (Error error = checkHasPages("cannot save sequence " + Twine(sequence)))
    return error;
  if (Error error = makeCopies())
    return error;
  SequenceWriter writer(out, pass->origin(), *text);
  std::vector<int32_t> words;
  ArrayRef<int32_t> pages = pagesOf(sequence, text->size());
  while (!pages.empty()) {
    const size_t count = std::min(pages.size(), static_cast<size_t>(pass->shape().copies));
    words.resize(pass->origin().words(count));
    if (Error error = pass->readPages(pages.take_front(count), words))
      return error;
    writer.addPages(count, words);
    pages = pages.drop_front(count);
  }
  writer.finish();
  return Error::success();
}

Expected<uint32_t> LanguageModel::load(StringRef bytes) {
  Expected<SavedSequence> saved = SavedSequence::read(bytes, pass->origin(), vocabulary());
  return saved ? load(*saved) : saved.takeError();
}

Error LanguageModel::writePages(const SavedSequence &saved, ArrayRef<int32_t> pages) {
  std::vector<int32_t> words;
  for (size_t first = 0; first < pages.size();) {
    const size_t count = std::min(pages.size() - first, static_cast<size_t>(pass->shape().copies));
    words.resize(pass->origin().words(count));
    saved.getPages(first, count, words);
    if (Error error = pass->writePages(pages.slice(first, count), words))
      return error;
    first += count;
  }
  return Error::success();
}

Expected<uint32_t> LanguageModel::load(const SavedSequence &saved) {
  if (Error error = checkHasPages("cannot load a sequence"))
    return error;
  const auto length = static_cast<int64_t>(saved.tokens().size());
  if (length > contextLength)
    return makeError("the saved sequence has " + Twine(length) + " tokens, and the context is " +
                     Twine(contextLength) + "; take a larger context");
  if (Error error = makeCopies())
    return error;
  Expected<uint32_t> sequence = createSequence();
  if (!sequence)
    return sequence.takeError();
  Error error = cache.extend(cache::Growth{*sequence, length});
  if (!error)
    error = writePages(saved, pagesOf(*sequence, saved.tokens().size()));
  if (error) {
    cantFail(cache.remove(*sequence));
    return error;
  }
  textOf(*sequence) = saved.tokens().vec();
  return *sequence;
}

} // namespace sortie::generation
