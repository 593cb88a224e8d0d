// RUN: sortie-opt %s --moe-name-values | FileCheck %s
// Idempotent: names that are there stay, the list does not grow.
// RUN: sortie-opt %s --moe-name-values --moe-name-values | FileCheck %s
// RUN: sortie-test-semantics %s --moe-name-values \
// RUN:   | FileCheck %s --check-prefix=MEANING

// The list holds every name in program order; weights and dispatch-level values have none.
// CHECK-LABEL: func.func @layer
// CHECK-SAME: moe.values = ["my.norm", "layer.matmul", "layer.ids", "layer.weights", "layer.add", "layer.add_2"]
// MEANING: moe-name-values @layer: changed, 6 values agree
func.func @layer(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK-NOT: moe.names
  // CHECK: moe.rms_norm {{.*}} {moe.names = ["my.norm"]}
  // CHECK: moe.matmul {{.*}} {moe.names = ["layer.matmul"]}
  // CHECK: moe.route {{.*}} {moe.names = ["layer.ids", "layer.weights"]}
  // CHECK: moe.dispatch
  // CHECK-NOT: moe.names
  // CHECK: moe.add {{.*}} {moe.names = ["layer.add"]}
  // CHECK: moe.add {{.*}} {moe.names = ["layer.add_2"]}
  %w = moe.weight "norm" : tensor<64xf32>
  %router = moe.weight "router" : tensor<4x64xf32>
  %norm = moe.rms_norm %x, %w eps(1.0e-06) {moe.names = ["my.norm"]}
    : tensor<?x64xf32>, tensor<64xf32>
  %scores = moe.matmul %norm, %router
    : (tensor<?x64xf32>, tensor<4x64xf32>) -> tensor<?x4xf32>
  %ids, %weights = moe.route %scores top(2) scoring(softmax) tie(lower_id)
    : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %permutation, %inverse, %offsets = moe.dispatch %ids experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  %a = moe.add %norm, %x : tensor<?x64xf32>
  %b = moe.add %a, %x : tensor<?x64xf32>
  return %b : tensor<?x64xf32>
}

// A name that a pass fused away stays in the list, before what is new.
// CHECK-LABEL: func.func @fused
// CHECK-SAME: moe.values = ["gone", "fused.add"]
// MEANING: moe-name-values @fused: changed, 1 value agrees
func.func @fused(%x: tensor<?x64xf32>) -> tensor<?x64xf32> attributes {moe.values = ["gone"]} {
  %a = moe.add %x, %x : tensor<?x64xf32>
  return %a : tensor<?x64xf32>
}

// Another function may have the same name.
// CHECK-LABEL: func.func @other
// CHECK-SAME: moe.values = ["my.norm"]
// MEANING: moe-name-values @other: changed, 2 values agree
func.func @other(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %a = moe.add %x, %x {moe.names = ["my.norm"]} : tensor<?x64xf32>
  return %a : tensor<?x64xf32>
}
