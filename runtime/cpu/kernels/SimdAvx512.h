// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vector operations of SimdPortable.h with AVX-512 F, BW, DQ, VL and VNNI.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_SIMDAVX512_H
#define SORTIE_RUNTIME_CPU_KERNELS_SIMDAVX512_H

#include "runtime/cpu/kernels/Tile.h"
#include "runtime/cpu/kernels/Unroll.h"

#include <cstring>
#include <immintrin.h>

namespace sortie::cpu {
namespace {

struct SimdAvx512 {
  static constexpr int kLanes = 16;
  using Tiles = void; ///< the matrix unit (TileDot.h), if any
  using Floats = __m512;
  using Ints = __m512i;
  using Bytes = __m512i;

  // 32 registers: a row needs an accumulator and, with sub-scales or float scales, a second one.
  static constexpr int kNarrowRows = 8;
  static constexpr int kLimbRows = 4;
  static constexpr int kWideRows = 8;
  static constexpr int kFloatTokens = 6;
  static constexpr int kFloatRows = 4;

  /// One vpdpwssd of combined int16 weights does the work of two vpdpbusd of limbs.
  static constexpr bool prefersWide(const numerics::FormatInfo &info, numerics::RowKind kind) {
    return kind == numerics::RowKind::Int16 && numerics::isCombinable(info);
  }

  SORTIE_KERNEL_INLINE static __mmask16 firstLanes(int count) {
    return static_cast<__mmask16>((1u << count) - 1);
  }
  /// [a0 + a2, a1 + a3, b0 + b2, b1 + b3] in quarters of the vectors.
  SORTIE_KERNEL_INLINE static Floats addHalves(Floats a, Floats b) {
    return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
  }

