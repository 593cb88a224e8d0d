// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Single-precision operations with exactly one rounding (to nearest, ties to even), the fused
// multiply-add, and exact conversions. Nothing else in Sortie may rely on what a compiler makes of
// `a * b + c`.

#ifndef SORTIE_RUNTIME_NUMERICS_FLOAT_H
#define SORTIE_RUNTIME_NUMERICS_FLOAT_H

#include "runtime/numerics/contract.h"

#if !defined(__CUDACC_RTC__) && defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sortie::numerics {

SORTIE_NUMERICS_INLINE uint32_t bitsOf(float x) {
#if defined(__CUDA_ARCH__)
  return __float_as_uint(x);
#else
  return __builtin_bit_cast(uint32_t, x);
#endif
}

SORTIE_NUMERICS_INLINE float floatOf(uint32_t bits) {
#if defined(__CUDA_ARCH__)
  return __uint_as_float(bits);
#else
  return __builtin_bit_cast(float, bits);
#endif
}

SORTIE_NUMERICS_INLINE float add(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fadd_rn(a, b);
#else
  return a + b;
#endif
}

SORTIE_NUMERICS_INLINE float sub(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fsub_rn(a, b);
#else
  return a - b;
#endif
}

SORTIE_NUMERICS_INLINE float mul(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fmul_rn(a, b);
#else
  return a * b;
#endif
}

SORTIE_NUMERICS_INLINE float div(float a, float b) {
#if defined(__CUDA_ARCH__)
  return __fdiv_rn(a, b);
#else
  return a / b;
#endif
}

/// Correctly rounded square root; NaN for negative x. Not `__builtin_sqrtf`, which may call libm
/// to set errno.
SORTIE_NUMERICS_INLINE float sqrt(float x) {
#if defined(__CUDA_ARCH__)
  return __fsqrt_rn(x);
#elif defined(__SSE2__)
  return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
#elif defined(__aarch64__)
  float result;
  __asm__("fsqrt %s0, %s1" : "=w"(result) : "w"(x));
  return result;
#else
#error "add a correctly rounded square root for this processor"
#endif
}

/// a * b + c with one rounding, from double-precision operations alone.
///
/// The product of two floats is exact in double. Its sum with c is not, so the sum is rounded to
/// odd: TwoSum (Knuth) gives the error of the addition, and when there is one, the last bit of the
/// sum is made 1. A double has more than 24 + 2 significant bits, hence rounding that to float is
/// the same as rounding the exact value (Boldo and Melquiond, "Emulation of FMA and correctly
/// rounded sums: proved algorithms using rounding to odd", 2008). That holds for subnormal results,
/// too, which have fewer bits still; no intermediate is subnormal in double.
SORTIE_NUMERICS_INLINE float softwareFma(float a, float b, float c) {
  const double product = static_cast<double>(a) * static_cast<double>(b);
  const double addend = c;
  double sum = product + addend;
  const double addendPart = sum - product;
  const double error = (product - (sum - addendPart)) + (addend - addendPart);
  const bool isFinite = sum - sum == 0.0;
  if (isFinite && error != 0.0) {
    uint64_t bits = __builtin_bit_cast(uint64_t, sum);
    if ((bits & 1) == 0)
      bits += (error > 0.0) == (sum > 0.0) ? 1 : ~uint64_t{0};
    sum = __builtin_bit_cast(double, bits);
  }
  return static_cast<float>(sum);
}

/// a * b + c with one rounding: the processor's instruction where the translation unit may use it.
SORTIE_NUMERICS_INLINE float fma(float a, float b, float c) {
#if defined(__CUDA_ARCH__)
  return __fmaf_rn(a, b, c);
#elif defined(__FMA__) || defined(__ARM_FEATURE_FMA)
  return __builtin_fmaf(a, b, c);
#else
  return softwareFma(a, b, c);
#endif
}

