// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loops over register tiles. A register tile is an array that must end up in registers, which it
// does only if every index is a constant: so these loops are unrolled by the language, not by a
// hint to the optimizer.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_UNROLL_H
#define SORTIE_RUNTIME_CPU_KERNELS_UNROLL_H

#include <type_traits>
#include <utility>

#define SORTIE_KERNEL_INLINE inline __attribute__((always_inline))
#define SORTIE_KERNEL_LAMBDA __attribute__((always_inline))

namespace sortie::cpu {

/// function(0), …, function(Count - 1), with constants that template arguments can be made of.
template <int Count, typename Function>
SORTIE_KERNEL_INLINE static void unrolled(Function function) {
  [&]<int... I>(std::integer_sequence<int, I...>) SORTIE_KERNEL_LAMBDA {
    (function(std::integral_constant<int, I>()), ...);
  }(std::make_integer_sequence<int, Count>());
}

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_UNROLL_H
