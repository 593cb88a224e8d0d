// Operations that share a launch: products of one input side by side, rows and heads in turn. Those that must stand
// alone say why.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_90a" | FileCheck %s
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_90a join-launches=false" | FileCheck %s --check-prefix=ALONE
// Each kernel compiles for each generation of chips, without a warning.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_89,sm_90a" --moert-compile-kernels --verify-diagnostics \
// RUN:   | FileCheck %s --check-prefix=IMAGES

// ALONE-NOT: joined
// IMAGES-COUNT-5: moert.kernel @joined_{{.*}} images
// IMAGES-NOT: moert.kernel @joined_

module attributes {moert.program = #moert.program<abi = 5, numerics = 2, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.weight @q "q" : 512x256xq4_K
  moert.weight @k "k" : 256x256xq4_K
  moert.weight @v "v" : 256x256xq6_K
  moert.weight @v_bias "v_bias" : 256xf32
  moert.weight @norm "norm" : 256xf32
  moert.weight @head "head" : 64xf32
  moert.state @sums : !moert.buffer<1 x 256 x f32>

  // What a part declares has a namespace of its own; parts are apart by z, and a part with fewer columns leaves blocks
  // idle.
  // CHECK: moert.kernel @joined_matmul_0 "sortie_joined_matmul_0" reads(1) writes(3) weights(packed, packed, packed, floats) extents(1) threads(512)
  // CHECK-SAME: namespace part_0_0 {\0Astruct Spec {
  // CHECK-SAME: Format::Q4_K
  // CHECK-SAME: namespace part_2_0 {
  // CHECK-SAME: Format::Q6_K
  // CHECK-SAME: const void *r0, void *w0, void *w1, void *w2, const void *g0, const void *g1, const void *g2, const float *g3, int32_t e0
  // CHECK-SAME: if (sortie::hw::blockIndexZ() == 0 && sortie::hw::blockIndexX() < [[Q:[0-9]+]]) {\0A    part_0_0::run(begin, r0, w0, g0, e0);
  // CHECK-SAME: else if (sortie::hw::blockIndexZ() == 2 && sortie::hw::blockIndexX() < {{[0-9]+}}) {\0A    part_2_0::run(begin, r0, w2, g2, g3, e0);

  // What one kernel writes and the next one reads is one parameter, and blocks meet in between.
  // CHECK: moert.kernel @joined_head_norm_rotate_0
  // CHECK-SAME: part_0_0::run(begin, r0, w0, g0);\0A    sortie::hw::syncBlock();\0A    part_0_1::run(begin, w0, r1, w1);
  // CHECK-SAME: part_1_0::run(begin, r2, w2, g0);

  // CHECK-LABEL: moert.func @attention
  // CHECK: moert.launch @joined_matmul_0 grid([[Q:[0-9]+]], tokens ceildiv 64, 3)
  // CHECK-SAME: reads(%x) writes(%[[Q:.*]], %[[K:.*]], %[[V:.*]]) weights(@q, @k, @v, @v_bias) extents(tokens) overlaps
  // CHECK-SAME: work("moert.matmul" arithmetic(exact) operations(524288))
  // CHECK-NEXT: moert.checkpoint "q" = %[[Q]]
  // CHECK: moert.launch @joined_head_norm_rotate_0 grid(tokens, 1, 2)
  // CHECK-SAME: reads(%[[Q]], %positions, %[[K]]) writes(%{{.*}}, %qr, %{{.*}}, %kr) weights(@head)
  // CHECK-SAME: work("moert.head_norm+moert.rotate")
  // CHECK-NEXT: moert.checkpoint
  // CHECK-NOT: moert.launch
  moert.func @attention("x" %x: !moert.buffer<tokens x 256 x act16>, "positions" %positions: !moert.buffer<tokens x i32>)
      outs("qr" %qr: !moert.buffer<tokens x 512 x f32>, "kr" %kr: !moert.buffer<tokens x 256 x f32>,
           "v" %v: !moert.buffer<tokens x 256 x f32>) {
    %q = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.matmul %x, @q arithmetic(exact) outs(%q) : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 512 x f32>
    moert.checkpoint "q" = %q : !moert.buffer<tokens x 512 x f32>
    %qn = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.head_norm %q, @head heads(8) eps(1.0e-6) outs(%qn) : !moert.buffer<tokens x 512 x f32>, !moert.buffer<tokens x 512 x f32>
    moert.checkpoint "qn" = %qn : !moert.buffer<tokens x 512 x f32>
    moert.rotate %qn, %positions heads(8) pairs(halves) frequencies [1, 2] outs(%qr)
      : !moert.buffer<tokens x 512 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %k = moert.buffer : !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @k arithmetic(exact) outs(%k) : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    %kn = moert.buffer : !moert.buffer<tokens x 256 x f32>
    moert.head_norm %k, @head heads(4) eps(1.0e-6) outs(%kn) : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>
    moert.rotate %kn, %positions heads(4) pairs(halves) frequencies [1, 2] outs(%kr)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @v bias(@v_bias) arithmetic(exact) outs(%v) : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.return
  }

