// Every op with every clause, through text and through bytecode.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s

// CHECK: module attributes {moe.contract = #moe.contract<run>}
module attributes {moe.contract = #moe.contract<run>} {}

// CHECK: module attributes {moe.contract = #moe.contract<>}
module attributes {moe.contract = #moe.contract<>} {}

// CHECK-LABEL: @weights
func.func @weights() {
  // CHECK: moe.weight "a" : tensor<64xf32>
  %a = moe.weight "a" : tensor<64xf32>
  // CHECK: moe.weight "b" : tensor<2x64xf16>
  %b = moe.weight "b" : tensor<2x64xf16>
  // CHECK: moe.weight "c" : tensor<2x64xbf16>
  %c = moe.weight "c" : tensor<2x64xbf16>
  // CHECK: tensor<2x96x!moe.block<q8_0>>
  %q8_0 = moe.weight "q8_0" : tensor<2x96x!moe.block<q8_0>>
  // CHECK: tensor<2x96x!moe.block<q4_0>>
  %q4_0 = moe.weight "q4_0" : tensor<2x96x!moe.block<q4_0>>
  // CHECK: tensor<2x96x!moe.block<q4_1>>
  %q4_1 = moe.weight "q4_1" : tensor<2x96x!moe.block<q4_1>>
  // CHECK: tensor<2x96x!moe.block<q5_0>>
  %q5_0 = moe.weight "q5_0" : tensor<2x96x!moe.block<q5_0>>
  // CHECK: tensor<2x96x!moe.block<q5_1>>
  %q5_1 = moe.weight "q5_1" : tensor<2x96x!moe.block<q5_1>>
  // CHECK: tensor<2x96x!moe.block<iq4_nl>>
  %iq4_nl = moe.weight "iq4_nl" : tensor<2x96x!moe.block<iq4_nl>>
  // CHECK: tensor<2x96x!moe.block<mxfp4>>
  %mxfp4 = moe.weight "mxfp4" : tensor<2x96x!moe.block<mxfp4>>
  // CHECK: tensor<3x2x256x!moe.block<q2_K>>
  %q2_K = moe.weight "q2_K" : tensor<3x2x256x!moe.block<q2_K>>
  // CHECK: tensor<3x2x256x!moe.block<q3_K>>
  %q3_K = moe.weight "q3_K" : tensor<3x2x256x!moe.block<q3_K>>
  // CHECK: tensor<3x2x256x!moe.block<q4_K>>
  %q4_K = moe.weight "q4_K" : tensor<3x2x256x!moe.block<q4_K>>
  // CHECK: tensor<3x2x256x!moe.block<q5_K>>
  %q5_K = moe.weight "q5_K" : tensor<3x2x256x!moe.block<q5_K>>
  // CHECK: tensor<3x2x256x!moe.block<q6_K>>
  %q6_K = moe.weight "q6_K" : tensor<3x2x256x!moe.block<q6_K>>
  // CHECK: tensor<3x2x256x!moe.block<iq4_xs>>
  %iq4_xs = moe.weight "iq4_xs" : tensor<3x2x256x!moe.block<iq4_xs>>
  return
}

// CHECK-LABEL: @matmul
func.func @matmul(%x: tensor<?x64xf32>, %w: tensor<32x64xf32>, %q: tensor<32x64x!moe.block<q4_0>>,
                  %b: tensor<32xf32>) {
  // CHECK: moe.matmul %{{.*}}, %{{.*}} bias(%{{.*}}) arithmetic(float)
  // CHECK-SAME: : (tensor<?x64xf32>, tensor<32x64xf32>, tensor<32xf32>) -> tensor<?x32xf32>
  %0 = moe.matmul %x, %w bias(%b) arithmetic(float)
    : (tensor<?x64xf32>, tensor<32x64xf32>, tensor<32xf32>) -> tensor<?x32xf32>
  // CHECK: moe.matmul %{{.*}}, %{{.*}} arithmetic(exact) :
  %1 = moe.matmul %x, %q arithmetic(exact)
    : (tensor<?x64xf32>, tensor<32x64x!moe.block<q4_0>>) -> tensor<?x32xf32>
  // CHECK: moe.matmul %{{.*}}, %{{.*}} arithmetic(bf16) :
  %2 = moe.matmul %x, %q arithmetic(bf16)
    : (tensor<?x64xf32>, tensor<32x64x!moe.block<q4_0>>) -> tensor<?x32xf32>
  return
}

// CHECK-LABEL: @route
func.func @route(%s: tensor<?x256xf32>, %b: tensor<256xf32>, %any: tensor<?x?xf32>) {
  // CHECK: moe.route %{{.*}} bias(%{{.*}}) top(8) scoring(sigmoid) groups(4 of 8) normalize
  // CHECK-SAME: scale(2.500000e+00) tie(lower_id)
  %0:2 = moe.route %s bias(%b) top(8) scoring(sigmoid) groups(4 of 8) normalize scale(2.5)
    tie(lower_id) : (tensor<?x256xf32>, tensor<256xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
  // CHECK: moe.route %{{.*}} top(4) scoring(softmax_after_topk) tie(lower_id) :
  %1:2 = moe.route %s top(4) scoring(softmax_after_topk) scale(1.0) tie(lower_id)
    : (tensor<?x256xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
  // CHECK: moe.route %{{.*}} top(32) scoring(raw) tie(lower_id) : (tensor<?x?xf32>)
  %2:2 = moe.route %any top(32) scoring(raw) tie(lower_id)
    : (tensor<?x?xf32>) -> (tensor<?x32xi32>, tensor<?x32xf32>)
  return
}

// CHECK-LABEL: @routed_matmul
func.func @routed_matmul(%x: tensor<?x64xf32>, %xs: tensor<?x2x64xf32>, %w: tensor<4x32x64xbf16>,
                         %ids: tensor<?x2xi32>, %b: tensor<4x32xf32>) {
  // CHECK: moe.routed_matmul %{{.*}}, %{{.*}}, %{{.*}} bias(%{{.*}}) arithmetic(float)
  %0 = moe.routed_matmul %x, %w, %ids bias(%b) arithmetic(float)
    : (tensor<?x64xf32>, tensor<4x32x64xbf16>, tensor<?x2xi32>, tensor<4x32xf32>)
    -> tensor<?x2x32xf32>
  // CHECK: moe.routed_matmul %{{.*}}, %{{.*}}, %{{.*}} : (tensor<?x2x64xf32>
  %1 = moe.routed_matmul %xs, %w, %ids
    : (tensor<?x2x64xf32>, tensor<4x32x64xbf16>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  return
}

// CHECK-LABEL: @elementwise
func.func @elementwise(%a: tensor<?x4x64xf32>, %b: tensor<?x64xf32>) {
  // CHECK: moe.glu %{{.*}}, %{{.*}} kind(swiglu_clamped) alpha(1.702000e+00) limit(7.000000e+00)
  %0 = moe.glu %a, %a kind(swiglu_clamped) alpha(1.702) limit(7.0) : tensor<?x4x64xf32>
  // CHECK: moe.glu %{{.*}}, %{{.*}} kind(swiglu) : tensor<?x64xf32>
  %1 = moe.glu %b, %b kind(swiglu) : tensor<?x64xf32>
  // CHECK: moe.add %{{.*}}, %{{.*}} : tensor<?x64xf32>
  %2 = moe.add %b, %1 : tensor<?x64xf32>
  // CHECK: moe.scale %{{.*}} by(2.200000e-01) : tensor<?x4x64xf32>
  %3 = moe.scale %a by(0.22) : tensor<?x4x64xf32>
  return
}

// CHECK-LABEL: @combine
func.func @combine(%rows: tensor<?x4x64xf32>, %sorted: tensor<?x64xf32>, %inverse: tensor<?x4xi32>,
                   %weights: tensor<?x4xf32>) {
  // CHECK: moe.combine %{{.*}} : (tensor<?x4x64xf32>) -> tensor<?x64xf32>
  %0 = moe.combine %rows : (tensor<?x4x64xf32>) -> tensor<?x64xf32>
  // CHECK: moe.combine %{{.*}} inverse(%{{.*}}) weights(%{{.*}}) :
  %1 = moe.combine %sorted inverse(%inverse) weights(%weights)
    : (tensor<?x64xf32>, tensor<?x4xi32>, tensor<?x4xf32>) -> tensor<?x64xf32>
  return
}

// CHECK-LABEL: @dispatch
func.func @dispatch(%ids: tensor<?x4xi32>, %x: tensor<?x64xf32>,
                    %q: tensor<?x64x!moe.activation<int8>>, %fixed: tensor<3x4xi32>) {
  // CHECK: moe.dispatch %{{.*}} experts(16) range [4, 8]
  // CHECK-SAME: -> (tensor<?xi32>, tensor<?x4xi32>, tensor<9xi32>)
  %p, %i, %o = moe.dispatch %ids experts(16) range [4, 8]
    : (tensor<?x4xi32>) -> (tensor<?xi32>, tensor<?x4xi32>, tensor<9xi32>)
  // CHECK: -> (tensor<12xi32>, tensor<3x4xi32>, tensor<17xi32>)
  %1:3 = moe.dispatch %fixed experts(16)
    : (tensor<3x4xi32>) -> (tensor<12xi32>, tensor<3x4xi32>, tensor<17xi32>)
  // CHECK: moe.gather %{{.*}}, %{{.*}} slots(4) :
  %2 = moe.gather %x, %p slots(4) : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  // CHECK: moe.gather %{{.*}}, %{{.*}} slots(4) : (tensor<?x64x!moe.activation<int8>>
  %3 = moe.gather %q, %p slots(4)
    : (tensor<?x64x!moe.activation<int8>>, tensor<?xi32>) -> tensor<?x64x!moe.activation<int8>>
  // CHECK: moe.unsort %{{.*}}, %{{.*}} :
  %4 = moe.unsort %2, %i : (tensor<?x64xf32>, tensor<?x4xi32>) -> tensor<?x4x64xf32>
  return
}

// CHECK-LABEL: @grouped
func.func @grouped(%x: tensor<?x64xf32>, %q: tensor<?x64x!moe.activation<int8>>,
                   %w: tensor<4x32x64xf32>, %b: tensor<4x32xf32>, %d: tensor<32x64xf32>,
                   %db: tensor<32xf32>, %o: tensor<5xi32>, %p: tensor<?xi32>,
                   %s: tensor<?x2xf32>, %qw: tensor<4x32x64x!moe.block<mxfp4>>) {
  // CHECK: moe.grouped_matmul %{{.*}}, %{{.*}} offsets(%{{.*}}) permutation(%{{.*}}) slots(2)
  // CHECK-SAME: bias(%{{.*}}) scale(%{{.*}}) arithmetic(float)
  %0 = moe.grouped_matmul %x, %w offsets(%o) permutation(%p) slots(2) bias(%b) scale(%s)
    arithmetic(float)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>, tensor<?xi32>, tensor<4x32xf32>,
       tensor<?x2xf32>) -> tensor<?x32xf32>
  // CHECK: moe.grouped_matmul %{{.*}}, %{{.*}} bias(%{{.*}}) :
  %1 = moe.grouped_matmul %x, %d bias(%db)
    : (tensor<?x64xf32>, tensor<32x64xf32>, tensor<32xf32>) -> tensor<?x32xf32>
  // CHECK: moe.grouped_glu %{{.*}}, %{{.*}}, %{{.*}} offsets(%{{.*}}) permutation(%{{.*}}) slots(2)
  // CHECK-SAME: gate_bias(%{{.*}}) up_bias(%{{.*}}) kind(swiglu_clamped) alpha(1.702000e+00)
  // CHECK-SAME: limit(7.000000e+00) arithmetic(exact)
  %2 = moe.grouped_glu %q, %qw, %qw offsets(%o) permutation(%p) slots(2) gate_bias(%b) up_bias(%b)
    kind(swiglu_clamped) alpha(1.702) limit(7.0) arithmetic(exact)
    : (tensor<?x64x!moe.activation<int8>>, tensor<4x32x64x!moe.block<mxfp4>>,
       tensor<4x32x64x!moe.block<mxfp4>>, tensor<5xi32>, tensor<?xi32>, tensor<4x32xf32>,
       tensor<4x32xf32>) -> tensor<?x32x!moe.activation<int8>>
  // CHECK: moe.grouped_glu %{{.*}}, %{{.*}}, %{{.*}} kind(swiglu) :
  %3 = moe.grouped_glu %x, %d, %d kind(swiglu)
    : (tensor<?x64xf32>, tensor<32x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  return
}

// Nothing is known but ranks: the verifiers have nothing against it.
// CHECK-LABEL: @dynamic
func.func @dynamic(%x: tensor<?x?xf32>, %w: tensor<?x?x?xf32>, %ids: tensor<?x?xi32>,
                   %b: tensor<?x?xf32>, %o: tensor<?xi32>) {
  // CHECK: moe.routed_matmul
  %0 = moe.routed_matmul %x, %w, %ids bias(%b)
    : (tensor<?x?xf32>, tensor<?x?x?xf32>, tensor<?x?xi32>, tensor<?x?xf32>) -> tensor<?x?x?xf32>
  // CHECK: moe.grouped_matmul
  %1 = moe.grouped_matmul %x, %w offsets(%o) bias(%b)
    : (tensor<?x?xf32>, tensor<?x?x?xf32>, tensor<?xi32>, tensor<?x?xf32>) -> tensor<?x?xf32>
  // A result may say more than can be inferred.
  // CHECK: -> (tensor<24xi32>, tensor<3x8xi32>, tensor<5xi32>)
  %2:3 = moe.dispatch %ids experts(4)
    : (tensor<?x?xi32>) -> (tensor<24xi32>, tensor<3x8xi32>, tensor<5xi32>)
  return
}
