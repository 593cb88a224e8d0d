// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products of the formats with integer sub-scales, without epilogue, for both widths of
// activations.

#include "test/unit/kernels/ExactKernels.h"

namespace sortie::kernels {
namespace {

#define SORTIE_TEST_FORMAT(format)                                                                 \
  TEST(ExactSubScale, format) {                                                                    \
    checkEncoding<Encoding::format, RowKind::Int16>();                                             \
    checkEncoding<Encoding::format, RowKind::Int8>();                                              \
  }

SORTIE_TEST_FORMAT(Q2_K)
SORTIE_TEST_FORMAT(Q3_K)
SORTIE_TEST_FORMAT(Q4_K)
SORTIE_TEST_FORMAT(Q5_K)
SORTIE_TEST_FORMAT(Q6_K)
SORTIE_TEST_FORMAT(IQ4_XS)
SORTIE_TEST_FORMAT(IQ2_XXS)
SORTIE_TEST_FORMAT(IQ4_KS)
SORTIE_TEST_FORMAT(Q4_K_R4)

} // namespace
} // namespace sortie::kernels
