// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products of gate and up with every activation and output.

#ifndef SORTIE_TEST_UNIT_KERNELS_EXACTGLUCHECK_H
#define SORTIE_TEST_UNIT_KERNELS_EXACTGLUCHECK_H

#include "test/unit/kernels/ExactKernels.h"

namespace sortie::kernels {

/// N is an activation block, and a part of
/// one.
template <Encoding First, Encoding Second, int K, int Limit> void checkGlu() {
  using Wide = For<Mixed<PlainSpec<First, RowKind::Int16, 136, K>, Second>, Limit>;
  using Narrow = For<Mixed<PlainSpec<First, RowKind::Int8, 300, K>, Second>, Limit>;
  const Ints grouped = {3, 0, 17, 34};
  checkProduct<Gated<Gathered<Wide, 4>, RowKind::Int16>>({.rowsOfExpert = grouped});
  checkProduct<Gated<Gathered<Narrow, 2>, RowKind::Int8>>({.rowsOfExpert = {0, 20}});
  checkProduct<Clamped<Wide, RowKind::F32>>(
      {.rowsOfExpert = grouped, .hasBias = true, .fill = Fill::Awkward});
  checkProduct<Clamped<Narrow, RowKind::Int16>>({.rowsOfExpert = {5, 1}, .hasBias = true});
  checkProduct<Gated<Gathered<Wide, 4>, RowKind::Int16>>(
      {.rowsOfExpert = grouped, .hasBias = true, .hasExpertScale = true});
  checkProduct<Gated<Gathered<Narrow, 2>, RowKind::Int8>>(
      {.rowsOfExpert = {5, 1}, .hasExpertScale = true});
  checkProduct<Clamped<Wide, RowKind::Int8>>({.rowsOfExpert = {9}, .fill = Fill::Awkward});
  checkProduct<Dense<Gated<Wide, RowKind::Int16>>>({.rowsOfExpert = {33}});
  checkProduct<Dense<Gated<Narrow, RowKind::F32>>>({.rowsOfExpert = {1}, .fill = Fill::AnyBits});
}

} // namespace sortie::kernels

#endif // SORTIE_TEST_UNIT_KERNELS_EXACTGLUCHECK_H
