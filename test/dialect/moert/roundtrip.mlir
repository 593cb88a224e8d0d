// Every op with every clause, through text, bytecode and the generic form. Nothing is planned here.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s

// CHECK: e = #moert.extent<8*tokens+64>
func.func private @extents() attributes {e = #moert.extent<8*tokens+64>}

// CHECK: contract = [], features = ["kernels", "state"], producer = "p"
module @features attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
  contract = [], features = ["kernels", "state"], producer = "p">} {}

// Symbols may be called like kinds and separators.
// CHECK: a = !moert.buffer<x x 2 x f32>, b = !moert.buffer<f32 x 2 x f32>
// CHECK-SAME: c = !moert.buffer<act16+1 x i32>, d = !moert.buffer<7 x 3*x+2 x i32>
// CHECK-SAME: e = !moert.buffer<8 x act8, device = 1, space = "host">
// CHECK-SAME: f = !moert.buffer<8 x f32, space = "host">, g = !moert.buffer<8 x f32>
func.func private @types() attributes {
  a = !moert.buffer<x x 2 x f32>, b = !moert.buffer<1*f32+0 x 2 x f32>,
  c = !moert.buffer<act16+1 x i32>, d = !moert.buffer<7 x 3*x+2 x i32>,
  e = !moert.buffer<8 x act8, device = 1, space = "host">,
  f = !moert.buffer<8 x f32, space = "host">,
  g = !moert.buffer<8 x f32, device = 0, space = "global">}

moert.symbol @tokens max(64)
// CHECK: moert.weight @w1 "norm" : 64xf32
moert.weight @w1 "norm" : 64xf32
moert.weight @b8 "bias" : 8xf32
moert.weight @b8x32 "expert_bias" : 8x32xf32
// CHECK: moert.weight @router "router" : 8x64xbf16
moert.weight @router "router" : 8x64xbf16
// CHECK: moert.weight @experts "experts" : 8x32x64xq5_1
moert.weight @experts "experts" : 8x32x64xq5_1
moert.weight @half "half" : 8x32x64xf16

