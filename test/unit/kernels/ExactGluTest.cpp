// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products of gate and up with their activation: floats and requantized rows. A format of
// each class, and formats that differ.

#include "test/unit/kernels/ExactKernels.h"

namespace sortie::kernels {
namespace {

/// Formats of gate and up with every activation and output. N is an activation block, and a part of
/// one.
template <Format First, Format Second, int K, int Limit> void checkGlu() {
  using Wide = For<Mixed<PlainSpec<First, RowKind::Int16, 136, K>, Second>, Limit>;
  using Narrow = For<Mixed<PlainSpec<First, RowKind::Int8, 300, K>, Second>, Limit>;
  const Ints grouped = {3, 0, 17, 34};
  checkProduct<Gated<Gathered<Wide, 4>, RowKind::Int16>>({.rowsOfExpert = grouped});
  checkProduct<Gated<Gathered<Narrow, 2>, RowKind::Int8>>({.rowsOfExpert = {0, 20}});
  checkProduct<Clamped<Wide, RowKind::F32>>(
      {.rowsOfExpert = grouped, .hasBias = true, .fill = Fill::Awkward});
  checkProduct<Clamped<Narrow, RowKind::Int16>>({.rowsOfExpert = {5, 1}, .hasBias = true});
  checkProduct<Clamped<Wide, RowKind::Int8>>({.rowsOfExpert = {9}, .fill = Fill::Awkward});
  checkProduct<Dense<Gated<Wide, RowKind::Int16>>>({.rowsOfExpert = {33}});
  checkProduct<Dense<Gated<Narrow, RowKind::F32>>>({.rowsOfExpert = {1}, .fill = Fill::AnyBits});
}

TEST(ExactGlu, Q4_0) { checkGlu<Format::Q4_0, Format::Q4_0, 352, kSm90>(); }
TEST(ExactGlu, Q4_1) { checkGlu<Format::Q4_1, Format::Q4_1, 160, kSm86>(); }
TEST(ExactGlu, MXFP4) { checkGlu<Format::MXFP4, Format::MXFP4, 352, kSm90>(); }
TEST(ExactGlu, Q4_K) { checkGlu<Format::Q4_K, Format::Q4_K, 256, kSm86>(); }
TEST(ExactGlu, Q6_K) { checkGlu<Format::Q6_K, Format::Q6_K, 256, kSm80>(); }
TEST(ExactGlu, Q2_K) { checkGlu<Format::Q2_K, Format::Q2_K, 512, kSm90>(); }

// Stages of 256 elements where one format has blocks of 128, and of half a block where the memory
// is small.
TEST(ExactGlu, Q4_KWithQ6_K) {
  checkGlu<Format::Q4_K, Format::Q6_K, 512, kSm90>();
  checkGlu<Format::Q6_K, Format::Q4_K, 256, kSm86>();
}
TEST(ExactGlu, Q4_0WithQ4_K) {
  checkGlu<Format::Q4_0, Format::Q4_K, 512, kSm90>();
  checkGlu<Format::Q4_K, Format::Q4_0, 512, kSm86>();
}

} // namespace
} // namespace sortie::kernels
