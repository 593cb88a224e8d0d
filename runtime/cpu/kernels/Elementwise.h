// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What operations do between the matrix products and behind them, 16 elements at a time, in the
// order of the headers of runtime/numerics: exp.h, activation.h, norm.h, quantize.h, combine.h.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_ELEMENTWISE_H
#define SORTIE_RUNTIME_CPU_KERNELS_ELEMENTWISE_H

#include "runtime/cpu/kernels/Unroll.h"
#include "runtime/numerics/activation.h"
#include "runtime/numerics/exp2.h"
#include "runtime/numerics/layout.h"
#include "runtime/numerics/norm.h"
#include "runtime/numerics/quantize.h"

#include <cstddef>
#include <cstring>

namespace sortie::cpu {

template <typename Simd> struct Elementwise {
  using Floats = typename Simd::Floats;
  using Ints = typename Simd::Ints;
  static constexpr int kLanes = Simd::kLanes;
  static constexpr float kRoundingMagic = 0x1.8p23f;
  static constexpr int32_t kRoundingMagicBits = 0x4b400000;

  /// function(offset, count) for each vector of `n` elements; count is 16 but perhaps for the last.
  template <typename Function>
  SORTIE_KERNEL_INLINE static void forEachVector(int64_t n, Function function) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
      function(i, kLanes);
    if (i < n)
      function(i, static_cast<int>(n - i));
  }
  SORTIE_KERNEL_INLINE static Floats loadSome(const float *from, int count) {
    return count == kLanes ? Simd::load(from) : Simd::loadFirst(from, count);
  }
  SORTIE_KERNEL_INLINE static void storeSome(float *to, Floats a, int count) {
    if (count == kLanes)
      Simd::store(to, a);
    else
      Simd::storeFirst(to, a, count);
  }

  //===- exp.h, activation.h ----------------------------------------------===//
  SORTIE_KERNEL_INLINE static Ints roundToInts(Floats x) {
    const Floats shifted = Simd::add(x, Simd::broadcast(kRoundingMagic));
    return Simd::subInts(Simd::bitsOf(shifted), Simd::broadcastInt(kRoundingMagicBits));
  }

  SORTIE_KERNEL_INLINE static Floats powerOfTwo(Ints exponent) {
    return Simd::floatsOf(
        Simd::template shiftLeft<23>(Simd::addInts(exponent, Simd::broadcastInt(127))));
  }

  SORTIE_KERNEL_INLINE static Floats exp(Floats x) {
    using C = numerics::ExpConstants;
    x = Simd::lesser(Simd::broadcast(C::kMost), x);
    x = Simd::greater(Simd::broadcast(C::kLeast), x);

    const Floats scaled = Simd::mul(x, Simd::broadcast(C::kLog2E));
    const Ints n = roundToInts(scaled);
    const Floats magic = Simd::broadcast(kRoundingMagic);
    const Floats nFloat = Simd::sub(Simd::add(scaled, magic), magic);
    Floats r = Simd::fma(nFloat, Simd::broadcast(-C::kLn2High), x);
    r = Simd::fma(nFloat, Simd::broadcast(-C::kLn2Low), r);

    Floats p = Simd::broadcast(C::kC6);
    p = Simd::fma(p, r, Simd::broadcast(C::kC5));
    p = Simd::fma(p, r, Simd::broadcast(C::kC4));
    p = Simd::fma(p, r, Simd::broadcast(C::kC3));
    p = Simd::fma(p, r, Simd::broadcast(C::kC2));
    p = Simd::fma(p, r, Simd::broadcast(1.0f));
    p = Simd::fma(p, r, Simd::broadcast(1.0f));

    const Ints half = Simd::template shiftRight<1>(n);
    return Simd::mul(Simd::mul(p, powerOfTwo(half)), powerOfTwo(Simd::subInts(n, half)));
  }

  /// exp2.h, for x <= 1.
  SORTIE_KERNEL_INLINE static Floats exp2(Floats x) {
    using C = numerics::Exp2Constants;
    x = Simd::greater(Simd::broadcast(C::kLeast), x);
    const Ints n = roundToInts(x);
    const Floats magic = Simd::broadcast(kRoundingMagic);
    const Floats r = Simd::sub(x, Simd::sub(Simd::add(x, magic), magic));
    Floats p = Simd::broadcast(C::kC5);
    p = Simd::fma(p, r, Simd::broadcast(C::kC4));
    p = Simd::fma(p, r, Simd::broadcast(C::kC3));
    p = Simd::fma(p, r, Simd::broadcast(C::kC2));
    p = Simd::fma(p, r, Simd::broadcast(C::kC1));
    p = Simd::fma(p, r, Simd::broadcast(1.0f));
    return Simd::mul(p, powerOfTwo(n));
  }

  SORTIE_KERNEL_INLINE static Floats onePlusExpOfNegative(Floats x) {
    return Simd::add(Simd::broadcast(1.0f), exp(Simd::negate(x)));
  }
  SORTIE_KERNEL_INLINE static Floats sigmoid(Floats x) {
    return Simd::div(Simd::broadcast(1.0f), onePlusExpOfNegative(x));
  }
  SORTIE_KERNEL_INLINE static Floats silu(Floats x) {
    return Simd::div(x, onePlusExpOfNegative(x));
  }

