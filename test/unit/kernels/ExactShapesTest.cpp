// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Awkward shapes of exact products: numbers of rows around those of a product and a tile, K with
// tails and several chunks, N that is no multiple of anything.

#include "test/unit/kernels/ExactKernels.h"

namespace sortie::kernels {
namespace {

template <typename Spec> void checkRowCounts() {
  checkProduct<Spec>({.rowsOfExpert = {1}});
  checkProduct<Spec>({.rowsOfExpert = {0, 1, 8, 9, 16, 17, 33, 64, 0}});
  checkProduct<Spec>({.rowsOfExpert = {0, 70, 0}});
  checkProduct<Spec>({.rowsOfExpert = {0, 0}});
}

TEST(ExactShapes, RowsOfExperts) {
  checkRowCounts<PlainSpec<Encoding::Q4_0, RowKind::Int16, 40, 128>>();
  checkRowCounts<PlainSpec<Encoding::Q4_1, RowKind::Int8, 40, 128>>();
  checkRowCounts<PlainSpec<Encoding::Q4_K, RowKind::Int16, 40, 256>>();
  checkRowCounts<Gated<PlainSpec<Encoding::Q6_K, RowKind::Int16, 40, 256>, RowKind::Int16>>();
}

/// Lengths of rows: K % 128 != 0, K of two chunks, of three of which the last is short. Narrow
/// tiles and a wide one.
template <Encoding E, RowKind Input, int... K> void checkLengths() {
  (checkProduct<PlainSpec<E, Input, 24, K>>({.rowsOfExpert = {3, 10, 25}}), ...);
}

TEST(ExactShapes, LengthsOfRows) {
  checkLengths<Encoding::Q4_0, RowKind::Int16, 32, 64, 96, 352, 1024, 1056, 1408, 2048, 2880>();
  checkLengths<Encoding::Q4_1, RowKind::Int16, 32, 64, 96, 352, 1056, 2880>();
  checkLengths<Encoding::MXFP4, RowKind::Int8, 96, 352, 1408, 2880>();
  checkLengths<Encoding::Q8_0, RowKind::Int8, 352, 1088>();
  checkLengths<Encoding::Q4_K, RowKind::Int16, 256, 768, 1024, 1280, 2304, 3072>();
  checkLengths<Encoding::Q2_K, RowKind::Int8, 256, 1280, 2816>();
  checkLengths<Encoding::IQ4_XS, RowKind::Int16, 256, 2304>();
}

template <Encoding E, RowKind Input, int K, int... N> void checkWidths() {
  (checkProduct<PlainSpec<E, Input, N, K>>({.rowsOfExpert = {3, 10}}), ...);
  (checkProduct<Gated<PlainSpec<E, Input, N, K>, RowKind::Int16>>({.rowsOfExpert = {9}}), ...);
}

TEST(ExactShapes, ColumnsOfTheOutput) {
  checkWidths<Encoding::Q4_0, RowKind::Int16, 128, 1, 15, 16, 17, 40, 128, 129, 136, 256, 257,
              300>();
  checkWidths<Encoding::Q6_K, RowKind::Int8, 256, 8, 136, 300>();
}

} // namespace
} // namespace sortie::kernels
