// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vector operations of SimdPortable.h with AVX2, FMA and F16C: 16 lanes are two registers.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_SIMDAVX2_H
#define SORTIE_RUNTIME_CPU_KERNELS_SIMDAVX2_H

#include "runtime/cpu/kernels/Tile.h"
#include "runtime/cpu/kernels/Unroll.h"

#include <cstring>
#include <immintrin.h>

namespace sortie::cpu {
namespace {

/// What does not depend on how bytes are multiplied.
struct SimdAvx2Base {
  static constexpr int kLanes = 16;
  using Tiles = void; ///< the matrix unit (TileDot.h), if any

  struct Floats {
    __m256 low;
    __m256 high;
  };
  struct Ints {
    __m256i low;
    __m256i high;
  };
  using Bytes = Ints;

  // 16 registers hold 4 rows of accumulators, the weights and a broadcast.
  static constexpr int kNarrowRows = 4;
  static constexpr int kLimbRows = 2;
  static constexpr int kWideRows = 4;
  static constexpr int kFloatTokens = 3;
  static constexpr int kFloatRows = 2;

  //===- Floats -----------------------------------------------------------===//
  SORTIE_KERNEL_INLINE static Floats load(const float *from) {
    return {_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
  }
  SORTIE_KERNEL_INLINE static Floats loadFirst(const float *from, int count) {
    alignas(32) float padded[kLanes] = {};
    std::memcpy(padded, from, static_cast<size_t>(count) * sizeof(float));
    return load(padded);
  }
  SORTIE_KERNEL_INLINE static void store(float *to, Floats a) {
    _mm256_storeu_ps(to, a.low);
    _mm256_storeu_ps(to + 8, a.high);
  }
  SORTIE_KERNEL_INLINE static void storeFirst(float *to, Floats a, int count) {
    alignas(32) float all[kLanes];
    store(all, a);
    std::memcpy(to, all, static_cast<size_t>(count) * sizeof(float));
  }
  SORTIE_KERNEL_INLINE static Floats broadcast(float a) {
    const __m256 all = _mm256_set1_ps(a);
    return {all, all};
  }
  SORTIE_KERNEL_INLINE static Floats loadHalf(const void *from) {
    const auto *halves = static_cast<const __m128i *>(from);
    return {_mm256_cvtph_ps(_mm_loadu_si128(halves)), _mm256_cvtph_ps(_mm_loadu_si128(halves + 1))};
  }
  SORTIE_KERNEL_INLINE static Floats loadBFloat16(const void *from) {
    const auto *halves = static_cast<const __m128i *>(from);
    return {widenBFloat16(_mm_loadu_si128(halves)), widenBFloat16(_mm_loadu_si128(halves + 1))};
  }
  SORTIE_KERNEL_INLINE static Floats add(Floats a, Floats b) {
    return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static Floats sub(Floats a, Floats b) {
    return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static Floats mul(Floats a, Floats b) {
    return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static Floats div(Floats a, Floats b) {
    return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static Floats fma(Floats a, Floats b, Floats c) {
    return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
  }
  SORTIE_KERNEL_INLINE static Floats fnma(Floats a, Floats b, Floats c) {
    return {_mm256_fnmadd_ps(a.low, b.low, c.low), _mm256_fnmadd_ps(a.high, b.high, c.high)};
  }
  SORTIE_KERNEL_INLINE static Floats lesser(Floats a, Floats b) {
    return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static Floats greater(Floats a, Floats b) {
    return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static Floats negate(Floats a) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return {_mm256_xor_ps(a.low, sign), _mm256_xor_ps(a.high, sign)};
  }
  SORTIE_KERNEL_INLINE static Floats canonicalNan(Floats a) {
    return {canonicalHalf(a.low), canonicalHalf(a.high)};
  }
  SORTIE_KERNEL_INLINE static float sumTree(Floats a) {
    const __m256 of8 = _mm256_add_ps(a.low, a.high);
    const __m128 of4 = _mm_add_ps(_mm256_castps256_ps128(of8), _mm256_extractf128_ps(of8, 1));
    const __m128 of2 = _mm_add_ps(of4, _mm_movehl_ps(of4, of4));
    return _mm_cvtss_f32(_mm_add_ss(of2, _mm_shuffle_ps(of2, of2, 1)));
  }
  /// The tree sum of each vector.
  SORTIE_KERNEL_INLINE static void storeSums(float *to, const Floats (&a)[kFloatRows]) {
    for (int n = 0; n < kFloatRows; ++n)
      to[n] = sumTree(a[n]);
  }

  //===- Integers ---------------------------------------------------------===//
  SORTIE_KERNEL_INLINE static Ints zeroInts() {
    return {_mm256_setzero_si256(), _mm256_setzero_si256()};
  }
  SORTIE_KERNEL_INLINE static Ints broadcastInt(int32_t a) {
    const __m256i all = _mm256_set1_epi32(a);
    return {all, all};
  }
  SORTIE_KERNEL_INLINE static Ints loadInts(const void *from) {
    const auto *vectors = static_cast<const __m256i *>(from);
    return {_mm256_loadu_si256(vectors), _mm256_loadu_si256(vectors + 1)};
  }
  SORTIE_KERNEL_INLINE static void storeInts(void *to, Ints a) {
    auto *vectors = static_cast<__m256i *>(to);
    _mm256_storeu_si256(vectors, a.low);
    _mm256_storeu_si256(vectors + 1, a.high);
  }
  SORTIE_KERNEL_INLINE static Ints addInts(Ints a, Ints b) {
    return {_mm256_add_epi32(a.low, b.low), _mm256_add_epi32(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static Ints subInts(Ints a, Ints b) {
    return {_mm256_sub_epi32(a.low, b.low), _mm256_sub_epi32(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static Ints bitAnd(Ints a, Ints b) {
    return {_mm256_and_si256(a.low, b.low), _mm256_and_si256(a.high, b.high)};
  }
  template <int Count> SORTIE_KERNEL_INLINE static Ints shiftLeft(Ints a) {
    return {_mm256_slli_epi32(a.low, Count), _mm256_slli_epi32(a.high, Count)};
  }
  template <int Count> SORTIE_KERNEL_INLINE static Ints shiftRight(Ints a) {
    return {_mm256_srai_epi32(a.low, Count), _mm256_srai_epi32(a.high, Count)};
  }
  SORTIE_KERNEL_INLINE static Ints maxUnsigned(Ints a, Ints b) {
    return {_mm256_max_epu32(a.low, b.low), _mm256_max_epu32(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static uint32_t largestUnsigned(Ints a) {
    const __m256i of8 = _mm256_max_epu32(a.low, a.high);
    const __m128i of4 =
        _mm_max_epu32(_mm256_castsi256_si128(of8), _mm256_extracti128_si256(of8, 1));
    const __m128i of2 = _mm_max_epu32(of4, _mm_shuffle_epi32(of4, 0x4e));
    return static_cast<uint32_t>(
        _mm_cvtsi128_si32(_mm_max_epu32(of2, _mm_shuffle_epi32(of2, 0xb1))));
  }
  SORTIE_KERNEL_INLINE static Floats toFloats(Ints a) {
    return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)};
  }
  SORTIE_KERNEL_INLINE static Ints bitsOf(Floats a) {
    return {_mm256_castps_si256(a.low), _mm256_castps_si256(a.high)};
  }
  SORTIE_KERNEL_INLINE static Floats floatsOf(Ints a) {
    return {_mm256_castsi256_ps(a.low), _mm256_castsi256_ps(a.high)};
  }
  /// The lanes are limbs, so packing with saturation keeps them.
  SORTIE_KERNEL_INLINE static void storeLowBytes(int8_t *to, Ints a) {
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a.low, a.high), 0xd8);
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i *>(to), bytes);
  }
  SORTIE_KERNEL_INLINE static int32_t sumInts(Ints a) {
    const __m256i of8 = _mm256_add_epi32(a.low, a.high);
    const __m128i of4 =
        _mm_add_epi32(_mm256_castsi256_si128(of8), _mm256_extracti128_si256(of8, 1));
    const __m128i of2 = _mm_add_epi32(of4, _mm_shuffle_epi32(of4, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(of2, _mm_shuffle_epi32(of2, 0xb1)));
  }

  //===- Pairs of int16 in 32-bit lanes -----------------------------------===//
  SORTIE_KERNEL_INLINE static Ints dotPairs(Ints sum, Ints a, Ints b) {
    return {_mm256_add_epi32(sum.low, _mm256_madd_epi16(a.low, b.low)),
            _mm256_add_epi32(sum.high, _mm256_madd_epi16(a.high, b.high))};
  }
  SORTIE_KERNEL_INLINE static Ints mulPairs(Ints a, Ints b) {
    return {_mm256_mullo_epi16(a.low, b.low), _mm256_mullo_epi16(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static Ints subPairs(Ints a, Ints b) {
    return {_mm256_sub_epi16(a.low, b.low), _mm256_sub_epi16(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static Ints pairBytes(const void *a, const void *b) {
    const __m128i x = _mm_loadu_si128(static_cast<const __m128i *>(a));
    const __m128i y = _mm_loadu_si128(static_cast<const __m128i *>(b));
    return {_mm256_cvtepi8_epi16(_mm_unpacklo_epi8(x, y)),
            _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(x, y))};
  }

  //===- Vectors of 64 bytes ----------------------------------------------===//
  SORTIE_KERNEL_INLINE static Bytes loadBytes(const void *from) { return loadInts(from); }
  SORTIE_KERNEL_INLINE static void storeBytes(void *to, Bytes a) { storeInts(to, a); }
  template <int Shift> SORTIE_KERNEL_INLINE static Bytes shiftAndMask(Bytes a, uint8_t mask) {
    const __m256i kept = _mm256_set1_epi8(static_cast<char>(mask));
    return {_mm256_and_si256(shift16<Shift>(a.low), kept),
            _mm256_and_si256(shift16<Shift>(a.high), kept)};
  }
  SORTIE_KERNEL_INLINE static Bytes orBytes(Bytes a, Bytes b) {
    return {_mm256_or_si256(a.low, b.low), _mm256_or_si256(a.high, b.high)};
  }
  SORTIE_KERNEL_INLINE static Bytes lookUp(const uint8_t *table, Bytes codes) {
    const __m256i entries =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i *>(table)));
    return {_mm256_shuffle_epi8(entries, codes.low), _mm256_shuffle_epi8(entries, codes.high)};
  }
  SORTIE_KERNEL_INLINE static Ints evenBytes(Bytes a) {
    const __m256i kept = _mm256_set1_epi16(0xff);
    return {_mm256_and_si256(a.low, kept), _mm256_and_si256(a.high, kept)};
  }
  SORTIE_KERNEL_INLINE static Ints oddBytes(Bytes a) {
    return {_mm256_srli_epi16(a.low, 8), _mm256_srli_epi16(a.high, 8)};
  }
  SORTIE_KERNEL_INLINE static Ints evenSignedBytes(Bytes a) {
    return {_mm256_srai_epi16(_mm256_slli_epi16(a.low, 8), 8),
            _mm256_srai_epi16(_mm256_slli_epi16(a.high, 8), 8)};
  }
  SORTIE_KERNEL_INLINE static Ints oddSignedBytes(Bytes a) {
    return {_mm256_srai_epi16(a.low, 8), _mm256_srai_epi16(a.high, 8)};
  }
  SORTIE_KERNEL_INLINE static void prefetch(const void *at) {
    _mm_prefetch(static_cast<const char *>(at), _MM_HINT_T1);
  }

protected:
  template <int Shift> SORTIE_KERNEL_INLINE static __m256i shift16(__m256i a) {
    if constexpr (Shift > 0)
      return _mm256_srli_epi16(a, Shift);
    else if constexpr (Shift < 0)
      return _mm256_slli_epi16(a, -Shift);
    else
      return a;
  }
  SORTIE_KERNEL_INLINE static __m256 widenBFloat16(__m128i bits) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
  }
  SORTIE_KERNEL_INLINE static __m256 canonicalHalf(__m256 a) {
    const __m256i bits = _mm256_castps_si256(a);
    const __m256i magnitude = _mm256_and_si256(bits, _mm256_set1_epi32(0x7fffffff));
    const __m256i isNan = _mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7f800000));
    return _mm256_castsi256_ps(_mm256_blendv_epi8(bits, _mm256_set1_epi32(0x7fc00000), isNan));
  }
};

/// The narrow product without VNNI. vpmaddubsw adds two products of an unsigned and a signed byte
/// to an int16 and saturates, so a piece adds up only as many vectors as cannot reach 2^15:
///   levels <= 15: 8 vectors, 8 * 2 * 15 * 127 = 30480
///   levels <= 31: 4 vectors, 4 * 2 * 31 * 127 = 31496
///   levels <= 63: 2 vectors, 2 * 2 * 63 * 127 = 32004
/// (activations are at least -127, never -128). Larger levels take the wide form. vpmaddwd then
/// multiplies the two int16 of a lane by the sub-scale and adds them, exactly.
struct SimdAvx2 : SimdAvx2Base {
  static constexpr bool prefersWide(const numerics::FormatInfo &info, numerics::RowKind kind) {
    return largestBiasedLevel(info) > 63 ||
           (kind == numerics::RowKind::Int16 && numerics::isCombinable(info));
  }

  using Piece = Ints;
  static constexpr int pieceVectors(int levelLimit) {
    return levelLimit <= 15 ? 8 : levelLimit <= 31 ? 4 : 2;
  }
  static constexpr bool kPieceIsInts = false;
  SORTIE_KERNEL_INLINE static Piece zeroPiece() { return zeroInts(); }
  SORTIE_KERNEL_INLINE static Piece dotBytes(Piece piece, Bytes levels, const int8_t *quad) {
    int32_t lane;
    std::memcpy(&lane, quad, sizeof lane);
    const __m256i activations = _mm256_set1_epi32(lane);
    return {_mm256_add_epi16(piece.low, _mm256_maddubs_epi16(levels.low, activations)),
            _mm256_add_epi16(piece.high, _mm256_maddubs_epi16(levels.high, activations))};
  }
  SORTIE_KERNEL_INLINE static Ints addPiece(Ints run, Piece piece) {
    return dotPairs(run, piece, broadcastInt(pairOf(1)));
  }
  SORTIE_KERNEL_INLINE static Ints addScaledPiece(Ints run, Piece piece, Ints subScale) {
    return dotPairs(run, piece, subScale);
  }
  SORTIE_KERNEL_INLINE static Ints expandSubScales(const void *bytes) {
    return pairBytes(bytes, bytes);
  }
};

/// The narrow product with 256-bit vpdpbusd. `Dpbusd::dot(sum, unsignedBytes, signedBytes)` is the
/// instruction; the unit tests put a software version in its place.
template <typename Dpbusd> struct SimdAvxVnni : SimdAvx2Base {
  static constexpr bool prefersWide(const numerics::FormatInfo &info, numerics::RowKind kind) {
    return kind == numerics::RowKind::Int16 && numerics::isCombinable(info);
  }

  using Piece = Ints;
  static constexpr int pieceVectors(int) { return kBlockVectors; }
  static constexpr bool kPieceIsInts = true;
  SORTIE_KERNEL_INLINE static Piece zeroPiece() { return zeroInts(); }
  SORTIE_KERNEL_INLINE static Piece dotBytes(Piece piece, Bytes levels, const int8_t *quad) {
    int32_t lane;
    std::memcpy(&lane, quad, sizeof lane);
    const __m256i activations = _mm256_set1_epi32(lane);
    return {Dpbusd::dot(piece.low, levels.low, activations),
            Dpbusd::dot(piece.high, levels.high, activations)};
  }
  SORTIE_KERNEL_INLINE static Ints addPiece(Ints run, Piece piece) { return addInts(run, piece); }
  SORTIE_KERNEL_INLINE static Ints addScaledPiece(Ints run, Piece piece, Ints subScale) {
    return {_mm256_add_epi32(run.low, _mm256_mullo_epi32(piece.low, subScale.low)),
            _mm256_add_epi32(run.high, _mm256_mullo_epi32(piece.high, subScale.high))};
  }
  SORTIE_KERNEL_INLINE static Ints expandSubScales(const void *bytes) {
    const auto *scales = static_cast<const int8_t *>(bytes);
    return {_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(scales))),
            _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i *>(scales + 8)))};
  }
};

} // namespace
} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_SIMDAVX2_H
