// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/Weights.h"

#include "llvm/Support/xxhash.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::interpreter;

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
static uint64_t mix(uint64_t bits) {
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return bits ^ (bits >> 31);
}

uint64_t sortie::interpreter::randomBits(uint64_t key, uint64_t index) {
  return mix(key + (index + 1) * 0x9e3779b97f4a7c15);
}

uint64_t sortie::interpreter::hashKey(uint64_t seed, StringRef name) {
  return randomBits(llvm::xxh3_64bits(name), seed);
}

double sortie::interpreter::randomNumber(uint64_t key, uint64_t index) {
  return static_cast<double>(randomBits(key, index) >> 11) * 0x1p-53 - 0.5;
}

/// The place of the first element of a row in its tensor of the model file. Leading dimensions that
/// a tensor does not have are 0, as if they were of size one.
struct Place {
  StringRef tensor;
  int64_t matrix = 0;
  int64_t row = 0;
};

static Place placeOf(int64_t row, ArrayRef<int64_t> shape, const WeightTensors &tensors) {
  const int64_t rowsInMatrix = shape.size() == 3 ? shape[1] : 1;
  Place place{tensors.names.front().getValue(), row / rowsInMatrix, row % rowsInMatrix};
  if (tensors.names.size() > 1)
    place = {tensors.names[place.matrix].getValue(), 0, place.row};
  else if (shape.size() == 2)
    place = {place.tensor, 0, row};
  place.row += tensors.rows.first;
  return place;
}

TensorRef Weights::get(moe::WeightOp op) {
  const RankedTensorType type = op.getType();
  TensorRef &entry = made[{op.getSource(), type}];
  if (entry)
    return entry;
  const WeightTensors tensors = op.getTensors();
  Tensor weight(type.getShape());
  for (int64_t row = 0, rows = weight.rows(); row < rows; ++row) {
    const Place place = placeOf(row, type.getShape(), tensors);
    const uint64_t matrixKey = randomBits(hashKey(seed, place.tensor), place.matrix);
    const uint64_t rowKey = randomBits(matrixKey, place.row);
    for (auto [column, element] : llvm::enumerate(weight.row(row)))
      element = randomNumber(rowKey, tensors.columns.first + column);
  }
  return entry = std::make_shared<const Tensor>(std::move(weight));
}
