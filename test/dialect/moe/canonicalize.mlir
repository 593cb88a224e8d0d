// RUN: sortie-opt %s --canonicalize --cse | FileCheck %s
// RUN: sortie-test-semantics %s --canonicalize --cse | FileCheck %s --check-prefix=MEANING

// MEANING: canonicalize @groups: changed, 4 values agree
// MEANING-NEXT: canonicalize @some_groups: unchanged
// MEANING-NEXT: canonicalize @dispatch: changed, 6 values agree
// MEANING-NEXT: canonicalize @share: unchanged
// MEANING-NEXT: canonicalize @dead: unchanged
// MEANING-NEXT: cse @groups: unchanged
// MEANING-NEXT: cse @some_groups: unchanged
// MEANING-NEXT: cse @dispatch: changed, 6 values agree

// All groups are used: they select nothing.
// CHECK-LABEL: @groups
func.func @groups(%s: tensor<?x8xf32>)
    -> (tensor<?x2xi32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<?x2xf32>) {
  // CHECK: moe.route %{{[^ ]*}} top(2) scoring(sigmoid) tie(lower_id)
  %0:2 = moe.route %s top(2) scoring(sigmoid) groups(4 of 4) group_score(best) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  // CHECK: moe.route %{{[^ ]*}} top(2) scoring(sigmoid) groups(3 of 4) group_score(best) tie(lower_id)
  %1:2 = moe.route %s top(2) scoring(sigmoid) groups(3 of 4) group_score(best) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return %0#0, %0#1, %1#0, %1#1 : tensor<?x2xi32>, tensor<?x2xf32>, tensor<?x2xi32>, tensor<?x2xf32>
}

// Here they do select.
// CHECK-LABEL: @some_groups
// CHECK: groups(1 of 4) tie(lower_id)
func.func @some_groups(%s: tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>) {
  %0:2 = moe.route %s top(2) scoring(sigmoid) groups(1 of 4) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return %0#0, %0#1 : tensor<?x2xi32>, tensor<?x2xf32>
}

// The range has all experts, so both sorts are the same.
// CHECK-LABEL: @dispatch
// CHECK-COUNT-1: moe.dispatch %{{[^ ]*}} experts(8) :
// CHECK-NOT: moe.dispatch
func.func @dispatch(%ids: tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?xi32>) {
  %0:3 = moe.dispatch %ids experts(8) range [0, 8]
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<9xi32>)
  %1:3 = moe.dispatch %ids experts(8)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<9xi32>)
  return %0#0, %1#0 : tensor<?xi32>, tensor<?xi32>
}

// A true share stays.
// CHECK-LABEL: @share
// CHECK: moe.dispatch %{{[^ ]*}} experts(8) range [0, 4]
func.func @share(%ids: tensor<?x2xi32>) -> tensor<?xi32> {
  %0:3 = moe.dispatch %ids experts(8) range [0, 4]
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  return %0#0 : tensor<?xi32>
}

// Nothing has effects: what is not used goes away.
// CHECK-LABEL: @dead
// CHECK-NEXT: return
func.func @dead(%x: tensor<?x64xf32>) {
  %w = moe.weight "w" : tensor<64xf32>
  %0 = moe.rms_norm %x, %w eps(1.0e-06) : tensor<?x64xf32>, tensor<64xf32>
  %1 = moe.quantize %0 : tensor<?x64xf32> -> tensor<?x64x!moe.activation<int16>>
  return
}
