// Operations of language models on rows and on their heads. Each kernel compiles for each generation of
// chips, and none spills, uses local memory or static shared memory (that would be a warning, which
// --verify-diagnostics does not expect).
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_86,sm_90a join-launches=false" --moert-compile-kernels \
// RUN:   --verify-diagnostics | FileCheck %s --check-prefix=IMAGES
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_90a join-launches=false" | FileCheck %s

// IMAGES-COUNT-25: moert.kernel
// IMAGES-NOT: moert.kernel

module attributes {moert.program = #moert.program<abi = 5, numerics = 2, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.weight @norm "norm" : 128xf32
  moert.weight @small "small" : 50xf32

  // CHECK: moert.kernel @[[NORM:head_norm_[0-9]+]] {{.*}} weights(floats) threads(256)
  // CHECK-SAME: headNormRows<32, 128, 0x358637bdu>(r0, w0, g0)
  // CHECK: moert.kernel @[[FEW:head_norm_[0-9]+]] {{.*}} threads(256)
  // CHECK-SAME: headNormRows<3, 50, 0x3727c5acu>(r0, w0, g0)
  // A frequency is an unsigned number of 64 bits.
  // CHECK: moert.kernel @[[ROTATE:rotate_[0-9]+]] {{.*}} reads(2) writes(1) threads(256)
  // CHECK-SAME: kOfPairs[] = {0x28be60db9391054au, 0xfffffffffffffffbu};
  // CHECK-SAME: rotateRows<Frequencies, 32, 128, 2, sortie::numerics::PairOrder::Halves, 0x3f800000u>(r0, r1, w0)
  // CHECK: moert.kernel @[[FACTOR:rotate_[0-9]+]]
  // CHECK-SAME: kOfPairs[] = {0x1u};
  // CHECK-SAME: rotateRows<Frequencies, 3, 50, 1, sortie::numerics::PairOrder::Neighbours, 0x3fa00000u>(r0, r1, w0)
  // CHECK: moert.kernel @[[SLICE:slice_heads_[0-9]+]]
  // CHECK-SAME: sliceHeads<3, 50, 10, 4>(r0, w0)

  // CHECK: moert.func @heads
  moert.func @heads("x" %x: !moert.buffer<tokens x 4096 x f32>, "z" %z: !moert.buffer<tokens x 150 x f32>,
                    "positions" %positions: !moert.buffer<tokens x i32>)
      outs("y" %y: !moert.buffer<tokens x 4096 x f32>, "v" %v: !moert.buffer<tokens x 12 x f32>) {
    %n = moert.buffer : !moert.buffer<tokens x 4096 x f32>
    // CHECK: moert.launch @[[NORM]] grid(tokens, 8) reads(%x) writes(%{{.*}}) weights(@norm) overlaps work("moert.head_norm")
    moert.head_norm %x, @norm heads(32) eps(1.0e-06) outs(%n)
      : !moert.buffer<tokens x 4096 x f32>, !moert.buffer<tokens x 4096 x f32>
    %o = moert.buffer : !moert.buffer<tokens x 150 x f32>
    // CHECK: moert.launch @[[FEW]] grid(tokens, 1) reads(%z)
    moert.head_norm %z, @small heads(3) eps(1.0e-05) outs(%o)
      : !moert.buffer<tokens x 150 x f32>, !moert.buffer<tokens x 150 x f32>
    // CHECK: moert.launch @[[ROTATE]] grid(tokens, 8) reads(%{{.*}}, %positions) writes(%y) overlaps work("moert.rotate")
    moert.rotate %n, %positions heads(32) pairs(halves) frequencies [2935890503282001226, -5] outs(%y)
      : !moert.buffer<tokens x 4096 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 4096 x f32>
    %r = moert.buffer : !moert.buffer<tokens x 150 x f32>
    // CHECK: moert.launch @[[FACTOR]] grid(tokens, 1)
    moert.rotate %o, %positions heads(3) pairs(neighbours) frequencies [1] factor(1.25) outs(%r)
      : !moert.buffer<tokens x 150 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 150 x f32>
    // CHECK: moert.launch @[[SLICE]] grid(tokens, 1) reads(%{{.*}}) writes(%v) overlaps work("moert.slice_heads")
    moert.slice_heads %r heads(3) first(10) outs(%v)
      : !moert.buffer<tokens x 150 x f32>, !moert.buffer<tokens x 12 x f32>
    moert.return
  }

