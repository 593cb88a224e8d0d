// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Independent references for the tests of runtime/numerics: fp32 arithmetic done with 128-bit
// integers alone, and a generator of awkward numbers. Nothing here uses a floating-point operation
// of the processor, nor code of runtime/numerics.

#ifndef SORTIE_TEST_UNIT_NUMERICS_REFERENCE_H
#define SORTIE_TEST_UNIT_NUMERICS_REFERENCE_H

#include <bit>
#include <cstdint>

namespace sortie::test {

inline constexpr uint32_t kCanonicalNan = 0x7fc00000u;

inline uint32_t bits(float x) { return std::bit_cast<uint32_t>(x); }
inline float fromBits(uint32_t x) { return std::bit_cast<float>(x); }
inline bool isNanBits(uint32_t x) { return (x & 0x7fffffffu) > 0x7f800000u; }
inline bool isInfBits(uint32_t x) { return (x & 0x7fffffffu) == 0x7f800000u; }

/// The bits of x, with all NaNs made one.
inline uint32_t canonicalBits(float x) { return isNanBits(bits(x)) ? kCanonicalNan : bits(x); }

/// A finite number as an integer times a power of two: mantissa * 2^exponent.
struct Scaled {
  __int128 mantissa;
  int exponent;
};

inline Scaled decompose(float x) {
  const uint32_t b = bits(x);
  const int field = static_cast<int>(b >> 23 & 0xff);
  const __int128 mantissa = (b & 0x7fffffu) | (field != 0 ? 0x800000u : 0u);
  return {(b >> 31) != 0 ? -mantissa : mantissa, (field != 0 ? field : 1) - 150};
}

/// The fp32 number nearest to mantissa * 2^exponent, ties to even; `zeroSign` is the sign bit of an
/// exact zero.
inline float roundScaled(Scaled value, uint32_t zeroSign) {
  if (value.mantissa == 0)
    return fromBits(zeroSign);
  const uint32_t sign = value.mantissa < 0 ? 0x80000000u : 0u;
  auto magnitude = static_cast<unsigned __int128>(sign != 0 ? -value.mantissa : value.mantissa);
  int length = 0;
  while (length < 128 && magnitude >> length != 0)
    ++length;
  // The exponent of the result's last bit: 24 bits, or fewer where the result is subnormal.
  int last = value.exponent + length - 24;
  if (last < -149)
    last = -149;
  const int drop = last - value.exponent;
  unsigned __int128 kept = magnitude;
  if (drop > 127) {
    kept = 0; // less than half of the last bit
  } else if (drop > 0) {
    kept = magnitude >> drop;
    const unsigned __int128 rest = magnitude - (kept << drop);
    const unsigned __int128 half = static_cast<unsigned __int128>(1) << (drop - 1);
    if (rest > half || (rest == half && (kept & 1) != 0))
      ++kept;
  } else {
    kept = magnitude << -drop;
  }
  if (kept >> 24 != 0) { // rounded up to the next power of two
    kept >>= 1;
    ++last;
  }
  const auto mantissa = static_cast<uint32_t>(kept);
  if (mantissa < 0x800000u)
    return fromBits(sign | mantissa); // subnormal or zero
  const int field = last + 150;
  if (field >= 255)
    return fromBits(sign | 0x7f800000u);
  return fromBits(sign | static_cast<uint32_t>(field) << 23 | (mantissa & 0x7fffffu));
}

/// The exact sum of two scaled numbers, of at most 49 bits each; where they lie too far apart, the
/// smaller one becomes a last bit that cannot change how the sum rounds.
inline Scaled addScaled(Scaled x, Scaled y) {
  if (x.mantissa == 0 || y.mantissa == 0)
    return x.mantissa == 0 ? y : x;
  if (x.exponent < y.exponent) {
    const Scaled swap = x;
    x = y;
    y = swap;
  }
  const int apart = x.exponent - y.exponent;
  constexpr int kRoom = 70;
  if (apart <= kRoom)
    return {(x.mantissa << apart) + y.mantissa, y.exponent};
  return {(x.mantissa << kRoom) + (y.mantissa < 0 ? -1 : 1), x.exponent - kRoom};
}

/// a * b + c with one rounding.
inline float referenceFma(float a, float b, float c) {
  const uint32_t productSign = (bits(a) ^ bits(b)) & 0x80000000u;
  const bool productIsInf = isInfBits(bits(a)) || isInfBits(bits(b));
  const bool productIsNan =
      isNanBits(bits(a)) || isNanBits(bits(b)) || (productIsInf && (a == 0.0f || b == 0.0f));
  if (productIsNan || isNanBits(bits(c)))
    return fromBits(kCanonicalNan);
  if (productIsInf) {
    const bool cancels = isInfBits(bits(c)) && (bits(c) & 0x80000000u) != productSign;
    return cancels ? fromBits(kCanonicalNan) : fromBits(0x7f800000u | productSign);
  }
  if (isInfBits(bits(c)))
    return c;
  const Scaled left = decompose(a);
  const Scaled right = decompose(b);
  const Scaled product = {left.mantissa * right.mantissa, left.exponent + right.exponent};
  const Scaled sum = addScaled(product, decompose(c));
  // An exact zero is -0 only where both terms are.
  const bool bothNegativeZero = product.mantissa == 0 && productSign != 0 && bits(c) == 0x80000000u;
  return roundScaled(sum, bothNegativeZero ? 0x80000000u : 0u);
}

inline float referenceAdd(float a, float b) { return referenceFma(a, 1.0f, b); }
inline float referenceMul(float a, float b) { return referenceFma(a, b, -0.0f); }
inline float referenceFloat(int64_t value) { return roundScaled({value, 0}, 0); }

/// A small counter-based generator (SplitMix64).
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}

  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }

  /// An integer in [0, n).
  int below(int n) { return static_cast<int>(next() % static_cast<uint64_t>(n)); }

  /// Uniform in [-limit, limit].
  float uniform(float limit) {
    return (static_cast<float>(below(1 << 24)) * 0x1p-23f - 1.0f) * limit;
  }

  /// Any float, drawn so that the awkward ones are frequent: all bit patterns, exponents close to
  /// each other (so that sums cancel), mantissas of few bits (so that ties happen), subnormals,
  /// zeros, infinities, NaN.
  float anyFloat() {
    const auto raw = static_cast<uint32_t>(next());
    const uint32_t sign = raw & 0x80000000u;
    switch (below(8)) {
    case 0:
      return fromBits(raw);
    case 1:
      return fromBits(sign | (0x3f000000u + (raw & 0x01ffffffu)));
    case 2:
      return fromBits(sign | (0x3f000000u + (raw & 0x01fff000u)));
    case 3:
      return fromBits(raw & 0x807fffffu);
    case 4:
      return fromBits(sign | static_cast<uint32_t>(below(60) + 1) << 23 | (raw & 0x7fffffu));
    case 5:
      return fromBits(sign | static_cast<uint32_t>(below(4) + 251) << 23 | (raw & 0x7fffffu));
    case 6:
      return fromBits(sign | static_cast<uint32_t>(below(255)) << 23 | (raw & 1u) |
                      (below(2) != 0 ? 0x7ffffeu : 0u));
    default:
      constexpr uint32_t kSpecial[] = {0x00000000u, 0x80000000u, 0x7f800000u, 0xff800000u,
                                       0x7fc00000u, 0xff800001u, 0x00000001u, 0x7f7fffffu};
      return fromBits(kSpecial[below(8)]);
    }
  }

private:
  uint64_t state;
};

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_NUMERICS_REFERENCE_H
