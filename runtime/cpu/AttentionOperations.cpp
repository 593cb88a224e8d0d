// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Embedding, appending to a cache and attention: what the caller passes is checked, then threads
// share the work. What they compute is in kernels/Attention.h.

#include "runtime/cpu/AttentionOperations.h"

#include "runtime/cpu/ops.h"

#include <algorithm>
#include <cstring>

namespace sortie::cpu {

using numerics::ActivationWidth;
using numerics::kAttentionChunk;

namespace {

using Result = std::optional<BadIndex>;

Result badIndex(BadIndex::Kind kind, int64_t position, int64_t index, int64_t bound) {
  return BadIndex{kind, position, /*slotsOfToken=*/1, static_cast<int32_t>(index), bound};
}

/// The number of a width in parameters is that of the word of the dialect.
ActivationWidth widthOf(Parameter parameter) {
  return parameter.integer == 0 ? ActivationWidth::Int8 : ActivationWidth::Int16;
}

/// reads(..., positions, sequences, pages) from number `first` on.
void readPlaces(const Operands &op, int first, const Rows &cache, CachePlaces &places) {
  places.positions = op.reads[first].ints();
  places.sequences = op.reads[first + 1].ints();
  places.pages = op.reads[first + 2].ints();
  places.pagesOfSequence = op.reads[first + 2].columns;
  places.cache = cache.data;
  places.pageBytes = cache.columns * static_cast<int64_t>(sizeof(int32_t));
  places.layout = numerics::cachePageLayout(places.width, places.key, places.value, places.rotated);
}

/// The first token whose place is not in the cache, as are the pages of all positions from
/// `firstSeen(position)` to its own.
template <typename FirstSeen>
Result findBadPlace(const CachePlaces &places, int64_t tokens, int64_t sequences, int64_t pages,
                    FirstSeen firstSeen) {
  const int64_t positions = places.pagesOfSequence * kAttentionChunk;
  for (int64_t token = 0; token < tokens; ++token) {
    const int64_t sequence = places.sequences[token], position = places.positions[token];
    if (sequence < 0 || sequence >= sequences)
      return badIndex(BadIndex::Kind::Sequence, token, sequence, sequences);
    if (position < 0 || position >= positions)
      return badIndex(BadIndex::Kind::Position, token, position, positions);
    const int32_t *own = places.pages + sequence * places.pagesOfSequence;
    const int64_t last = position / kAttentionChunk;
    for (int64_t page = firstSeen(position) / kAttentionChunk; page <= last; ++page)
      if (own[page] < 0 || own[page] >= pages)
        return badIndex(BadIndex::Kind::Page, token, own[page], pages);
  }
  return std::nullopt;
}

/// Two tokens that are to be appended to one place: threads would not agree about which one stays.
/// Each token leaves its number where the scale of its key will be, and looks whether it stayed.
Result findCommonPlace(const AppendOperands &op) {
  const auto slot = [&](int64_t token) {
    const int64_t position = op.positions[token] % kAttentionChunk;
    return op.page(token, /*kvHead=*/0) + op.layout.keys.scales +
           position * static_cast<int64_t>(sizeof(uint32_t));
  };
  for (int64_t token = 0; token < op.tokens; ++token) {
    const auto number = static_cast<uint32_t>(token);
    std::memcpy(slot(token), &number, sizeof number);
  }
  for (int64_t token = 0; token < op.tokens; ++token) {
    uint32_t number = 0;
    std::memcpy(&number, slot(token), sizeof number);
    if (number != static_cast<uint32_t>(token))
      return badIndex(BadIndex::Kind::Place, token, number, op.tokens);
  }
  return std::nullopt;
}

/// Appends what `append` has; `pages` is the table.
Result runAppend(const AppendOperands &append, const Rows &pages, const Rows &cache,
                 const Device &device) {
  if (const Result bad = findBadPlace(append, append.tokens, pages.rows, cache.rows,
                                      [](int64_t position) { return position; }))
    return bad;
  if (const Result bad = findCommonPlace(append))
    return bad;
  // All tokens have places of their own: latents have a single head of keys, but many tokens.
  constexpr int64_t kTokensOfUnit = 32;
  const int64_t units = (append.tokens + kTokensOfUnit - 1) / kTokensOfUnit;
  device.pool.parallelFor(units * append.kvHeads, [&](int64_t index, int) {
    const int64_t first = index / append.kvHeads * kTokensOfUnit;
    device.kernels.append(
        append, {index % append.kvHeads, first, std::min(kTokensOfUnit, append.tokens - first)});
  });
  return std::nullopt;
}

/// Queries that a work unit takes: enough for the loads of a chunk to serve many of them.
int64_t queriesOfUnit(const AttendOperands &op, int64_t queries, int threads) {
  constexpr int64_t kMost = 64;
  const int64_t group = op.heads / op.kvHeads;
  const int64_t share = (queries * op.kvHeads + threads - 1) / threads;
  const int64_t wanted = std::clamp<int64_t>(share, 1, kMost);
  // Whole tokens, but where all heads share their keys: then the heads of one are work for many.
  return op.kvHeads == 1 ? wanted : std::max(group, wanted / group * group);
}

/// Attends with what `attend` has; `pages` is the table.
Result runAttend(const AttendOperands &attend, int64_t tokens, const Rows &pages, const Rows &cache,
                 const Device &device) {
  const auto firstSeen = [&](int64_t position) {
    return attend.window != 0 ? std::max<int64_t>(0, position - attend.window + 1) : 0;
  };
  if (const Result bad = findBadPlace(attend, tokens, pages.rows, cache.rows, firstSeen))
    return bad;
  const int64_t queries = tokens * (attend.heads / attend.kvHeads);
  const int64_t count = queriesOfUnit(attend, queries, device.pool.threads());
  const int64_t units = (queries + count - 1) / count;
  device.pool.parallelFor(units * attend.kvHeads, [&](int64_t index, int worker) {
    const int64_t first = index / attend.kvHeads * count;
    device.kernels.attend(attend, {index % attend.kvHeads, first, std::min(count, queries - first)},
                          device.pool.scratch(worker));
  });
  return std::nullopt;
}

} // namespace

/// reads(tokens) matrices(table) writes(x).
Result runEmbed(const Operands &op, const Device &device) {
  const Rows &tokens = op.reads[0];
  const Matrix &table = op.matrices[0];
  for (int64_t i = 0; i < tokens.columns; ++i)
    if (const int32_t id = tokens.ints()[i]; id < 0 || id >= table.shape.rows)
      return badIndex(BadIndex::Kind::Row, i, id, table.shape.rows);
  device.pool.parallelFor(tokens.columns, [&](int64_t i, int) {
    unpackRow(table, tokens.ints()[i], op.writes[0].floats(i));
  });
  return std::nullopt;
}

/// reads(keys, values, positions, sequences, pages) writes(cache) parameters(heads of keys, width).
Result runAppend(const Operands &op, const Device &device) {
  AppendOperands append{};
  append.kvHeads = op.parameters[0].integer;
  append.width = widthOf(op.parameters[1]);
  append.tokens = op.reads[0].rows;
  append.keys = op.reads[0].floats();
  append.values = op.reads[1].floats();
  append.key = op.reads[0].columns / append.kvHeads;
  append.value = op.reads[1].columns / append.kvHeads;
  readPlaces(op, 2, op.writes[0], append);
  return runAppend(append, op.reads[4], op.writes[0], device);
}

/// reads(latents, rotated, positions, sequences, pages) writes(cache) parameters(width).
Result runAppendLatent(const Operands &op, const Device &device) {
  AppendOperands append{};
  append.kvHeads = 1;
  append.width = widthOf(op.parameters[0]);
  append.tokens = op.reads[0].rows;
  append.keys = op.reads[0].floats();
  append.rotatedKeys = op.reads[1].floats();
  append.key = append.value = op.reads[0].columns;
  append.rotated = op.reads[1].columns;
  readPlaces(op, 2, op.writes[0], append);
  return runAppend(append, op.reads[4], op.writes[0], device);
}

/// reads(queries, cache, positions, sequences, pages) vectors(sinks?) writes(y) parameters(heads,
/// heads of keys, kappa, window, width of queries, width).
Result runAttend(const Operands &op, const Device &device) {
  AttendOperands attend{};
  attend.heads = op.parameters[0].integer;
  attend.kvHeads = op.parameters[1].integer;
  attend.scale = op.parameters[2].number;
  attend.window = op.parameters[3].integer;
  attend.ownWidth = widthOf(op.parameters[4]);
  attend.width = widthOf(op.parameters[5]);
  attend.queries = op.reads[0].floats();
  attend.outputs = op.writes[0].floats();
  attend.sinks = op.vectors[0];
  attend.key = op.reads[0].columns / attend.heads;
  attend.value = op.writes[0].columns / attend.heads;
  readPlaces(op, 2, op.reads[1], attend);
  return runAttend(attend, op.reads[0].rows, op.reads[4], op.reads[1], device);
}

/// reads(queries, rotated queries, cache, positions, sequences, pages) writes(y) parameters(heads,
/// kappa, width of queries, width).
Result runAttendLatent(const Operands &op, const Device &device) {
  AttendOperands attend{};
  attend.heads = op.parameters[0].integer;
  attend.kvHeads = 1;
  attend.scale = op.parameters[1].number;
  attend.ownWidth = widthOf(op.parameters[2]);
  attend.width = widthOf(op.parameters[3]);
  attend.queries = op.reads[0].floats();
  attend.rotatedQueries = op.reads[1].floats();
  attend.outputs = op.writes[0].floats();
  attend.key = attend.value = op.reads[0].columns / attend.heads;
  attend.rotated = op.reads[1].columns / attend.heads;
  readPlaces(op, 3, op.reads[2], attend);
  return runAttend(attend, op.reads[0].rows, op.reads[5], op.reads[2], device);
}

} // namespace sortie::cpu
