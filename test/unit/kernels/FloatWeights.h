// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights in the float formats, as kernels and as the CPU device read them, and sorted rows.

#ifndef SORTIE_TEST_UNIT_KERNELS_FLOATWEIGHTS_H
#define SORTIE_TEST_UNIT_KERNELS_FLOATWEIGHTS_H

#include "test/unit/kernels/KernelTest.h"

#include "codegen/kernels/common/Geometry.h"
#include "runtime/numerics/float.h"

namespace sortie::kernels {

template <typename Weight> struct EncodingOf;
template <> struct EncodingOf<float> {
  static constexpr numerics::Encoding kEncoding = numerics::Encoding::F32;
};
template <> struct EncodingOf<numerics::Half> {
  static constexpr numerics::Encoding kEncoding = numerics::Encoding::F16;
};
template <> struct EncodingOf<numerics::BFloat16> {
  static constexpr numerics::Encoding kEncoding = numerics::Encoding::BF16;
};

/// `experts` matrices [n, k] of random numbers from -2 to 2, a few of them awkward.
template <typename Weight> struct FloatWeights {
  cpu::MatrixShape shape;
  std::vector<Weight> raw;
  std::vector<std::byte> packed;

  FloatWeights(int64_t experts, int64_t n, int64_t k, Random &random)
      : shape{numerics::formatOf(EncodingOf<Weight>::kEncoding), experts, n, k},
        raw(static_cast<size_t>(experts * n * k)), packed(cpu::packedBytes(shape)) {
    for (Weight &weight : raw)
      weight = randomWeight(random);
    for (int64_t e = 0; e < experts; ++e)
      cpu::packRows(shape, EncodingOf<Weight>::kEncoding, e, 0, n,
                    reinterpret_cast<const uint8_t *>(raw.data() + e * n * k), packed.data());
  }

  cpu::Matrix matrix() const { return {shape, packed.data()}; }

private:
  static Weight randomWeight(Random &random) {
    const bool isTiny = random() % 64 == 0;
    const auto sign = static_cast<uint32_t>(random() & 1);
    if constexpr (std::is_same_v<Weight, float>) {
      const float value = std::uniform_real_distribution<float>(-2.0f, 2.0f)(random);
      return isTiny ? value * 1e-38f : value;
    } else {
      // Sign, an exponent of -1 or 0 (tiny: the smallest, subnormal), any mantissa.
      constexpr bool kIsHalf = std::is_same_v<Weight, numerics::Half>;
      constexpr uint32_t kMantissa = kIsHalf ? 10 : 7;
      constexpr uint32_t kBias = kIsHalf ? 15 : 127;
      const auto mantissa = static_cast<uint32_t>(random()) & ((1u << kMantissa) - 1);
      const uint32_t exponent = isTiny ? 0 : kBias - static_cast<uint32_t>(random() & 1);
      return {static_cast<uint16_t>(sign << 15 | exponent << kMantissa | mantissa)};
    }
  }
};

/// Slots of `tokens` tokens sorted by expert, as dispatch writes them: expert e has `counts[e]`
/// rows.
struct SortedRows {
  Ints offsets;
  Ints permutation;
  Ints tiles;
  int64_t slots = 0;

  SortedRows(const Ints &counts, int32_t unusedTiles, Random &random) {
    offsets.push_back(0);
    for (size_t e = 0; e < counts.size(); ++e) {
      const int32_t first = offsets.back();
      offsets.push_back(first + counts[e]);
      for (int32_t row = first; row < first + counts[e]; row += kTileRows)
        tiles.insert(tiles.end(), {static_cast<int32_t>(e), row,
                                   std::min(kTileRows, first + counts[e] - row), 0});
    }
    tiles.resize(tiles.size() + static_cast<size_t>(unusedTiles) * 4, 0);
    slots = offsets.back();
    for (int32_t slot = 0; slot < slots; ++slot)
      permutation.push_back(slot);
    std::shuffle(permutation.begin(), permutation.end(), random);
  }

  int tileCount() const { return static_cast<int>(tiles.size() / 4); }
};

} // namespace sortie::kernels

#endif // SORTIE_TEST_UNIT_KERNELS_FLOATWEIGHTS_H
