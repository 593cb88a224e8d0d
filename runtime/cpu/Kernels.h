// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of kernels that each instruction set provides. The files compiled for an instruction
// set include this header and those of kernels/, and nothing with out-of-line code of its own:
// what such a file emitted for a shared inline function, the linker might pick for every processor.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_H
#define SORTIE_RUNTIME_CPU_KERNELS_H

#include "runtime/cpu/Matrix.h"
#include "runtime/numerics/activation.h"
#include "runtime/numerics/layout.h"
#include "runtime/numerics/route.h"

namespace sortie::cpu {

/// Most rows of activations that a work unit takes: its decoded weights serve all of them.
inline constexpr int kUnitRows = 64;

/// Panels of a work unit: 128 columns of output, one activation block of the next matmul.
inline constexpr int kUnitPanels = numerics::kActivationBlock / static_cast<int>(kPanelRows);
inline constexpr int64_t kUnitColumns = kUnitPanels * kPanelRows;

/// Memory that a kernel has for itself while it runs, 64-byte aligned.
inline constexpr size_t kScratchBytes = size_t{1} << 20;

/// What is common to the work units of an operation. One matrix, or gate and up.
struct ProductOp {
  const Matrix *matrices;
  const float *const *expertScales; ///< of each matrix, [experts] or null
  const float *const *biases;       ///< of each matrix, [experts, N] or null
  int matrixCount;
  numerics::RowKind inputKind;
  const void *input;
  RowMap map;
  const float *scale; ///< of a single matrix: [slots] or null
  numerics::Glu glu;  ///< of two matrices
  numerics::RowKind outputKind;
  void *output;
  bool isBf16; ///< fp32 operands are rounded to bfloat16 first
};

/// Rows [firstRow, firstRow + rows) in sorted order, all of one expert, and the panels
/// [firstPanel, firstPanel + panels) of its matrices.
struct ProductUnit {
  int64_t expert;
  int64_t firstRow;
  int rows; ///< 1 to kUnitRows
  int64_t firstPanel;
  int panels; ///< 1 to kUnitPanels
};

/// The functions of an instruction set. `scratch` has kScratchBytes and belongs to the worker.
struct Kernels {
  void (*product)(const ProductOp &op, const ProductUnit &unit, std::byte *scratch);
  /// One row of `columns` floats.
  void (*quantize)(const float *row, int64_t columns, numerics::RowKind kind, std::byte *output);
  void (*rmsNorm)(const float *row, const float *weight, float epsilon, int64_t columns,
                  float *output);
  /// One token; `scores` [experts] is scratch.
  void (*route)(const numerics::RouteParams &params, const float *logits, const float *bias,
                float *scores, int32_t *ids, float *weights);
  void (*glu)(const float *gate, const float *up, int64_t elements, const numerics::Glu &glu,
              float *output);
  /// One token: the sum of `slots` rows, which `rows` points to (null: a row of zeros), with
  /// `weights` or null.
  void (*combine)(const float *const *rows, const float *weights, int slots, int64_t columns,
                  float *output);
  void (*add)(const float *a, const float *b, int64_t elements, float *output);
};

/// One for each instruction set, defined in kernels/. They may be called only where isAvailable()
/// says so.
const Kernels &portableKernels();
const Kernels &avx2Kernels();
const Kernels &avxVnniKernels();
const Kernels &avx512VnniKernels();
const Kernels &amxInt8Kernels();

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_H