  // Checkpoints stay behind the launch. The sum of slots reads other rows than its own: it can begin a launch, but not
  // follow what wrote them.
  // CHECK-LABEL: moert.func @rows
  // CHECK: moert.launch @scale_0 {{.*}} writes(%[[S:[^)]*]])
  // CHECK-NEXT: %[[SUM:.*]] = moert.buffer
  // CHECK: moert.launch @joined_combine_add_rms_norm_quantize_0 grid(tokens, 1)
  // CHECK-SAME: reads(%[[S]], %x) writes(%[[SUM]], %y, %[[N:.*]], %{{.*}}) weights(@norm)
  // CHECK-SAME: work("moert.combine+moert.add+moert.rms_norm+moert.quantize")
  // CHECK-NEXT: moert.checkpoint "sum" = %[[SUM]]
  // CHECK-NEXT: moert.checkpoint "norm" = %[[N]]
  // CHECK-NEXT: moert.launch @matmul_0
  // CHECK-NOT: moert.launch
  moert.func @rows("x" %x: !moert.buffer<tokens x 256 x f32>, "slots" %slots: !moert.buffer<tokens x 2 x 256 x f32>)
      outs("y" %y: !moert.buffer<tokens x 256 x f32>, "z" %z: !moert.buffer<tokens x 512 x f32>) {
    %s = moert.buffer : !moert.buffer<tokens x 2 x 256 x f32>
    moert.scale %slots by(5.0e-01) outs(%s) : !moert.buffer<tokens x 2 x 256 x f32>, !moert.buffer<tokens x 2 x 256 x f32>
    %sum = moert.buffer : !moert.buffer<tokens x 256 x f32>
    moert.combine %s outs(%sum)
      : !moert.buffer<tokens x 2 x 256 x f32>, !moert.buffer<tokens x 256 x f32>
    moert.checkpoint "sum" = %sum : !moert.buffer<tokens x 256 x f32>
    moert.add %sum, %x outs(%y) : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>
    %n = moert.buffer : !moert.buffer<tokens x 256 x f32>
    moert.rms_norm %y, @norm eps(1.0e-6) outs(%n) : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>
    moert.checkpoint "norm" = %n : !moert.buffer<tokens x 256 x f32>
    %a = moert.buffer : !moert.buffer<tokens x 256 x act16>
    moert.quantize %n outs(%a) : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x act16>
    moert.matmul %a, @q arithmetic(exact) outs(%z) : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 512 x f32>
    moert.return
  }

