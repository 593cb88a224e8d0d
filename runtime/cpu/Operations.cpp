// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Row operations come first, in the order of their table, then those that are computed as a whole.

#include "runtime/cpu/Operations.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using llvm::ArrayRef;
using llvm::StringRef;

namespace sortie::cpu {

namespace {

using Result = std::optional<BadExpertId>;

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
    return BadExpertId{bad, ids.columns, ids.ints()[bad], allExperts};
  // With a range of experts, fewer rows than slots are there; what gathers all of them must find
  // valid slots in the rest.
  std::fill(permutation + offsets[experts], permutation + slots, 0);
  return std::nullopt;
}

constexpr WholeOperation kWholeOperations[] = {
    {"dispatch", &runDispatch},
    {"glu_matmul", &runGluMatmul},
    {"matmul", &runMatmul},
};

/// Elements that are worth a work unit of their own.
constexpr int64_t kElementsPerUnit = 16384;

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

std::optional<BadExpertId> runOperation(uint32_t operation, const Operands &operands,
                                        const Device &device) {
  const auto rowOperations = static_cast<uint32_t>(device.kernels.rowOperationCount);
  if (operation >= rowOperations)
    return kWholeOperations[operation - rowOperations].run(operands, device);
  runRows(device.kernels.rowOperations[operation], operands, device.pool);
  return std::nullopt;
}

} // namespace sortie::cpu
