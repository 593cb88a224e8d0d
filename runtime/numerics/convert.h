// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Floats of one width as floats of another, to the nearest, ties to even. NaNs become canonical:
// 0x7fc00000, 0x7e00, 0x7fc0.

#ifndef SORTIE_RUNTIME_NUMERICS_CONVERT_H
#define SORTIE_RUNTIME_NUMERICS_CONVERT_H

#include "runtime/numerics/float.h"

namespace sortie::numerics {

enum class FloatKind : int32_t { F32, F16, BF16 };

/// The nearest IEEE-754 half: infinite from 65520 on.
SORTIE_NUMERICS_INLINE Half toHalf(float x) {
  const uint32_t sign = bitsOf(x) >> 16 & 0x8000u;
  const uint32_t magnitude = bitsOf(x) & 0x7fffffffu;
  uint32_t half = 0x7c00u;
  if (magnitude > 0x7f800000u)
    return {0x7e00u};
  if (magnitude < 0x38800000u) // below 2^-14: multiples of 2^-24, which is the last place of 0.5
    half = bitsOf(add(floatOf(magnitude), 0.5f)) - 0x3f000000u;
  else if (magnitude < 0x477ff000u)
    half = (magnitude + 0xfffu + (magnitude >> 13 & 1u) - 0x38000000u) >> 13;
  return {static_cast<uint16_t>(sign | half)};
}

/// `x` as `y`.
SORTIE_NUMERICS_INLINE void convert(float x, Half &y) { y = toHalf(x); }
SORTIE_NUMERICS_INLINE void convert(float x, BFloat16 &y) { y = toBFloat16(canonicalNan(x)); }
SORTIE_NUMERICS_INLINE void convert(Half x, float &y) { y = canonicalNan(widen(x)); }
SORTIE_NUMERICS_INLINE void convert(BFloat16 x, float &y) { y = canonicalNan(widen(x)); }

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_CONVERT_H
