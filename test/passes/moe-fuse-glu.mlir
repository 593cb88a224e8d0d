// A rewrite that does not apply is left alone, so this pass has no errors of its own.
// RUN: sortie-opt %s --moe-fuse-glu | FileCheck %s
// RUN: sortie-opt %s --moe-fuse-glu --moe-fuse-glu | FileCheck %s
// RUN: sortie-opt %s --moe-fuse-glu="materialize=all" | FileCheck %s --check-prefix=ALL
// RUN: sortie-test-semantics %s --moe-fuse-glu \
// RUN:   | FileCheck %s --check-prefix=MEANING

// Biases, rows and the name of the activation go along; formats may differ.
// CHECK-LABEL: func.func @routed
// CHECK-SAME: %[[X:.*]]: tensor<?x256xf32>, %[[OFF:.*]]: tensor<5xi32>, %[[PERM:.*]]: tensor<?xi32>
// ALL-LABEL: func.func @routed
// MEANING: moe-fuse-glu @routed: changed, 2 values agree
func.func @routed(%x: tensor<?x256xf32>, %off: tensor<5xi32>, %perm: tensor<?xi32>,
                  %gate: tensor<4x32x256x!moe.block<q4_K>>,
                  %up: tensor<4x32x256x!moe.block<q5_K>>, %gb: tensor<4x32xf32>,
                  %ub: tensor<4x32xf32>) -> tensor<?x32xf32> {
  // CHECK-NEXT: moe.grouped_glu %[[X]], %{{.*}}, %{{.*}} offsets(%[[OFF]]) permutation(%[[PERM]]) slots(2) gate_bias(%{{.*}}) up_bias(%{{.*}}) kind(swiglu_clamped) alpha(1.702000e+00) limit(7.000000e+00) {moe.names = ["act"]}
  // CHECK-NEXT: return
  // Named matmuls stay when everything is stored.
  // ALL-COUNT-2: moe.grouped_matmul
  // ALL: moe.glu
  %g = moe.grouped_matmul %x, %gate offsets(%off) permutation(%perm) slots(2) bias(%gb)
    {moe.names = ["gate"]}
    : (tensor<?x256xf32>, tensor<4x32x256x!moe.block<q4_K>>, tensor<5xi32>, tensor<?xi32>,
       tensor<4x32xf32>) -> tensor<?x32xf32>
  %u = moe.grouped_matmul %x, %up offsets(%off) permutation(%perm) slots(2) bias(%ub)
    : (tensor<?x256xf32>, tensor<4x32x256x!moe.block<q5_K>>, tensor<5xi32>, tensor<?xi32>,
       tensor<4x32xf32>) -> tensor<?x32xf32>
  %a = moe.glu %g, %u kind(swiglu_clamped) alpha(1.702) limit(7.0) {moe.names = ["act"]}
    : tensor<?x32xf32>
  return %a : tensor<?x32xf32>
}

// Dense (shared) experts fuse just so; without names materialize=all has nothing to keep.
// CHECK-LABEL: func.func @dense
// ALL-LABEL: func.func @dense
// MEANING: moe-fuse-glu @dense: changed, 1 value agrees
func.func @dense(%x: tensor<?x64xf32>, %w: tensor<32x64xf32>) -> tensor<?x32xf32> {
  // CHECK: moe.grouped_glu %{{.*}}, %{{.*}}, %{{.*}} kind(swiglu) :
  // ALL: moe.grouped_glu
  %g = moe.grouped_matmul %x, %w : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %u = moe.grouped_matmul %x, %w : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %a = moe.glu %g, %u kind(swiglu) : tensor<?x32xf32>
  return %a : tensor<?x32xf32>
}

// The gate's rows are read a second time: they have to be stored.
// CHECK-LABEL: func.func @second_reader
// MEANING: moe-fuse-glu @second_reader: unchanged
func.func @second_reader(%x: tensor<?x64xf32>, %w: tensor<32x64xf32>)
    -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  // CHECK: moe.glu
  %g = moe.grouped_matmul %x, %w : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %u = moe.grouped_matmul %x, %w : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %a = moe.glu %g, %u kind(swiglu) : tensor<?x32xf32>
  return %a, %g : tensor<?x32xf32>, tensor<?x32xf32>
}

// No arithmetic would suit quantized and unquantized weights alike.
// CHECK-LABEL: func.func @mixed_arithmetic
// MEANING: moe-fuse-glu @mixed_arithmetic: unchanged
func.func @mixed_arithmetic(%x: tensor<?x64xf32>, %w: tensor<32x64xf32>,
                            %q: tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32> {
  // CHECK: moe.glu
  %g = moe.grouped_matmul %x, %w : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %u = moe.grouped_matmul %x, %q
    : (tensor<?x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
  %a = moe.glu %g, %u kind(swiglu) : tensor<?x32xf32>
  return %a : tensor<?x32xf32>
}

// CHECK-LABEL: func.func @different_rows
// MEANING: moe-fuse-glu @different_rows: unchanged
func.func @different_rows(%x: tensor<?x64xf32>, %y: tensor<?x64xf32>, %w: tensor<32x64xf32>)
    -> tensor<?x32xf32> {
  // CHECK: moe.glu
  %g = moe.grouped_matmul %x, %w : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %u = moe.grouped_matmul %y, %w : (tensor<?x64xf32>, tensor<32x64xf32>) -> tensor<?x32xf32>
  %a = moe.glu %g, %u kind(swiglu) : tensor<?x32xf32>
  return %a : tensor<?x32xf32>
}
