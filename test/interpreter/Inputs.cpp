// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/Inputs.h"
#include "test/interpreter/Meanings.h"
#include "test/interpreter/Places.h"
#include "test/interpreter/RandomIntegers.h"
#include "test/interpreter/Sizes.h"

#include <algorithm>

using namespace mlir;
using namespace sortie::interpreter;

namespace {

/// Different ids in each row, as a router selects them; where there are too few, again from 0.
void fillIds(Tensor &ids, int64_t experts, RandomIntegers &random) {
  for (int64_t row = 0, rows = ids.rows(); row < rows; ++row) {
    const std::vector<double> order = random.shuffled(experts);
    for (auto [slot, id] : llvm::enumerate(ids.row(row)))
      id = order[slot % experts];
  }
}

/// Rows in a random order, and one slot without a row.
void fillInverse(Tensor &inverse, int64_t rows, RandomIntegers &random) {
  const std::vector<double> order = random.shuffled(rows);
  for (auto [slot, row] : llvm::enumerate(inverse.elements))
    row = rows == 0 ? -1 : order[slot % rows];
  if (!inverse.elements.empty())
    inverse.elements[random.below(std::ssize(inverse.elements))] = -1;
}

/// Groups of random lengths, some of them empty, that make up `rows`.
void fillOffsets(Tensor &offsets, int64_t rows, RandomIntegers &random) {
  for (double &offset : offsets.elements)
    offset = static_cast<double>(random.below(rows + 1));
  llvm::sort(offsets.elements);
  offsets.elements.front() = 0;
  offsets.elements.back() = static_cast<double>(rows);
}

void fillNumbers(Tensor &numbers, int64_t bound, RandomIntegers &random) {
  for (double &number : numbers.elements)
    number = bound == 0 ? 0 : static_cast<double>(random.below(bound));
}

void fillIndices(Tensor &tensor, IndexKind kind, int64_t bound, uint64_t key) {
  RandomIntegers random(key);
  switch (kind) {
  case IndexKind::Ids:
    return fillIds(tensor, bound, random);
  case IndexKind::Permutation:
    tensor.elements = random.shuffled(std::ssize(tensor.elements));
    return;
  case IndexKind::Inverse:
    return fillInverse(tensor, bound, random);
  case IndexKind::Offsets:
    return fillOffsets(tensor, bound, random);
  case IndexKind::Numbers:
    return fillNumbers(tensor, bound, random);
  }
}

/// What an argument holds, if an op reads it as indices: the use with the least bound.
std::optional<std::pair<IndexKind, int64_t>> indicesIn(Value argument, const Relations &relations,
                                                       const Sizes &sizes) {
  std::optional<std::pair<IndexKind, int64_t>> result;
  for (const IndexRelation &relation : relations.indices) {
    if (relation.value != argument)
      continue;
    const int64_t bound = relation.boundOf ? sizes.get(relation.boundOf) : relation.bound;
    if (!result || bound < result->second)
      result = {relation.kind, bound};
  }
  return result;
}

TensorRef makeInput(BlockArgument argument, const Relations &relations, const Sizes &sizes,
                    uint64_t key) {
  SmallVector<int64_t> shape;
  for (unsigned index : llvm::seq<unsigned>(cast<RankedTensorType>(argument.getType()).getRank()))
    shape.push_back(sizes.get({argument, index}));
  Tensor input(shape, /*fill=*/0);
  if (const auto indices = indicesIn(argument, relations, sizes))
    fillIndices(input, indices->first, indices->second, key);
  else if (!getElementTypeOrSelf(argument.getType()).isInteger())
    for (auto [index, element] : llvm::enumerate(input.elements))
      element = randomNumber(key, index);
  return std::make_shared<const Tensor>(std::move(input));
}

} // namespace

FailureOr<std::vector<TensorRef>> sortie::interpreter::makeInputs(func::FuncOp function,
                                                                  int64_t tokens, uint64_t seed) {
  Relations relations;
  for (Operation &op : function.getBody().front().without_terminator()) {
    const Meaning *meaning = meanings().find(&op);
    if (!meaning)
      return failure();
    meaning->relate(&op, relations);
  }
  const Sizes sizes(relations, tokens);
  if (!sizes.fit())
    return emitError(function.getLoc())
           << "no sizes of its dynamic dimensions fit for " << tokens << " tokens";
  const llvm::DenseMap<Value, Tensor> places =
      makePlaces(relations, sizes, hashKey(seed, (function.getSymName() + ".places").str()));
  std::vector<TensorRef> inputs;
  for (const BlockArgument argument : function.getArguments()) {
    if (!isa<RankedTensorType>(argument.getType()))
      return emitError(function.getLoc())
             << "the interpreter makes no inputs of " << argument.getType();
    if (const auto place = places.find(argument); place != places.end()) {
      inputs.push_back(std::make_shared<const Tensor>(place->second));
      continue;
    }
    const std::string name = (function.getSymName() + "." + Twine(argument.getArgNumber())).str();
    inputs.push_back(makeInput(argument, relations, sizes, hashKey(seed, name)));
  }
  return inputs;
}
