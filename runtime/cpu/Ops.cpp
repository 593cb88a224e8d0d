// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Splitting products into work units for the pool's threads; what a unit computes is in kernels/.
// The dispatch, which one thread computes.

#include "runtime/cpu/ops.h"
#include "runtime/cpu/Device.h"
#include "runtime/cpu/PanelLayout.h"

#include "llvm/ADT/SmallVector.h"

#include <algorithm>
#include <utility>

namespace sortie::cpu {

using numerics::RowKind;

static_assert(ThreadPool::kScratchBytes >= kScratchBytes);

const Kernels &kernelsFor(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
  case Isa::Portable:
    break;
  case Isa::Avx2:
    return avx2Kernels();
  case Isa::AvxVnni:
    return avxVnniKernels();
  case Isa::Avx512Vnni:
    return avx512VnniKernels();
  case Isa::AmxInt8:
    return amxInt8Kernels();
  }
#endif
  return portableKernels();
}

namespace {

/// The work units of a product: for each expert with rows, for each tile of columns, for each pass
/// of up to kUnitRows rows. Passes are innermost, so that the tile's weights are still cached.
class UnitList {
public:
  UnitList(const Matrix &matrix, const RowMap &map, int64_t rows)
      : offsets(map.offsets), groups(offsets != nullptr ? matrix.shape.experts
                                     : map.heads != 0   ? map.heads
                                                        : 1),
        rows(rows), panels(panelCount(matrix.shape.rows)) {}

  /// Narrows the tiles until there is work for all threads, or nothing is left to narrow: routers
  /// and keys have few columns.
  void narrowTiles(int threads) {
    constexpr int64_t kUnitsOfThread = 4;
    while (tilePanels > 1 && count() < kUnitsOfThread * threads)
      tilePanels /= 2;
  }

  int64_t count() const {
    int64_t units = 0;
    for (int64_t expert = 0; expert < groups; ++expert)
      units += unitsOf(expert);
    return units;
  }

  /// Where a worker is; units are asked for in ascending order.
  struct Cursor {
    int64_t expert = 0;
    int64_t unitsBefore = 0;
  };

  ProductUnit find(int64_t index, Cursor &cursor) const {
    while (index - cursor.unitsBefore >= unitsOf(cursor.expert))
      cursor.unitsBefore += unitsOf(cursor.expert++);
    const int64_t local = index - cursor.unitsBefore;
    const int64_t passes = passesOf(cursor.expert);
    const int64_t firstRow = begin(cursor.expert) + local % passes * kUnitRows;
    const int64_t firstPanel = local / passes * tilePanels;
    ProductUnit unit;
    unit.expert = cursor.expert;
    unit.firstRow = firstRow;
    unit.rows = static_cast<int>(std::min<int64_t>(kUnitRows, end(cursor.expert) - firstRow));
    unit.firstPanel = firstPanel;
    unit.panels = static_cast<int>(std::min<int64_t>(tilePanels, panels - firstPanel));
    return unit;
  }

private:
  int64_t begin(int64_t expert) const { return offsets != nullptr ? offsets[expert] : 0; }
  int64_t end(int64_t expert) const { return offsets != nullptr ? offsets[expert + 1] : rows; }
  int64_t passesOf(int64_t expert) const {
    return (end(expert) - begin(expert) + kUnitRows - 1) / kUnitRows;
  }
  int64_t unitsOf(int64_t expert) const {
    return passesOf(expert) * ((panels + tilePanels - 1) / tilePanels);
  }

  const int32_t *offsets;
  int64_t groups; ///< experts that have rows
  int64_t rows;
  int64_t panels;
  int64_t tilePanels = kUnitPanels;
};

void runProduct(const ProductOp &op, int64_t rows, const Device &device) {
  UnitList units(op.matrices[0], op.map, rows);
  // Gate and up are quantized afterwards, by whole tiles.
  if (op.matrixCount == 1)
    units.narrowTiles(device.pool.threads());
  llvm::SmallVector<UnitList::Cursor, 64> cursors(static_cast<size_t>(device.pool.threads()));
  device.pool.parallelFor(units.count(), [&](int64_t index, int worker) {
    const ProductUnit unit = units.find(index, cursors[static_cast<size_t>(worker)]);
    device.kernels.product(op, unit, device.pool.scratch(worker));
  });
}

} // namespace

void matmul(const MatmulOp &op, const Device &device) {
  ProductOp product{};
  product.matrices = &op.weights;
  product.expertScales = &op.expertScale;
  product.biases = &op.bias;
  product.matrixCount = 1;
  product.inputKind = op.inputKind;
  product.input = op.input;
  product.map = op.map;
  product.scale = op.scale;
  product.outputKind = RowKind::F32;
  product.output = op.output;
  product.isBf16 = op.isBf16;
  runProduct(product, op.rows, device);
}

void gluMatmul(const GluMatmulOp &op, const Device &device) {
  const Matrix matrices[] = {op.gate, op.up};
  const float *expertScales[] = {op.gateScale, op.upScale};
  const float *biases[] = {op.gateBias, op.upBias};
  ProductOp product{};
  product.matrices = matrices;
  product.expertScales = expertScales;
  product.biases = biases;
  product.matrixCount = 2;
  product.inputKind = op.inputKind;
  product.input = op.input;
  product.map = op.map;
  product.glu = op.glu;
  product.outputKind = op.outputKind;
  product.output = op.output;
  product.isBf16 = op.isBf16;
  runProduct(product, op.rows, device);
}

//===- Dispatch ----------------------------------------------------------===//

int64_t dispatch(const int32_t *ids, int64_t slots, int64_t totalExperts, int64_t firstExpert,
                 int64_t experts, int32_t *permutation, int32_t *inverse, int32_t *offsets) {
  for (int64_t slot = 0; slot < slots; ++slot)
    if (ids[slot] < 0 || ids[slot] >= totalExperts)
      return slot;
  const auto local = [&](int64_t slot) { return ids[slot] - firstExpert; };
  const auto isHere = [&](int64_t slot) { return local(slot) >= 0 && local(slot) < experts; };

  // offsets[e + 1] counts the rows of expert e, then becomes the next free row of expert e, and
  // ends as the first row of expert e + 1.
  std::fill_n(offsets, experts + 1, 0);
  for (int64_t slot = 0; slot < slots; ++slot)
    if (isHere(slot))
      ++offsets[local(slot) + 1];
  int32_t next = 0;
  for (int64_t e = 1; e <= experts; ++e)
    next += std::exchange(offsets[e], next);
  for (int64_t slot = 0; slot < slots; ++slot) {
    inverse[slot] = -1;
    if (!isHere(slot))
      continue;
    const int32_t row = offsets[local(slot) + 1]++;
    permutation[row] = static_cast<int32_t>(slot);
    inverse[slot] = row;
  }
  return -1;
}

} // namespace sortie::cpu
