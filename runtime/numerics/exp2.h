// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Powers of two for attention, out of fp32 additions, multiplications and fused multiply-adds
// alone.

#ifndef SORTIE_RUNTIME_NUMERICS_EXP2_H
#define SORTIE_RUNTIME_NUMERICS_EXP2_H

#include "runtime/numerics/exp.h"

namespace sortie::numerics {

/// What 2^x is computed with, here and by the kernels of vector instructions: 2^r - 1 over r on
/// [-1/2, 1/2], minimax for the relative error of 2^r (9.3e-8), coefficients rounded one after
/// another from the lowest on.
struct Exp2Constants {
  static constexpr float kLeast = -126.0f;
  static constexpr float kC1 = 0x1.62e42ap-1f;
  static constexpr float kC2 = 0x1.ebf9c2p-3f;
  static constexpr float kC3 = 0x1.c6b6d8p-5f;
  static constexpr float kC4 = 0x1.3ce8acp-7f;
  static constexpr float kC5 = 0x1.5bda42p-10f;
};

/// 2^x for x <= 1, at least 2^-126 whatever x is, within 1.6e-7 of it; exactly 1 for 0; NaN for
/// NaN.
SORTIE_NUMERICS_INLINE float exp2(float x) {
  using C = Exp2Constants;
  x = x < C::kLeast ? C::kLeast : x; // NaN passes
  const float n = roundToEven(x);
  const float r = sub(x, n);
  float p = C::kC5;
  p = fma(p, r, C::kC4);
  p = fma(p, r, C::kC3);
  p = fma(p, r, C::kC2);
  p = fma(p, r, C::kC1);
  p = fma(p, r, 1.0f);
  return mul(p, powerOfTwo(roundToInt(x)));
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_EXP2_H
