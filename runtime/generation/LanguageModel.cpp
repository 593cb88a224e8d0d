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
  // Forks would have pages copied here, which takeCopies() names; no sequence is forked yet.
  Error error = runAll(pieces, lengths, sink);
  if (error)
    for (const auto &[piece, length] : zip_equal(pieces, lengths))
      cantFail(cache.truncate(piece.sequence, length));
  return error;
}

} // namespace sortie::generation
