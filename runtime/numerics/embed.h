// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elements of a block-quantized row as numbers: what the exact dot product gives for one with an
// activation of 1. docs/numerics-models.md is the definition.

#ifndef SORTIE_RUNTIME_NUMERICS_EMBED_H
#define SORTIE_RUNTIME_NUMERICS_EMBED_H

#include "runtime/numerics/float.h"

namespace sortie::numerics {

/// Of a format with a scale for each group.
SORTIE_NUMERICS_INLINE float groupElement(float d, int level) { return mul(d, toFloat(level)); }
/// The same with a minimum.
SORTIE_NUMERICS_INLINE float groupElement(float d, int level, float minimum) {
  return add(minimum, mul(d, toFloat(level)));
}

/// Of a format with a sub-scale for each sub-block.
SORTIE_NUMERICS_INLINE float subScaledElement(float d, int scale, int level) {
  return mul(d, toFloat(scale * level));
}
/// The same with a minimum in units of `dmin`.
SORTIE_NUMERICS_INLINE float subScaledElement(float d, int scale, int level, float dmin,
                                              int minimum) {
  return fma(-toFloat(minimum), dmin, subScaledElement(d, scale, level));
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_EMBED_H
