// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The product in `float` arithmetic: lanes are the 16 partials of the contract, so K runs along the
// vector, and a register tile holds the partials of several activations times several weight rows.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_FLOATDOT_H
#define SORTIE_RUNTIME_CPU_KERNELS_FLOATDOT_H

#include "runtime/cpu/PanelLayout.h"
#include "runtime/cpu/kernels/Unroll.h"

#include <cstring>

namespace sortie::cpu {

template <typename Simd> struct FloatProduct {
  using Floats = typename Simd::Floats;

  /// 16 weights of a panel of format `F`, exactly as floats.
  template <numerics::Format F>
  SORTIE_KERNEL_INLINE static Floats loadWeights(const std::byte *from) {
    if constexpr (F == numerics::Format::F16)
      return Simd::loadHalf(from);
    else if constexpr (F == numerics::Format::BF16)
      return Simd::loadBFloat16(from);
    else
      return Simd::load(reinterpret_cast<const float *>(from));
  }

  /// function(token, weight row) for all of a register tile.
  template <int Tokens, typename Function>
  SORTIE_KERNEL_INLINE static void forEach(Function function) {
    unrolled<Tokens>([&](int t) SORTIE_KERNEL_LAMBDA {
      unrolled<Simd::kFloatRows>([&](int n) SORTIE_KERNEL_LAMBDA { function(t, n); });
    });
  }

  /// Rows [0, Tokens) of activations times weight rows [0, WeightRows) of a panel, `steps` steps of
  /// 16 elements: chunk sums, to sums[token][16 weight rows].
  template <numerics::Format F, int Tokens>
  SORTIE_KERNEL_INLINE static void tile(const std::byte *weights, int steps, const float *x,
                                        int64_t stride, float *sums) {
    constexpr int kWeightRows = Simd::kFloatRows;
    constexpr int64_t kRowBytes = kFloatStep * numerics::floatBytes(numerics::formatInfo(F));
    Floats partials[Tokens][kWeightRows];
    forEach<Tokens>([&](int t, int n)
                        SORTIE_KERNEL_LAMBDA { partials[t][n] = Simd::broadcast(0.0f); });
    for (int step = 0; step < steps; ++step) {
      Floats w[kWeightRows];
      unrolled<kWeightRows>([&](int n) SORTIE_KERNEL_LAMBDA {
        w[n] = loadWeights<F>(weights + (step * kPanelRows + n) * kRowBytes);
      });
      unrolled<Tokens>([&](int t) SORTIE_KERNEL_LAMBDA {
        const Floats a = Simd::load(x + t * stride + step * kFloatStep);
        unrolled<kWeightRows>([&](int n) SORTIE_KERNEL_LAMBDA {
          partials[t][n] = Simd::fma(a, w[n], partials[t][n]);
        });
      });
    }
    unrolled<Tokens>(
        [&](int t) SORTIE_KERNEL_LAMBDA { Simd::storeSums(sums + t * kPanelRows, partials[t]); });
  }

  /// The chunk sums of a panel: sums [Tokens][16].
  template <numerics::Format F, int Tokens>
  static void dot(const std::byte *weights, int steps, const float *x, int64_t stride,
                  float *sums) {
    constexpr int64_t kRowBytes = kFloatStep * numerics::floatBytes(numerics::formatInfo(F));
    for (int n = 0; n < kPanelRows; n += Simd::kFloatRows)
      tile<F, Tokens>(weights + n * kRowBytes, steps, x, stride, sums + n);
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_FLOATDOT_H
