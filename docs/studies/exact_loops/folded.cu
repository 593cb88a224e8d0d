// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench.h"

namespace {
constexpr Shape with(int weightLimbs, Limbs limbs, int warpgroups, int columns, int depth,
                     Minimum minimum, Source source = Source::Bytes) {
  return {.scaling = Scaling::Folded,
          .limbs = limbs,
          .source = source,
          .weightLimbs = weightLimbs,
          .minimum = minimum,
          .depth = depth,
          .columns = columns,
          .warpgroups = warpgroups};
}
constexpr Minimum none = Minimum::None, integer = Minimum::Integer, halves = Minimum::Half;
constexpr Limbs one = Limbs::One, inPlace = Limbs::InPlace, apart = Limbs::Apart;
} // namespace

void foldedLoops() {
  bench<with(2, inPlace, 4, 64, 1, none)>(q4_Kplain, "folded");
  bench<with(2, inPlace, 3, 64, 2, none)>(q4_Kplain, "folded, next under");
  bench<with(2, inPlace, 2, 128, 1, none)>(q4_Kplain, "folded");
  bench<with(2, inPlace, 2, 128, 1, none, Source::Shared)>(q4_Kplain, "folded, weights in shared");
  bench<with(2, inPlace, 3, 128, 1, none)>(q4_Kplain, "folded");
  bench<with(2, inPlace, 3, 128, 1, none, Source::Shared)>(q4_Kplain, "folded, weights in shared");
  bench<with(2, inPlace, 3, 96, 1, none, Source::Shared)>(q4_Kplain, "folded, weights in shared");
  bench<with(2, inPlace, 4, 64, 1, integer)>(q4_K, "folded");
  bench<with(2, inPlace, 3, 96, 1, integer)>(q4_K, "folded");
  bench<with(2, inPlace, 3, 96, 1, integer, Source::Shared)>(q4_K, "folded, weights in shared");
  bench<with(2, inPlace, 3, 64, 1, halves)>(q4_K, "folded, fp16 minimum");
  bench<with(2, inPlace, 2, 128, 1, halves)>(q4_K, "folded, fp16 minimum");
  bench<with(2, inPlace, 2, 128, 1, halves, Source::Shared)>(q4_K, "folded, fp16 min., shared");
  bench<with(2, inPlace, 2, 128, 1, integer)>(q4_K, "folded");
  bench<with(2, inPlace, 3, 64, 2, integer)>(q4_K, "folded, next under");
  bench<with(2, apart, 3, 64, 1, integer)>(q5_K, "folded, limbs apart");
  bench<with(2, apart, 2, 64, 2, integer)>(q5_K, "folded, apart, next under");
  bench<with(2, apart, 3, 64, 1, halves)>(q5_K, "folded, apart, fp16 minimum");
  bench<with(2, apart, 2, 96, 1, halves, Source::Shared)>(q5_K, "folded, apart, fp16 min., shared");
  bench<with(2, apart, 3, 64, 1, none)>(iq4_XS, "folded, limbs apart");
  bench<with(2, apart, 3, 64, 1, none)>(q6_K, "folded, limbs apart");
  bench<with(2, apart, 2, 64, 2, none)>(q6_K, "folded, apart, next under");
  bench<with(2, apart, 2, 96, 1, none)>(q6_K, "folded, limbs apart");
  bench<with(2, apart, 2, 96, 1, none, Source::Shared)>(q6_K, "folded, apart, shared weights");
  bench<with(1, inPlace, 4, 64, 1, none)>(q3_K, "folded, one limb");
  bench<with(1, inPlace, 3, 64, 2, none)>(q3_K, "folded, one limb, next under");
  bench<with(1, inPlace, 2, 128, 1, none)>(q3_K, "folded, one limb");
  bench<with(1, inPlace, 3, 128, 1, none)>(q3_K, "folded, one limb");
  bench<with(1, inPlace, 3, 128, 1, none, Source::Shared)>(q3_K, "folded, one limb, shared");
  bench<with(1, inPlace, 4, 64, 1, integer)>(q2_K, "folded, one limb");
  bench<with(1, inPlace, 3, 64, 1, halves)>(q2_K, "folded, one limb, fp16 minimum");
  bench<with(1, inPlace, 2, 128, 1, halves)>(q2_K, "folded, one limb, fp16 minimum");
  bench<with(1, inPlace, 3, 64, 2, integer)>(q2_K, "folded, one limb, next under");
  bench<with(1, inPlace, 2, 128, 1, integer)>(q2_K, "folded, one limb");

  bench<with(2, one, 4, 64, 1, none)>(q4_Kplain, "folded");
  bench<with(2, one, 3, 64, 2, none)>(q4_Kplain, "folded, next under");
  bench<with(2, one, 2, 128, 1, none)>(q4_Kplain, "folded");
  bench<with(2, one, 3, 128, 1, none)>(q4_Kplain, "folded");
  bench<with(2, one, 3, 128, 1, none, Source::Shared)>(q4_Kplain, "folded, weights in shared");
  bench<with(2, one, 3, 64, 2, integer)>(q4_K, "folded, next under");
  bench<with(2, one, 4, 64, 1, halves)>(q4_K, "folded, fp16 minimum");
  bench<with(2, one, 2, 128, 1, halves)>(q4_K, "folded, fp16 minimum");
  bench<with(2, one, 2, 128, 1, integer)>(q4_K, "folded");
  bench<with(2, one, 2, 128, 1, integer)>(q5_K, "folded");
  bench<with(2, one, 2, 128, 1, none)>(q6_K, "folded");
  bench<with(2, one, 3, 64, 2, none)>(q6_K, "folded, next under");
  bench<with(1, one, 3, 64, 2, none)>(q3_K, "folded, one limb, next under");
  bench<with(1, one, 2, 128, 1, none)>(q3_K, "folded, one limb");
  bench<with(1, one, 3, 64, 2, integer)>(q2_K, "folded, one limb, next under");
  bench<with(1, one, 2, 128, 1, halves)>(q2_K, "folded, one limb, fp16 minimum");
  bench<with(1, one, 4, 64, 1, halves)>(q2_K, "folded, one limb, fp16 minimum");
}