  //===- Floats -----------------------------------------------------------===//
  SORTIE_KERNEL_INLINE static Floats load(const float *from) { return _mm512_loadu_ps(from); }
  SORTIE_KERNEL_INLINE static Floats loadFirst(const float *from, int count) {
    return _mm512_maskz_loadu_ps(firstLanes(count), from);
  }
  SORTIE_KERNEL_INLINE static void store(float *to, Floats a) { _mm512_storeu_ps(to, a); }
  SORTIE_KERNEL_INLINE static void storeFirst(float *to, Floats a, int count) {
    _mm512_mask_storeu_ps(to, firstLanes(count), a);
  }
  SORTIE_KERNEL_INLINE static Floats broadcast(float a) { return _mm512_set1_ps(a); }
  SORTIE_KERNEL_INLINE static Floats loadHalf(const void *from) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i *>(from)));
  }
  SORTIE_KERNEL_INLINE static Floats loadBFloat16(const void *from) {
    const __m256i bits = _mm256_loadu_si256(static_cast<const __m256i *>(from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(bits), 16));
  }
  SORTIE_KERNEL_INLINE static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  SORTIE_KERNEL_INLINE static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  SORTIE_KERNEL_INLINE static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  SORTIE_KERNEL_INLINE static Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
  SORTIE_KERNEL_INLINE static Floats fma(Floats a, Floats b, Floats c) {
    return _mm512_fmadd_ps(a, b, c);
  }
  SORTIE_KERNEL_INLINE static Floats fnma(Floats a, Floats b, Floats c) {
    return _mm512_fnmadd_ps(a, b, c);
  }
  SORTIE_KERNEL_INLINE static Floats lesser(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  SORTIE_KERNEL_INLINE static Floats greater(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  SORTIE_KERNEL_INLINE static Floats negate(Floats a) {
    return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f));
  }
  SORTIE_KERNEL_INLINE static Floats canonicalNan(Floats a) {
    const __m512i bits = _mm512_castps_si512(a);
    const __m512i magnitude = _mm512_and_si512(bits, _mm512_set1_epi32(0x7fffffff));
    const __mmask16 isNan = _mm512_cmpgt_epi32_mask(magnitude, _mm512_set1_epi32(0x7f800000));
    return _mm512_castsi512_ps(_mm512_mask_set1_epi32(bits, isNan, 0x7fc00000));
  }
  SORTIE_KERNEL_INLINE static float sumTree(Floats a) {
    const __m256 of8 = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
    const __m128 of4 = _mm_add_ps(_mm256_castps256_ps128(of8), _mm256_extractf128_ps(of8, 1));
    const __m128 of2 = _mm_add_ps(of4, _mm_movehl_ps(of4, of4));
    return _mm_cvtss_f32(_mm_add_ss(of2, _mm_shuffle_ps(of2, of2, 1)));
  }
  /// The tree sums of four vectors at once: the same additions as sumTree, halves of two vectors
  /// in one register.
  SORTIE_KERNEL_INLINE static void storeSums(float *to, const Floats (&a)[kFloatRows]) {
    static_assert(kFloatRows == 4);
    const Floats of8low = addHalves(a[0], a[1]);
    const Floats of8high = addHalves(a[2], a[3]);
    const Floats of4 = _mm512_add_ps(_mm512_shuffle_f32x4(of8low, of8high, 0x88),
                                     _mm512_shuffle_f32x4(of8low, of8high, 0xdd));
    const Floats of2 = _mm512_add_ps(of4, _mm512_permute_ps(of4, 0x4e));
    const Floats sums = _mm512_add_ps(of2, _mm512_permute_ps(of2, 0xb1));
    _mm_storeu_ps(to, _mm512_castps512_ps128(_mm512_maskz_compress_ps(0x1111, sums)));
  }

  //===- Integers ---------------------------------------------------------===//
  SORTIE_KERNEL_INLINE static Ints zeroInts() { return _mm512_setzero_si512(); }
  SORTIE_KERNEL_INLINE static Ints broadcastInt(int32_t a) { return _mm512_set1_epi32(a); }
  SORTIE_KERNEL_INLINE static Ints loadInts(const void *from) { return _mm512_loadu_si512(from); }
  SORTIE_KERNEL_INLINE static void storeInts(void *to, Ints a) { _mm512_storeu_si512(to, a); }
  SORTIE_KERNEL_INLINE static Ints addInts(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  SORTIE_KERNEL_INLINE static Ints subInts(Ints a, Ints b) { return _mm512_sub_epi32(a, b); }
  SORTIE_KERNEL_INLINE static Ints bitAnd(Ints a, Ints b) { return _mm512_and_si512(a, b); }
  template <int Count> SORTIE_KERNEL_INLINE static Ints shiftLeft(Ints a) {
    return _mm512_slli_epi32(a, Count);
  }
  template <int Count> SORTIE_KERNEL_INLINE static Ints shiftRight(Ints a) {
    return _mm512_srai_epi32(a, Count);
  }
  SORTIE_KERNEL_INLINE static Ints maxUnsigned(Ints a, Ints b) { return _mm512_max_epu32(a, b); }
  SORTIE_KERNEL_INLINE static uint32_t largestUnsigned(Ints a) {
    return _mm512_reduce_max_epu32(a);
  }
  SORTIE_KERNEL_INLINE static Floats toFloats(Ints a) { return _mm512_cvtepi32_ps(a); }
  SORTIE_KERNEL_INLINE static Ints bitsOf(Floats a) { return _mm512_castps_si512(a); }
  SORTIE_KERNEL_INLINE static Floats floatsOf(Ints a) { return _mm512_castsi512_ps(a); }
  SORTIE_KERNEL_INLINE static void storeLowBytes(int8_t *to, Ints a) {
    _mm_storeu_si128(reinterpret_cast<__m128i *>(to), _mm512_cvtepi32_epi8(a));
  }
  SORTIE_KERNEL_INLINE static int32_t sumInts(Ints a) { return _mm512_reduce_add_epi32(a); }

  //===- Pairs of int16 in 32-bit lanes -----------------------------------===//
  SORTIE_KERNEL_INLINE static Ints dotPairs(Ints sum, Ints a, Ints b) {
    return _mm512_dpwssd_epi32(sum, a, b);
  }
  SORTIE_KERNEL_INLINE static Ints mulPairs(Ints a, Ints b) { return _mm512_mullo_epi16(a, b); }
  SORTIE_KERNEL_INLINE static Ints subPairs(Ints a, Ints b) { return _mm512_sub_epi16(a, b); }
  SORTIE_KERNEL_INLINE static Ints pairBytes(const void *a, const void *b) {
    const __m128i x = _mm_loadu_si128(static_cast<const __m128i *>(a));
    const __m128i y = _mm_loadu_si128(static_cast<const __m128i *>(b));
    const __m256i interleaved = _mm256_set_m128i(_mm_unpackhi_epi8(x, y), _mm_unpacklo_epi8(x, y));
    return _mm512_cvtepi8_epi16(interleaved);
  }

  //===- Vectors of 64 bytes ----------------------------------------------===//
  SORTIE_KERNEL_INLINE static Bytes loadBytes(const void *from) { return _mm512_loadu_si512(from); }
  SORTIE_KERNEL_INLINE static void storeBytes(void *to, Bytes a) { _mm512_storeu_si512(to, a); }
  template <int Shift> SORTIE_KERNEL_INLINE static Bytes shiftAndMask(Bytes a, uint8_t mask) {
    if constexpr (Shift > 0)
      a = _mm512_srli_epi16(a, Shift);
    else if constexpr (Shift < 0)
      a = _mm512_slli_epi16(a, -Shift);
    return _mm512_and_si512(a, _mm512_set1_epi8(static_cast<char>(mask)));
  }
  SORTIE_KERNEL_INLINE static Bytes orBytes(Bytes a, Bytes b) { return _mm512_or_si512(a, b); }
  SORTIE_KERNEL_INLINE static Bytes lookUp(const uint8_t *table, Bytes codes) {
    const __m128i entries = _mm_loadu_si128(reinterpret_cast<const __m128i *>(table));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(entries), codes);
  }
  SORTIE_KERNEL_INLINE static Ints evenBytes(Bytes a) {
    return _mm512_and_si512(a, _mm512_set1_epi16(0xff));
  }
  SORTIE_KERNEL_INLINE static Ints oddBytes(Bytes a) { return _mm512_srli_epi16(a, 8); }
  SORTIE_KERNEL_INLINE static Ints evenSignedBytes(Bytes a) {
    return _mm512_srai_epi16(_mm512_slli_epi16(a, 8), 8);
  }
  SORTIE_KERNEL_INLINE static Ints oddSignedBytes(Bytes a) { return _mm512_srai_epi16(a, 8); }

  //===- The narrow product -----------------------------------------------===//
  using Piece = Ints;
  static constexpr int pieceVectors(int) { return kBlockVectors; }
  static constexpr bool kPieceIsInts = true;
  SORTIE_KERNEL_INLINE static Piece zeroPiece() { return zeroInts(); }
  SORTIE_KERNEL_INLINE static Piece dotBytes(Piece piece, Bytes levels, const int8_t *quad) {
    int32_t lane;
    std::memcpy(&lane, quad, sizeof lane);
    return _mm512_dpbusd_epi32(piece, levels, _mm512_set1_epi32(lane));
  }
  SORTIE_KERNEL_INLINE static Ints addPiece(Ints run, Piece piece) { return addInts(run, piece); }
  SORTIE_KERNEL_INLINE static Ints addScaledPiece(Ints run, Piece piece, Ints subScale) {
    return _mm512_add_epi32(run, _mm512_mullo_epi32(piece, subScale));
  }
  SORTIE_KERNEL_INLINE static Ints expandSubScales(const void *bytes) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i *>(bytes)));
  }
  SORTIE_KERNEL_INLINE static void prefetch(const void *at) {
    _mm_prefetch(static_cast<const char *>(at), _MM_HINT_T1);
  }
};

} // namespace
} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_SIMDAVX512_H