  // A state is updated where the program says so, by a launch of its own, and what reads it stays behind that place.
  // What does not depend on each other is side by side.
  // CHECK-LABEL: moert.func @apart
  // CHECK: %[[STATE:.*]] = moert.state_buffer
  // CHECK: moert.launch @rms_norm_0 grid(1) reads(%x) writes(%[[A:.*]]) weights
  // CHECK-NEXT: moert.launch @add_0 grid(1, 1) reads(%x) writes(%[[STATE]])
  // CHECK: moert.launch @joined_add_0 grid(1, 1, 2) reads(%[[STATE]], %[[A]], %x) writes(%y, %{{.*}}, %z)
  // CHECK-SAME: work("moert.add,moert.rms_norm+moert.add")
  // CHECK-NOT: moert.launch
  moert.func @apart("x" %x: !moert.buffer<1 x 256 x f32>)
      outs("y" %y: !moert.buffer<1 x 256 x f32>, "z" %z: !moert.buffer<1 x 256 x f32>) {
    %state = moert.state_buffer @sums : !moert.buffer<1 x 256 x f32>
    %a = moert.buffer : !moert.buffer<1 x 256 x f32>
    moert.rms_norm %x, @norm eps(1.0e-6) outs(%a) : !moert.buffer<1 x 256 x f32>, !moert.buffer<1 x 256 x f32>
    moert.add %state, %x outs(%state) : !moert.buffer<1 x 256 x f32>, !moert.buffer<1 x 256 x f32>, !moert.buffer<1 x 256 x f32>
    moert.add %state, %a outs(%y) : !moert.buffer<1 x 256 x f32>, !moert.buffer<1 x 256 x f32>, !moert.buffer<1 x 256 x f32>
    %b = moert.buffer : !moert.buffer<1 x 256 x f32>
    moert.rms_norm %x, @norm eps(1.0e-5) outs(%b) : !moert.buffer<1 x 256 x f32>, !moert.buffer<1 x 256 x f32>
    moert.add %a, %b outs(%z) : !moert.buffer<1 x 256 x f32>, !moert.buffer<1 x 256 x f32>, !moert.buffer<1 x 256 x f32>
    moert.return
  }

  // Where the number of heads changes, a block needs the whole row: one has it, although heads would be for two.
  // CHECK-LABEL: moert.func @other_heads
  // CHECK: moert.launch @joined_head_norm_rotate_{{[0-9]}} grid(tokens, 1) reads(%x, %positions)
  // CHECK-NEXT: moert.return
  moert.func @other_heads("x" %x: !moert.buffer<tokens x 1024 x f32>, "positions" %positions: !moert.buffer<tokens x i32>)
      outs("y" %y: !moert.buffer<tokens x 1024 x f32>) {
    %n = moert.buffer : !moert.buffer<tokens x 1024 x f32>
    moert.head_norm %x, @head heads(16) eps(1.0e-6) outs(%n) : !moert.buffer<tokens x 1024 x f32>, !moert.buffer<tokens x 1024 x f32>
    moert.rotate %n, %positions heads(8) pairs(halves) frequencies [1, 2] outs(%y)
      : !moert.buffer<tokens x 1024 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 1024 x f32>
    moert.return
  }

