// Scales by expert on their way from the semantic level to a program.
// RUN: sortie-opt %s --moe-dispatch-by-sort | FileCheck %s --check-prefix=SORT
// RUN: sortie-opt %s --moe-dispatch-by-sort --moe-sink-unsort --moe-fuse-gather --moe-fuse-glu \
// RUN:   --moe-choose-arithmetic --moe-quantize-activations --moe-fuse-requantize \
// RUN:   --moe-fuse-routing-weight | FileCheck %s --check-prefix=FUSED
// RUN: sortie-opt %s --sortie-compile="target=cpu" | FileCheck %s --check-prefix=PROGRAM

// SORT-LABEL: func.func @layer
// SORT: moe.grouped_matmul %{{.*}}, %{{.*}} offsets(%{{.*}}) expert_scale(%[[GS:.*]]) {
// SORT: moe.grouped_matmul %{{.*}}, %{{.*}} offsets(%{{.*}}) bias(%{{.*}}) {
// SORT: moe.grouped_matmul %{{.*}}, %{{.*}} offsets(%{{.*}}) expert_scale(%{{.*}}) bias(%{{.*}}) {

// The product of gate has a scale, that of up none; both biases follow.
// FUSED-LABEL: func.func @layer
// FUSED: moe.grouped_glu %{{.*}}, %{{.*}}, %{{.*}} offsets(%{{.*}}) permutation(%{{.*}}) slots(2) gate_scale(%{{.*}}) up_bias(%{{.*}}) kind(swiglu) arithmetic(exact) :
// FUSED-SAME: !moe.activation<int16>>
// FUSED: moe.grouped_matmul %{{.*}}, %{{.*}} offsets(%{{.*}}) permutation(%{{.*}}) expert_scale(%{{.*}}) bias(%{{.*}}) scale(%{{.*}}) arithmetic(exact)

// PROGRAM: moert.weight @gate.scale "gate.scale" : 4xf32
// PROGRAM: moert.weight @down.scale "down.scale" : 4xf32
// PROGRAM: moert.route %{{.*}} top(2) scoring(softmax) groups(1 of 2) group_score(best) tie(lower_id)
// PROGRAM: moert.glu_matmul {{.*}} slots(2) gate_scale(@gate.scale) up_bias(@up.bias) kind(swiglu)
// PROGRAM: moert.matmul {{.*}} expert_scale(@down.scale) bias(@down.bias) scale(%{{.*}}) arithmetic(exact)
func.func @layer(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %router = moe.weight "router" : tensor<4x64xf32>
  %gate = moe.weight "gate" : tensor<4x64x64x!moe.block<q8_0>>
  %gateScale = moe.weight "gate.scale" : tensor<4xf32>
  %up = moe.weight "up" : tensor<4x64x64x!moe.block<q4_0>>
  %upBias = moe.weight "up.bias" : tensor<4x64xf32>
  %down = moe.weight "down" : tensor<4x64x64x!moe.block<q8_0>>
  %downScale = moe.weight "down.scale" : tensor<4xf32>
  %downBias = moe.weight "down.bias" : tensor<4x64xf32>
  %scores = moe.matmul %x, %router : (tensor<?x64xf32>, tensor<4x64xf32>) -> tensor<?x4xf32>
  %ids, %weights = moe.route %scores top(2) scoring(softmax) groups(1 of 2) group_score(best)
    tie(lower_id) : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %g = moe.routed_matmul %x, %gate, %ids expert_scale(%gateScale) {moe.names = ["g"]}
    : (tensor<?x64xf32>, tensor<4x64x64x!moe.block<q8_0>>, tensor<?x2xi32>, tensor<4xf32>)
    -> tensor<?x2x64xf32>
  %u = moe.routed_matmul %x, %up, %ids bias(%upBias) {moe.names = ["u"]}
    : (tensor<?x64xf32>, tensor<4x64x64x!moe.block<q4_0>>, tensor<?x2xi32>, tensor<4x64xf32>)
    -> tensor<?x2x64xf32>
  %a = moe.glu %g, %u kind(swiglu) : tensor<?x2x64xf32>
  %d = moe.routed_matmul %a, %down, %ids expert_scale(%downScale) bias(%downBias)
    {moe.names = ["d"]}
    : (tensor<?x2x64xf32>, tensor<4x64x64x!moe.block<q8_0>>, tensor<?x2xi32>, tensor<4xf32>,
       tensor<4x64xf32>) -> tensor<?x2x64xf32>
  %y = moe.combine %d weights(%weights)
    : (tensor<?x2x64xf32>, tensor<?x2xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
