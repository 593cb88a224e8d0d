// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products of heads: each has a matrix of its own, its rows lie among those of the others.

#include "test/unit/kernels/ExactKernels.h"

namespace sortie::kernels {
namespace {

/// The shapes of latent attention: to the latent (short rows), and from it (few columns).
TEST(ExactHeads, OfLatentAttention) {
  checkTokens<OfHeads<PlainSpec<Encoding::Q8_0, RowKind::Int16, 512, 128>, 3>>({1, 5, 65});
  checkTokens<OfHeads<PlainSpec<Encoding::Q4_K, RowKind::Int16, 128, 512>, 3>>({1, 9, 130});
  checkTokens<OfHeads<PlainSpec<Encoding::Q4_0, RowKind::Int8, 512, 192>, 2>>({1, 40});
}

/// Narrow tiles and wide ones, whole and not, up to several of a head; K of two chunks, N that is
/// no multiple of a panel.
TEST(ExactHeads, OfAnyNumberOfTokens) {
  using Spec = PlainSpec<Encoding::Q5_0, RowKind::Int16, 40, 1056>;
  checkTokens<OfHeads<Spec, 3>>({1, 4, 8, 16, 17, 63, 64, 65, 200});
  checkTokens<OfHeads<Spec, 1>>({3, 20});
  checkTokens<OfHeads<PlainSpec<Encoding::Q6_K, RowKind::Int8, 300, 512>, 5>>({2, 11, 500});
}

TEST(ExactHeads, InPasses) {
  using Spec = For<PlainSpec<Encoding::Q4_K, RowKind::Int16, 40, 1280>, kSm86>;
  static_assert(kGeometryOf<Spec>.tokens == 16);
  checkTokens<OfHeads<Spec, 3>>({1, 25, 70});
}

TEST(ExactHeads, InSlices) {
  using Spec = Sliced<PlainSpec<Encoding::Q4_K, RowKind::Int16, 72, 4352>, 4>;
  checkTokens<OfHeads<Spec, 3>>({1, 4, 5, 66});
}

/// As many tiles as heads, which are few or not.
template <typename Base> struct WithTwoFewTiles : Base {
  static constexpr int kFewTiles = 2;
};
TEST(ExactHeads, AreSlicedWhereTheyAreFew) {
  using Spec = WithTwoFewTiles<Sliced<PlainSpec<Encoding::Q4_0, RowKind::Int16, 24, 4128>, 4>>;
  checkTokens<OfHeads<Spec, 2>>({3});
  checkTokens<OfHeads<Spec, 3>>({3});
}

TEST(ExactHeads, WithBiases) {
  using Spec = OfHeads<PlainSpec<Encoding::Q5_1, RowKind::Int16, 40, 352>, 2>;
  checkProduct<Spec>({.rowsOfExpert = {9, 9}, .hasBias = true, .fill = Fill::Awkward});
}

/// A format with another width in turn; ExactMatrixTest.cpp has all of both.
template <Encoding E, RowKind Input> void checkFormat() {
  checkTokens<OfHeads<PlainSpec<E, Input, 40, 512>, 3>>({3, 20});
}

TEST(ExactHeads, OfEveryFormat) {
  checkFormat<Encoding::Q8_0, RowKind::Int8>();
  checkFormat<Encoding::Q4_0, RowKind::Int16>();
  checkFormat<Encoding::Q4_1, RowKind::Int8>();
  checkFormat<Encoding::Q5_0, RowKind::Int8>();
  checkFormat<Encoding::Q5_1, RowKind::Int16>();
  checkFormat<Encoding::IQ4_NL, RowKind::Int8>();
  checkFormat<Encoding::MXFP4, RowKind::Int16>();
  checkFormat<Encoding::Q2_K, RowKind::Int8>();
  checkFormat<Encoding::Q3_K, RowKind::Int16>();
  checkFormat<Encoding::Q4_K, RowKind::Int8>();
  checkFormat<Encoding::Q5_K, RowKind::Int16>();
  checkFormat<Encoding::Q6_K, RowKind::Int16>();
  checkFormat<Encoding::IQ4_XS, RowKind::Int8>();
  checkFormat<Encoding::IQ2_XXS, RowKind::Int16>();
  checkFormat<Encoding::IQ4_KS, RowKind::Int16>();
}

} // namespace
} // namespace sortie::kernels
