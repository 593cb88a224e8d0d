// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One encoding, SORTIE_ENCODING, with every width, epilogue and chip. The build compiles this once
// for each of a format.

#include "test/unit/kernels/ExactKernels.h"

namespace sortie::kernels {
namespace {

constexpr Encoding kEncoding = Encoding::SORTIE_ENCODING;
/// Three chunks, the last one short and, where the encoding allows it, with a part of a block.
constexpr int kK = hasSubScales(formatInfo(formatOf(kEncoding))) ? 2304 : 2400;

template <typename Base, RowKind Output> void checkGated() {
  checkProduct<Gated<Gathered<Base, 2>, Output>>({.rowsOfExpert = {9, 0, 34}});
  checkProduct<Clamped<Base, Output>>({.rowsOfExpert = {3, 17}, .hasBias = true});
  checkProduct<Dense<Gated<Base, Output>>>({.rowsOfExpert = {20}, .fill = Fill::Awkward});
}

template <RowKind Input, int Limit> void checkEpilogues() {
  using Base = For<PlainSpec<kEncoding, Input, 136, kK>, Limit>;
  checkProduct<Scaled<Gathered<Base, 3>>>(
      {.rowsOfExpert = {9, 0, 34}, .hasBias = true, .fill = Fill::Awkward});
  checkProduct<Scaled<Base>>({.rowsOfExpert = {1, 16, 70}});
  checkProduct<Dense<Base>>({.rowsOfExpert = {97}, .hasBias = true});
  using Long = Sliced<For<PlainSpec<kEncoding, Input, 72, 4352>, Limit>, 4>;
  checkProduct<Scaled<Gathered<Long, 3>>>({.rowsOfExpert = {3, 0, 1}, .hasBias = true});
  checkTokens<OfHeads<Base, 2>>({2, 13, 70});
  checkGated<Base, RowKind::Int16>();
  checkGated<Base, RowKind::Int8>();
  checkGated<Base, RowKind::F32>();
}

#define SORTIE_TEST_MATRIX(suite, format)                                                          \
  TEST(suite, format##Int16Sm86) { checkEpilogues<RowKind::Int16, kSm86>(); }                      \
  TEST(suite, format##Int16Sm90) { checkEpilogues<RowKind::Int16, kSm90>(); }                      \
  TEST(suite, format##Int8Sm86) { checkEpilogues<RowKind::Int8, kSm86>(); }                        \
  TEST(suite, format##Int8Sm90) { checkEpilogues<RowKind::Int8, kSm90>(); }
#define SORTIE_TEST_MATRIX_OF(format) SORTIE_TEST_MATRIX(ExactMatrix, format)
SORTIE_TEST_MATRIX_OF(SORTIE_ENCODING)

} // namespace
} // namespace sortie::kernels
