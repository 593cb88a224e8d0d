// The same layer at the dispatch level: sorted once, quantized once, gate, up and activation fused,
// routing weights applied by the last product.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s

!act = !moe.activation<int16>

// CHECK-LABEL: func.func @blk_0_ffn
func.func @blk_0_ffn(%hidden: tensor<?x2048xf32> {moe.name = "hidden"})
    -> (tensor<?x2048xf32> {moe.name = "ffn_out"}) {
  %norm = moe.weight "blk.0.ffn_norm.weight" : tensor<2048xf32>
  %router = moe.weight "blk.0.ffn_gate_inp.weight" : tensor<128x2048xf32>
  %gate = moe.weight "blk.0.ffn_gate_exps.weight" : tensor<128x768x2048x!moe.block<q4_K>>
  %up = moe.weight "blk.0.ffn_up_exps.weight" : tensor<128x768x2048x!moe.block<q4_K>>
  %down = moe.weight "blk.0.ffn_down_exps.weight" : tensor<128x2048x768x!moe.block<q6_K>>

  %x = moe.rms_norm %hidden, %norm eps(1.0e-06) {moe.names = ["blk.0.ffn_norm"]}
    : tensor<?x2048xf32>, tensor<2048xf32>
  // CHECK: moe.grouped_matmul %{{.*}}, %{{.*}} arithmetic(float) {moe.names = ["blk.0.scores"]}
  %scores = moe.grouped_matmul %x, %router arithmetic(float) {moe.names = ["blk.0.scores"]}
    : (tensor<?x2048xf32>, tensor<128x2048xf32>) -> tensor<?x128xf32>
  %ids, %weights = moe.route %scores top(8) scoring(softmax) normalize tie(lower_id)
    {moe.names = ["blk.0.ids", "blk.0.weights"]}
    : (tensor<?x128xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
  // CHECK: moe.dispatch %{{.*}} experts(128)
  %permutation, %inverse, %offsets = moe.dispatch %ids experts(128)
    : (tensor<?x8xi32>) -> (tensor<?xi32>, tensor<?x8xi32>, tensor<129xi32>)
  // CHECK: moe.quantize %{{.*}} : tensor<?x2048xf32> -> tensor<?x2048x!moe.activation<int16>>
  %q = moe.quantize %x : tensor<?x2048xf32> -> tensor<?x2048x!act>
  // CHECK: moe.grouped_glu
  // CHECK-SAME: offsets(%{{.*}}) permutation(%{{.*}}) slots(8) kind(swiglu) arithmetic(exact)
  %act = moe.grouped_glu %q, %gate, %up offsets(%offsets) permutation(%permutation) slots(8)
    kind(swiglu) arithmetic(exact)
    : (tensor<?x2048x!act>, tensor<128x768x2048x!moe.block<q4_K>>,
       tensor<128x768x2048x!moe.block<q4_K>>, tensor<129xi32>, tensor<?xi32>)
    -> tensor<?x768x!act>
  // CHECK: moe.grouped_matmul
  // CHECK-SAME: offsets(%{{.*}}) permutation(%{{.*}}) scale(%{{.*}}) arithmetic(exact)
  %d = moe.grouped_matmul %act, %down offsets(%offsets) permutation(%permutation) scale(%weights)
    arithmetic(exact)
    : (tensor<?x768x!act>, tensor<128x2048x768x!moe.block<q6_K>>, tensor<129xi32>,
       tensor<?xi32>, tensor<?x8xf32>) -> tensor<?x2048xf32>
  // CHECK: moe.combine %{{.*}} inverse(%{{.*}}) {moe.names = ["blk.0.routed"]}
  %routed = moe.combine %d inverse(%inverse) {moe.names = ["blk.0.routed"]}
    : (tensor<?x2048xf32>, tensor<?x8xi32>) -> tensor<?x2048xf32>
  %out = moe.add %hidden, %routed {moe.names = ["blk.0.ffn_out"]} : tensor<?x2048xf32>
  return %out : tensor<?x2048xf32>
}
