// RUN: sortie-opt %s --moe-dispatch-by-sort | FileCheck %s
// RUN: sortie-opt %s --moe-dispatch-by-sort --moe-dispatch-by-sort | FileCheck %s
// RUN: sortie-test-semantics %s --moe-dispatch-by-sort \
// RUN:   | FileCheck %s --check-prefix=MEANING

// One dispatch serves all matmuls by the same ids. The name stays with the rows, in sorted order.
// CHECK-LABEL: func.func @one_sort
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[IDS:.*]]: tensor<?x2xi32>, %[[W:.*]]: tensor<4x32x64x!moe.block<q4_0>>
// MEANING: moe-dispatch-by-sort @one_sort: changed, 4 values agree
func.func @one_sort(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>,
                    %w: tensor<4x32x64x!moe.block<q4_0>>)
    -> (tensor<?x2x32xf32>, tensor<?x2x32xf32>) {
  // CHECK: %[[PERM:.*]], %[[INV:.*]], %[[OFF:.*]] = moe.dispatch %[[IDS]] experts(4)
  // CHECK: %[[ROWS:.*]] = moe.gather %[[X]], %[[PERM]] slots(2)
  // CHECK: %[[Y:.*]] = moe.grouped_matmul %[[ROWS]], %[[W]] offsets(%[[OFF]]) {moe.names = ["gate"]}
  // CHECK: moe.unsort %[[Y]], %[[INV]]
  // CHECK-NOT: moe.dispatch
  // CHECK: moe.grouped_matmul
  // CHECK-SAME: offsets(%[[OFF]]) {moe.names = ["up"]}
  // CHECK-NOT: moe.routed_matmul
  %0 = moe.routed_matmul %x, %w, %ids {moe.names = ["gate"]}
    : (tensor<?x64xf32>, tensor<4x32x64x!moe.block<q4_0>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  %1 = moe.routed_matmul %x, %w, %ids {moe.names = ["up"]}
    : (tensor<?x64xf32>, tensor<4x32x64x!moe.block<q4_0>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  return %0, %1 : tensor<?x2x32xf32>, tensor<?x2x32xf32>
}

// Rows of their own for each slot are gathered slot by slot; the bias goes along.
// CHECK-LABEL: func.func @slots
// CHECK-SAME: %[[X:.*]]: tensor<?x2x64xf32>
// MEANING: moe-dispatch-by-sort @slots: changed, 1 value agrees
func.func @slots(%x: tensor<?x2x64xf32>, %ids: tensor<?x2xi32>,
                 %w: tensor<4x32x64x!moe.block<q4_0>>, %b: tensor<4x32xf32>)
    -> tensor<?x2x32xf32> {
  // CHECK: %[[FLAT:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2]]
  // CHECK: moe.gather %[[FLAT]], %{{.*}} slots(1)
  // CHECK: moe.grouped_matmul {{.*}} bias(%{{.*}})
  %0 = moe.routed_matmul %x, %w, %ids bias(%b)
    : (tensor<?x2x64xf32>, tensor<4x32x64x!moe.block<q4_0>>, tensor<?x2xi32>, tensor<4x32xf32>)
    -> tensor<?x2x32xf32>
  return %0 : tensor<?x2x32xf32>
}

// A dense product is a grouped one with one group.
// CHECK-LABEL: func.func @dense
// MEANING: moe-dispatch-by-sort @dense: changed, 2 values agree
func.func @dense(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>, %b: tensor<8xf32>) -> tensor<?x8xf32> {
  // CHECK-NOT: moe.dispatch
  // CHECK: moe.grouped_matmul %{{.*}}, %{{.*}} bias(%{{.*}}) arithmetic(float) {moe.names = ["scores"]}
  // CHECK-NOT: moe.matmul
  %0 = moe.matmul %x, %w bias(%b) arithmetic(float) {moe.names = ["scores"]}
    : (tensor<?x64xf32>, tensor<8x64xf32>, tensor<8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// A dispatch for some of the experts only is not taken for the one that is needed.
// CHECK-LABEL: func.func @range
// MEANING: moe-dispatch-by-sort @range: changed, 4 values agree
func.func @range(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>, %w: tensor<4x32x64xf32>)
    -> (tensor<?x2x32xf32>, tensor<?xi32>) {
  // CHECK-DAG: moe.dispatch %{{.*}} experts(4) :
  // CHECK-DAG: moe.dispatch %{{.*}} experts(4) range [0, 2]
  %p, %i, %o = moe.dispatch %ids experts(4) range [0, 2]
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<3xi32>)
  %0 = moe.routed_matmul %x, %w, %ids
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  return %0, %p : tensor<?x2x32xf32>, tensor<?xi32>
}
