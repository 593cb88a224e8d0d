// RUN: sortie-opt %s --moe-choose-arithmetic=unquantized=bf16 --verify-diagnostics | FileCheck %s
// RUN: sortie-opt %s --moe-choose-arithmetic=unquantized=bf16 --moe-verify-contract | FileCheck %s
// RUN: sortie-test-semantics %s --moe-choose-arithmetic=unquantized=bf16 \
// RUN:   | FileCheck %s --check-prefix=MEANING

module attributes {moe.contract = #moe.contract<run, batch>} {

// Whatever has no blocks; no remark, for nothing is slow.
// CHECK-LABEL: func.func @by_weights
// MEANING: moe-choose-arithmetic @by_weights: changed, 3 values agree
func.func @by_weights(%x: tensor<?x256xf32>, %off: tensor<5xi32>, %f: tensor<32x256xf32>,
                      %h: tensor<4x32x256xf16>, %q: tensor<4x32x256x!moe.block<q4_K>>) {
  // CHECK: moe.matmul {{.*}} arithmetic(bf16)
  %0 = moe.matmul %x, %f : (tensor<?x256xf32>, tensor<32x256xf32>) -> tensor<?x32xf32>
  // CHECK: moe.grouped_glu {{.*}} arithmetic(bf16)
  %1 = moe.grouped_glu %x, %h, %h offsets(%off) kind(swiglu)
    : (tensor<?x256xf32>, tensor<4x32x256xf16>, tensor<4x32x256xf16>, tensor<5xi32>)
    -> tensor<?x32xf32>
  // CHECK: moe.grouped_matmul {{.*}} arithmetic(exact)
  %2 = moe.grouped_matmul %x, %q offsets(%off)
    : (tensor<?x256xf32>, tensor<4x32x256x!moe.block<q4_K>>, tensor<5xi32>) -> tensor<?x32xf32>
  return
}

// A router chooses experts: it stays in fp32.
// CHECK-LABEL: func.func @router
// MEANING: moe-choose-arithmetic @router: changed, 2 values agree
func.func @router(%x: tensor<?x256xf32>, %w: tensor<8x256xbf16>) -> tensor<?x2xi32> {
  // CHECK: moe.grouped_matmul {{.*}} arithmetic(float)
  %scores = moe.grouped_matmul %x, %w
    : (tensor<?x256xf32>, tensor<8x256xbf16>) -> tensor<?x8xf32>
  %ids, %weights = moe.route %scores top(2) scoring(softmax) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return %ids : tensor<?x2xi32>
}

// A choice that stands in the IR stays.
// CHECK-LABEL: func.func @stated
// MEANING: moe-choose-arithmetic @stated: unchanged
func.func @stated(%x: tensor<?x256xf32>, %h: tensor<32x256xbf16>) {
  // CHECK: arithmetic(float)
  %0 = moe.matmul %x, %h arithmetic(float)
    : (tensor<?x256xf32>, tensor<32x256xbf16>) -> tensor<?x32xf32>
  return
}

}
