// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What products are made of, packing and the dispatch of the CPU device, as free functions over
// plain pointers. They check nothing (the program loader has), allocate nothing (the thread pool
// owns the scratch, a fixed amount for each thread), and give the same bits for every instruction
// set, every number of threads and every batch size. Outputs must not overlap inputs. Zero rows are
// allowed everywhere.

#ifndef SORTIE_RUNTIME_CPU_OPS_H
#define SORTIE_RUNTIME_CPU_OPS_H

#include "runtime/cpu/Isa.h"
#include "runtime/cpu/Matrix.h"
#include "runtime/cpu/ThreadPool.h"
#include "runtime/numerics/activation.h"
#include "runtime/numerics/layout.h"

#include <cstddef>
#include <cstdint>

namespace sortie::cpu {

/// What a device call needs besides its operands. `isa` is an available one.
struct Context {
  Isa isa;
  ThreadPool &pool;
};

/// Bytes that the packed form of a matrix takes. It does not depend on the instruction set, so that
/// packed weights can be shared by sessions that force different ones.
size_t packedBytes(const MatrixShape &shape);

/// Packs rows [`firstRow`, `firstRow` + `rowCount`) of one expert from the bytes of the model file,
/// in an encoding of the shape's format. `firstRow` is a multiple of kPanelRows, and so is
/// `rowCount` unless it ends the matrix. `raw` holds just these rows. Different panels may be
/// packed by different threads.
void packRows(const MatrixShape &shape, numerics::Encoding encoding, int64_t expert,
              int64_t firstRow, int64_t rowCount, const uint8_t *raw, std::byte *packed);

/// One matmul over grouped rows: y[r, n] = x[row(r), :] . w[expert(r), n, :].
struct MatmulOp {
  Matrix weights;
  /// Rows of fp32 (float weights) or of quantized activations (layout.h), `inputKind` says which.
  numerics::RowKind inputKind;
  const void *input;
  /// Upper bound of sorted rows (T * k, or T): the true number is offsets[experts] where given.
  /// With heads, the rows of each.
  int64_t rows;
  RowMap map;
  /// [experts] or null: y = RN(s * y), first.
  const float *expertScale = nullptr;
  /// [experts, N] or null, added next.
  const float *bias = nullptr;
  /// [T, k] routing weights by slot or null: y = RN(w * y), last.
  const float *scale = nullptr;
  /// [rows, N] fp32.
  float *output;
  /// `bf16` arithmetic instead of `float`: weights and activations are rounded to bfloat16 first.
  bool isBf16 = false;
};

/// Gate and up matmuls with their activation: out = glu(gate, up), fp32 or requantized.
struct GluMatmulOp {
  Matrix gate;
  Matrix up;
  numerics::RowKind inputKind;
  const void *input;
  int64_t rows;
  RowMap map;
  const float *gateScale = nullptr; ///< [experts] or null, like MatmulOp::expertScale
  const float *upScale = nullptr;
  const float *gateBias = nullptr;
  const float *upBias = nullptr;
  numerics::Glu glu;
  numerics::RowKind outputKind;
  void *output;
  bool isBf16 = false;
};

/// Row `row` of a dense matrix as numbers, `to` [columns]: numerics/embed.h.
void unpackRow(const Matrix &table, int64_t row, float *to);

/// Stable counting sort of the slots by expert, for experts [firstExpert, firstExpert + experts).
/// permutation [slots of this range, ascending expert, then slot], inverse [tokens * k] (-1: not of
/// this range), offsets [experts + 1]. Returns the first slot whose id is not in
/// [0, totalExperts), or -1: then nothing else has been written.
int64_t dispatch(const int32_t *ids, int64_t slots, int64_t totalExperts, int64_t firstExpert,
                 int64_t experts, int32_t *permutation, int32_t *inverse, int32_t *offsets);

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_OPS_H
