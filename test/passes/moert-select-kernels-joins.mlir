// Operations that share a launch: products of one input side by side, rows and heads in turn. Those that must stand
// alone say why.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_90a" | FileCheck %s
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_90a join-launches=false" | FileCheck %s --check-prefix=ALONE
// Each kernel compiles for each generation of chips, without a warning.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_89,sm_90a" --moert-compile-kernels --verify-diagnostics \
// RUN:   | FileCheck %s --check-prefix=IMAGES

// ALONE-NOT: joined
// IMAGES-COUNT-4: moert.kernel @joined_{{.*}} images
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
}
