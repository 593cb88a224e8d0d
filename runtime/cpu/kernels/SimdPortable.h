// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The vector operations of the kernels in plain C++: the definition of what each operation does,
// and the fallback for processors without kernels of their own.

#ifndef SORTIE_RUNTIME_CPU_KERNELS_SIMDPORTABLE_H
#define SORTIE_RUNTIME_CPU_KERNELS_SIMDPORTABLE_H

#include "runtime/cpu/kernels/Tile.h"
#include "runtime/numerics/float.h"

#include <cstring>

namespace sortie::cpu {
namespace {

struct SimdPortable {
  static constexpr int kLanes = 16;
  using Tiles = void; ///< the matrix unit (TileDot.h), if any

  struct Floats {
    float lane[kLanes];
  };
  struct Ints {
    int32_t lane[kLanes];
  };
  struct Bytes {
    uint8_t lane[kVectorBytes];
  };

  /// Rows of activations that one register tile takes: narrow, narrow with two limbs, wide, and of
  /// floats (times kFloatRows weight rows).
  static constexpr int kNarrowRows = 1;
  static constexpr int kLimbRows = 1;
  static constexpr int kWideRows = 1;
  static constexpr int kFloatTokens = 2;
  static constexpr int kFloatRows = 2;

  /// Whether a format is multiplied in the wide form.
  static constexpr bool prefersWide(const numerics::FormatInfo &info, numerics::RowKind kind) {
    return kind == numerics::RowKind::Int16 && numerics::isCombinable(info);
  }

  template <typename Function> static Floats mapFloats(Function function) {
    Floats result;
    for (int i = 0; i < kLanes; ++i)
      result.lane[i] = function(i);
    return result;
  }
  template <typename Function> static Ints mapInts(Function function) {
    Ints result;
    for (int i = 0; i < kLanes; ++i)
      result.lane[i] = function(i);
    return result;
  }
  template <typename Vector> static Vector loadVector(const void *from) {
    Vector result;
    std::memcpy(&result, from, sizeof result);
    return result;
  }

