// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products of gate and up whose formats differ: stages of 256 elements where one format has
// blocks of 128, and of half a block where the memory is small.

#include "test/unit/kernels/ExactGluCheck.h"

namespace sortie::kernels {
namespace {

TEST(ExactMixedGlu, Q4_KWithQ6_K) {
  checkGlu<Encoding::Q4_K, Encoding::Q6_K, 512, kSm90>();
  checkGlu<Encoding::Q6_K, Encoding::Q4_K, 256, kSm86>();
}
TEST(ExactMixedGlu, Q4_0WithQ4_K) {
  checkGlu<Encoding::Q4_0, Encoding::Q4_K, 512, kSm90>();
  checkGlu<Encoding::Q4_K, Encoding::Q4_0, 512, kSm86>();
}

} // namespace
} // namespace sortie::kernels
