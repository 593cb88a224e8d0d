// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fixed-point arithmetic, logarithm and exponential function, and the frequencies made of them.

#include "runtime/model/Rotary.h"

#include "llvm/ADT/APInt.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace sortie::model {

namespace {

/// A signed number with 160 bits behind the point and 95 before it. A product of two has room in
/// twice that.
class Fixed {
public:
  static constexpr unsigned kFraction = 160;
  static constexpr unsigned kBits = 256;

  static Fixed ofInteger(int64_t value) {
    return Fixed(APInt(kBits, static_cast<uint64_t>(value), /*isSigned=*/true) << kFraction);
  }
  /// Exactly, for |value| from 2^-100 to 2^90.
  static Fixed ofFloat(float value) {
    int exponent = 0;
    const auto mantissa = static_cast<int64_t>(std::ldexp(std::frexp(value, &exponent), 24));
    const APInt wide(kBits, static_cast<uint64_t>(mantissa), /*isSigned=*/true);
    return Fixed(wide << (kFraction + static_cast<unsigned>(exponent) - 24));
  }
  /// Hexadecimal digits behind the point.
  static Fixed ofFraction(StringRef digits) {
    return Fixed(APInt(kBits, digits, 16) << (kFraction - 4 * digits.size()));
  }

  Fixed operator+(const Fixed &other) const { return Fixed(bits + other.bits); }
  Fixed operator-(const Fixed &other) const { return Fixed(bits - other.bits); }
  Fixed operator*(const Fixed &other) const {
    const APInt product = bits.sext(2 * kBits) * other.bits.sext(2 * kBits);
    return Fixed(product.ashr(kFraction).trunc(kBits));
  }
  Fixed operator/(const Fixed &other) const {
    const APInt wide = bits.sext(2 * kBits) << kFraction;
    return Fixed(wide.sdiv(other.bits.sext(2 * kBits)).trunc(kBits));
  }
  bool operator<(const Fixed &other) const { return bits.slt(other.bits); }

  Fixed shifted(int by) const {
    return Fixed(by >= 0 ? bits << static_cast<unsigned>(by)
                         : bits.ashr(static_cast<unsigned>(-by)));
  }
  Fixed floor() const { return Fixed(bits.ashr(kFraction) << kFraction); }
  Fixed ceil() const {
    const Fixed down = floor();
    return down < *this ? down + ofInteger(1) : down;
  }
  /// The nearest multiple of 2^-64, in these units, modulo 1.
  uint64_t fraction64() const {
    const APInt rounded = bits + APInt::getOneBitSet(kBits, kFraction - 65);
    return rounded.lshr(kFraction - 64).trunc(64).getZExtValue();
  }
  int64_t integerPart() const { return bits.ashr(kFraction).getSExtValue(); }

private:
  explicit Fixed(APInt bits) : bits(std::move(bits)) {}
  APInt bits;
};

Fixed minOf(const Fixed &a, const Fixed &b) { return b < a ? b : a; }
Fixed maxOf(const Fixed &a, const Fixed &b) { return a < b ? b : a; }

/// 1 / (2 pi), of which 160 bits count.
Fixed turnsOfARadian() { return Fixed::ofFraction("28be60db9391054a7f09d5f47d4d377036d8a566"); }

/// ln((1 + y) / (1 - y)) = 2 (y + y^3/3 + y^5/5 + ...), for |y| <= 1/3.
Fixed logOfRatio(const Fixed &y) {
  const Fixed square = y * y;
  Fixed power = y;
  Fixed sum = y;
  for (int64_t n = 3; n <= 109; n += 2) {
    power = power * square;
    sum = sum + power / Fixed::ofInteger(n);
  }
  return sum.shifted(1);
}

Fixed log2() { return logOfRatio(Fixed::ofInteger(1) / Fixed::ofInteger(3)); }

/// ln(x) for 2^-60 <= x <= 2^90.
Fixed logOf(Fixed x) {
  int64_t exponent = 0;
  for (const Fixed two = Fixed::ofInteger(2); !(x < two); ++exponent)
    x = x.shifted(-1);
  for (const Fixed one = Fixed::ofInteger(1); x < one; --exponent)
    x = x.shifted(1);
  const Fixed one = Fixed::ofInteger(1);
  return Fixed::ofInteger(exponent) * log2() + logOfRatio((x - one) / (x + one));
}

/// e^x for -80 <= x <= 0.
Fixed expOf(const Fixed &x) {
  const Fixed period = log2();
  const Fixed n = (x / period).floor();
  const Fixed rest = x - n * period; // in [0, ln 2)
  Fixed term = Fixed::ofInteger(1);
  Fixed sum = term;
  for (int64_t i = 1; i <= 40; ++i) {
    term = term * rest / Fixed::ofInteger(i);
    sum = sum + term;
  }
  return sum.shifted(static_cast<int>(n.integerPart()));
}

/// How much of a pair's frequency is slowed down, from 0 to 1.
class YarnRamp {
public:
  YarnRamp(const Yarn &yarn, int64_t dimensions, const Fixed &logBase)
      : low(pairWith(yarn.fastTurns, yarn, dimensions, logBase)),
        high(pairWith(yarn.slowTurns, yarn, dimensions, logBase)) {
    if (yarn.hasWholeEnds) {
      low = low.floor();
      high = high.ceil();
    }
    low = maxOf(low, Fixed::ofInteger(0));
    high = minOf(high, Fixed::ofInteger(dimensions - 1));
  }

