// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench.h"

namespace {
constexpr Shape with(Limbs limbs, Source source, int warpgroups, int columns, int depth,
                     Minimum minimum) {
  return {.scaling = Scaling::Multiply32,
          .limbs = limbs,
          .source = source,
          .minimum = minimum,
          .depth = depth,
          .columns = columns,
          .warpgroups = warpgroups};
}
constexpr Minimum none = Minimum::None, integer = Minimum::Integer, halves = Minimum::Half;
constexpr Source nibbles = Source::Nibbles, bytes = Source::Bytes;
} // namespace

void multiplyLoops() {
  bench<with(Limbs::InPlace, nibbles, 4, 64, 1, none)>(q4_Kplain, "multiply, in place");
  bench<with(Limbs::InPlace, nibbles, 3, 64, 2, none)>(q4_Kplain, "multiply, in place, next under");
  bench<with(Limbs::InPlace, nibbles, 2, 128, 1, none)>(q4_Kplain, "multiply, in place");
  bench<with(Limbs::Combined, nibbles, 3, 64, 1, none)>(q4_Kplain, "multiply, two sets");
  bench<with(Limbs::Combined, nibbles, 2, 64, 2, none)>(q4_Kplain,
                                                        "multiply, two sets, next under");
  bench<with(Limbs::InPlace, nibbles, 4, 64, 1, integer)>(q4_K, "multiply, in place");
  bench<with(Limbs::InPlace, nibbles, 3, 64, 2, integer)>(q4_K, "multiply, in place, next under");
  bench<with(Limbs::InPlace, nibbles, 2, 128, 1, integer)>(q4_K, "multiply, in place");
  bench<with(Limbs::Combined, nibbles, 3, 64, 1, integer)>(q4_K, "multiply, two sets");
  bench<with(Limbs::Combined, nibbles, 3, 64, 1, halves)>(q4_K, "multiply, two sets, fp16 minimum");
  bench<with(Limbs::InPlace, nibbles, 3, 64, 1, halves)>(q4_K, "multiply, in place, fp16 minimum");
  bench<with(Limbs::InPlace, nibbles, 4, 64, 1, halves)>(q4_K, "multiply, in place, fp16 minimum");
  bench<with(Limbs::Apart, bytes, 3, 64, 1, integer)>(q5_K, "multiply, limbs apart");
  bench<with(Limbs::Apart, bytes, 2, 64, 2, integer)>(q5_K, "multiply, apart, next under");
  bench<with(Limbs::Apart, bytes, 3, 64, 1, none)>(iq4_XS, "multiply, limbs apart");

  bench<with(Limbs::One, nibbles, 4, 64, 1, none)>(q4_Kplain, "multiply");
  bench<with(Limbs::One, nibbles, 3, 64, 2, none)>(q4_Kplain, "multiply, next under");
  bench<with(Limbs::One, nibbles, 2, 128, 1, none)>(q4_Kplain, "multiply");
  bench<with(Limbs::One, nibbles, 3, 64, 2, integer)>(q4_K, "multiply, next under");
  bench<with(Limbs::One, nibbles, 2, 128, 1, integer)>(q4_K, "multiply");
  bench<with(Limbs::One, nibbles, 4, 64, 1, halves)>(q4_K, "multiply, fp16 minimum");
  bench<with(Limbs::One, nibbles, 3, 64, 2, halves)>(q4_K, "multiply, fp16 min., next under");
  bench<with(Limbs::One, bytes, 3, 64, 2, integer)>(q5_K, "multiply, next under");
}
