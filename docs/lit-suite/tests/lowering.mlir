// A routed product becomes a dispatch and a grouped product.
// RUN: sortie-opt "%s" --moe-dispatch-by-sort | FileCheck "%s"

// CHECK-LABEL: func.func @experts
// CHECK: moe.dispatch %{{.*}} experts(4)
// CHECK: moe.grouped_matmul
// CHECK-NOT: moe.routed_matmul
func.func @experts(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>) -> tensor<?x2x32xf32> {
  %w = moe.weight "w" : tensor<4x32x64x!moe.block<q8_0>>
  %y = moe.routed_matmul %x, %w, %ids
    : (tensor<?x64xf32>, tensor<4x32x64x!moe.block<q8_0>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  return %y : tensor<?x2x32xf32>
}
