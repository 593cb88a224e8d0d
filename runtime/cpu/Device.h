// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products over a given table of kernels: the table of a session's instruction set, or, in tests,
// one of an instruction set that the machine does not have.

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

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_DEVICE_H
