// A rewrite that does not apply is left alone, so this pass has no errors of its own.
// RUN: sortie-opt %s --moe-sink-unsort | FileCheck %s
// RUN: sortie-opt %s --moe-sink-unsort --moe-sink-unsort | FileCheck %s
// RUN: sortie-test-semantics %s --moe-sink-unsort \
// RUN:   | FileCheck %s --check-prefix=MEANING

// From gate and up to the combine no row leaves its sorted place.
// CHECK-LABEL: func.func @sunk
// MEANING: moe-sink-unsort @sunk: changed, 2 values agree
func.func @sunk(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>,
                %w: tensor<4x64x64xf32>, %down: tensor<4x32x64xf32>) -> tensor<?x32xf32> {
  // CHECK: %[[PERM:.*]], %[[INV:.*]], %[[OFF:.*]] = moe.dispatch
  %perm, %inv, %off = moe.dispatch %ids experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  // CHECK-NEXT: %[[GATE:.*]] = moe.gather
  // CHECK-NEXT: %[[UP:.*]] = moe.grouped_matmul
  %gate = moe.gather %x, %perm slots(2)
    : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %up = moe.grouped_matmul %gate, %w offsets(%off)
    : (tensor<?x64xf32>, tensor<4x64x64xf32>, tensor<5xi32>) -> tensor<?x64xf32>
  // CHECK-NEXT: %[[ACT:.*]] = moe.glu %[[GATE]], %[[UP]] kind(swiglu) {moe.names = ["act"]} : tensor<?x64xf32>
  %g = moe.unsort %gate, %inv : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %u = moe.unsort %up, %inv : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %act = moe.glu %g, %u kind(swiglu) {moe.names = ["act"]} : tensor<?x2x64xf32>
  // CHECK-NEXT: %[[DOWN:.*]] = moe.grouped_matmul %[[ACT]], %{{.*}} offsets(%[[OFF]])
  %flat = tensor.collapse_shape %act [[0, 1], [2]] : tensor<?x2x64xf32> into tensor<?x64xf32>
  %rows = moe.gather %flat, %perm slots(1)
    : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %y = moe.grouped_matmul %rows, %down offsets(%off)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>) -> tensor<?x32xf32>
  // CHECK-NEXT: moe.combine %[[DOWN]] inverse(%[[INV]]) weights(%{{.*}})
  // CHECK-NEXT: return
  %z = moe.unsort %y, %inv : (tensor<?x32xf32>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  %c = moe.combine %z weights(%weights)
    : (tensor<?x2x32xf32>, tensor<?x2xf32>) -> tensor<?x32xf32>
  return %c : tensor<?x32xf32>
}

// Where it cannot be seen that the rows lie in the order of the inverse, the audit could not bring
// them back into it: what has a name stays.
// CHECK-LABEL: func.func @unseen_order
// MEANING: moe-sink-unsort @unseen_order: changed, 8 values agree
func.func @unseen_order(%rows: tensor<?x64xf32>, %ids: tensor<?x2xi32>, %jds: tensor<?x2xi32>)
    -> (tensor<?x2x64xf32>, tensor<?x2x64xf32>, tensor<?x2x64xf32>) {
  %perm, %inv, %off = moe.dispatch %ids experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  %perm2, %inv2, %off2 = moe.dispatch %jds experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  // CHECK: moe.add {{.*}} {moe.names = ["argument"]} : tensor<?x2x64xf32>
  %0 = moe.unsort %rows, %inv : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %1 = moe.add %0, %0 {moe.names = ["argument"]} : tensor<?x2x64xf32>
  // CHECK: moe.add {{.*}} {moe.names = ["other_dispatch"]} : tensor<?x2x64xf32>
  %sorted = moe.gather %rows, %perm slots(1)
    : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %2 = moe.unsort %sorted, %inv2 : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %3 = moe.add %2, %2 {moe.names = ["other_dispatch"]} : tensor<?x2x64xf32>
  // CHECK: moe.add {{.*}} : tensor<?x64xf32>
  %4 = moe.add %2, %2 : tensor<?x2x64xf32>
  return %1, %3, %4 : tensor<?x2x64xf32>, tensor<?x2x64xf32>, tensor<?x2x64xf32>
}

// Rows that were sorted by different dispatches do not meet.
// CHECK-LABEL: func.func @two_dispatches
// MEANING: moe-sink-unsort @two_dispatches: unchanged
func.func @two_dispatches(%a: tensor<?x64xf32>, %b: tensor<?x64xf32>, %i: tensor<?x2xi32>,
                          %j: tensor<?x2xi32>) -> tensor<?x2x64xf32> {
  // CHECK-COUNT-2: moe.unsort
  // CHECK: moe.add %{{.*}}, %{{.*}} : tensor<?x2x64xf32>
  %0 = moe.unsort %a, %i : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %1 = moe.unsort %b, %j : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %2 = moe.add %0, %1 : tensor<?x2x64xf32>
  return %2 : tensor<?x2x64xf32>
}

// A gather by another permutation reads other rows.
// CHECK-LABEL: func.func @other_permutation
// MEANING: moe-sink-unsort @other_permutation: unchanged
func.func @other_permutation(%a: tensor<?x64xf32>, %i: tensor<?x2xi32>, %p: tensor<?xi32>)
    -> tensor<?x64xf32> {
  // CHECK: moe.unsort
  // CHECK: moe.gather
  %0 = moe.unsort %a, %i : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %1 = tensor.collapse_shape %0 [[0, 1], [2]] : tensor<?x2x64xf32> into tensor<?x64xf32>
  %2 = moe.gather %1, %p slots(1) : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  return %2 : tensor<?x64xf32>
}

// An elementwise op of one operand.
// CHECK-LABEL: func.func @one_operand
// MEANING: moe-sink-unsort @one_operand: changed, 2 values agree
func.func @one_operand(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>) -> tensor<?x64xf32> {
  %perm, %inv, %off = moe.dispatch %ids experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  // CHECK: %[[ROWS:.*]] = moe.gather
  %rows = moe.gather %x, %perm slots(2)
    : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  // CHECK-NEXT: %[[HALF:.*]] = moe.scale %[[ROWS]] by(5.000000e-01) : tensor<?x64xf32>
  %slots = moe.unsort %rows, %inv : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %half = moe.scale %slots by(0.5) : tensor<?x2x64xf32>
  // CHECK-NEXT: moe.combine %[[HALF]] inverse(
  %y = moe.combine %half : (tensor<?x2x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
