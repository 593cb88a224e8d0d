// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations of the CPU as calls with named operands: what the loader does for a program, tests do
// here. Outputs and inputs are as runtime/cpu/kernels/RowOperations.h says.

#ifndef SORTIE_TEST_UNIT_CPU_OPERATIONCALLS_H
#define SORTIE_TEST_UNIT_CPU_OPERATIONCALLS_H

#include "runtime/cpu/Operations.h"
#include "runtime/numerics/convert.h"
#include "runtime/numerics/route.h"

namespace sortie::cpu {

/// Rows of floats or integers; null data for an operand that is absent.
template <typename Element> Rows rowsOf(Element *data, int64_t rows, int64_t columns) {
  return {reinterpret_cast<std::byte *>(const_cast<std::remove_const_t<Element> *>(data)), rows,
          columns, numerics::RowKind::F32};
}

inline void runOperation(const char *name, const Operands &operands, const Device &device) {
  if (runOperation(findOperation(name).value(), operands, device))
    llvm::report_fatal_error("an operation refused its ids");
}

inline void quantize(const float *x, int64_t rows, int64_t columns, numerics::RowKind kind, void *y,
                     const Device &device) {
  runOperation("quantize",
               {.reads = {rowsOf(x, rows, columns)},
                .writes = {{static_cast<std::byte *>(y), rows, columns, kind}}},
               device);
}

inline void rmsNorm(const float *x, const float *weight, float epsilon, int64_t rows,
                    int64_t columns, float *y, const Device &device) {
  runOperation("rms_norm",
               {.reads = {rowsOf(x, rows, columns)},
                .writes = {rowsOf(y, rows, columns)},
                .vectors = {weight},
                .parameters = {{.number = epsilon}}},
               device);
}

inline void route(const float *scores, const float *bias, int64_t rows,
                  const numerics::RouteParams &params, int32_t *ids, float *weights,
                  const Device &device) {
  runOperation(
      "route",
      {.reads = {rowsOf(scores, rows, params.experts)},
       .writes = {rowsOf(ids, rows, params.selected), rowsOf(weights, rows, params.selected)},
       .vectors = {bias},
       .parameters = {{.integer = params.selected},
                      {.integer = params.groups},
                      {.integer = params.groupsUsed},
                      {.integer = static_cast<int64_t>(params.groupScore)},
                      {.integer = static_cast<int64_t>(params.scoring)},
                      {.integer = params.normalize},
                      {.number = params.scale}}},
      device);
}

/// The elements as rows of one, which may be cut anywhere.
inline void glu(const float *gate, const float *up, int64_t elements, const numerics::Glu &glu,
                float *y, const Device &device) {
  runOperation("glu",
               {.reads = {rowsOf(gate, elements, 1), rowsOf(up, elements, 1)},
                .writes = {rowsOf(y, elements, 1)},
                .parameters = {{.integer = static_cast<int64_t>(glu.kind)},
                               {.number = glu.alpha},
                               {.number = glu.limit}}},
               device);
}

inline void add(const float *a, const float *b, int64_t elements, float *y, const Device &device) {
  runOperation("add",
               {.reads = {rowsOf(a, elements, 1), rowsOf(b, elements, 1)},
                .writes = {rowsOf(y, elements, 1)}},
               device);
}

inline void scale(const float *x, float factor, int64_t elements, float *y, const Device &device) {
  runOperation("scale",
               {.reads = {rowsOf(x, elements, 1)},
                .writes = {rowsOf(y, elements, 1)},
                .parameters = {{.number = factor}}},
               device);
}

inline void combine(const float *rows, const int32_t *inverse, const float *weights, int64_t tokens,
                    int64_t k, int64_t columns, float *y, const Device &device) {
  runOperation("combine",
               {.reads = {rowsOf(rows, tokens * k, columns), rowsOf(inverse, tokens, k),
                          rowsOf(weights, tokens, k)},
                .writes = {rowsOf(y, tokens, columns)}},
               device);
}

inline void gather(const float *x, const int32_t *permutation, int64_t rows, int64_t slots,
                   int64_t columns, float *y, const Device &device) {
  runOperation("gather",
               {.reads = {rowsOf(x, rows, columns), rowsOf(permutation, 1, rows)},
                .writes = {rowsOf(y, rows, columns)},
                .parameters = {{.integer = slots}}},
               device);
}

inline void unsort(const float *x, const int32_t *inverse, int64_t slots, int64_t columns, float *y,
                   const Device &device) {
  runOperation("unsort",
               {.reads = {rowsOf(x, slots, columns), rowsOf(inverse, slots, 1)},
                .writes = {rowsOf(y, slots, columns)}},
               device);
}

inline numerics::FloatKind floatKind(const float *) { return numerics::FloatKind::F32; }
inline numerics::FloatKind floatKind(const numerics::Half *) { return numerics::FloatKind::F16; }
inline numerics::FloatKind floatKind(const numerics::BFloat16 *) {
  return numerics::FloatKind::BF16;
}

template <typename From, typename To>
void convert(const From *x, int64_t rows, int64_t columns, To *y, const Device &device) {
  runOperation("convert",
               {.reads = {rowsOf(x, rows, columns)},
                .writes = {rowsOf(y, rows, columns)},
                .parameters = {{.integer = static_cast<int64_t>(floatKind(x))},
                               {.integer = static_cast<int64_t>(floatKind(y))}}},
               device);
}

/// Bytes as rows of `rowBytes`, for operations that know nothing else of them.
inline Rows rowsOfBytes(const void *data, int64_t rows) {
  return {const_cast<std::byte *>(static_cast<const std::byte *>(data)), rows, 1,
          numerics::RowKind::F32};
}

/// The first number that is no row, if there is one.
inline std::optional<BadIndex> readRows(const void *table, int64_t tableRows, const int32_t *index,
                                        int64_t count, int64_t rowBytes, void *y,
                                        const Device &device) {
  return runOperation(findOperation("read_rows").value(),
                      {.reads = {rowsOfBytes(table, tableRows), rowsOf(index, 1, count)},
                       .writes = {rowsOfBytes(y, count)},
                       .parameters = {{.integer = rowBytes}}},
                      device);
}

inline std::optional<BadIndex> writeRows(const void *x, const int32_t *index, int64_t count,
                                         int64_t rowBytes, void *table, int64_t tableRows,
                                         const Device &device) {
  return runOperation(findOperation("write_rows").value(),
                      {.reads = {rowsOfBytes(x, count), rowsOf(index, 1, count)},
                       .writes = {rowsOfBytes(table, tableRows)},
                       .parameters = {{.integer = rowBytes}}},
                      device);
}

} // namespace sortie::cpu

#endif // SORTIE_TEST_UNIT_CPU_OPERATIONCALLS_H
