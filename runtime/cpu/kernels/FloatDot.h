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

  /// Groups of kFloatRows weight rows in a register tile: with few tokens as many as there are
  /// accumulators for. A whole panel is read in ascending order.
  template <int Tokens> static constexpr int groupCount() {
    int groups = kPanelRows / Simd::kFloatRows;
    while (groups > 1 && groups * Tokens > Simd::kFloatTokens)
      groups /= 2;
    return groups;
  }

  /// Rows [0, Tokens) of activations times the weight rows of a register tile, `steps` steps of 16
  /// elements: chunk sums, to sums[token][16 weight rows].
  template <numerics::Format F, int Tokens>
  SORTIE_KERNEL_INLINE static void tile(const std::byte *weights, int steps, const float *x,
                                        int64_t stride, float *sums) {
    constexpr int kGroups = groupCount<Tokens>(), kRows = Simd::kFloatRows;
    constexpr int64_t kRowBytes = kFloatStep * numerics::floatBytes(numerics::formatInfo(F));
    Floats partials[Tokens][kGroups][kRows];
    unrolled<Tokens>([&](int t) SORTIE_KERNEL_LAMBDA {
      unrolled<kGroups * kRows>([&](int n) SORTIE_KERNEL_LAMBDA {
        partials[t][n / kRows][n % kRows] = Simd::broadcast(0.0f);
      });
    });
    for (int step = 0; step < steps; ++step) {
      Floats a[Tokens];
      unrolled<Tokens>([&](int t) SORTIE_KERNEL_LAMBDA {
        a[t] = Simd::load(x + t * stride + step * kFloatStep);
      });
      unrolled<kGroups * kRows>([&](int n) SORTIE_KERNEL_LAMBDA {
        const Floats w = loadWeights<F>(weights + (step * kPanelRows + n) * kRowBytes);
        unrolled<Tokens>([&](int t) SORTIE_KERNEL_LAMBDA {
          Floats &partial = partials[t][n / kRows][n % kRows];
          partial = Simd::fma(a[t], w, partial);
        });
      });
    }
    unrolled<Tokens>([&](int t) SORTIE_KERNEL_LAMBDA {
      unrolled<kGroups>([&](int g) SORTIE_KERNEL_LAMBDA {
        Simd::storeSums(sums + t * kPanelRows + g * kRows, partials[t][g]);
      });
    });
  }

  /// The chunk sums of a panel: sums [Tokens][16].
  template <numerics::Format F, int Tokens>
  static void dot(const std::byte *weights, int steps, const float *x, int64_t stride,
                  float *sums) {
    constexpr int kTileRows = groupCount<Tokens>() * Simd::kFloatRows;
    constexpr int64_t kRowBytes = kFloatStep * numerics::floatBytes(numerics::formatInfo(F));
    for (int n = 0; n < kPanelRows; n += kTileRows)
      tile<F, Tokens>(weights + n * kRowBytes, steps, x, stride, sums + n);
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_FLOATDOT_H
