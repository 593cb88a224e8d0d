// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products of gate and up with their activation: floats and requantized rows. A format of
// each class.

#include "test/unit/kernels/ExactGluCheck.h"

namespace sortie::kernels {
namespace {

TEST(ExactGlu, Q4_0) { checkGlu<Encoding::Q4_0, Encoding::Q4_0, 352, kSm90>(); }
TEST(ExactGlu, Q4_1) { checkGlu<Encoding::Q4_1, Encoding::Q4_1, 160, kSm86>(); }
TEST(ExactGlu, MXFP4) { checkGlu<Encoding::MXFP4, Encoding::MXFP4, 352, kSm90>(); }
TEST(ExactGlu, Q4_K) { checkGlu<Encoding::Q4_K, Encoding::Q4_K, 256, kSm86>(); }
TEST(ExactGlu, Q6_K) { checkGlu<Encoding::Q6_K, Encoding::Q6_K, 256, kSm80>(); }
TEST(ExactGlu, Q2_K) { checkGlu<Encoding::Q2_K, Encoding::Q2_K, 512, kSm90>(); }

} // namespace
} // namespace sortie::kernels
