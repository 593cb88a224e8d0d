// Inputs on which passes carry along all that an op may have, no two operands the same, and inputs
// that only a share of the experts sees.
// RUN: sortie-test-semantics %s --moe-dispatch-by-sort --moe-sink-unsort --moe-fuse-gather \
// RUN:   --moe-fuse-glu --moe-choose-arithmetic --moe-quantize-activations --moe-fuse-requantize \
// RUN:   --moe-fuse-routing-weight | FileCheck %s

// CHECK-DAG: moe-dispatch-by-sort @routed: changed, 3 values agree
func.func @routed(%x: tensor<?x64xf32>, %y: tensor<?x2x64xf32>, %ids: tensor<?x2xi32>,
                  %w: tensor<4x32x64x!moe.block<q8_0>>, %s: tensor<4xf32>, %b: tensor<4x32xf32>,
                  %v: tensor<4x32x64x!moe.block<q4_0>>, %t: tensor<4xf32>, %c: tensor<4x32xf32>)
    -> (tensor<?x2x32xf32>, tensor<?x2x32xf32>) {
  %0 = moe.routed_matmul %x, %w, %ids expert_scale(%s) bias(%b) {moe.names = ["tokens"]}
    : (tensor<?x64xf32>, tensor<4x32x64x!moe.block<q8_0>>, tensor<?x2xi32>, tensor<4xf32>,
       tensor<4x32xf32>) -> tensor<?x2x32xf32>
  %1 = moe.routed_matmul %y, %v, %ids expert_scale(%t) bias(%c)
    : (tensor<?x2x64xf32>, tensor<4x32x64x!moe.block<q4_0>>, tensor<?x2xi32>, tensor<4xf32>,
       tensor<4x32xf32>) -> tensor<?x2x32xf32>
  return %0, %1 : tensor<?x2x32xf32>, tensor<?x2x32xf32>
}

// CHECK-DAG: moe-fuse-gather @products: changed, 2 values agree
// CHECK-DAG: moe-fuse-glu @products: changed, 2 values agree
// CHECK-DAG: moe-quantize-activations @products: changed, 2 values agree
func.func @products(%x: tensor<?x64xf32>, %perm: tensor<?xi32>, %off: tensor<5xi32>,
                    %w: tensor<4x32x64x!moe.block<q8_0>>, %s: tensor<4xf32>, %b: tensor<4x32xf32>,
                    %v: tensor<4x32x64x!moe.block<q4_0>>, %t: tensor<4xf32>, %c: tensor<4x32xf32>)
    -> tensor<?x32xf32> {
  %rows = moe.gather %x, %perm slots(2) : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %g = moe.grouped_matmul %rows, %w offsets(%off) expert_scale(%s) bias(%b)
    : (tensor<?x64xf32>, tensor<4x32x64x!moe.block<q8_0>>, tensor<5xi32>, tensor<4xf32>,
       tensor<4x32xf32>) -> tensor<?x32xf32>
  %u = moe.grouped_matmul %rows, %v offsets(%off) expert_scale(%t) bias(%c)
    : (tensor<?x64xf32>, tensor<4x32x64x!moe.block<q4_0>>, tensor<5xi32>, tensor<4xf32>,
       tensor<4x32xf32>) -> tensor<?x32xf32>
  %a = moe.glu %g, %u kind(swiglu_clamped) alpha(1.5) limit(0.25) {moe.names = ["act"]}
    : tensor<?x32xf32>
  return %a : tensor<?x32xf32>
}

