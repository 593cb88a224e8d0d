// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/Places.h"
#include "test/interpreter/Cache.h"
#include "test/interpreter/RandomIntegers.h"

#include <algorithm>

using namespace mlir;
using namespace sortie::interpreter;

/// How many positions each sequence has before the run, of which it has `room` at most.
static std::vector<int64_t> makeLengths(int64_t sequences, int64_t room, RandomIntegers &random) {
  std::vector<int64_t> lengths;
  for (int64_t sequence = 0; sequence < sequences; ++sequence) {
    const int64_t choices[] = {0, kPagePositions - 1, random.below(2 * kPagePositions)};
    lengths.push_back(std::clamp<int64_t>(choices[sequence % 3], 0, std::max<int64_t>(0, room)));
  }
  return lengths;
}

/// Fills `positions` and `sequences`.
static void fillTokens(Tensor &positions, Tensor &sequences, ArrayRef<int64_t> pagesShape,
                       RandomIntegers &random) {
  const int64_t tokens = std::ssize(positions.elements);
  if (pagesShape[0] == 0) // Tokens of no sequence: an error when they are interpreted.
    return;
  std::vector<int64_t> lengths =
      makeLengths(pagesShape[0], kPagePositions * pagesShape[1] - tokens, random);
  for (auto [position, sequence] : llvm::zip_equal(positions.elements, sequences.elements)) {
    const int64_t slot = random.below(pagesShape[0]);
    sequence = static_cast<double>(slot);
    position = static_cast<double>(lengths[slot]++);
  }
}

/// Fills `pages`: different ones in any order, and -1 for those that no token needs.
static void fillPages(Tensor &pages, const Tensor &positions, const Tensor &sequences,
                      RandomIntegers &random) {
  const std::vector<double> order = random.shuffled(std::ssize(pages.elements));
  for (auto [position, sequence] : llvm::zip_equal(positions.elements, sequences.elements)) {
    if (sequence >= static_cast<double>(pages.rows()))
      continue;
    const auto slot = static_cast<int64_t>(sequence);
    const MutableArrayRef<double> row = pages.row(slot);
    const int64_t needed = static_cast<int64_t>(position) / kPagePositions + 1;
    for (int64_t index = 0; index < std::min(needed, pages.columns()); ++index)
      row[index] = order[slot * pages.columns() + index];
  }
}

static Tensor makeTensor(Value value, const Sizes &sizes, double fill) {
  SmallVector<int64_t> shape;
  for (const unsigned index :
       llvm::seq<unsigned>(cast<RankedTensorType>(value.getType()).getRank()))
    shape.push_back(sizes.get({value, index}));
  return Tensor(shape, fill);
}

llvm::DenseMap<Value, Tensor> sortie::interpreter::makePlaces(const Relations &relations,
                                                              const Sizes &sizes, uint64_t key) {
  RandomIntegers random(key);
  llvm::DenseMap<Value, Tensor> made;
  for (const auto &[positions, sequences, pages] : relations.places) {
    Tensor table = makeTensor(pages, sizes, /*fill=*/-1);
    if (!made.contains(positions) || !made.contains(sequences)) {
      Tensor places = makeTensor(positions, sizes, /*fill=*/0);
      Tensor slots = makeTensor(sequences, sizes, /*fill=*/0);
      fillTokens(places, slots, table.shape, random);
      made.insert_or_assign(positions, std::move(places));
      made.insert_or_assign(sequences, std::move(slots));
    }
    if (made.contains(pages))
      continue;
    fillPages(table, made.at(positions), made.at(sequences), random);
    made.insert_or_assign(pages, std::move(table));
  }
  return made;
}
