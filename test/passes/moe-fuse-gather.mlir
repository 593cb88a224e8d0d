// A rewrite that does not apply is left alone, so this pass has no errors of its own.
// RUN: sortie-opt %s --moe-fuse-gather | FileCheck %s
// RUN: sortie-opt %s --moe-fuse-gather --moe-fuse-gather | FileCheck %s
// RUN: sortie-test-semantics %s --moe-fuse-gather \
// RUN:   | FileCheck %s --check-prefix=MEANING

// CHECK-LABEL: func.func @fused
// CHECK-SAME: %[[X:.*]]: tensor<?x64xf32>, %[[PERM:.*]]: tensor<?xi32>, %[[OFF:.*]]: tensor<5xi32>
// MEANING: moe-fuse-gather @fused: changed, 2 values agree
func.func @fused(%x: tensor<?x64xf32>, %perm: tensor<?xi32>, %off: tensor<5xi32>,
                 %w: tensor<4x32x64xf32>) -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  // CHECK-NOT: moe.gather
  // CHECK: moe.grouped_matmul %[[X]], %{{.*}} offsets(%[[OFF]]) permutation(%[[PERM]]) slots(2)
  // CHECK: moe.grouped_glu %[[X]], %{{.*}}, %{{.*}} offsets(%[[OFF]]) permutation(%[[PERM]]) slots(2)
  %rows = moe.gather %x, %perm slots(2) : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %0 = moe.grouped_matmul %rows, %w offsets(%off)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>) -> tensor<?x32xf32>
  %1 = moe.grouped_glu %rows, %w, %w offsets(%off) kind(swiglu)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>)
    -> tensor<?x32xf32>
  return %0, %1 : tensor<?x32xf32>, tensor<?x32xf32>
}

// What is scaled through the same permutation needs no second one; through another it stays.
// CHECK-LABEL: func.func @scaled
// MEANING: moe-fuse-gather @scaled: changed, 2 values agree
func.func @scaled(%x: tensor<?x64xf32>, %p: tensor<?xi32>, %q: tensor<?xi32>, %off: tensor<5xi32>,
                  %w: tensor<4x32x64xf32>, %s: tensor<?x2xf32>)
    -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  // CHECK: %[[ROWS:.*]] = moe.gather
  // CHECK: moe.grouped_matmul %{{.*}}, %{{.*}} offsets(%{{.*}}) permutation(%{{.*}}) slots(2) scale
  // CHECK: moe.grouped_matmul %[[ROWS]], %{{.*}} offsets(%{{.*}}) permutation(%{{.*}}) scale
  %rows = moe.gather %x, %p slots(2) : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %0 = moe.grouped_matmul %rows, %w offsets(%off) permutation(%p) scale(%s)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>, tensor<?xi32>, tensor<?x2xf32>)
    -> tensor<?x32xf32>
  %1 = moe.grouped_matmul %rows, %w offsets(%off) permutation(%q) scale(%s)
    : (tensor<?x64xf32>, tensor<4x32x64xf32>, tensor<5xi32>, tensor<?xi32>, tensor<?x2xf32>)
    -> tensor<?x32xf32>
  return %0, %1 : tensor<?x32xf32>, tensor<?x32xf32>
}