// CHECK-DAG: moe-fuse-requantize @requantized: changed, 1 value agrees
func.func @requantized(%x: tensor<?x64x!moe.activation<int16>>, %perm: tensor<?xi32>,
                       %off: tensor<5xi32>, %w: tensor<4x32x64x!moe.block<q8_0>>, %s: tensor<4xf32>,
                       %b: tensor<4x32xf32>, %v: tensor<4x32x64x!moe.block<q4_0>>,
                       %t: tensor<4xf32>, %c: tensor<4x32xf32>)
    -> tensor<?x32x!moe.activation<int16>> {
  %a = moe.grouped_glu %x, %w, %v offsets(%off) permutation(%perm) slots(2) gate_scale(%s)
    up_scale(%t) gate_bias(%b) up_bias(%c) kind(swiglu_clamped) alpha(1.5) limit(0.25)
    arithmetic(exact)
    : (tensor<?x64x!moe.activation<int16>>, tensor<4x32x64x!moe.block<q8_0>>,
       tensor<4x32x64x!moe.block<q4_0>>, tensor<5xi32>, tensor<?xi32>, tensor<4xf32>, tensor<4xf32>,
       tensor<4x32xf32>, tensor<4x32xf32>) -> tensor<?x32xf32>
  %q = moe.quantize %a : tensor<?x32xf32> -> tensor<?x32x!moe.activation<int16>>
  return %q : tensor<?x32x!moe.activation<int16>>
}

// Each of two values is quantized, and read where it was read.
// CHECK-DAG: moe-quantize-activations @two_values: changed, 3 values agree
func.func @two_values(%x: tensor<?x64xf32>, %y: tensor<?x64xf32>,
                      %w: tensor<32x64x!moe.block<q8_0>>)
    -> (tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>) {
  %0 = moe.grouped_matmul %x, %w
    : (tensor<?x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
  %1 = moe.grouped_matmul %y, %w
    : (tensor<?x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
  %2 = moe.grouped_matmul %x, %w
    : (tensor<?x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
  return %0, %1, %2 : tensor<?x32xf32>, tensor<?x32xf32>, tensor<?x32xf32>
}

// The rows after those of experts 1 and 2 mean nothing, and a slot of another expert adds nothing.
// CHECK-DAG: moe-sink-unsort @share: changed, 4 values agree
// CHECK-DAG: moe-fuse-gather @share: changed, 4 values agree
// CHECK-DAG: moe-fuse-glu @share: changed, 4 values agree
// CHECK-DAG: moe-fuse-requantize @share: changed, 3 values agree
// CHECK-DAG: moe-fuse-routing-weight @share: changed, 2 values agree
func.func @share(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>,
                 %w: tensor<2x64x64x!moe.block<q8_0>>, %v: tensor<2x64x64x!moe.block<q4_0>>,
                 %d: tensor<2x32x64x!moe.block<q8_0>>, %s: tensor<2xf32>, %b: tensor<2x32xf32>)
    -> (tensor<?x32xf32>, tensor<3xi32>) {
  %perm, %inv, %off = moe.dispatch %ids experts(4) range [1, 2]
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<3xi32>)
  %rows = moe.gather %x, %perm slots(2) : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %g = moe.grouped_matmul %rows, %w offsets(%off)
    : (tensor<?x64xf32>, tensor<2x64x64x!moe.block<q8_0>>, tensor<3xi32>) -> tensor<?x64xf32>
  %u = moe.grouped_matmul %rows, %v offsets(%off)
    : (tensor<?x64xf32>, tensor<2x64x64x!moe.block<q4_0>>, tensor<3xi32>) -> tensor<?x64xf32>
  %gs = moe.unsort %g, %inv : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %us = moe.unsort %u, %inv : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %a = moe.glu %gs, %us kind(swiglu) {moe.names = ["share.act"]} : tensor<?x2x64xf32>
  %flat = tensor.collapse_shape %a [[0, 1], [2]] : tensor<?x2x64xf32> into tensor<?x64xf32>
  %again = moe.gather %flat, %perm slots(1)
    : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %y = moe.grouped_matmul %again, %d offsets(%off) expert_scale(%s) bias(%b)
    {moe.names = ["share.down"]}
    : (tensor<?x64xf32>, tensor<2x32x64x!moe.block<q8_0>>, tensor<3xi32>, tensor<2xf32>,
       tensor<2x32xf32>) -> tensor<?x32xf32>
  %slots = moe.unsort %y, %inv : (tensor<?x32xf32>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  %c = moe.combine %slots weights(%weights)
    : (tensor<?x2x32xf32>, tensor<?x2xf32>) -> tensor<?x32xf32>
  return %c, %off : tensor<?x32xf32>, tensor<3xi32>
}
