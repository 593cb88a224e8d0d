// One test or more for each constraint of each op, cited as MoeOps.td numbers them. Constraints on
// the result of an op whose types are inferred show up as incompatible types, in two messages.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

//===- moe.weight ---------------------------------------------------------===//

func.func @weight() {
  // (C1)
  // expected-error @+1 {{source must not be empty}}
  %0 = moe.weight "" : tensor<64xf32>
  return
}

// -----

func.func @weight() {
  // (C2)
  // expected-error @+1 {{shape must be static and without zeros}}
  %0 = moe.weight "w" : tensor<?x64xf32>
  return
}

// -----

func.func @weight() {
  // (C2)
  // expected-error @+1 {{shape must be static and without zeros}}
  %0 = moe.weight "w" : tensor<0x64xf32>
  return
}

// -----

func.func @weight() {
  // (C2)
  // expected-error @+1 {{result #0 must be 1D or 2D or 3D tensor of}}
  %0 = moe.weight "w" : tensor<2x2x2x64xf32>
  return
}

// -----

func.func @weight() {
  // (C3)
  // expected-error @+1 {{innermost dimension 128 is no multiple of the block size 256 of}}
  %0 = moe.weight "w" : tensor<4x128x!moe.block<q4_K>>
  return
}

// -----

//===- moe.rms_norm -------------------------------------------------------===//

func.func @rms_norm(%x: tensor<?x64xf32>, %w: tensor<32xf32>) {
  // (C1)
  // expected-error @+1 {{weight must be [64], got 'tensor<32xf32>'}}
  %0 = moe.rms_norm %x, %w eps(1.0e-06) : tensor<?x64xf32>, tensor<32xf32>
  return
}

// -----

func.func @rms_norm(%x: tensor<?x64xf32>, %w: tensor<64xf32>) {
  // (C2)
  // expected-error @+1 {{eps must be finite and not negative}}
  %0 = moe.rms_norm %x, %w eps(-1.0e-06) : tensor<?x64xf32>, tensor<64xf32>
  return
}

// -----

func.func @rms_norm(%x: tensor<?x64xf32>, %w: tensor<64xf32>) {
  // (C2)
  // expected-error @+1 {{eps must be finite and not negative}}
  %0 = moe.rms_norm %x, %w eps(0x7F800000) : tensor<?x64xf32>, tensor<64xf32>
  return
}

// -----

func.func @rms_norm(%x: tensor<?x64xf32>, %w: tensor<64xf32>) {
  // (C3)
  // expected-error @+1 {{failed to verify that all of {input, result} have same type}}
  %0 = "moe.rms_norm"(%x, %w) {eps = 0.0 : f32}
    : (tensor<?x64xf32>, tensor<64xf32>) -> tensor<2x64xf32>
  return
}

// -----

//===- moe.matmul ---------------------------------------------------------===//

