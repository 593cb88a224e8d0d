// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether arrays with strides share a byte of memory: exactly, without looking at their elements.

#ifndef SORTIE_RUNTIME_SESSION_OVERLAP_H
#define SORTIE_RUNTIME_SESSION_OVERLAP_H

#include "runtime/session/TensorView.h"

namespace sortie {

enum class Overlap : uint8_t {
  None,
  Some,
  /// The strides are so irregular that kOverlapSearchSteps do not tell.
  Unknown,
};

/// The work that a question may take: about half a second. Layouts that people use take a few
/// steps: rows of two arrays in one buffer, columns, transposed or backwards, whatever the extents.
/// The search takes a step for each value that an index can have, and only for those indices whose
/// strides are neither multiples of each other nor among the two smallest.
inline constexpr int64_t kOverlapSearchSteps = int64_t{1} << 24;

/// Whether an element of `a` and one of `b` share a byte. Elements lie within 2^60 bytes of their
/// array's data (Arguments::bind checks that). Arrays in different memories never overlap.
Overlap findOverlap(const TensorView &a, const TensorView &b,
                    int64_t maxSteps = kOverlapSearchSteps);

/// Whether two elements of an array share a byte, as all do whose stride is 0.
Overlap findSelfOverlap(const TensorView &array, int64_t maxSteps = kOverlapSearchSteps);

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_OVERLAP_H
