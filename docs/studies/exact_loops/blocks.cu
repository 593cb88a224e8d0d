// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench.h"

namespace {
constexpr Shape with(Scaling scaling, Limbs limbs, Source source, int weightLimbs, int warpgroups,
                     int columns, Minimum minimum, int block) {
  return {.scaling = scaling,
          .limbs = limbs,
          .source = source,
          .weightLimbs = weightLimbs,
          .minimum = minimum,
          .columns = columns,
          .warpgroups = warpgroups,
          .chunkBlocks = 1024 / block,
          .blockSteps = block / 32};
}

/// The same loop with activation blocks of 128 and of 256.
template <Scaling scaling, Limbs limbs, Source source, int weightLimbs, int warpgroups, int columns,
          Minimum minimum = Minimum::None>
void both(const Format &f) {
  bench<with(scaling, limbs, source, weightLimbs, warpgroups, columns, minimum, 128)>(f,
                                                                                      "block 128");
  bench<with(scaling, limbs, source, weightLimbs, warpgroups, columns, minimum, 256)>(f,
                                                                                      "block 256");
}
} // namespace

void blockLoops() {
  both<Scaling::Float32, Limbs::InPlace, Source::HighNibbles, 1, 4, 64>(q4_0);
  // Under blocks of 256 the limbs of Q4_K may no longer meet in integers.
  both<Scaling::Folded, Limbs::Apart, Source::Bytes, 2, 3, 64>(q4_Kplain);
  both<Scaling::Folded, Limbs::Apart, Source::Bytes, 2, 3, 64, Minimum::Half>(q4_K);
  both<Scaling::Folded, Limbs::Apart, Source::Bytes, 2, 3, 64>(q6_K);
  both<Scaling::Folded, Limbs::InPlace, Source::Bytes, 1, 4, 64>(q3_K);
  both<Scaling::Folded, Limbs::InPlace, Source::Bytes, 1, 3, 64, Minimum::Half>(q2_K);
  both<Scaling::Folded, Limbs::One, Source::Bytes, 2, 4, 64>(q4_Kplain);
  both<Scaling::Folded, Limbs::Apart, Source::Shared, 2, 2, 96>(q6_K);
  both<Scaling::Folded, Limbs::InPlace, Source::Shared, 1, 3, 96>(q3_K);
  both<Scaling::Folded, Limbs::One, Source::Shared, 2, 3, 96>(q4_Kplain);
  both<Scaling::Folded, Limbs::One, Source::Bytes, 2, 3, 64, Minimum::Half>(q4_K);
  both<Scaling::Multiply32, Limbs::One, Source::Nibbles, 1, 4, 64, Minimum::Integer>(q4_K);
}
