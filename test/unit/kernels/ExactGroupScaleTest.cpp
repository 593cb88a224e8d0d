// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products of the formats with a float scale a group, without epilogue, for both widths of
// activations.

#include "test/unit/kernels/ExactKernels.h"

namespace sortie::kernels {
namespace {

#define SORTIE_TEST_FORMAT(format)                                                                 \
  TEST(ExactGroupScale, format) {                                                                  \
    checkEncoding<Encoding::format, RowKind::Int16>();                                             \
    checkEncoding<Encoding::format, RowKind::Int8>();                                              \
  }

SORTIE_TEST_FORMAT(Q8_0)
SORTIE_TEST_FORMAT(Q4_0)
SORTIE_TEST_FORMAT(Q4_1)
SORTIE_TEST_FORMAT(Q5_0)
SORTIE_TEST_FORMAT(Q5_1)
SORTIE_TEST_FORMAT(IQ4_NL)
SORTIE_TEST_FORMAT(MXFP4)

} // namespace
} // namespace sortie::kernels
