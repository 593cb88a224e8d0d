// Scales by expert through text, bytecode and the generic form.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s

// CHECK-LABEL: func.func @routed
func.func @routed(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>, %w: tensor<4x32x64xf32>,
                  %s: tensor<4xf32>, %b: tensor<4x32xf32>) {
  // CHECK: moe.routed_matmul %{{.*}}, %{{.*}}, %{{.*}} expert_scale(%{{.*}}) : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<?x2xi32>, tensor<4xf32>)
  %0 = moe.routed_matmul %x, %w, %ids expert_scale(%s)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<?x2xi32>, tensor<4xf32>)
    -> tensor<?x2x32xf32>
  // CHECK: moe.routed_matmul %{{.*}}, %{{.*}}, %{{.*}} expert_scale(%{{.*}}) bias(%{{.*}}) arithmetic(float)
  %1 = moe.routed_matmul %x, %w, %ids expert_scale(%s) bias(%b) arithmetic(float)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<?x2xi32>, tensor<4xf32>, tensor<4x32xf32>)
    -> tensor<?x2x32xf32>
  // CHECK: moe.routed_matmul %{{.*}}, %{{.*}}, %{{.*}} bias(%{{.*}}) :
  %2 = moe.routed_matmul %x, %w, %ids bias(%b)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<?x2xi32>, tensor<4x32xf32>)
    -> tensor<?x2x32xf32>
  return
}

// CHECK-LABEL: func.func @grouped
func.func @grouped(%x: tensor<?x64xf32>, %w: tensor<4x32x64xf32>, %o: tensor<5xi32>,
                   %p: tensor<?xi32>, %s: tensor<4xf32>, %b: tensor<4x32xf32>,
                   %r: tensor<?x2xf32>) {
  // The routing weights are another operand.
  // CHECK: moe.grouped_matmul %{{.*}}, %{{.*}} offsets(%{{.*}}) permutation(%{{.*}}) slots(2) expert_scale(%{{.*}}) bias(%{{.*}}) scale(%{{.*}}) arithmetic(float)
  %0 = moe.grouped_matmul %x, %w offsets(%o) permutation(%p) slots(2) expert_scale(%s) bias(%b)
    scale(%r) arithmetic(float)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>, tensor<?xi32>, tensor<4xf32>,
       tensor<4x32xf32>, tensor<?x2xf32>) -> tensor<?x32xf32>
  // CHECK: moe.grouped_glu %{{.*}}, %{{.*}}, %{{.*}} offsets(%{{.*}}) gate_scale(%{{.*}}) up_scale(%{{.*}}) gate_bias(%{{.*}}) up_bias(%{{.*}}) kind(swiglu)
  %1 = moe.grouped_glu %x, %w, %w offsets(%o) gate_scale(%s) up_scale(%s) gate_bias(%b) up_bias(%b)
    kind(swiglu)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>, tensor<4xf32>,
       tensor<4xf32>, tensor<4x32xf32>, tensor<4x32xf32>) -> tensor<?x32xf32>
  // CHECK: moe.grouped_glu %{{.*}}, %{{.*}}, %{{.*}} offsets(%{{.*}}) up_scale(%{{.*}}) kind(swiglu)
  %2 = moe.grouped_glu %x, %w, %w offsets(%o) up_scale(%s) kind(swiglu)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>, tensor<4xf32>)
    -> tensor<?x32xf32>
  return
}

// CHECK-LABEL: func.func @route
func.func @route(%s: tensor<?x8xf32>) {
  // CHECK: moe.route %{{.*}} top(2) scoring(softmax) groups(3 of 4) group_score(best) normalize tie(lower_id)
  %0:2 = moe.route %s top(2) scoring(softmax) groups(3 of 4) group_score(best) normalize
    tie(lower_id) : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // The default is not printed.
  // CHECK: moe.route %{{.*}} top(2) scoring(softmax) groups(3 of 4) tie(lower_id)
  %1:2 = moe.route %s top(2) scoring(softmax) groups(3 of 4) group_score(best_two) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}