  // Tables in every encoding.
  moert.weight @f32 "f32" : 64x512xf32
  moert.weight @f16 "f16" : 64x33xf16
  moert.weight @bf16 "bf16" : 64x512xbf16
  moert.weight @q8_0 "q8_0" : 64x512xq8_0
  moert.weight @q4_0 "q4_0" : 64x512xq4_0
  moert.weight @q4_1 "q4_1" : 64x512xq4_1
  moert.weight @q5_0 "q5_0" : 64x512xq5_0
  moert.weight @q5_1 "q5_1" : 64x512xq5_1
  moert.weight @iq4_nl "iq4_nl" : 64x512xiq4_nl
  moert.weight @mxfp4 "mxfp4" : 64x352xmxfp4
  moert.weight @q2_K "q2_K" : 64x512xq2_K
  moert.weight @q3_K "q3_K" : 64x512xq3_K
  moert.weight @q4_K "q4_K" : 64x512xq4_K
  moert.weight @q5_K "q5_K" : 64x512xq5_K
  moert.weight @q6_K "q6_K" : 64x512xq6_K
  moert.weight @iq4_xs "iq4_xs" : 64x512xiq4_xs
  moert.weight @iq2_xxs "iq2_xxs" : 64x512xiq2_xxs
  moert.weight @iq4_ks "iq4_ks" : 64x512xiq4_ks
  moert.weight @q4_k_r4 "q4_k_r4" : 64x512xq4_k_r4
  // CHECK: moert.func @embed
  moert.func @embed("tokens" %t: !moert.buffer<tokens x i32>)
      outs("y" %y: !moert.buffer<tokens x 512 x f32>) {
    // CHECK:      %[[STATUS:.*]] = moert.buffer : !moert.buffer<4 x i32>
    // CHECK-NEXT: moert.launch @{{embed_q4_K_[0-9]+}} grid(tokens+1, 1) reads(%tokens) writes(%y, %[[STATUS]]) weights(@q4_K) extents(tokens, 64) overlaps work("moert.embed")
    moert.embed %t, @q4_K outs(%y) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %f32 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @f32 outs(%f32) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %f16 = moert.buffer : !moert.buffer<tokens x 33 x f32>
    moert.embed %t, @f16 outs(%f16) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 33 x f32>
    %bf16 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @bf16 outs(%bf16) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %q8_0 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @q8_0 outs(%q8_0) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %q4_0 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @q4_0 outs(%q4_0) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %q4_1 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @q4_1 outs(%q4_1) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %q5_0 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @q5_0 outs(%q5_0) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %q5_1 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @q5_1 outs(%q5_1) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %iq4_nl = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @iq4_nl outs(%iq4_nl) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %mxfp4 = moert.buffer : !moert.buffer<tokens x 352 x f32>
    moert.embed %t, @mxfp4 outs(%mxfp4) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 352 x f32>
    %q2_K = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @q2_K outs(%q2_K) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %q3_K = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @q3_K outs(%q3_K) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %q5_K = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @q5_K outs(%q5_K) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %q6_K = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @q6_K outs(%q6_K) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %iq4_xs = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @iq4_xs outs(%iq4_xs) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %iq2_xxs = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @iq2_xxs outs(%iq2_xxs) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %iq4_ks = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @iq4_ks outs(%iq4_ks) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %q4_k_r4 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.embed %t, @q4_k_r4 outs(%q4_k_r4) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    // CHECK: moert.check_places %[[STATUS]] : !moert.buffer<4 x i32>
    moert.return
  }

  // The number of rows of a table may be a symbol: one kernel serves all.
  // CHECK: moert.func @table
  moert.func @table("x" %x: !moert.buffer<tokens x 32 x f32>, "i" %i: !moert.buffer<3 x i32>)
      outs("y" %y: !moert.buffer<3 x 32 x f32>, "z" %z: !moert.buffer<3 x 32 x f32>) {
    // CHECK: moert.launch @[[READ:read_rows_[0-9]+]] grid(4, 1) reads(%x, %i) writes(%y, %{{.*}}) extents(3, tokens) overlaps
    moert.read_rows %x, %i outs(%y)
      : !moert.buffer<tokens x 32 x f32>, !moert.buffer<3 x i32>, !moert.buffer<3 x 32 x f32>
    // CHECK: moert.launch @[[READ]] grid(4, 1) reads(%y, %i) writes(%z, %{{.*}}) extents(3, 3) overlaps
    moert.read_rows %y, %i outs(%z)
      : !moert.buffer<3 x 32 x f32>, !moert.buffer<3 x i32>, !moert.buffer<3 x 32 x f32>
    moert.return
  }
}