func.func @matmul(%x: tensor<?x64xf32>, %w: tensor<8x32xf32>) {
  // (C1)
  // expected-error @+1 {{K of input is 64, but K of weights is 32}}
  %0 = moe.matmul %x, %w : (tensor<?x64xf32>, tensor<8x32xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @matmul(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>) {
  // (C1)
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{inferred type(s) 'tensor<?x8xf32>' are incompatible}}
  %0 = moe.matmul %x, %w : (tensor<?x64xf32>, tensor<8x64xf32>) -> tensor<?x9xf32>
  return
}

// -----

func.func @matmul(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %b: tensor<64xf32>) {
  // (C2)
  // expected-error @+1 {{bias must be [8], got 'tensor<64xf32>'}}
  %0 = moe.matmul %x, %w bias(%b)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<64xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @matmul(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>) {
  // (C3)
  // expected-error @+1 {{arithmetic 'exact' does not suit weights of 'f32'}}
  %0 = moe.matmul %x, %w arithmetic(exact)
    : (tensor<?x64xf32>, tensor<8x64xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @matmul(%x: tensor<?x64xf32>, %w: tensor<8x64x!moe.block<q8_0>>) {
  // (C3)
  // expected-error @+1 {{arithmetic 'float' does not suit weights of '!moe.block<q8_0>'}}
  %0 = moe.matmul %x, %w arithmetic(float)
    : (tensor<?x64xf32>, tensor<8x64x!moe.block<q8_0>>) -> tensor<?x8xf32>
  return
}

// -----

func.func @matmul(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>) {
  // expected-error @+1 {{expected one of [exact, float, bf16]}}
  %0 = moe.matmul %x, %w arithmetic(fast) : (tensor<?x64xf32>, tensor<8x64xf32>) -> tensor<?x8xf32>
  return
}

// -----

//===- moe.route ----------------------------------------------------------===//

func.func @route(%s: tensor<?x2048xf32>) {
  // (C1)
  // expected-error @+1 {{the number of experts must be 1 to 1024, got 2048}}
  %0:2 = moe.route %s top(2) scoring(raw) tie(lower_id)
    : (tensor<?x2048xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x64xf32>) {
  // (C1)
  // expected-error @+1 {{the number of selected experts must be 1 to 32, got 33}}
  %0:2 = moe.route %s top(33) scoring(raw) tie(lower_id)
    : (tensor<?x64xf32>) -> (tensor<?x33xi32>, tensor<?x33xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x4xf32>) {
  // (C1)
  // expected-error @+1 {{the number of selected experts must be 1 to 4, got 5}}
  %0:2 = moe.route %s top(5) scoring(raw) tie(lower_id)
    : (tensor<?x4xf32>) -> (tensor<?x5xi32>, tensor<?x5xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x?xf32>) {
  // (C1)
  // expected-error @+1 {{the number of selected experts must be 1 to 32, got 0}}
  %0:2 = moe.route %s top(0) scoring(raw) tie(lower_id)
    : (tensor<?x?xf32>) -> (tensor<?x0xi32>, tensor<?x0xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x8xf32>, %b: tensor<4xf32>) {
  // (C2)
  // expected-error @+1 {{bias must be [8], got 'tensor<4xf32>'}}
  %0:2 = moe.route %s bias(%b) top(2) scoring(raw) tie(lower_id)
    : (tensor<?x8xf32>, tensor<4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x8xf32>) {
  // (C3)
  // expected-error @+1 {{groups and groups_used must be given together}}
  %0:2 = moe.route %s top(2) scoring(raw) tie(lower_id) {groups = 2 : i64}
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x128xf32>) {
  // (C3)
  // expected-error @+1 {{groups must be 1 to 64, got 128}}
  %0:2 = moe.route %s top(2) scoring(raw) groups(4 of 128) tie(lower_id)
    : (tensor<?x128xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x8xf32>) {
  // (C3)
  // expected-error @+1 {{8 experts cannot be split into 3 equal groups}}
  %0:2 = moe.route %s top(2) scoring(raw) groups(1 of 3) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x8xf32>) {
  // (C3)
  // expected-error @+1 {{groups_used must be 1 to groups = 4, got 5}}
  %0:2 = moe.route %s top(2) scoring(raw) groups(5 of 4) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x8xf32>) {
  // (C4)
  // expected-error @+1 {{cannot select 3 experts from 1 groups of 2}}
  %0:2 = moe.route %s top(3) scoring(raw) groups(1 of 4) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x8xf32>) {
  // (C5)
  // expected-error @+1 {{scale must be finite}}
  %0:2 = moe.route %s top(2) scoring(raw) scale(0x7FC00000) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x8xf32>) {
  // (C6)
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{are incompatible with return type(s)}}
  %0:2 = moe.route %s top(2) scoring(raw) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x3xf32>)
  return
}

// -----

func.func @route(%s: tensor<?x8xf32>) {
  // The tie rule must be written.
  // expected-error @+2 {{expected 'tie'}}
  %0:2 = moe.route %s top(2) scoring(raw)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

//===- moe.routed_matmul --------------------------------------------------===//

func.func @routed(%x: tensor<?x64xf32>, %w: tensor<4x8x32xf32>, %ids: tensor<?x2xi32>) {
  // (C1)
  // expected-error @+1 {{K of input is 64, but K of weights is 32}}
  %0 = moe.routed_matmul %x, %w, %ids
    : (tensor<?x64xf32>, tensor<4x8x32xf32>, tensor<?x2xi32>) -> tensor<?x2x8xf32>
  return
}

// -----

func.func @routed(%x: tensor<3x64xf32>, %w: tensor<4x8x64xf32>, %ids: tensor<5x2xi32>) {
  // (C1)
  // expected-error @+1 {{T of input is 3, but T of ids is 5}}
  %0 = moe.routed_matmul %x, %w, %ids
    : (tensor<3x64xf32>, tensor<4x8x64xf32>, tensor<5x2xi32>) -> tensor<5x2x8xf32>
  return
}

// -----

func.func @routed(%x: tensor<?x4x64xf32>, %w: tensor<4x8x64xf32>, %ids: tensor<?x2xi32>) {
  // (C1)
  // expected-error @+1 {{k of input is 4, but k of ids is 2}}
  %0 = moe.routed_matmul %x, %w, %ids
    : (tensor<?x4x64xf32>, tensor<4x8x64xf32>, tensor<?x2xi32>) -> tensor<?x2x8xf32>
  return
}

// -----

func.func @routed(%x: tensor<?x64xf32>, %w: tensor<4x8x64xf32>, %ids: tensor<?x2xi32>) {
  // (C1)
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{inferred type(s) 'tensor<?x2x8xf32>' are incompatible}}
  %0 = moe.routed_matmul %x, %w, %ids
    : (tensor<?x64xf32>, tensor<4x8x64xf32>, tensor<?x2xi32>) -> tensor<?x2x9xf32>
  return
}

// -----

func.func @routed(%x: tensor<?x64xf32>, %w: tensor<4x8x64xf32>, %ids: tensor<?x2xi32>,
                  %b: tensor<8x4xf32>) {
  // (C2)
  // expected-error @+1 {{bias must be [4, 8], got 'tensor<8x4xf32>'}}
  %0 = moe.routed_matmul %x, %w, %ids bias(%b)
    : (tensor<?x64xf32>, tensor<4x8x64xf32>, tensor<?x2xi32>, tensor<8x4xf32>) -> tensor<?x2x8xf32>
  return
}

// -----

func.func @routed(%x: tensor<?x64xf32>, %w: tensor<4x8x64xf16>, %ids: tensor<?x2xi32>) {
  // (C3)
  // expected-error @+1 {{arithmetic 'exact' does not suit weights of 'f16'}}
  %0 = moe.routed_matmul %x, %w, %ids arithmetic(exact)
    : (tensor<?x64xf32>, tensor<4x8x64xf16>, tensor<?x2xi32>) -> tensor<?x2x8xf32>
  return
}

// -----

//===- moe.glu ------------------------------------------------------------===//

func.func @glu(%a: tensor<?x8xf32>, %b: tensor<?x9xf32>) {
  // (C1)
  // expected-error @+1 {{failed to verify that all of {gate, up, result} have same type}}
  %0 = "moe.glu"(%a, %b) {kind = #moe.glu<swiglu>}
    : (tensor<?x8xf32>, tensor<?x9xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @glu(%a: tensor<?x8xf32>) {
  // (C2)
  // expected-error @+1 {{swiglu_clamped needs alpha and limit}}
  %0 = moe.glu %a, %a kind(swiglu_clamped) alpha(1.702) : tensor<?x8xf32>
  return
}

// -----

func.func @glu(%a: tensor<?x8xf32>) {
  // (C2)
  // expected-error @+1 {{alpha and limit belong to swiglu_clamped, not to swiglu}}
  %0 = moe.glu %a, %a kind(swiglu) limit(7.0) : tensor<?x8xf32>
  return
}

// -----

func.func @glu(%a: tensor<?x8xf32>) {
  // (C2)
  // expected-error @+1 {{alpha must be finite, limit finite and positive}}
  %0 = moe.glu %a, %a kind(swiglu_clamped) alpha(1.702) limit(0.0) : tensor<?x8xf32>
  return
}

// -----

func.func @glu(%a: tensor<?x8xf32>) {
  // (C2)
  // expected-error @+1 {{alpha must be finite, limit finite and positive}}
  %0 = moe.glu %a, %a kind(swiglu_clamped) alpha(0x7F800000) limit(7.0) : tensor<?x8xf32>
  return
}

// -----

//===- moe.combine --------------------------------------------------------===//

func.func @combine(%r: tensor<?x2x8xf32>, %i: tensor<?x2xi32>) {
  // (C1)
  // expected-error @+1 {{rows must be [R, N] with inverse, got 'tensor<?x2x8xf32>'}}
  %0 = moe.combine %r inverse(%i) : (tensor<?x2x8xf32>, tensor<?x2xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @combine(%r: tensor<?x8xf32>, %w: tensor<?x2xf32>) {
  // (C1)
  // expected-error @+1 {{rows must be [T, k, N] without inverse, got 'tensor<?x8xf32>'}}
  %0 = moe.combine %r weights(%w) : (tensor<?x8xf32>, tensor<?x2xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @combine(%r: tensor<?x2x8xf32>, %w: tensor<?x3xf32>) {
  // (C2)
  // expected-error @+1 {{weights must be [?, 2], got 'tensor<?x3xf32>'}}
  %0 = moe.combine %r weights(%w) : (tensor<?x2x8xf32>, tensor<?x3xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @combine(%r: tensor<?x2x8xf32>, %w: tensor<?x2xf32>) {
  // (C3)
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{inferred type(s) 'tensor<?x8xf32>' are incompatible}}
  %0 = moe.combine %r weights(%w) : (tensor<?x2x8xf32>, tensor<?x2xf32>) -> tensor<?x2xf32>
  return
}

// -----

//===- moe.scale ----------------------------------------------------------===//

func.func @scale(%a: tensor<?x8xf32>) {
  // (C1)
  // expected-error @+1 {{factor must be finite}}
  %0 = moe.scale %a by(0x7FC00000) : tensor<?x8xf32>
  return
}

// -----

func.func @scale(%a: tensor<?x8xf32>) {
  // (C2)
  // expected-error @+1 {{failed to verify that all of {input, result} have same type}}
  %0 = "moe.scale"(%a) {factor = 2.0 : f32} : (tensor<?x8xf32>) -> tensor<?x9xf32>
  return
}

// -----

//===- moe.add ------------------------------------------------------------===//

func.func @add(%a: tensor<?x8xf32>, %b: tensor<?x9xf32>) {
  // (C1)
  // expected-error @+1 {{failed to verify that all of {lhs, rhs, result} have same type}}
  %0 = "moe.add"(%a, %b) : (tensor<?x8xf32>, tensor<?x9xf32>) -> tensor<?x8xf32>
  return
}

// -----

//===- moe.dispatch -------------------------------------------------------===//

func.func @dispatch(%ids: tensor<?x2xi32>) {
  // (C1)
  // expected-error @+1 {{the number of experts must be 1 to 1024, got 1025}}
  %0:3 = moe.dispatch %ids experts(1025)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<1026xi32>)
  return
}

// -----

func.func @dispatch(%ids: tensor<?x2xi32>) {
  // (C2)
  // expected-error @+1 {{range must be [first, count], got 3 numbers}}
  %0:3 = moe.dispatch %ids experts(8) range [0, 1, 2]
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<9xi32>)
  return
}

// -----

func.func @dispatch(%ids: tensor<?x2xi32>) {
  // (C2)
  // expected-error @+1 {{range must be [first, count], got 0 numbers}}
  %0:3 = moe.dispatch %ids experts(8) range []
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<9xi32>)
  return
}

// -----

func.func @dispatch(%ids: tensor<?x2xi32>) {
  // (C2)
  // expected-error @+1 {{range [4, 5] does not lie inside 8 experts}}
  %0:3 = moe.dispatch %ids experts(8) range [4, 5]
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<6xi32>)
  return
}

// -----

func.func @dispatch(%ids: tensor<?x2xi32>) {
  // (C2)
  // expected-error @+1 {{does not lie inside 8 experts}}
  %0:3 = moe.dispatch %ids experts(8) range [1, 9223372036854775807]
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<6xi32>)
  return
}

// -----

func.func @dispatch(%ids: tensor<5x2xi32>) {
  // (C3)
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{are incompatible with return type(s)}}
  %0:3 = moe.dispatch %ids experts(8)
    : (tensor<5x2xi32>) -> (tensor<9xi32>, tensor<5x2xi32>, tensor<9xi32>)
  return
}

// -----

func.func @dispatch(%ids: tensor<5x2xi32>) {
  // (C3)
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{are incompatible with return type(s)}}
  %0:3 = moe.dispatch %ids experts(8) range [0, 4]
    : (tensor<5x2xi32>) -> (tensor<?xi32>, tensor<5x2xi32>, tensor<9xi32>)
  return
}

// -----

//===- moe.gather ---------------------------------------------------------===//

func.func @gather(%x: tensor<?x64xf32>, %p: tensor<?xi32>) {
  // (C1)
  // expected-error @+1 {{slots must be at least 1}}
  %0 = moe.gather %x, %p slots(0) : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  return
}

// -----

func.func @gather(%x: tensor<?x64xf32>, %p: tensor<6xi32>) {
  // (C2)
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{inferred type(s) 'tensor<6x64xf32>' are incompatible}}
  %0 = moe.gather %x, %p slots(2) : (tensor<?x64xf32>, tensor<6xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @gather(%x: tensor<?x64x!moe.activation<int8>>, %p: tensor<?xi32>) {
  // (C2)
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{are incompatible with return type(s)}}
  %0 = moe.gather %x, %p slots(2)
    : (tensor<?x64x!moe.activation<int8>>, tensor<?xi32>) -> tensor<?x64x!moe.activation<int16>>
  return
}

// -----

//===- moe.unsort ---------------------------------------------------------===//

func.func @unsort(%x: tensor<?x64xf32>, %i: tensor<?x2xi32>) {
  // (C1)
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{inferred type(s) 'tensor<?x2x64xf32>' are incompatible}}
  %0 = moe.unsort %x, %i : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x3x64xf32>
  return
}

// -----

//===- moe.quantize -------------------------------------------------------===//

func.func @quantize(%x: tensor<?x64xf32>) {
  // (C1)
  // expected-error @+1 {{result must be [?, 64], got 'tensor<?x32x!moe.activation<int8>>'}}
  %0 = moe.quantize %x : tensor<?x64xf32> -> tensor<?x32x!moe.activation<int8>>
  return
}

// -----

//===- moe.grouped_matmul -------------------------------------------------===//

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<4x8x64xf32>) {
  // (C1)
  // expected-error @+1 {{weights must be [N, K] without offsets, got 'tensor<4x8x64xf32>'}}
  %0 = moe.grouped_matmul %x, %w : (tensor<?x64xf32>, tensor<4x8x64xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %o: tensor<9xi32>) {
  // (C1)
  // expected-error @+1 {{weights must be [E, N, K] with offsets, got 'tensor<8x64xf32>'}}
  %0 = moe.grouped_matmul %x, %w offsets(%o)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<9xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<4x8x64xf32>, %o: tensor<4xi32>) {
  // (C1)
  // expected-error @+1 {{offsets must be [5], got 'tensor<4xi32>'}}
  %0 = moe.grouped_matmul %x, %w offsets(%o)
    : (tensor<?x64xf32>, tensor<4x8x64xf32>, tensor<4xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<8x32xf32>) {
  // (C2)
  // expected-error @+1 {{K of input is 64, but K of weights is 32}}
  %0 = moe.grouped_matmul %x, %w : (tensor<?x64xf32>, tensor<8x32xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<6x64xf32>, %w: tensor<8x64xf32>, %p: tensor<5xi32>,
                   %s: tensor<?x2xf32>) {
  // (C2)
  // expected-error @+1 {{R of input is 6, but R of permutation is 5}}
  %0 = moe.grouped_matmul %x, %w permutation(%p) scale(%s)
    : (tensor<6x64xf32>, tensor<8x64xf32>, tensor<5xi32>, tensor<?x2xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<3x64xf32>, %w: tensor<8x64xf32>, %p: tensor<6xi32>) {
  // (C2)
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{inferred type(s) 'tensor<6x8xf32>' are incompatible}}
  %0 = moe.grouped_matmul %x, %w permutation(%p) slots(2)
    : (tensor<3x64xf32>, tensor<8x64xf32>, tensor<6xi32>) -> tensor<3x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %b: tensor<7xf32>) {
  // (C3)
  // expected-error @+1 {{bias must be [8], got 'tensor<7xf32>'}}
  %0 = moe.grouped_matmul %x, %w bias(%b)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<7xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %b: tensor<1x8xf32>) {
  // (C3)
  // expected-error @+1 {{bias must have rank 1, got 'tensor<1x8xf32>'}}
  %0 = moe.grouped_matmul %x, %w bias(%b)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<1x8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %p: tensor<?xi32>) {
  // (C4)
  // expected-error @+1 {{permutation must be given exactly if slots or scale is}}
  %0 = moe.grouped_matmul %x, %w permutation(%p)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %s: tensor<?x2xf32>) {
  // (C4)
  // expected-error @+1 {{permutation must be given exactly if slots or scale is}}
  %0 = moe.grouped_matmul %x, %w scale(%s)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<?x2xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %p: tensor<?xi32>) {
  // (C5)
  // expected-error @+1 {{slots must be at least 1}}
  %0 = moe.grouped_matmul %x, %w permutation(%p) slots(-1)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>) {
  // (C6)
  // expected-error @+1 {{arithmetic 'exact' does not suit weights of 'f32'}}
  %0 = moe.grouped_matmul %x, %w arithmetic(exact)
    : (tensor<?x64xf32>, tensor<8x64xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64x!moe.activation<int8>>, %w: tensor<8x64xf32>) {
  // (C7)
  // expected-error @+1 {{quantized input needs block weights, got 'f32'}}
  %0 = moe.grouped_matmul %x, %w
    : (tensor<?x64x!moe.activation<int8>>, tensor<8x64xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64x!moe.activation<int8>>, %w: tensor<8x64x!moe.block<q4_0>>) {
  // (C7)
  // expected-error @+1 {{quantized input needs arithmetic 'exact', got 'bf16'}}
  %0 = moe.grouped_matmul %x, %w arithmetic(bf16)
    : (tensor<?x64x!moe.activation<int8>>, tensor<8x64x!moe.block<q4_0>>) -> tensor<?x8xf32>
  return
}

// -----

//===- moe.grouped_glu ----------------------------------------------------===//

func.func @glu(%x: tensor<?x64xf32>, %w: tensor<4x8x64xf32>) {
  // (C1)
  // expected-error @+1 {{gate must be [N, K] without offsets, got 'tensor<4x8x64xf32>'}}
  %0 = moe.grouped_glu %x, %w, %w kind(swiglu)
    : (tensor<?x64xf32>, tensor<4x8x64xf32>, tensor<4x8x64xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @glu(%x: tensor<?x64xf32>, %g: tensor<8x64xf32>, %u: tensor<9x64xf32>) {
  // (C1)
  // expected-error @+1 {{up must be [8, 64], got 'tensor<9x64xf32>'}}
  %0 = moe.grouped_glu %x, %g, %u kind(swiglu)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<9x64xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @glu(%x: tensor<?x32xf32>, %w: tensor<8x64xf32>) {
  // (C2)
  // expected-error @+1 {{K of input is 32, but K of weights is 64}}
  %0 = moe.grouped_glu %x, %w, %w kind(swiglu)
    : (tensor<?x32xf32>, tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @glu(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>) {
  // (C2)
  // expected-error @+1 {{result must be [?, 8], got 'tensor<?x9xf32>'}}
  %0 = moe.grouped_glu %x, %w, %w kind(swiglu)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<?x9xf32>
  return
}

// -----

func.func @glu(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %b: tensor<9xf32>) {
  // (C3)
  // expected-error @+1 {{up_bias must be [8], got 'tensor<9xf32>'}}
  %0 = moe.grouped_glu %x, %w, %w up_bias(%b) kind(swiglu)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<9xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @glu(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %p: tensor<?xi32>) {
  // (C4)
  // expected-error @+1 {{permutation must be given exactly if slots or scale is}}
  %0 = moe.grouped_glu %x, %w, %w permutation(%p) kind(swiglu)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @glu(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %p: tensor<?xi32>) {
  // (C5)
  // expected-error @+1 {{slots must be at least 1}}
  %0 = moe.grouped_glu %x, %w, %w permutation(%p) slots(0) kind(swiglu)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<?xi32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @glu(%x: tensor<?x64xf32>, %g: tensor<8x64x!moe.block<q8_0>>, %u: tensor<8x64xf32>) {
  // (C6)
  // expected-error @+1 {{arithmetic 'exact' does not suit weights of 'f32'}}
  %0 = moe.grouped_glu %x, %g, %u kind(swiglu) arithmetic(exact)
    : (tensor<?x64xf32>, tensor<8x64x!moe.block<q8_0>>, tensor<8x64xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @glu(%x: tensor<?x64x!moe.activation<int16>>, %w: tensor<8x64xf32>) {
  // (C7)
  // expected-error @+1 {{quantized input needs block weights, got 'f32'}}
  %0 = moe.grouped_glu %x, %w, %w kind(swiglu)
    : (tensor<?x64x!moe.activation<int16>>, tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @glu(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>) {
  // (C8)
  // expected-error @+1 {{swiglu_clamped needs alpha and limit}}
  %0 = moe.grouped_glu %x, %w, %w kind(swiglu_clamped)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>) -> tensor<?x8xf32>
  return
}

// -----

//===- Scales by expert, scores of groups ----------------------------------===//

func.func @routed(%x: tensor<?x64xf32>, %w: tensor<4x8x64xf32>, %i: tensor<?x2xi32>,
                  %s: tensor<5xf32>) {
  // (C4)
  // expected-error @+1 {{expert_scale must be [4], got 'tensor<5xf32>'}}
  %0 = moe.routed_matmul %x, %w, %i expert_scale(%s)
    : (tensor<?x64xf32>, tensor<4x8x64xf32>, tensor<?x2xi32>, tensor<5xf32>) -> tensor<?x2x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<4x8x64xf32>, %o: tensor<5xi32>,
                   %s: tensor<8xf32>) {
  // (C8)
  // expected-error @+1 {{expert_scale must be [4], got 'tensor<8xf32>'}}
  %0 = moe.grouped_matmul %x, %w offsets(%o) expert_scale(%s)
    : (tensor<?x64xf32>, tensor<4x8x64xf32>, tensor<5xi32>, tensor<8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %s: tensor<8xf32>) {
  // (C8)
  // expected-error @+1 {{expert_scale is by expert, so it needs offsets}}
  %0 = moe.grouped_matmul %x, %w expert_scale(%s)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @glu(%x: tensor<?x64xf32>, %w: tensor<4x8x64xf32>, %o: tensor<5xi32>,
               %s: tensor<3xf32>) {
  // (C9)
  // expected-error @+1 {{gate_scale must be [4], got 'tensor<3xf32>'}}
  %0 = moe.grouped_glu %x, %w, %w offsets(%o) gate_scale(%s) kind(swiglu)
    : (tensor<?x64xf32>, tensor<4x8x64xf32>, tensor<4x8x64xf32>, tensor<5xi32>, tensor<3xf32>)
    -> tensor<?x8xf32>
  return
}

// -----

func.func @glu(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %s: tensor<8xf32>) {
  // (C9)
  // expected-error @+1 {{up_scale is by expert, so it needs offsets}}
  %0 = moe.grouped_glu %x, %w, %w up_scale(%s) kind(swiglu)
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<8x64xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return
}

// -----

func.func @route(%s: tensor<?x8xf32>) {
  // (C3)
  // expected-error @+1 {{group_score(best) needs groups}}
  %0:2 = moe.route %s top(2) scoring(softmax) group_score(best) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}
