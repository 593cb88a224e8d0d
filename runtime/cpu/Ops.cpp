// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operations of the CPU device: splitting each into work units for the pool's threads. What a
// unit computes is in kernels/.

#include "runtime/cpu/ops.h"
#include "runtime/cpu/Device.h"
#include "runtime/cpu/PanelLayout.h"

#include "llvm/ADT/SmallVector.h"

#include <algorithm>
#include <cstring>
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

/// The work units of a product: for each expert with rows, for each tile of 128 columns, for each
/// pass of up to kUnitRows rows. Passes are innermost, so that the tile's weights are still cached.
class UnitList {
public:
  UnitList(const Matrix &matrix, const RowMap &map, int64_t rows)
      : offsets(map.offsets), experts(matrix.shape.experts), rows(rows),
        panels(panelCount(matrix.shape.rows)) {}

  int64_t count() const {
    int64_t units = 0;
    for (int64_t expert = 0; expert < groups(); ++expert)
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
    const int64_t firstPanel = local / passes * kUnitPanels;
    ProductUnit unit;
    unit.expert = cursor.expert;
    unit.firstRow = firstRow;
    unit.rows = static_cast<int>(std::min<int64_t>(kUnitRows, end(cursor.expert) - firstRow));
    unit.firstPanel = firstPanel;
    unit.panels = static_cast<int>(std::min<int64_t>(kUnitPanels, panels - firstPanel));
    return unit;
  }

private:
  int64_t groups() const { return offsets != nullptr ? experts : 1; }
  int64_t begin(int64_t expert) const { return offsets != nullptr ? offsets[expert] : 0; }
  int64_t end(int64_t expert) const { return offsets != nullptr ? offsets[expert + 1] : rows; }
  int64_t passesOf(int64_t expert) const {
    return (end(expert) - begin(expert) + kUnitRows - 1) / kUnitRows;
  }
  int64_t unitsOf(int64_t expert) const {
    return passesOf(expert) * ((panels + kUnitPanels - 1) / kUnitPanels);
  }

  const int32_t *offsets;
  int64_t experts;
  int64_t rows;
  int64_t panels;
};

void runProduct(const ProductOp &op, int64_t rows, const Device &device) {
  const UnitList units(op.matrices[0], op.map, rows);
  llvm::SmallVector<UnitList::Cursor, 64> cursors(static_cast<size_t>(device.pool.threads()));
  device.pool.parallelFor(units.count(), [&](int64_t index, int worker) {
    const ProductUnit unit = units.find(index, cursors[static_cast<size_t>(worker)]);
    device.kernels.product(op, unit, device.pool.scratch(worker));
  });
}

/// Elements that are worth a work unit of their own.
constexpr int64_t kElementsPerUnit = 16384;

/// Runs body(first, count) over ranges of `rows` rows that have some kElementsPerUnit elements.
template <typename Body>
void forRowRanges(int64_t rows, int64_t columns, ThreadPool &pool, Body body) {
  const int64_t perUnit = std::max<int64_t>(1, kElementsPerUnit / std::max<int64_t>(1, columns));
  pool.parallelFor((rows + perUnit - 1) / perUnit, [&](int64_t index, int) {
    const int64_t first = index * perUnit;
    body(first, std::min(perUnit, rows - first));
  });
}

template <typename Body>
void forEachRow(int64_t rows, int64_t columns, ThreadPool &pool, Body body) {
  forRowRanges(rows, columns, pool, [&](int64_t first, int64_t count) {
    for (int64_t row = first; row < first + count; ++row)
      body(row);
  });
}

size_t floatBytes(int64_t count) { return static_cast<size_t>(count) * sizeof(float); }

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

void quantize(const float *input, int64_t rows, int64_t columns, RowKind kind, void *output,
              const Device &device) {
  const int64_t stride = numerics::actRowBytes(kind, columns);
  forEachRow(rows, columns, device.pool, [&](int64_t row) {
    device.kernels.quantize(input + row * columns, columns, kind,
                            static_cast<std::byte *>(output) + row * stride);
  });
}

void rmsNorm(const float *input, const float *weight, float epsilon, int64_t rows, int64_t columns,
             float *output, const Device &device) {
  forEachRow(rows, columns, device.pool, [&](int64_t row) {
    device.kernels.rmsNorm(input + row * columns, weight, epsilon, columns, output + row * columns);
  });
}

