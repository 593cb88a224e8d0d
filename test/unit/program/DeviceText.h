// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program with functions for several devices in text form for tests.

#ifndef SORTIE_TEST_UNIT_PROGRAM_DEVICETEXT_H
#define SORTIE_TEST_UNIT_PROGRAM_DEVICETEXT_H

namespace sortie::test {

/// For cudaProgramText. On the CPU, normalize: y = norm(x), and count: here += x. On GPU 0 of the
/// program, times: y = x * w, and keep: there += x. On GPU 1 of the program, more: what times does.
inline const char *const kDeviceProgram = R"(
  moert.symbol @tokens max(16)
  moert.kernel @times_0 "times" reads(1) writes(1) weights(floats) extents(1) threads(32) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "06bddef0b75d6e6154882f051f965fac",
                 data = dense_resource<image> : tensor<3xi8>>]
  moert.kernel @keep_0 "keep" reads(1) writes(1) threads(32) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "06bddef0b75d6e6154882f051f965fac",
                 data = dense_resource<image> : tensor<3xi8>>]
  moert.weight @w "w" : 3xf32
  moert.state @other : !moert.buffer<2 x f32>
  moert.state @here : !moert.buffer<1 x 3 x f32>
  moert.state @there : !moert.buffer<1 x 3 x f32>
  moert.func @normalize("x" %x: !moert.buffer<tokens x 3 x f32>)
      outs("y" %y: !moert.buffer<tokens x 3 x f32>) target("cpu") {
    moert.rms_norm %x, @w eps(1.0e-06) outs(%y)
      : !moert.buffer<tokens x 3 x f32>, !moert.buffer<tokens x 3 x f32>
    moert.return
  }
  moert.func @times("x" %x: !moert.buffer<tokens x 3 x f32>)
      outs("y" %y: !moert.buffer<tokens x 3 x f32>) arena(64) {
    moert.launch @times_0 grid(tokens) reads(%x) writes(%y) weights(@w) extents(tokens)
      work("moert.mul") : !moert.buffer<tokens x 3 x f32>, !moert.buffer<tokens x 3 x f32>
    moert.return
  }
  moert.func @more("x" %x: !moert.buffer<tokens x 3 x f32, device = 1>)
      outs("y" %y: !moert.buffer<tokens x 3 x f32, device = 1>) device(1) {
    moert.launch @times_0 grid(tokens) reads(%x) writes(%y) weights(@w) extents(tokens)
      work("moert.mul")
      : !moert.buffer<tokens x 3 x f32, device = 1>, !moert.buffer<tokens x 3 x f32, device = 1>
    moert.return
  }
  moert.func @count("x" %x: !moert.buffer<1 x 3 x f32>) outs() target("cpu") {
    %here = moert.state_buffer @here : !moert.buffer<1 x 3 x f32>
    moert.add %here, %x outs(%here)
      : !moert.buffer<1 x 3 x f32>, !moert.buffer<1 x 3 x f32>, !moert.buffer<1 x 3 x f32>
    moert.return
  }
  moert.func @keep("x" %x: !moert.buffer<1 x 3 x f32>) outs() target("cuda") {
    %there = moert.state_buffer @there : !moert.buffer<1 x 3 x f32>
    moert.launch @keep_0 grid(1) reads(%x) writes(%there) work("moert.add")
      : !moert.buffer<1 x 3 x f32>, !moert.buffer<1 x 3 x f32>
    moert.return
  })";
inline const char *const kDeviceResources = R"(
{-#
  dialect_resources: {builtin: {image: "0x04000000050600"}}
#-}
)";

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_PROGRAM_DEVICETEXT_H