  //===- Floats -----------------------------------------------------------===//
  static Floats load(const float *from) { return loadVector<Floats>(from); }
  /// The first `count` floats; the others are 0.
  static Floats loadFirst(const float *from, int count) {
    return mapFloats([&](int i) { return i < count ? from[i] : 0.0f; });
  }
  static void store(float *to, Floats a) { std::memcpy(to, &a, sizeof a); }
  static void storeFirst(float *to, Floats a, int count) {
    std::memcpy(to, &a, static_cast<size_t>(count) * sizeof(float));
  }
  static Floats broadcast(float a) {
    return mapFloats([&](int) { return a; });
  }
  static Floats loadHalf(const void *from) {
    const auto bits = loadVector<Halves>(from);
    return mapFloats([&](int i) { return numerics::fromHalf(bits.lane[i]); });
  }
  static Floats loadBFloat16(const void *from) {
    const auto bits = loadVector<Halves>(from);
    return mapFloats([&](int i) { return numerics::fromBFloat16(bits.lane[i]); });
  }
  static Floats add(Floats a, Floats b) {
    return mapFloats([&](int i) { return numerics::add(a.lane[i], b.lane[i]); });
  }
  static Floats sub(Floats a, Floats b) {
    return mapFloats([&](int i) { return numerics::sub(a.lane[i], b.lane[i]); });
  }
  static Floats mul(Floats a, Floats b) {
    return mapFloats([&](int i) { return numerics::mul(a.lane[i], b.lane[i]); });
  }
  static Floats div(Floats a, Floats b) {
    return mapFloats([&](int i) { return numerics::div(a.lane[i], b.lane[i]); });
  }
  /// Never inlined: in software it is some twenty operations, and 16 copies of them wherever a
  /// kernel has an fma make this file take minutes to compile.
  [[gnu::noinline]] static Floats fma(Floats a, Floats b, Floats c) {
    return mapFloats([&](int i) { return numerics::fma(a.lane[i], b.lane[i], c.lane[i]); });
  }
  /// c - a * b, rounded once.
  static Floats fnma(Floats a, Floats b, Floats c) { return fma(negate(a), b, c); }
  /// b where a > b or a is not a number, else a: as the processors' minimum with operands
  /// exchanged. lesser(limit, x) is x for a NaN x.
  static Floats lesser(Floats a, Floats b) {
    return mapFloats([&](int i) { return a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Floats greater(Floats a, Floats b) {
    return mapFloats([&](int i) { return a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]; });
  }
  static Floats negate(Floats a) {
    return mapFloats([&](int i) { return -a.lane[i]; });
  }
  static Floats canonicalNan(Floats a) {
    return mapFloats([&](int i) { return numerics::canonicalNan(a.lane[i]); });
  }
  /// Partials j and j + 8, then + 4, + 2, + 1.
  static float sumTree(Floats a) {
    for (int width = kLanes / 2; width > 0; width /= 2)
      for (int i = 0; i < width; ++i)
        a.lane[i] = numerics::add(a.lane[i], a.lane[i + width]);
    return a.lane[0];
  }
  /// The tree sum of each vector.
  static void storeSums(float *to, const Floats (&a)[kFloatRows]) {
    for (int n = 0; n < kFloatRows; ++n)
      to[n] = sumTree(a[n]);
  }

  //===- Integers ---------------------------------------------------------===//
  static Ints zeroInts() {
    return mapInts([](int) { return 0; });
  }
  static Ints broadcastInt(int32_t a) {
    return mapInts([&](int) { return a; });
  }
  static Ints loadInts(const void *from) { return loadVector<Ints>(from); }
  static void storeInts(void *to, Ints a) { std::memcpy(to, &a, sizeof a); }
  /// Sums wrap around, as those of vector instructions do.
  static int64_t wide(int32_t a) { return a; }
  static int32_t wrapped(int64_t a) { return static_cast<int32_t>(static_cast<uint32_t>(a)); }
  static Ints addInts(Ints a, Ints b) {
    return mapInts([&](int i) { return wrapped(wide(a.lane[i]) + wide(b.lane[i])); });
  }
  template <int Count> static Ints shiftLeft(Ints a) {
    return mapInts(
        [&](int i) { return static_cast<int32_t>(static_cast<uint32_t>(a.lane[i]) << Count); });
  }
  static Ints maxUnsigned(Ints a, Ints b) {
    return mapInts([&](int i) {
      return static_cast<uint32_t>(a.lane[i]) > static_cast<uint32_t>(b.lane[i]) ? a.lane[i]
                                                                                 : b.lane[i];
    });
  }
  static uint32_t largestUnsigned(Ints a) {
    uint32_t largest = 0;
    for (int32_t lane : a.lane)
      largest = static_cast<uint32_t>(lane) > largest ? static_cast<uint32_t>(lane) : largest;
    return largest;
  }
  static Floats toFloats(Ints a) {
    return mapFloats([&](int i) { return numerics::toFloat(a.lane[i]); });
  }
  /// The nearest integers, ties to even, for magnitudes up to 2^22.
  static Ints roundToInts(Floats a) {
    return mapInts([&](int i) { return numerics::roundToInt(a.lane[i]); });
  }
  static Ints bitsOf(Floats a) { return loadVector<Ints>(&a); }
  static Floats floatsOf(Ints a) { return loadVector<Floats>(&a); }
  static Ints bitAnd(Ints a, Ints b) {
    return mapInts([&](int i) { return a.lane[i] & b.lane[i]; });
  }
  static Ints subInts(Ints a, Ints b) {
    return mapInts([&](int i) { return wrapped(wide(a.lane[i]) - wide(b.lane[i])); });
  }
  template <int Count> static Ints shiftRight(Ints a) {
    return mapInts([&](int i) { return a.lane[i] >> Count; });
  }
  /// The low bytes of the 16 integers.
  static void storeLowBytes(int8_t *to, Ints a) {
    for (int i = 0; i < kLanes; ++i)
      to[i] = static_cast<int8_t>(a.lane[i]);
  }
  /// The sum of the lanes, exact.
  static int32_t sumInts(Ints a) {
    int32_t sum = 0;
    for (int32_t lane : a.lane)
      sum += lane;
    return sum;
  }

  //===- Pairs of int16 in 32-bit lanes -----------------------------------===//
  /// sum + a0 * b0 + a1 * b1.
  static Ints dotPairs(Ints sum, Ints a, Ints b) {
    return mapInts([&](int i) {
      return sum.lane[i] + low16(a.lane[i]) * low16(b.lane[i]) +
             high16(a.lane[i]) * high16(b.lane[i]);
    });
  }
  static Ints mulPairs(Ints a, Ints b) {
    return mapInts([&](int i) {
      return pack16(low16(a.lane[i]) * low16(b.lane[i]), high16(a.lane[i]) * high16(b.lane[i]));
    });
  }
  static Ints subPairs(Ints a, Ints b) {
    return mapInts([&](int i) {
      return pack16(low16(a.lane[i]) - low16(b.lane[i]), high16(a.lane[i]) - high16(b.lane[i]));
    });
  }
  /// Pairs (a, b) of 16 signed bytes each.
  static Ints pairBytes(const void *a, const void *b) {
    const auto *x = static_cast<const int8_t *>(a);
    const auto *y = static_cast<const int8_t *>(b);
    return mapInts([&](int i) { return pack16(x[i], y[i]); });
  }

  //===- Vectors of 64 bytes ----------------------------------------------===//
  static Bytes loadBytes(const void *from) { return loadVector<Bytes>(from); }
  static void storeBytes(void *to, Bytes a) { std::memcpy(to, &a, sizeof a); }
  /// (a >> Shift) & mask, or a << -Shift.
  template <int Shift> static Bytes shiftAndMask(Bytes a, uint8_t mask) {
    for (uint8_t &lane : a.lane)
      lane = static_cast<uint8_t>((Shift >= 0 ? lane >> (Shift & 7) : lane << (-Shift & 7)) & mask);
    return a;
  }
  static Bytes orBytes(Bytes a, Bytes b) {
    for (int i = 0; i < kVectorBytes; ++i)
      a.lane[i] |= b.lane[i];
    return a;
  }
  /// table[code] for codes below 16.
  static Bytes lookUp(const uint8_t *table, Bytes codes) {
    for (uint8_t &lane : codes.lane)
      lane = table[lane];
    return codes;
  }
  /// Bytes 0 and 2 of each four as pairs of int16; bytes 1 and 3.
  static Ints evenBytes(Bytes a) {
    return mapInts([&](int i) { return pack16(a.lane[4 * i], a.lane[4 * i + 2]); });
  }
  static Ints oddBytes(Bytes a) {
    return mapInts([&](int i) { return pack16(a.lane[4 * i + 1], a.lane[4 * i + 3]); });
  }
  static Ints evenSignedBytes(Bytes a) {
    return mapInts([&](int i) {
      return pack16(static_cast<int8_t>(a.lane[4 * i]), static_cast<int8_t>(a.lane[4 * i + 2]));
    });
  }
  static Ints oddSignedBytes(Bytes a) {
    return mapInts([&](int i) {
      return pack16(static_cast<int8_t>(a.lane[4 * i + 1]), static_cast<int8_t>(a.lane[4 * i + 3]));
    });
  }

  //===- The narrow product -----------------------------------------------===//
  /// The sums of a piece of a sub-block: an accumulator of its own where it saves work.
  using Piece = Ints;
  /// Vectors that a piece may add up, for levels up to `levelLimit`.
  static constexpr int pieceVectors(int) { return kBlockVectors; }
  /// Whether a piece is nothing but Ints, which then may start from any value.
  static constexpr bool kPieceIsInts = true;
  static Piece zeroPiece() { return zeroInts(); }
  /// piece + sum of four unsigned bytes times four signed bytes `quad`, in each lane.
  static Piece dotBytes(Piece piece, Bytes levels, const int8_t *quad) {
    for (int i = 0; i < kLanes; ++i)
      for (int j = 0; j < kVectorElements; ++j)
        piece.lane[i] += levels.lane[4 * i + j] * quad[j];
    return piece;
  }
  /// run + piece.
  static Ints addPiece(Ints run, Piece piece) { return addInts(run, piece); }
  /// run + piece * sub-scale.
  static Ints addScaledPiece(Ints run, Piece piece, Ints subScale) {
    return mapInts([&](int i) { return run.lane[i] + piece.lane[i] * subScale.lane[i]; });
  }
  /// 16 signed bytes as addScaledPiece takes them.
  static Ints expandSubScales(const void *bytes) {
    const auto *scales = static_cast<const int8_t *>(bytes);
    return mapInts([&](int i) { return scales[i]; });
  }
  static void prefetch(const void *) {}

private:
  struct Halves {
    uint16_t lane[kLanes];
  };
  static int32_t low16(int32_t a) { return static_cast<int16_t>(a); }
  static int32_t high16(int32_t a) { return a >> 16; }
  static int32_t pack16(int32_t low, int32_t high) {
    return static_cast<int32_t>((static_cast<uint32_t>(low) & 0xffffu) | static_cast<uint32_t>(high)
                                                                             << 16);
  }
};

} // namespace
} // namespace sortie::cpu

#endif // SORTIE_RUNTIME_CPU_KERNELS_SIMDPORTABLE_H
