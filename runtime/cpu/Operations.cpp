// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row operations come first, in the order of their table, then those that are computed as a whole.

#include "runtime/cpu/Operations.h"

#include "runtime/cpu/AttentionOperations.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cstring>

using llvm::ArrayRef;
using llvm::StringRef;

namespace sortie::cpu {

namespace {

using Result = std::optional<BadIndex>;

struct WholeOperation {
  const char *name;
  Result (*run)(const Operands &op, const Device &device);
};

/// Slots of a token that a product gathers by, or that its scale has; 1 where neither matters.
int64_t slotsOfProduct(const Operands &op, const Rows &scale) {
  if (op.parameters[0].integer != 0)
    return op.parameters[0].integer;
  return scale.isPresent() ? scale.columns : 1;
}

RowMap rowMapOf(const Operands &op, const Rows &scale) {
  return {op.reads[1].ints(), op.reads[2].ints(), slotsOfProduct(op, scale),
          op.parameters[0].integer != 0};
}

/// reads(x, offsets?, permutation?, scale?) matrices(weights) vectors(expert scale?, bias?)
/// writes(y) parameters(gathered slots or 0, bf16).
Result runMatmul(const Operands &op, const Device &device) {
  matmul({.weights = op.matrices[0],
          .inputKind = op.reads[0].kind,
          .input = op.reads[0].data,
          .rows = op.writes[0].rows,
          .map = rowMapOf(op, op.reads[3]),
          .expertScale = op.vectors[0],
          .bias = op.vectors[1],
          .scale = op.reads[3].floats(),
          .output = op.writes[0].floats(),
          .isBf16 = op.parameters[1].integer != 0},
         device);
  return std::nullopt;
}

/// reads(x) matrices(weights) writes(y) parameters(heads, bf16): each head of a row by the matrix
/// of its own. Quantized heads are rows of their own.
Result runHeadMatmul(const Operands &op, const Device &device) {
  matmul({.weights = op.matrices[0],
          .inputKind = op.reads[0].kind,
          .input = op.reads[0].data,
          .rows = op.writes[0].rows,
          .map = {.heads = op.parameters[0].integer},
          .output = op.writes[0].floats(),
          .isBf16 = op.parameters[1].integer != 0},
         device);
  return std::nullopt;
}

/// reads(x, offsets?, permutation?) matrices(gate, up) vectors(gate scale?, up scale?, gate bias?,
/// up bias?) writes(y) parameters(gathered slots or 0, bf16, kind, alpha, limit).
Result runGluMatmul(const Operands &op, const Device &device) {
  gluMatmul({.gate = op.matrices[0],
             .up = op.matrices[1],
             .inputKind = op.reads[0].kind,
             .input = op.reads[0].data,
             .rows = op.writes[0].rows,
             .map = rowMapOf(op, /*scale=*/{}),
             .gateScale = op.vectors[0],
             .upScale = op.vectors[1],
             .gateBias = op.vectors[2],
             .upBias = op.vectors[3],
             .glu = {static_cast<numerics::GluKind>(op.parameters[2].integer),
                     op.parameters[3].number, op.parameters[4].number},
             .outputKind = op.writes[0].kind,
             .output = op.writes[0].data,
             .isBf16 = op.parameters[1].integer != 0},
            device);
  return std::nullopt;
}

/// reads(ids) writes(permutation, inverse, offsets) parameters(all experts, first, count).
Result runDispatch(const Operands &op, const Device &) {
  const Rows &ids = op.reads[0];
  const int64_t slots = ids.rows * ids.columns;
  const int64_t allExperts = op.parameters[0].integer;
  const int64_t experts = op.parameters[2].integer;
  int32_t *permutation = op.writes[0].ints();
  int32_t *offsets = op.writes[2].ints();
  const int64_t bad = dispatch(ids.ints(), slots, allExperts, op.parameters[1].integer, experts,
                               permutation, op.writes[1].ints(), offsets);
  if (bad >= 0)
    return BadIndex{BadIndex::Kind::Expert, bad, ids.columns, ids.ints()[bad], allExperts};
  // With a range of experts, fewer rows than slots are there; what gathers all of them must find
  // valid slots in the rest.
  std::fill(permutation + offsets[experts], permutation + slots, 0);
  return std::nullopt;
}

/// Elements that are worth a work unit of their own.
constexpr int64_t kElementsPerUnit = 16384;

/// The first number of `index` that is no row of `table`.
Result findBadRow(const Rows &index, const Rows &table) {
  for (int64_t i = 0; i < index.columns; ++i)
    if (const int32_t row = index.ints()[i]; row < 0 || row >= table.rows)
      return BadIndex{BadIndex::Kind::Row, i, 1, row, table.rows};
  return std::nullopt;
}

/// Calls `copy(row, begin, bytes)` for parts of rows: each part of all rows in their order.
template <typename Copy>
void forEachPart(int64_t rows, int64_t rowBytes, ThreadPool &pool, Copy copy) {
  constexpr int64_t kPartBytes = 4096;
  pool.parallelFor((rowBytes + kPartBytes - 1) / kPartBytes, [&](int64_t part, int) {
    const int64_t begin = part * kPartBytes;
    for (int64_t row = 0; row < rows; ++row)
      copy(row, begin, std::min(kPartBytes, rowBytes - begin));
  });
}

/// reads(table, index) writes(y) parameters(bytes of a row): y[i] = table[index[i]].
Result runReadRows(const Operands &op, const Device &device) {
  const Rows &table = op.reads[0], &index = op.reads[1];
  if (const Result bad = findBadRow(index, table))
    return bad;
  const int64_t rowBytes = op.parameters[0].integer;
  forEachPart(index.columns, rowBytes, device.pool, [&](int64_t i, int64_t begin, int64_t bytes) {
    std::memcpy(op.writes[0].data + i * rowBytes + begin,
                table.data + index.ints()[i] * rowBytes + begin, bytes);
  });
  return std::nullopt;
}

/// reads(x, index) writes(table) parameters(bytes of a row): table[index[i]] = x[i], the last one
/// of equal numbers.
Result runWriteRows(const Operands &op, const Device &device) {
  const Rows &table = op.writes[0], &index = op.reads[1];
  if (const Result bad = findBadRow(index, table))
    return bad;
  const int64_t rowBytes = op.parameters[0].integer;
  forEachPart(index.columns, rowBytes, device.pool, [&](int64_t i, int64_t begin, int64_t bytes) {
    std::memcpy(table.data + index.ints()[i] * rowBytes + begin,
                op.reads[0].data + i * rowBytes + begin, bytes);
  });
  return std::nullopt;
}

constexpr WholeOperation kWholeOperations[] = {
    {"append", &runAppend},        {"append_latent", &runAppendLatent},
    {"attend", &runAttend},        {"attend_latent", &runAttendLatent},
    {"dispatch", &runDispatch},    {"embed", &runEmbed},
    {"glu_matmul", &runGluMatmul}, {"head_matmul", &runHeadMatmul},
    {"matmul", &runMatmul},        {"read_rows", &runReadRows},
    {"write_rows", &runWriteRows},
};

/// Runs a row operation over ranges of rows that have some kElementsPerUnit elements.
void runRows(const RowOperation &operation, const Operands &op, ThreadPool &pool) {
  const int64_t rows = op.writes[0].rows;
  if (rows == 0)
    return;
  const int64_t perUnit =
      std::max<int64_t>(1, kElementsPerUnit / std::max<int64_t>(1, operation.workOfRow(op)));
  pool.parallelFor((rows + perUnit - 1) / perUnit, [&](int64_t index, int) {
    const int64_t first = index * perUnit;
    operation.run(op, first, std::min(perUnit, rows - first));
  });
}

} // namespace

std::optional<uint32_t> findOperation(StringRef name) {
  const auto isIt = [&](const auto &operation) { return name == operation.name; };
  const ArrayRef rows(portableKernels().rowOperations, portableKernels().rowOperationCount);
  if (const auto *found = llvm::find_if(rows, isIt); found != rows.end())
    return static_cast<uint32_t>(found - rows.begin());
  if (const auto *found = llvm::find_if(kWholeOperations, isIt);
      found != std::end(kWholeOperations))
    return static_cast<uint32_t>(rows.size() + (found - std::begin(kWholeOperations)));
  return std::nullopt;
}

std::optional<BadIndex> runOperation(uint32_t operation, const Operands &operands,
                                     const Device &device) {
  const auto rowOperations = static_cast<uint32_t>(device.kernels.rowOperationCount);
  if (operation >= rowOperations)
    return kWholeOperations[operation - rowOperations].run(operands, device);
  runRows(device.kernels.rowOperations[operation], operands, device.pool);
  return std::nullopt;
}

} // namespace sortie::cpu
