// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tiles of exact products that need several passes, because shared memory is small.

#include "test/unit/kernels/ExactKernels.h"

namespace sortie::kernels {
namespace {

/// What shared memory of 101376 bytes allows. The assertion keeps the test where it is.
template <typename Spec, int Tokens> void checkPasses() {
  static_assert(kGeometryOf<Spec>.tokens == Tokens);
  checkProduct<Spec>({.rowsOfExpert = {32, 0, 9}});
  checkProduct<Spec>({.rowsOfExpert = {25, 1, 64, 17}});
}

TEST(ExactPasses, OfATile) {
  checkPasses<For<PlainSpec<Encoding::Q4_0, RowKind::Int16, 40, 1408>, kSm86>, 16>();
  checkPasses<For<PlainSpec<Encoding::Q5_1, RowKind::Int16, 40, 1056>, kSm86>, 32>();
  checkPasses<For<PlainSpec<Encoding::Q8_0, RowKind::Int8, 40, 2080>, kSm86>, 16>();
  checkPasses<For<PlainSpec<Encoding::Q8_0, RowKind::Int16, 40, 256>, kSm86>, 32>();
  checkPasses<For<PlainSpec<Encoding::Q4_K, RowKind::Int16, 300, 1280>, kSm86>, 16>();
  checkPasses<For<PlainSpec<Encoding::Q5_K, RowKind::Int8, 40, 2304>, kSm86>, 16>();
  checkPasses<For<PlainSpec<Encoding::Q6_K, RowKind::Int16, 40, 1280>, kSm86>, 16>();
  checkPasses<For<PlainSpec<Encoding::Q3_K, RowKind::Int16, 40, 1280>, kSm86>, 16>();
  checkPasses<For<PlainSpec<Encoding::Q2_K, RowKind::Int8, 40, 1280>, kSm86>, 32>();
  checkPasses<For<PlainSpec<Encoding::IQ4_XS, RowKind::Int16, 40, 1280>, kSm86>, 16>();
}

TEST(ExactPasses, OfAGatedTile) {
  using Same = PlainSpec<Encoding::Q4_K, RowKind::Int16, 136, 1280>;
  checkPasses<For<Gated<Gathered<Same, 2>, RowKind::Int16>, kSm86>, 16>();
  checkPasses<For<Gated<Mixed<Same, Encoding::Q6_K>, RowKind::Int8>, kSm86>, 16>();
  checkPasses<For<Gated<Mixed<Same, Encoding::Q4_0>, RowKind::F32>, kSm86>, 16>();
  checkPasses<
      For<Dense<Gated<PlainSpec<Encoding::MXFP4, RowKind::Int8, 136, 2080>, RowKind::Int16>>,
          kSm86>,
      32>();
}

} // namespace
} // namespace sortie::kernels
