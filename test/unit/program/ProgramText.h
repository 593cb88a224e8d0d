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
  return R"(module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
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

/// A function of target "cuda" that uses all that kernels and launches have, for cudaProgramText.
/// The images are no code.
inline const char *const kLaunchProgram = R"(
  moert.symbol @tokens max(16)
  moert.kernel @pack "sortie_pack" reads(1) writes(1) extents(2) threads(256) images [
    #moert.image<arch = "sm_90", shared = 1024, hash = "63781d171425a36312fa058d8712d5d0",
                 data = dense_resource<pack_sm_90> : tensor<4xi8>>]
  moert.kernel @dispatch "sortie_dispatch" reads(1) writes(3) threads(32) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "63781d171425a36312fa058d8712d5d0",
                 data = dense_resource<dispatch_sm_90> : tensor<4xi8>>]
  moert.kernel @product "sortie_product" reads(2) writes(1) weights(packed, raw, floats) extents(1)
    threads(64) images [
      #moert.image<arch = "sm_90a", shared = 98304, hash = "63781d171425a36312fa058d8712d5d0",
                   data = dense_resource<product_sm_90a> : tensor<4xi8>>,
      #moert.image<arch = "compute_80", shared = 0, hash = "06bddef0b75d6e6154882f051f965fac",
                   data = dense_resource<product_compute_80> : tensor<3xi8>>]
  moert.weight @matrix "matrix" pack(@pack rows(16) bytes(512)) : 3x40x8xf32
  moert.weight @router "router" : 3x8xf16
  moert.weight @bias "bias" : 3x40xf32
  moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("y" %y: !moert.buffer<2*tokens x 40 x f32>) arena(64*tokens+128) {
    %offsets = moert.buffer offset(0) : !moert.buffer<4 x i32>
    %status = moert.buffer offset(64) : !moert.buffer<2 x i32>
    %inverse = moert.buffer offset(128) : !moert.buffer<tokens x 2 x i32>
    moert.launch @dispatch grid(1) reads(%ids) writes(%offsets, %status, %inverse)
      work("moert.dispatch")
      : !moert.buffer<tokens x 2 x i32>, !moert.buffer<4 x i32>, !moert.buffer<2 x i32>,
        !moert.buffer<tokens x 2 x i32>
    moert.launch @product grid(5, 2*tokens+6 ceildiv 4 max 2*tokens) reads(%x, %offsets)
      writes(%y) weights(@matrix, @router, @bias) extents(2*tokens)
      work("moert.matmul" operations(640) offsets(1))
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<4 x i32>, !moert.buffer<2*tokens x 40 x f32>
    moert.checkpoint "y" = %y order(%inverse)
      : !moert.buffer<2*tokens x 40 x f32>, !moert.buffer<tokens x 2 x i32>
    moert.check_ids %status experts(3) slots(2) : !moert.buffer<2 x i32>
    moert.return
  })";

/// The data of the images of kLaunchProgram.
inline const char *const kLaunchResources = R"(
{-#
  dialect_resources: {builtin: {
    pack_sm_90: "0x0400000001020304",
    dispatch_sm_90: "0x0400000001020304",
    product_sm_90a: "0x0400000001020304",
    product_compute_80: "0x04000000050600"
  }}
#-}
)";

/// `text` with its only occurrence of `from` replaced.
inline std::string replaced(std::string text, const std::string &from, const std::string &to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(text.find(from, at + 1), std::string::npos) << from << " occurs twice";
  return text.replace(at, from.size(), to);
}

/// A program of target "cuda" with these contents and the data of its images.
inline std::string cudaProgramText(const std::string &contents,
                                   const std::string &resources = kLaunchResources) {
  return replaced(programText(contents), "target = \"cpu\"", "target = \"cuda\"") + resources;
}

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_PROGRAM_PROGRAMTEXT_H
