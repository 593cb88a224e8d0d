// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The natural logarithm, out of fp32 additions, multiplications and fused multiply-adds alone, so
// that every processor gives the same bits.

#ifndef SORTIE_RUNTIME_NUMERICS_LOG_H
#define SORTIE_RUNTIME_NUMERICS_LOG_H

#include "runtime/numerics/exp.h"

namespace sortie::numerics {

/// What ln x is computed with: (ln(1 + f) - f) / f^2 for 1 + f in [sqrt(1/2), sqrt(2)), minimax for
/// the relative error of ln(1 + f) (2.1e-8), coefficients rounded one after another from the lowest
/// on. ln 2 in two parts is that of exp.
struct LogConstants {
  static constexpr float kC2 = -0x1.fffff8p-2f;
  static constexpr float kC3 = 0x1.55555ap-2f;
  static constexpr float kC4 = -0x1.000452p-2f;
  static constexpr float kC5 = 0x1.99c18ap-3f;
  static constexpr float kC6 = -0x1.543858p-3f;
  static constexpr float kC7 = 0x1.1ed108p-3f;
  static constexpr float kC8 = -0x1.0a4dc8p-3f;
  static constexpr float kC9 = 0x1.22beap-3f;
  static constexpr float kC10 = -0x1.9989c8p-4f;
};

/// ln(x * 2^exponent), x being a normal number.
///
/// x = 2^n * (1 + f), the second factor in [sqrt(1/2), sqrt(2)), so that ln x is never the
/// difference of two larger numbers.
SORTIE_NUMERICS_INLINE float logOfScaled(float x, int32_t exponent) {
  using C = LogConstants;
  constexpr uint32_t kRootOfHalf = 0x3f3504f3u;
  const int32_t n = static_cast<int32_t>(bitsOf(x) - kRootOfHalf) >> 23;
  const float f = sub(floatOf(bitsOf(x) - (static_cast<uint32_t>(n) << 23)), 1.0f);

  float q = C::kC10;
  q = fma(q, f, C::kC9);
  q = fma(q, f, C::kC8);
  q = fma(q, f, C::kC7);
  q = fma(q, f, C::kC6);
  q = fma(q, f, C::kC5);
  q = fma(q, f, C::kC4);
  q = fma(q, f, C::kC3);
  q = fma(q, f, C::kC2);
  const float nFloat = toFloat(n + exponent);
  float result = fma(mul(f, f), q, f);
  result = fma(nFloat, ExpConstants::kLn2Low, result);
  return fma(nFloat, ExpConstants::kLn2High, result);
}

/// ln x within 1 ulp; exactly 0 for 1. -inf for zeros, +inf for +inf, NaN for negative numbers and
/// NaN.
SORTIE_NUMERICS_INLINE float log(float x) {
  constexpr float kLeastNormal = 0x1p-126f;
  const float infinity = floatOf(0x7f800000u);
  if (!(x >= 0.0f))
    return nan();
  if (x == 0.0f)
    return -infinity;
  if (x == infinity)
    return x;
  if (x < kLeastNormal) // 2^24 times it is normal
    return logOfScaled(mul(x, 0x1p24f), -24);
  return logOfScaled(x, 0);
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_LOG_H