  // A kernel has at most 64 parameters: what would take more is launched as without joins.
  moert.weight @w0 "w0" : 256x256xq4_K
  moert.weight @b0 "b0" : 256xf32
  moert.weight @w1 "w1" : 256x256xq4_K
  moert.weight @b1 "b1" : 256xf32
  moert.weight @w2 "w2" : 256x256xq4_K
  moert.weight @b2 "b2" : 256xf32
  moert.weight @w3 "w3" : 256x256xq4_K
  moert.weight @b3 "b3" : 256xf32
  moert.weight @w4 "w4" : 256x256xq4_K
  moert.weight @b4 "b4" : 256xf32
  moert.weight @w5 "w5" : 256x256xq4_K
  moert.weight @b5 "b5" : 256xf32
  moert.weight @w6 "w6" : 256x256xq4_K
  moert.weight @b6 "b6" : 256xf32
  moert.weight @w7 "w7" : 256x256xq4_K
  moert.weight @b7 "b7" : 256xf32
  moert.weight @w8 "w8" : 256x256xq4_K
  moert.weight @b8 "b8" : 256xf32
  moert.weight @w9 "w9" : 256x256xq4_K
  moert.weight @b9 "b9" : 256xf32
  moert.weight @w10 "w10" : 256x256xq4_K
  moert.weight @b10 "b10" : 256xf32
  moert.weight @w11 "w11" : 256x256xq4_K
  moert.weight @b11 "b11" : 256xf32
  moert.weight @w12 "w12" : 256x256xq4_K
  moert.weight @b12 "b12" : 256xf32
  moert.weight @w13 "w13" : 256x256xq4_K
  moert.weight @b13 "b13" : 256xf32
  moert.weight @w14 "w14" : 256x256xq4_K
  moert.weight @b14 "b14" : 256xf32
  moert.weight @w15 "w15" : 256x256xq4_K
  moert.weight @b15 "b15" : 256xf32
  moert.weight @w16 "w16" : 256x256xq4_K
  moert.weight @b16 "b16" : 256xf32
  moert.weight @w17 "w17" : 256x256xq4_K
  moert.weight @b17 "b17" : 256xf32
  moert.weight @w18 "w18" : 256x256xq4_K
  moert.weight @b18 "b18" : 256xf32
  moert.weight @w19 "w19" : 256x256xq4_K
  moert.weight @b19 "b19" : 256xf32
  moert.weight @w20 "w20" : 256x256xq4_K
  moert.weight @b20 "b20" : 256xf32
  moert.weight @w21 "w21" : 256x256xq4_K
  moert.weight @b21 "b21" : 256xf32
  // CHECK-LABEL: moert.func @too_many
  // CHECK-COUNT-22: moert.launch @matmul
  // CHECK-NOT: moert.launch
  moert.func @too_many("x" %x: !moert.buffer<tokens x 256 x act16>)
      outs("y0" %y0: !moert.buffer<tokens x 256 x f32>,
           "y1" %y1: !moert.buffer<tokens x 256 x f32>,
           "y2" %y2: !moert.buffer<tokens x 256 x f32>,
           "y3" %y3: !moert.buffer<tokens x 256 x f32>,
           "y4" %y4: !moert.buffer<tokens x 256 x f32>,
           "y5" %y5: !moert.buffer<tokens x 256 x f32>,
           "y6" %y6: !moert.buffer<tokens x 256 x f32>,
           "y7" %y7: !moert.buffer<tokens x 256 x f32>,
           "y8" %y8: !moert.buffer<tokens x 256 x f32>,
           "y9" %y9: !moert.buffer<tokens x 256 x f32>,
           "y10" %y10: !moert.buffer<tokens x 256 x f32>,
           "y11" %y11: !moert.buffer<tokens x 256 x f32>,
           "y12" %y12: !moert.buffer<tokens x 256 x f32>,
           "y13" %y13: !moert.buffer<tokens x 256 x f32>,
           "y14" %y14: !moert.buffer<tokens x 256 x f32>,
           "y15" %y15: !moert.buffer<tokens x 256 x f32>,
           "y16" %y16: !moert.buffer<tokens x 256 x f32>,
           "y17" %y17: !moert.buffer<tokens x 256 x f32>,
           "y18" %y18: !moert.buffer<tokens x 256 x f32>,
           "y19" %y19: !moert.buffer<tokens x 256 x f32>,
           "y20" %y20: !moert.buffer<tokens x 256 x f32>,
           "y21" %y21: !moert.buffer<tokens x 256 x f32>) {
    moert.matmul %x, @w0 bias(@b0) arithmetic(exact) outs(%y0)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w1 bias(@b1) arithmetic(exact) outs(%y1)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w2 bias(@b2) arithmetic(exact) outs(%y2)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w3 bias(@b3) arithmetic(exact) outs(%y3)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w4 bias(@b4) arithmetic(exact) outs(%y4)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w5 bias(@b5) arithmetic(exact) outs(%y5)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w6 bias(@b6) arithmetic(exact) outs(%y6)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w7 bias(@b7) arithmetic(exact) outs(%y7)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w8 bias(@b8) arithmetic(exact) outs(%y8)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w9 bias(@b9) arithmetic(exact) outs(%y9)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w10 bias(@b10) arithmetic(exact) outs(%y10)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w11 bias(@b11) arithmetic(exact) outs(%y11)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w12 bias(@b12) arithmetic(exact) outs(%y12)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w13 bias(@b13) arithmetic(exact) outs(%y13)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w14 bias(@b14) arithmetic(exact) outs(%y14)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w15 bias(@b15) arithmetic(exact) outs(%y15)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w16 bias(@b16) arithmetic(exact) outs(%y16)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w17 bias(@b17) arithmetic(exact) outs(%y17)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w18 bias(@b18) arithmetic(exact) outs(%y18)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w19 bias(@b19) arithmetic(exact) outs(%y19)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w20 bias(@b20) arithmetic(exact) outs(%y20)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.matmul %x, @w21 bias(@b21) arithmetic(exact) outs(%y21)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 256 x f32>
    moert.return
  }
}
