// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of kernels that each instruction set provides. The files compiled for an instruction
// set include this header and those of kernels/, and nothing with out-of-line code of its own:
// what such a file emitted for a shared inline function, the linker might pick for every processor.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_H
#define SORTIE_RUNTIME_CPU_KERNELS_H

#include "runtime/cpu/AttentionOperands.h"
#include "runtime/cpu/Operands.h"
#include "runtime/numerics/activation.h"

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

/// An operation whose rows of output are computed one by one.
struct RowOperation {
  const char *name; ///< in the dialect `moert`: "add"
  /// Computes the rows [first, first + count) of the first output, and of all others.
  void (*run)(const Operands &op, int64_t first, int64_t count);
  /// What a row costs, measured in elements of a simple operation.
  int64_t (*workOfRow)(const Operands &op);
};

/// The functions of an instruction set. `scratch` has kScratchBytes and belongs to the worker.
struct Kernels {
  void (*product)(const ProductOp &op, const ProductUnit &unit, std::byte *scratch);
  void (*attend)(const AttendOperands &op, const AttentionUnit &unit, std::byte *scratch);
  void (*append)(const AppendOperands &op, const AppendUnit &unit);
  const RowOperation *rowOperations; ///< in the same order for every instruction set
  int rowOperationCount;
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
