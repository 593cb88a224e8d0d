// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench.h"

namespace {
constexpr Shape groups{.scaling = Scaling::Float32,
                       .limbs = Limbs::InPlace,
                       .source = Source::HighNibbles,
                       .depth = 2,
                       .warpgroups = 3};
constexpr Shape multiply{.scaling = Scaling::Multiply32,
                         .limbs = Limbs::InPlace,
                         .source = Source::Nibbles,
                         .depth = 1,
                         .warpgroups = 4};
constexpr Shape folded{.scaling = Scaling::Folded,
                       .limbs = Limbs::InPlace,
                       .source = Source::Bytes,
                       .weightLimbs = 2,
                       .minimum = Minimum::Integer,
                       .columns = 128,
                       .warpgroups = 2};

constexpr Shape chunk(Shape s, int blocks, TotalHome home) {
  s.chunkBlocks = blocks;
  s.total = home;
  return s;
}

template <Shape S> void lengths(const Format &f, const char *how) {
  bench<chunk(S, 0, TotalHome::Registers)>(f, how);
  bench<chunk(S, 4, TotalHome::Registers)>(f, how);
  bench<chunk(S, 4, TotalHome::Shared)>(f, how);
  bench<chunk(S, 8, TotalHome::Registers)>(f, how);
  bench<chunk(S, 8, TotalHome::Shared)>(f, how);
  bench<chunk(S, 16, TotalHome::Registers)>(f, how);
  bench<chunk(S, 16, TotalHome::Shared)>(f, how);
}
} // namespace

void chunkLoops() {
  lengths<groups>(q4_0, "in place, next under");
  lengths<multiply>(q4_Kplain, "multiply, in place");
  lengths<folded>(q4_K, "folded");
}
