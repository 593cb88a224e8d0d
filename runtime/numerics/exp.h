// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The exponential function, out of fp32 additions, multiplications and fused multiply-adds alone,
// so that every processor gives the same bits.

#ifndef SORTIE_RUNTIME_NUMERICS_EXP_H
#define SORTIE_RUNTIME_NUMERICS_EXP_H

#include "runtime/numerics/float.h"

namespace sortie::numerics {

/// 2^exponent, for exponents of normal numbers; some float, never undefined, for others.
SORTIE_NUMERICS_INLINE float powerOfTwo(int32_t exponent) {
  return floatOf((static_cast<uint32_t>(exponent) + 127u) << 23);
}

/// What e^x is computed with, here and by the kernels of vector instructions: limits beyond which
/// the result is infinite or zero anyway; ln 2 in two parts, of which the first has 15 significant
/// bits, so that n times it is exact; the polynomial.
struct ExpConstants {
  static constexpr float kMost = 89.0f;
  static constexpr float kLeast = -104.0f;
  static constexpr float kLog2E = 0x1.715476p+0f;
  static constexpr float kLn2High = 0x1.62e4p-1f;
  static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
  static constexpr float kC2 = 0x1.fffffcp-2f;
  static constexpr float kC3 = 0x1.55548cp-3f;
  static constexpr float kC4 = 0x1.555858p-5f;
  static constexpr float kC5 = 0x1.123da6p-7f;
  static constexpr float kC6 = 0x1.6ac374p-10f;
};

/// e^x within 1 ulp (0.892 is the worst of all floats), subnormal results included. +inf above
/// 0x1.62e42ep+6 (88.72), 0 from -0x1.9fe36ap+6 (-103.97) down, NaN for NaN.
///
/// x = n * ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite: the first part of ln 2 has 15 significant
/// bits, so n times it is exact), e^r = 1 + r + r^2 * q(r), q minimax of degree 4 for the relative
/// error (4e-9) with coefficients rounded one after another.
SORTIE_NUMERICS_INLINE float exp(float x) {
  using C = ExpConstants;
  // A NaN passes both comparisons by and makes the result NaN, whatever n becomes.
  x = x > C::kMost ? C::kMost : x;
  x = x < C::kLeast ? C::kLeast : x;

  const float scaled = mul(x, C::kLog2E);
  const int32_t n = roundToInt(scaled);
  const float nFloat = roundToEven(scaled);
  float r = fma(nFloat, -C::kLn2High, x);
  r = fma(nFloat, -C::kLn2Low, r);

  float p = C::kC6;
  p = fma(p, r, C::kC5);
  p = fma(p, r, C::kC4);
  p = fma(p, r, C::kC3);
  p = fma(p, r, C::kC2);
  p = fma(p, r, 1.0f);
  p = fma(p, r, 1.0f);

  // The first factor keeps the number normal, so only the second multiplication can round.
  const int32_t half = n >> 1;
  return mul(mul(p, powerOfTwo(half)), powerOfTwo(n - half));
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_EXP_H
