// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Plain products whose K is cut into slices where tiles are few: lengths that give the teams of a
// block different numbers of chunks, or none; and when they are not cut.

#include "test/unit/kernels/ExactKernels.h"

namespace sortie::kernels {
namespace {

template <Encoding E, RowKind Input, int N, int K, int Slices = 4>
using Long = Sliced<PlainSpec<E, Input, N, K>, Slices>;

/// Tiles that are cut, beside ones that are not.
template <typename Spec> void checkSlices() {
  static_assert(kGeometryOf<Spec>.sliced.tokens == 8 / numerics::limbCount(Spec::kInput));
  checkProduct<Spec>({.rowsOfExpert = {3, 0, 1}});
  checkProduct<Spec>({.rowsOfExpert = {4, 18, 9}});
}

TEST(ExactSlices, OfChunks) {
  checkSlices<Long<Encoding::Q4_K, RowKind::Int16, 72, 4096>>();
  checkSlices<Long<Encoding::Q4_K, RowKind::Int16, 24, 4352>>(); // 4 chunks and a quarter
  checkSlices<Long<Encoding::Q4_K, RowKind::Int8, 24, 5120>>();  // no chunk for the last team
  checkSlices<Long<Encoding::Q4_0, RowKind::Int16, 72, 4128>>(); // a part of a block
  checkSlices<Long<Encoding::Q4_1, RowKind::Int8, 24, 6176>>();
  checkSlices<Long<Encoding::Q6_K, RowKind::Int16, 24, 8960>>();
  checkSlices<Long<Encoding::Q2_K, RowKind::Int16, 24, 4608>>();
}

TEST(ExactSlices, OfTwo) {
  checkSlices<Long<Encoding::Q4_K, RowKind::Int16, 136, 2048, 2>>();
  checkSlices<Long<Encoding::Q6_K, RowKind::Int8, 24, 2816, 2>>(); // 2 chunks and three quarters
  checkSlices<Long<Encoding::Q4_0, RowKind::Int16, 40, 3104, 2>>();
}

TEST(ExactSlices, WithEpilogues) {
  using Base = Long<Encoding::Q5_K, RowKind::Int16, 136, 4352>;
  checkProduct<Scaled<Gathered<Base, 3>>>(
      {.rowsOfExpert = {3, 0, 1}, .hasBias = true, .fill = Fill::Awkward});
  checkProduct<Dense<Base>>({.rowsOfExpert = {4}, .hasBias = true});
  checkProduct<Dense<Base>>({.rowsOfExpert = {5}});
}

TEST(ExactSlices, NotWhereTilesAreMany) {
  using Spec = Long<Encoding::Q4_0, RowKind::Int16, 8, 4096>;
  Ints rows(Spec::kFewTiles, 1);
  checkProduct<Spec>({.rowsOfExpert = rows}); // just few
  rows.push_back(2);
  checkProduct<Spec>({.rowsOfExpert = rows});
}

TEST(ExactSlices, NotWhereMemoryIsSmall) {
  using Spec = For<Long<Encoding::Q4_K, RowKind::Int16, 24, 4352>, kSm86>;
  static_assert(kGeometryOf<Spec>.sliced.tokens == 0);
  checkProduct<Spec>({.rowsOfExpert = {3, 0, 1}});
}

} // namespace
} // namespace sortie::kernels
