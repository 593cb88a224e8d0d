// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Integer products of attention: of a row of quantized integers (a query, or the weights of a
// chunk) with 16 rows of a cache (numerics/cache.h), all of them exact.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_LIMBDOT_H
#define SORTIE_RUNTIME_CPU_KERNELS_LIMBDOT_H

#include "runtime/cpu/kernels/Unroll.h"
#include "runtime/numerics/cache.h"

#include <cstddef>
#include <cstring>

namespace sortie::cpu {

/// Products of integers with `Own` limbs and rows of a cache with `Cached` limbs. `HasLowLow`: the
/// products of two low limbs, which one `int16` with another has, are wanted, too.
template <typename Simd, int Own, int Cached, bool HasLowLow> struct LimbDot {
  using Ints = typename Simd::Ints;
  using Bytes = typename Simd::Bytes;
  using Floats = typename Simd::Floats;
  static constexpr bool kIsPair = Own == 2 && Cached == 2;
  /// Bytes are multiplied as bytes; otherwise they are widened to pairs of int16, and so may the
  /// integers be that are multiplied with them.
  static constexpr bool kIsNarrow = Simd::kPieceIsInts;

  /// In which forms the row is stored: its low and its high limb, and its whole integers.
  static constexpr int kLow = 0, kHigh = 1, kWhole = 2;
  static constexpr int kForms = Own == 1 ? 1 : kIsNarrow ? 2 : 3;
  /// Bytes of an element in each form.
  static constexpr int kFormBytes = kIsNarrow ? 1 : 2;

  /// Sums: of the products that count 128 times as much, of those that count once, and of low limbs
  /// alone.
  static constexpr int kHighSum = 0, kUnitSum = 1, kLowLowSum = 2;
  static constexpr int kSums = 3;

  /// A row of integers in all of its forms.
  struct Row {
    const std::byte *forms;
    int64_t formStride;
    int32_t totals[3]; ///< sums of the elements in each form

    SORTIE_KERNEL_INLINE const std::byte *quad(int form, int64_t index) const {
      return forms + form * formStride + index * numerics::kCacheQuad * kFormBytes;
    }
  };

  static constexpr int64_t rowBytes(int64_t elements) {
    return kForms * numerics::roundedUp(elements, numerics::kCacheQuad) * kFormBytes;
  }

  /// Stores `count` integers as a row at `to`, with zeros up to a whole quad.
  SORTIE_KERNEL_INLINE static Row makeRow(const int16_t *integers, int count, std::byte *to) {
    const int64_t padded = numerics::roundedUp(count, numerics::kCacheQuad);
    Row row = {to, padded * kFormBytes, {}};
    std::memset(to, 0, static_cast<size_t>(kForms * row.formStride));
    for (int i = 0; i < count; ++i) {
      const int32_t whole = integers[i];
      if constexpr (Own == 1) {
        store(to, row.formStride, kLow, i, whole);
        row.totals[kLow] += whole;
      } else {
        const int32_t low = numerics::lowLimb(whole);
        const int32_t high = (whole - low) >> 7;
        store(to, row.formStride, kLow, i, low);
        store(to, row.formStride, kHigh, i, high);
        if constexpr (!kIsNarrow)
          store(to, row.formStride, kWhole, i, whole);
        row.totals[kLow] += low;
        row.totals[kHigh] += high;
      }
    }
    return row;
  }

  /// Widened bytes meet integers as elements 0 and 2 of a quad, then 1 and 3.
  SORTIE_KERNEL_INLINE static void store(std::byte *forms, int64_t stride, int form, int element,
                                         int32_t value) {
    std::byte *at = forms + form * stride;
    if constexpr (kIsNarrow) {
      at[element] = static_cast<std::byte>(value);
    } else {
      constexpr int kPlace[] = {0, 2, 1, 3};
      const auto wide = static_cast<int16_t>(value);
      std::memcpy(at + (element / 4 * 4 + kPlace[element % 4]) * 2, &wide, sizeof wide);
    }
  }

  /// A vector of a cache's bytes: four elements of 16 rows.
  struct Vector {
    Bytes bytes;
    Ints even, odd; ///< widened, unless narrow
  };

  SORTIE_KERNEL_INLINE static Vector load(const std::byte *from) {
    Vector vector{};
    vector.bytes = Simd::loadBytes(from);
    if constexpr (!kIsNarrow) {
      vector.even = Simd::evenBytes(vector.bytes);
      vector.odd = Simd::oddBytes(vector.bytes);
    }
    return vector;
  }

  SORTIE_KERNEL_INLINE static Ints multiply(Ints sum, const Vector &vector, const std::byte *quad) {
    if constexpr (kIsNarrow) {
      return Simd::dotBytes(sum, vector.bytes, reinterpret_cast<const int8_t *>(quad));
    } else {
      int32_t pairs[2];
      std::memcpy(pairs, quad, sizeof pairs);
      sum = Simd::dotPairs(sum, vector.even, Simd::broadcastInt(pairs[0]));
      return Simd::dotPairs(sum, vector.odd, Simd::broadcastInt(pairs[1]));
    }
  }

  /// Adds the products of one quad of a row with one vector for each of the cache's limbs.
  SORTIE_KERNEL_INLINE static void add(Ints (&sums)[kSums], const Vector (&limbs)[Cached],
                                       const Row &row, int64_t quad) {
    if constexpr (kIsPair && kIsNarrow) {
      sums[kHighSum] = multiply(sums[kHighSum], limbs[1], row.quad(kHigh, quad));
      sums[kUnitSum] = multiply(sums[kUnitSum], limbs[0], row.quad(kHigh, quad));
      sums[kUnitSum] = multiply(sums[kUnitSum], limbs[1], row.quad(kLow, quad));
    } else if constexpr (kIsPair) {
      sums[kUnitSum] = multiply(sums[kUnitSum], limbs[1], row.quad(kWhole, quad));
      sums[kUnitSum] = multiply(sums[kUnitSum], limbs[0], row.quad(kHigh, quad));
    } else if constexpr (Own == 2 && kIsNarrow) {
      sums[kHighSum] = multiply(sums[kHighSum], limbs[0], row.quad(kHigh, quad));
      sums[kUnitSum] = multiply(sums[kUnitSum], limbs[0], row.quad(kLow, quad));
    } else if constexpr (Own == 2) {
      sums[kUnitSum] = multiply(sums[kUnitSum], limbs[0], row.quad(kWhole, quad));
    } else if constexpr (Cached == 2) {
      sums[kHighSum] = multiply(sums[kHighSum], limbs[1], row.quad(kLow, quad));
      sums[kUnitSum] = multiply(sums[kUnitSum], limbs[0], row.quad(kLow, quad));
    } else {
      sums[kUnitSum] = multiply(sums[kUnitSum], limbs[0], row.quad(kLow, quad));
    }
    if constexpr (kIsPair && HasLowLow)
      sums[kLowLowSum] = multiply(sums[kLowLowSum], limbs[0], row.quad(kLow, quad));
  }

  /// F for each of the 16 rows. The bias of the cache's bytes has added 128 times the row's total
  /// to each sum of products. Sums may have wrapped around: what they stand for fits 32 bits.
  SORTIE_KERNEL_INLINE static Floats finish(const Ints (&sums)[kSums], const Row &row) {
    const uint32_t low = row.totals[kLow], high = row.totals[kHigh];
    const uint32_t whole = 128u * high + low;
    uint32_t bias = 0; // of what `upper` is the sum of
    if constexpr (kIsPair)
      bias = whole + high;
    else if constexpr (Own == 2)
      bias = whole;
    else if constexpr (Cached == 2)
      bias = 129u * low;
    else
      bias = low;
    Ints upper = sums[kUnitSum];
    if constexpr (kIsNarrow ? Own == 2 || Cached == 2 : Own == 1 && Cached == 2)
      upper = Simd::addInts(upper, Simd::template shiftLeft<7>(sums[kHighSum]));
    upper = unbiased(upper, bias);
    if constexpr (kIsPair && HasLowLow)
      return Simd::fma(Simd::broadcast(static_cast<float>(numerics::kLimbBase)),
                       Simd::toFloats(upper), Simd::toFloats(unbiased(sums[kLowLowSum], low)));
    return Simd::toFloats(upper);
  }

  SORTIE_KERNEL_INLINE static Ints unbiased(Ints sum, uint32_t total) {
    const uint32_t bias = static_cast<uint32_t>(numerics::kCacheBias) * total;
    return Simd::subInts(sum, Simd::broadcastInt(static_cast<int32_t>(bias)));
  }
};

} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_LIMBDOT_H
