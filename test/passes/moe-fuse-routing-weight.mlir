// A rewrite that does not apply is left alone, so this pass has no errors of its own.
// RUN: sortie-opt %s --moe-fuse-routing-weight | FileCheck %s
// RUN: sortie-opt %s --moe-fuse-routing-weight --moe-fuse-routing-weight | FileCheck %s
// RUN: sortie-opt %s --moe-fuse-routing-weight="materialize=all" | FileCheck %s --check-prefix=ALL
// RUN: sortie-test-semantics %s --moe-fuse-routing-weight \
// RUN:   | FileCheck %s --check-prefix=MEANING

// The name meant rows without their weights, which are no more.
// CHECK-LABEL: func.func @fused
// CHECK-SAME: %[[ACT:.*]]: tensor<?x64xf32>, %[[IDS:.*]]: tensor<?x2xi32>, %[[W:.*]]: tensor<?x2xf32>
// ALL-LABEL: func.func @fused
// MEANING: moe-fuse-routing-weight @fused: changed, 3 values agree
func.func @fused(%act: tensor<?x64xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>,
                 %down: tensor<4x32x64xf32>) -> tensor<?x32xf32> {
  // CHECK: %[[PERM:.*]], %[[INV:.*]], %[[OFF:.*]] = moe.dispatch
  // CHECK-NEXT: %[[Y:.*]] = moe.grouped_matmul %[[ACT]], %{{.*}} offsets(%[[OFF]]) permutation(%[[PERM]]) scale(%[[W]]) arithmetic(float) :
  // CHECK-NEXT: moe.combine %[[Y]] inverse(%[[INV]]) {moe.names = ["routed"]}
  // ALL: moe.grouped_matmul {{.*}} {moe.names = ["down"]}
  // ALL: moe.combine {{.*}} weights
  %perm, %inv, %off = moe.dispatch %ids experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  %y = moe.grouped_matmul %act, %down offsets(%off) arithmetic(float) {moe.names = ["down"]}
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>) -> tensor<?x32xf32>
  %c = moe.combine %y inverse(%inv) weights(%weights) {moe.names = ["routed"]}
    : (tensor<?x32xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x32xf32>
  return %c : tensor<?x32xf32>
}

// Rows that are sorted by one dispatch cannot be weighted through the permutation of another.
// CHECK-LABEL: func.func @two_dispatches
// MEANING: moe-fuse-routing-weight @two_dispatches: unchanged
func.func @two_dispatches(%act: tensor<?x64xf32>, %i: tensor<?x2xi32>, %j: tensor<?x2xi32>,
                          %weights: tensor<?x2xf32>, %down: tensor<4x32x64xf32>)
    -> tensor<?x32xf32> {
  // CHECK: moe.combine {{.*}} weights
  %p0, %inv0, %off0 = moe.dispatch %i experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  %p1, %inv1, %off1 = moe.dispatch %j experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  %y = moe.grouped_matmul %act, %down offsets(%off0) arithmetic(float)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>) -> tensor<?x32xf32>
  %c = moe.combine %y inverse(%inv1) weights(%weights)
    : (tensor<?x32xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x32xf32>
  return %c : tensor<?x32xf32>
}

// Weights that are known only after the rows cannot go into them.
// CHECK-LABEL: func.func @late_weights
// MEANING: moe-fuse-routing-weight @late_weights: unchanged
func.func @late_weights(%act: tensor<?x64xf32>, %ids: tensor<?x2xi32>, %scores: tensor<?x4xf32>,
                        %down: tensor<4x32x64xf32>) -> tensor<?x32xf32> {
  // CHECK: moe.combine {{.*}} weights
  %perm, %inv, %off = moe.dispatch %ids experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  %y = moe.grouped_matmul %act, %down offsets(%off) arithmetic(float)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>) -> tensor<?x32xf32>
  %unused, %weights = moe.route %scores top(2) scoring(softmax) tie(lower_id)
    : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %c = moe.combine %y inverse(%inv) weights(%weights)
    : (tensor<?x32xf32>, tensor<?x2xi32>, tensor<?x2xf32>) -> tensor<?x32xf32>
  return %c : tensor<?x32xf32>
}
