// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The functions of one instruction set, as a table.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_MAKEKERNELS_H
#define SORTIE_RUNTIME_CPU_KERNELS_MAKEKERNELS_H

#include "runtime/cpu/kernels/Attention.h"
#include "runtime/cpu/kernels/Product.h"
#include "runtime/cpu/kernels/RowOperations.h"

#include <iterator>

namespace sortie::cpu {

template <typename Simd> static constexpr Kernels makeKernels() {
  using Rows = RowOperations<Simd>;
  return {&Product<Simd>::run, &Attention<Simd>::attend, &Attention<Simd>::append, Rows::kTable,
          static_cast<int>(std::size(Rows::kTable))};
}

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_MAKEKERNELS_H
