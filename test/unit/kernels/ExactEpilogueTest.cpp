// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Epilogues of exact products that are not gated: scales by expert, biases, routing weights,
// gathered rows, dense products. A format of each class; the chips change, too.

#include "test/unit/kernels/ExactKernels.h"

namespace sortie::kernels {
namespace {

/// `Base` has K of one chunk, N of one block and a part of the next.
template <typename Base> void checkEpilogues() {
  const Ints grouped = {3, 0, 17, 34};
  checkProduct<Scaled<Gathered<Base, 3>>>(
      {.rowsOfExpert = grouped, .hasBias = true, .fill = Fill::Awkward});
  checkProduct<Scaled<Base>>({.rowsOfExpert = grouped});
  checkProduct<Scaled<Gathered<Base, 3>>>(
      {.rowsOfExpert = grouped, .hasBias = true, .fill = Fill::Awkward, .hasExpertScale = true});
  checkProduct<Scaled<Base>>({.rowsOfExpert = {2, 1}, .hasExpertScale = true});
  checkProduct<Gathered<Base, 1>>({.rowsOfExpert = grouped, .fill = Fill::Awkward});
  checkProduct<Dense<Base>>({.rowsOfExpert = {1}, .hasBias = true});
  checkProduct<Dense<Base>>({.rowsOfExpert = {41}, .fill = Fill::Awkward});
}

template <Encoding E, int K, int FirstLimit, int SecondLimit> void checkWidths() {
  checkEpilogues<For<PlainSpec<E, RowKind::Int16, 300, K>, FirstLimit>>();
  checkEpilogues<For<PlainSpec<E, RowKind::Int8, 40, K>, SecondLimit>>();
}

TEST(ExactEpilogue, Q4_0) { checkWidths<Encoding::Q4_0, 352, kSm90, kSm86>(); }
TEST(ExactEpilogue, Q4_1) { checkWidths<Encoding::Q4_1, 352, kSm86, kSm80>(); }
TEST(ExactEpilogue, MXFP4) { checkWidths<Encoding::MXFP4, 32, kSm80, kSm90>(); }
TEST(ExactEpilogue, Q4_K) { checkWidths<Encoding::Q4_K, 256, kSm86, kSm90>(); }
TEST(ExactEpilogue, Q6_K) { checkWidths<Encoding::Q6_K, 512, kSm90, kSm86>(); }
TEST(ExactEpilogue, Q2_K) { checkWidths<Encoding::Q2_K, 256, kSm86, kSm80>(); }

} // namespace
} // namespace sortie::kernels