void route(const float *scores, const float *selectionBias, int64_t rows,
           const numerics::RouteParams &params, int32_t *ids, float *weights,
           const Device &device) {
  // Selection reads the scores several times: an expert counts as many elements.
  forEachRow(rows, int64_t{params.experts} * 16, device.pool, [&](int64_t row) {
    float scratch[numerics::kMaxExperts];
    device.kernels.route(params, scores + row * params.experts, selectionBias, scratch,
                         ids + row * params.selected, weights + row * params.selected);
  });
}

void glu(const float *gate, const float *up, int64_t elements, const numerics::Glu &glu,
         float *output, const Device &device) {
  forRowRanges(elements, 1, device.pool, [&](int64_t first, int64_t count) {
    device.kernels.glu(gate + first, up + first, count, glu, output + first);
  });
}

void combine(const float *rows, const int32_t *inverse, const float *weights, int64_t tokens,
             int64_t k, int64_t columns, float *output, const Device &device) {
  forEachRow(tokens, k * columns, device.pool, [&](int64_t token) {
    const float *slots[numerics::kMaxSelected];
    for (int64_t j = 0; j < k; ++j) {
      const int64_t slot = token * k + j;
      const int64_t row = inverse != nullptr ? inverse[slot] : slot;
      slots[j] = row >= 0 ? rows + row * columns : nullptr;
    }
    device.kernels.combine(slots, weights != nullptr ? weights + token * k : nullptr,
                           static_cast<int>(k), columns, output + token * columns);
  });
}

void add(const float *a, const float *b, int64_t elements, float *output, const Device &device) {
  forRowRanges(elements, 1, device.pool, [&](int64_t first, int64_t count) {
    device.kernels.add(a + first, b + first, count, output + first);
  });
}

//===- The operations as the runtime calls them ---------------------------===//

void matmul(const MatmulOp &op, const Context &context) { matmul(op, deviceOf(context)); }

void gluMatmul(const GluMatmulOp &op, const Context &context) { gluMatmul(op, deviceOf(context)); }

void quantize(const float *input, int64_t rows, int64_t columns, RowKind kind, void *output,
              const Context &context) {
  quantize(input, rows, columns, kind, output, deviceOf(context));
}

void rmsNorm(const float *input, const float *weight, float epsilon, int64_t rows, int64_t columns,
             float *output, const Context &context) {
  rmsNorm(input, weight, epsilon, rows, columns, output, deviceOf(context));
}

void route(const float *scores, const float *selectionBias, int64_t rows,
           const numerics::RouteParams &params, int32_t *ids, float *weights,
           const Context &context) {
  route(scores, selectionBias, rows, params, ids, weights, deviceOf(context));
}

void glu(const float *gate, const float *up, int64_t elements, const numerics::Glu &glu,
         float *output, const Context &context) {
  cpu::glu(gate, up, elements, glu, output, deviceOf(context));
}

void combine(const float *rows, const int32_t *inverse, const float *weights, int64_t tokens,
             int64_t k, int64_t columns, float *output, const Context &context) {
  combine(rows, inverse, weights, tokens, k, columns, output, deviceOf(context));
}

void add(const float *a, const float *b, int64_t elements, float *output, const Context &context) {
  add(a, b, elements, output, deviceOf(context));
}

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

void gather(const float *input, const int32_t *permutation, int64_t rows, int64_t slots,
            int64_t columns, float *output, const Context &context) {
  forEachRow(rows, columns, context.pool, [&](int64_t row) {
    std::memcpy(output + row * columns, input + permutation[row] / slots * columns,
                floatBytes(columns));
  });
}

void unsort(const float *input, const int32_t *inverse, int64_t slots, int64_t columns,
            float *output, const Context &context) {
  forEachRow(slots, columns, context.pool, [&](int64_t slot) {
    float *to = output + slot * columns;
    if (inverse[slot] < 0)
      std::memset(to, 0, floatBytes(columns));
    else
      std::memcpy(to, input + inverse[slot] * columns, floatBytes(columns));
  });
}

} // namespace sortie::cpu