// CHECK-LABEL: moert.func @ops("x" %x: !moert.buffer<tokens x 64 x f32>)
// CHECK-SAME: outs("y" %y: {{.*}}, "the z" %the_z: {{.*}}) attributes {note = 1 : i64} {
moert.func @ops("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>, "the z" %z: !moert.buffer<tokens x 2 x 32 x f32>)
    attributes {note = 1 : i64} {
  // CHECK: moert.buffer : !moert.buffer<tokens x 64 x f32>
  %norm = moert.buffer : !moert.buffer<tokens x 64 x f32>
  // CHECK: moert.rms_norm %x, @w1 eps(0.000000e+00) outs(
  moert.rms_norm %x, @w1 eps(0.0) outs(%norm)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
  // CHECK: moert.checkpoint "norm" = %{{[^ ]*}} : !moert.buffer<tokens x 64 x f32>
  moert.checkpoint "norm" = %norm : !moert.buffer<tokens x 64 x f32>
  %scores = moert.buffer : !moert.buffer<tokens x 8 x f32>
  // CHECK: moert.matmul %{{[^ ]*}}, @router bias(@b8) arithmetic(float) outs(
  moert.matmul %norm, @router bias(@b8) arithmetic(float) outs(%scores)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 8 x f32>
  %ids = moert.buffer : !moert.buffer<tokens x 2 x i32>
  %weights = moert.buffer : !moert.buffer<tokens x 2 x f32>
  // CHECK: moert.route %{{[^ ]*}} bias(@b8) top(2) scoring(sigmoid) groups(2 of 4) normalize
  // CHECK-SAME: scale(2.500000e+00) tie(lower_id) outs(
  moert.route %scores bias(@b8) top(2) scoring(sigmoid) groups(2 of 4) normalize scale(2.5)
    tie(lower_id) outs(%ids, %weights)
    : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<tokens x 2 x f32>
  %permutation = moert.buffer : !moert.buffer<2*tokens x i32>
  %inverse = moert.buffer : !moert.buffer<tokens x 2 x i32>
  %offsets = moert.buffer : !moert.buffer<9 x i32>
  // CHECK: moert.dispatch %{{[^ ]*}} experts(16) range [4, 8] outs(
  moert.dispatch %ids experts(16) range [4, 8] outs(%permutation, %inverse, %offsets)
    : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 2 x i32>, !moert.buffer<9 x i32>
  %q = moert.buffer : !moert.buffer<tokens x 64 x act8>
  // CHECK: moert.quantize %{{[^ ]*}} outs(
  moert.quantize %norm outs(%q)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x act8>
  %rows = moert.buffer : !moert.buffer<2*tokens x 64 x f32>
  // CHECK: moert.gather %{{[^ ]*}}, %{{[^ ]*}} slots(2) outs(
  moert.gather %norm, %permutation slots(2) outs(%rows)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<2*tokens x 64 x f32>
  %gate = moert.buffer : !moert.buffer<2*tokens x 32 x f32>
  // CHECK: moert.matmul %{{[^ ]*}}, @half offsets(%{{[^ ]*}}) arithmetic(float) outs(
  moert.matmul %rows, @half offsets(%offsets) arithmetic(float) outs(%gate)
    : !moert.buffer<2*tokens x 64 x f32>, !moert.buffer<9 x i32>,
      !moert.buffer<2*tokens x 32 x f32>
  %up = moert.buffer : !moert.buffer<2*tokens x 32 x f32>
  // CHECK: moert.matmul %{{[^ ]*}}, @experts offsets(%{{[^ ]*}}) permutation(%{{[^ ]*}}) slots(2)
  // CHECK-SAME: bias(@b8x32) scale(%{{[^ ]*}}) arithmetic(exact) outs(
  moert.matmul %q, @experts offsets(%offsets) permutation(%permutation) slots(2) bias(@b8x32)
    scale(%weights) arithmetic(exact) outs(%up)
    : !moert.buffer<tokens x 64 x act8>, !moert.buffer<9 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 2 x f32>, !moert.buffer<2*tokens x 32 x f32>
  // CHECK: moert.checkpoint "up" = %{{[^ ]*}} order(%{{[^ ]*}}) : !moert.buffer<2*tokens x 32 x f32>,
  moert.checkpoint "up" = %up order(%inverse)
    : !moert.buffer<2*tokens x 32 x f32>, !moert.buffer<tokens x 2 x i32>
  %act = moert.buffer : !moert.buffer<2*tokens x 32 x f32>
  // CHECK: moert.glu %{{[^ ]*}}, %{{[^ ]*}} kind(swiglu_clamped) alpha(1.702000e+00)
  // CHECK-SAME: limit(7.000000e+00) outs(
  moert.glu %gate, %up kind(swiglu_clamped) alpha(1.702) limit(7.0) outs(%act)
    : !moert.buffer<2*tokens x 32 x f32>, !moert.buffer<2*tokens x 32 x f32>,
      !moert.buffer<2*tokens x 32 x f32>
  %fused = moert.buffer : !moert.buffer<2*tokens x 32 x f32>
  // CHECK: moert.glu_matmul %{{[^ ]*}}, @experts, @experts offsets(%{{[^ ]*}})
  // CHECK-SAME: permutation(%{{[^ ]*}}) slots(2) gate_bias(@b8x32) up_bias(@b8x32)
  // CHECK-SAME: kind(swiglu_clamped) alpha(1.702000e+00) limit(7.000000e+00) arithmetic(exact) outs(
  moert.glu_matmul %q, @experts, @experts offsets(%offsets) permutation(%permutation) slots(2)
    gate_bias(@b8x32) up_bias(@b8x32) kind(swiglu_clamped) alpha(1.702) limit(7.0)
    arithmetic(exact) outs(%fused)
    : !moert.buffer<tokens x 64 x act8>, !moert.buffer<9 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<2*tokens x 32 x f32>
  // CHECK: moert.unsort %{{[^ ]*}}, %{{[^ ]*}} outs(%the_z)
  moert.unsort %act, %inverse outs(%z)
    : !moert.buffer<2*tokens x 32 x f32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<tokens x 2 x 32 x f32>
  %a = moert.buffer : !moert.buffer<tokens x 32 x f32>
  // CHECK: moert.combine %the_z outs(
  moert.combine %z outs(%a)
    : !moert.buffer<tokens x 2 x 32 x f32>, !moert.buffer<tokens x 32 x f32>
  %b = moert.buffer : !moert.buffer<tokens x 32 x f32>
  // CHECK: moert.combine %{{[^ ]*}} inverse(%{{[^ ]*}}) weights(%{{[^ ]*}}) outs(
  moert.combine %fused inverse(%inverse) weights(%weights) outs(%b)
    : !moert.buffer<2*tokens x 32 x f32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<tokens x 2 x f32>, !moert.buffer<tokens x 32 x f32>
  %scaled = moert.buffer : !moert.buffer<tokens x 32 x f32>
  // CHECK: moert.scale %{{[^ ]*}} by(2.200000e-01) outs(
  moert.scale %b by(0.22) outs(%scaled)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
  // CHECK: moert.add %{{[^ ]*}}, %{{[^ ]*}} outs(%y)
  moert.add %a, %scaled outs(%y) : !moert.buffer<tokens x 32 x f32>,
    !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
  // CHECK: moert.checkpoint "gone"
  // CHECK-NEXT: moert.return
  moert.checkpoint "gone"
}

// CHECK-LABEL: moert.func @copy
moert.func @copy("x" %x: !moert.buffer<4 x f32>)
    outs("y" %y: !moert.buffer<4 x f32, space = "host">) {
  // CHECK: moert.copy %x outs(%y) : !moert.buffer<4 x f32>,
  // CHECK-SAME: !moert.buffer<4 x f32, space = "host">
  moert.copy %x outs(%y) : !moert.buffer<4 x f32>, !moert.buffer<4 x f32, space = "host">
}

// Buffers whose lives do not meet share memory, and so do neighbours without a gap.
// CHECK-LABEL: moert.func @reuse
moert.func @reuse("x" %x: !moert.buffer<tokens x 16 x f32>)
    outs("y" %y: !moert.buffer<tokens x 16 x f32>) arena(128*tokens) {
  // CHECK: moert.buffer offset(64*tokens)
  %a = moert.buffer offset(64*tokens) : !moert.buffer<tokens x 16 x f32>
  // CHECK: moert.buffer offset(0)
  %b = moert.buffer offset(0) : !moert.buffer<tokens x 16 x f32>
  // CHECK: moert.buffer offset(64*tokens)
  %c = moert.buffer offset(64*tokens) : !moert.buffer<tokens x 16 x f32>
  moert.copy %x outs(%a) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
  moert.copy %a outs(%b) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
  moert.copy %b outs(%c) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
  moert.copy %c outs(%y) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f32>
}
