// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operations of ops.h over a given table of kernels: what they are made of, and how tests run
// kernels of instruction sets that the machine does not have.

#ifndef SORTIE_RUNTIME_CPU_DEVICE_H
#define SORTIE_RUNTIME_CPU_DEVICE_H

#include "runtime/cpu/Kernels.h"
#include "runtime/cpu/ops.h"

namespace sortie::cpu {

struct Device {
  const Kernels &kernels;
  ThreadPool &pool;
};

/// The kernels of an instruction set; the portable ones where there are none for this processor.
const Kernels &kernelsFor(Isa isa);

inline Device deviceOf(const Context &context) { return {kernelsFor(context.isa), context.pool}; }

void matmul(const MatmulOp &op, const Device &device);
void gluMatmul(const GluMatmulOp &op, const Device &device);
void quantize(const float *input, int64_t rows, int64_t columns, numerics::RowKind kind,
              void *output, const Device &device);
void rmsNorm(const float *input, const float *weight, float epsilon, int64_t rows, int64_t columns,
             float *output, const Device &device);
void route(const float *scores, const float *selectionBias, int64_t rows,
           const numerics::RouteParams &params, int32_t *ids, float *weights, const Device &device);
void glu(const float *gate, const float *up, int64_t elements, const numerics::Glu &glu,
         float *output, const Device &device);
void combine(const float *rows, const int32_t *inverse, const float *weights, int64_t tokens,
             int64_t k, int64_t columns, float *output, const Device &device);
void add(const float *a, const float *b, int64_t elements, float *output, const Device &device);

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_DEVICE_H