/// RN of an integer.
SORTIE_NUMERICS_INLINE float toFloat(int32_t value) {
#if defined(__CUDA_ARCH__)
  return __int2float_rn(value);
#else
  return static_cast<float>(value);
#endif
}

/// The nearest integer, ties to even, as a float. For |x| <= 2^22: adding 1.5 * 2^23 leaves no bits
/// behind the point, and the processor's own rounding does the work.
SORTIE_NUMERICS_INLINE float roundToEven(float x) {
  constexpr float kMagic = 0x1.8p23f;
  return sub(add(x, kMagic), kMagic);
}

/// The nearest integer, ties to even. For |x| <= 2^22; any integer for other x, never undefined.
SORTIE_NUMERICS_INLINE int32_t roundToInt(float x) {
  constexpr float kMagic = 0x1.8p23f;
  constexpr uint32_t kMagicBits = 0x4b400000u;
  return static_cast<int32_t>(bitsOf(add(x, kMagic)) - kMagicBits);
}

SORTIE_NUMERICS_INLINE bool isNan(float x) { return x != x; }

SORTIE_NUMERICS_INLINE float nan() { return floatOf(0x7fc00000u); }

/// x, or 0x7fc00000 for every NaN. Applied to each value that is stored: processors differ in the
/// sign and payload of the NaNs that they make. Written with integers: a compiler may say that
/// `x != x ? nan : x` is x.
SORTIE_NUMERICS_INLINE float canonicalNan(float x) {
  const uint32_t bits = bitsOf(x);
  return floatOf((bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc00000u : bits);
}

/// An IEEE-754 half, exactly. A NaN stays a NaN.
SORTIE_NUMERICS_INLINE float fromHalf(uint16_t half) {
#if defined(__CUDA_ARCH__)
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(half));
  return result;
#else
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = (half >> 10) & 0x1fu;
  const uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0) // zero or subnormal: mantissa * 2^-24
    return floatOf(bitsOf(mul(toFloat(static_cast<int32_t>(mantissa)), 0x1p-24f)) | sign);
  if (exponent == 31)
    return floatOf(sign | 0x7f800000u | (mantissa != 0 ? 0x400000u | mantissa << 13 : 0u));
  return floatOf(sign | (exponent + 112) << 23 | mantissa << 13);
#endif
}

/// A bfloat16, exactly.
SORTIE_NUMERICS_INLINE float fromBFloat16(uint16_t value) {
  return floatOf(static_cast<uint32_t>(value) << 16);
}

/// Weights as they lie in memory.
struct Half {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};

/// The nearest bfloat16, ties to even: infinite from 2^128 - 2^119 on. A NaN stays a NaN.
SORTIE_NUMERICS_INLINE BFloat16 toBFloat16(float x) {
  const uint32_t bits = bitsOf(x);
  const uint32_t rounded = bits + 0x7fffu + (bits >> 16 & 1u);
  return {static_cast<uint16_t>((isNan(x) ? bits | 0x400000u : rounded) >> 16)};
}

/// A weight of any float type, exactly as fp32.
SORTIE_NUMERICS_INLINE float widen(float value) { return value; }
SORTIE_NUMERICS_INLINE float widen(Half value) { return fromHalf(value.bits); }
SORTIE_NUMERICS_INLINE float widen(BFloat16 value) { return fromBFloat16(value.bits); }

/// Half of an E8M0 scale, 2^(exponent - 128), exactly: MXFP4 keeps doubled levels. Every code is a
/// finite number, 255 too, which gives 2^127 as in the `gguf` package (the OCP specification would
/// call it NaN).
SORTIE_NUMERICS_INLINE float fromE8M0Half(uint8_t exponent) {
  if (exponent < 2) // 2^-128 and 2^-127 are subnormal
    return floatOf(0x00200000u << exponent);
  return floatOf(static_cast<uint32_t>(exponent - 1) << 23);
}

} // namespace sortie::numerics

#endif // SORTIE_RUNTIME_NUMERICS_FLOAT_H