  SORTIE_KERNEL_INLINE static Floats applyGlu(const numerics::Glu &glu, Floats gate, Floats up) {
    if (glu.kind == numerics::GluKind::Swiglu)
      return Simd::mul(silu(gate), up);
    const Floats limit = Simd::broadcast(glu.limit);
    const Floats g = Simd::lesser(limit, gate);
    const Floats u = Simd::greater(Simd::negate(limit), Simd::lesser(limit, up));
    const Floats gated = Simd::mul(g, sigmoid(Simd::mul(Simd::broadcast(glu.alpha), g)));
    return Simd::mul(Simd::add(u, Simd::broadcast(1.0f)), gated);
  }

  //===- quantize.h -------------------------------------------------------===//
  /// Quantizes 128 floats (zeros where the row ends) to block `block` of the quantized row at
  /// `row`.
  template <numerics::RowKind Kind>
  SORTIE_KERNEL_INLINE static void quantizeBlock(const float *x,
                                                 const numerics::ActRowLayout &layout,
                                                 int64_t block, std::byte *row) {
    constexpr int kVectors = numerics::kActivationBlock / kLanes;
    Ints largest = Simd::zeroInts();
    for (int v = 0; v < kVectors; ++v)
      largest = Simd::maxUnsigned(largest, Simd::bitAnd(Simd::bitsOf(Simd::load(x + v * kLanes)),
                                                        Simd::broadcastInt(0x7fffffff)));
    const numerics::ActivationScale scale =
        numerics::activationScale<numerics::activationWidth(Kind)>(Simd::largestUnsigned(largest));
    const Floats reciprocal = Simd::broadcast(scale.reciprocal);

    auto *limbs = reinterpret_cast<int8_t *>(row + layout.limbs) + block * kVectors * kLanes;
    std::byte *sums = row + layout.sums + block * kVectors * 2;
    for (int v = 0; v < kVectors; ++v) {
      Ints q = Simd::zeroInts();
      if (scale.isRegular)
        q = roundToInts(Simd::mul(Simd::load(x + v * kLanes), reciprocal));
      Ints low = q;
      if constexpr (Kind == numerics::RowKind::Int16) {
        const Ints shift = Simd::broadcastInt(numerics::kMaxLowLimb);
        low = Simd::subInts(
            Simd::bitAnd(Simd::addInts(q, shift), Simd::broadcastInt(numerics::kLimbBase - 1)),
            shift);
        const Ints high = Simd::template shiftRight<7>(Simd::subInts(q, low));
        Simd::storeLowBytes(limbs + layout.limbStride + v * kLanes, high);
        storeSum(sums + layout.sumStride + v * 2, high);
      }
      Simd::storeLowBytes(limbs + v * kLanes, low);
      storeSum(sums + v * 2, low);
    }
    std::memcpy(row + layout.scales + block * 4, &scale.scale, sizeof scale.scale);
  }

  SORTIE_KERNEL_INLINE static void storeSum(std::byte *to, Ints limbs) {
    const auto sum = static_cast<int16_t>(Simd::sumInts(limbs));
    std::memcpy(to, &sum, sizeof sum);
  }

  /// The first `count` <= 128 floats at `x` are those of the block.
  SORTIE_KERNEL_INLINE static void quantizeSome(const float *x, int count, numerics::RowKind kind,
                                                const numerics::ActRowLayout &layout, int64_t block,
                                                std::byte *row) {
    alignas(64) float padded[numerics::kActivationBlock];
    if (count < numerics::kActivationBlock) {
      std::memset(padded, 0, sizeof padded);
      std::memcpy(padded, x, static_cast<size_t>(count) * sizeof(float));
      x = padded;
    }
    if (kind == numerics::RowKind::Int16)
      quantizeBlock<numerics::RowKind::Int16>(x, layout, block, row);
    else
      quantizeBlock<numerics::RowKind::Int8>(x, layout, block, row);
  }

  //===- norm.h, combine.h ------------------------------------------------===//
  /// The `float` product of a row with itself. Padding with zeros changes nothing: the partials are
  /// sums of squares, never -0.0.
  SORTIE_KERNEL_INLINE static float sumOfSquares(const float *row, int64_t columns) {
    float total = 0.0f;
    for (int64_t first = 0; first < columns; first += numerics::kChunk) {
      const int64_t left = columns - first;
      Floats partials = Simd::broadcast(0.0f);
      forEachVector(left < numerics::kChunk ? left : numerics::kChunk, [&](int64_t i, int count) {
        const Floats x = loadSome(row + first + i, count);
        partials = Simd::fma(x, x, partials);
      });
      const float sum = Simd::sumTree(partials);
      total = first == 0 ? sum : numerics::add(total, sum);
    }
    return total;
  }

  /// The sum of `slots` rows, which `rows` points to (null: a row of zeros), with `weights` or
  /// null.
  SORTIE_KERNEL_INLINE static void combine(const float *const *rows, const float *weights,
                                           int slots, int64_t columns, float *output) {
    forEachVector(columns, [&](int64_t i, int count) {
      Floats sum = Simd::broadcast(0.0f);
      for (int j = 0; j < slots; ++j) {
        Floats x = Simd::broadcast(0.0f);
        if (rows[j] != nullptr)
          x = loadSome(rows[j] + i, count);
        if (weights != nullptr)
          x = Simd::mul(Simd::broadcast(weights[j]), x);
        sum = j == 0 ? x : Simd::add(sum, x);
      }
      storeSome(output + i, Simd::canonicalNan(sum), count);
    });
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_ELEMENTWISE_H