  Fixed at(int64_t pair) const {
    // Where both ends are one, the ramp is a step; 0.001 is what the authors' code divides by.
    const Fixed thousandth = Fixed::ofInteger(1) / Fixed::ofInteger(1000);
    const Fixed slope = (Fixed::ofInteger(pair) - low) / maxOf(high - low, thousandth);
    return minOf(maxOf(slope, Fixed::ofInteger(0)), Fixed::ofInteger(1));
  }

private:
  /// The pair, as a real number, that makes so many turns within the original context.
  static Fixed pairWith(float turns, const Yarn &yarn, int64_t dimensions, const Fixed &logBase) {
    const Fixed radians = Fixed::ofInteger(yarn.context) * turnsOfARadian() / Fixed::ofFloat(turns);
    return Fixed::ofInteger(dimensions) * logOf(radians) / (logBase.shifted(1));
  }

  Fixed low;
  Fixed high;
};

Error checkWithin(StringRef name, float value, float least, float most) {
  if (value >= least && value <= most)
    return Error::success();
  const auto print = [](float number) {
    std::string text;
    raw_string_ostream(text) << format("%g", static_cast<double>(number));
    return text;
  };
  return makeError("rotary embeddings: " + name + " is " + print(value) + ", it must be from " +
                   print(least) + " to " + print(most));
}

Error checkYarn(const Yarn &yarn) {
  if (Error error = checkWithin("YaRN's factor", yarn.factor, 1.0f, 65536.0f))
    return error;
  if (yarn.context < 1 || yarn.context > (int64_t{1} << 31))
    return makeError("rotary embeddings: YaRN's original context is " + Twine(yarn.context) +
                     ", it must be from 1 to 2147483648");
  if (Error error = checkWithin("YaRN's number of fast turns", yarn.fastTurns, 0x1p-10f, 0x1p20f))
    return error;
  return checkWithin("YaRN's number of slow turns", yarn.slowTurns, 0x1p-10f, yarn.fastTurns);
}

Error check(const RotaryParameters &it) {
  if (it.dimensions < 2 || it.dimensions > 1024 || it.dimensions % 2 != 0)
    return makeError("rotary embeddings: " + Twine(it.dimensions) +
                     " elements turn, it must be an even number from 2 to 1024");
  if (Error error = checkWithin("the base", it.base, 1.0625f, 0x1p60f))
    return error;
  if (Error error = checkWithin("the divisor of frequencies", it.divisor, 1.0f, 65536.0f))
    return error;
  if (it.yarn)
    if (Error error = checkYarn(*it.yarn))
      return error;
  const int64_t pairs = it.dimensions / 2;
  if (!it.factors.empty() && static_cast<int64_t>(it.factors.size()) != pairs)
    return makeError("rotary embeddings: there are " + Twine(it.factors.size()) +
                     " factors of frequencies for " + Twine(pairs) + " pairs");
  for (const float factor : it.factors)
    if (Error error = checkWithin("a factor of the frequencies", factor, 0x1p-10f, 0x1p20f))
      return error;
  return Error::success();
}

} // namespace

Expected<std::vector<uint64_t>> rotaryFrequencies(const RotaryParameters &parameters) {
  if (Error error = check(parameters))
    return error;
  const Fixed logBase = logOf(Fixed::ofFloat(parameters.base));
  std::optional<YarnRamp> ramp;
  if (parameters.yarn)
    ramp.emplace(*parameters.yarn, parameters.dimensions, logBase);

  std::vector<uint64_t> frequencies;
  for (int64_t pair = 0; pair < parameters.dimensions / 2; ++pair) {
    const Fixed exponent =
        logBase * Fixed::ofInteger(-2 * pair) / Fixed::ofInteger(parameters.dimensions);
    Fixed radians = expOf(exponent) / Fixed::ofFloat(parameters.divisor);
    if (!parameters.factors.empty())
      radians = radians / Fixed::ofFloat(parameters.factors[static_cast<size_t>(pair)]);
    if (ramp) {
      const Fixed slow = radians / Fixed::ofFloat(parameters.yarn->factor);
      radians = radians + (slow - radians) * ramp->at(pair);
    }
    frequencies.push_back((radians * turnsOfARadian()).fraction64());
  }
  return frequencies;
}

/// 1 + x for x >= 0.
static double onePlus(const Fixed &x) {
  const double fraction = std::ldexp(static_cast<double>(x.fraction64()), -64);
  return 1.0 + static_cast<double>(x.integerPart()) + fraction;
}

double yarnGrowth(const Yarn &yarn, float multiplier) {
  return onePlus(logOf(Fixed::ofFloat(yarn.factor)) * Fixed::ofFloat(multiplier));
}

float yarnAttentionFactor(const Yarn &yarn) {
  return static_cast<float>(onePlus(logOf(Fixed::ofFloat(yarn.factor)) / Fixed::ofInteger(10)));
}

} // namespace sortie::model
