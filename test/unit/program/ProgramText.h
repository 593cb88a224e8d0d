// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Programs in text form for tests.

#ifndef SORTIE_TEST_UNIT_PROGRAM_PROGRAMTEXT_H
#define SORTIE_TEST_UNIT_PROGRAM_PROGRAMTEXT_H

#include <gtest/gtest.h>

#include <string>

namespace sortie::test {

/// A module with this attribute and these contents.
inline std::string programText(const std::string &contents, const std::string &attributes = "") {
  return R"(module attributes {moert.program = #moert.program<abi = 1, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">)" +
         attributes + "} {\n" + contents + "\n}\n";
}

/// Routed rows summed up, without products: dispatches the ids that the caller passes, gathers the
/// rows of x, and adds them again with weights.
inline const char *const kDispatchProgram = R"(
  moert.symbol @tokens max(16)
  moert.func @mix("x" %x: !moert.buffer<tokens x 8 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>,
                  "weights" %weights: !moert.buffer<tokens x 2 x f32>)
      outs("y" %y: !moert.buffer<tokens x 8 x f32>) arena(256*tokens+64) {
    %permutation = moert.buffer offset(64) : !moert.buffer<2*tokens x i32>
    %inverse = moert.buffer offset(64*tokens+64) : !moert.buffer<tokens x 2 x i32>
    %rows = moert.buffer offset(128*tokens+64) : !moert.buffer<2*tokens x 8 x f32>
    %offsets = moert.buffer offset(0) : !moert.buffer<5 x i32>
    moert.dispatch %ids experts(4) outs(%permutation, %inverse, %offsets)
      : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
        !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    moert.gather %x, %permutation slots(2) outs(%rows)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<2*tokens x i32>,
        !moert.buffer<2*tokens x 8 x f32>
    moert.checkpoint "rows" = %rows order(%inverse)
      : !moert.buffer<2*tokens x 8 x f32>, !moert.buffer<tokens x 2 x i32>
    moert.checkpoint "fused"
    moert.combine %rows inverse(%inverse) weights(%weights) outs(%y)
      : !moert.buffer<2*tokens x 8 x f32>, !moert.buffer<tokens x 2 x i32>,
        !moert.buffer<tokens x 2 x f32>, !moert.buffer<tokens x 8 x f32>
    moert.return
  })";

/// Norm and a product with weights in f32.
inline const char *const kDenseProgram = R"(
  moert.symbol @tokens max(16)
  moert.weight @norm "norm.weight" : 8xf32
  moert.weight @matrix "matrix.weight" : 4x8xf32
  moert.weight @other "other.weight" : 4x8xf32
  moert.func @dense("x" %x: !moert.buffer<tokens x 8 x f32>)
      outs("y" %y: !moert.buffer<tokens x 4 x f32>) arena(64*tokens) {
    %n = moert.buffer offset(0) : !moert.buffer<tokens x 8 x f32>
    moert.rms_norm %x, @norm eps(1.0e-06) outs(%n)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 8 x f32>
    moert.matmul %n, @matrix arithmetic(float) outs(%y)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 4 x f32>
    moert.return
  }
  moert.func @second("x" %x: !moert.buffer<tokens x 8 x f32>)
      outs("y" %y: !moert.buffer<tokens x 4 x f32>) {
    moert.matmul %x, @other arithmetic(float) outs(%y)
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 4 x f32>
    moert.return
  })";

/// `text` with its only occurrence of `from` replaced.
inline std::string replaced(std::string text, const std::string &from, const std::string &to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(text.find(from, at + 1), std::string::npos) << from << " occurs twice";
  return text.replace(at, from.size(), to);
}

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_PROGRAM_PROGRAMTEXT_H
