// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench.h"

namespace {
constexpr Shape base{
    .scaling = Scaling::Float32, .limbs = Limbs::InPlace, .source = Source::HighNibbles};

constexpr Shape with(Shape s, int warpgroups, int columns, int depth = 1) {
  s.warpgroups = warpgroups;
  s.columns = columns;
  s.depth = depth;
  return s;
}
constexpr Shape magic(Shape s) {
  s.convert = Convert::Magic;
  s.source = Source::BiasedNibbles;
  return s;
}
constexpr Shape limbs(Shape s, Limbs limbs) {
  s.limbs = limbs;
  return s;
}
constexpr Shape bytes(Shape s, Source source = Source::Bytes) {
  s.source = source;
  return s;
}
constexpr Shape minimums(Shape s) {
  s.minimum = Minimum::Float;
  s.source = Source::Nibbles;
  return s;
}
constexpr Shape narrow = limbs(base, Limbs::One);
} // namespace

void groupLoops() {
  bench<with(base, 4, 64)>(q4_0, "in place");
  bench<with(base, 3, 64)>(q4_0, "in place");
  bench<with(base, 3, 64, 2)>(q4_0, "in place, next under");
  bench<with(base, 2, 128)>(q4_0, "in place");
  bench<with(base, 2, 96, 2)>(q4_0, "in place, next under");
  bench<with(base, 3, 96)>(q4_0, "in place");
  bench<with(limbs(base, Limbs::Combined), 3, 64)>(q4_0, "two sets, combined");
  bench<with(limbs(base, Limbs::Combined), 2, 64, 2)>(q4_0, "two sets, next under");
  bench<with(magic(base), 4, 64)>(q4_0, "in place, magic");
  bench<with(magic(base), 3, 64, 2)>(q4_0, "in place, magic, next under");
  bench<with(magic(base), 2, 128)>(q4_0, "in place, magic");
  bench<with(bytes(base), 4, 64)>(q8_0, "in place");
  bench<with(bytes(base), 3, 64, 2)>(q8_0, "in place, next under");
  bench<with(bytes(base, Source::Shared), 4, 64)>(q8_0, "in place, weights in shared");
  bench<with(limbs(bytes(base), Limbs::Apart), 3, 64)>(q8_0, "limbs apart");
  bench<with(limbs(bytes(base), Limbs::Combined), 3, 64)>(q8_0, "two sets, combined");
  bench<with(bytes(base), 3, 96)>(q8_0, "in place");
  bench<with(minimums(base), 4, 64)>(q4_1, "in place");
  bench<with(minimums(base), 3, 64, 2)>(q4_1, "in place, next under");

  bench<with(narrow, 4, 64)>(q4_0, "one product");
  bench<with(narrow, 3, 64, 2)>(q4_0, "one product, next under");
  bench<with(narrow, 2, 128)>(q4_0, "one product");
  bench<with(narrow, 2, 96, 2)>(q4_0, "one product, next under");
  bench<with(bytes(narrow), 3, 64, 2)>(q8_0, "one product, next under");
  bench<with(minimums(narrow), 3, 64, 2)>(q4_1, "one product, next under");
}
