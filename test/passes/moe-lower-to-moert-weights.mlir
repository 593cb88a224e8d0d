// Weights that are parts of tensors, or several: what the program names them, each once.
// RUN: sortie-opt %s --moe-lower-to-moert="max-tokens=64" | FileCheck %s

// CHECK:      moert.weight @"gate_up[0:]" "gate_up" rows(0 of 8) : 2x4x64xf32
// CHECK-NEXT: moert.weight @"gate_up[4:]" "gate_up" rows(4 of 8) : 2x4x64xf32
// CHECK-NEXT: moert.weight @"bias[:,4:]" "bias" columns(4 of 8) : 2x4xf32
// CHECK-NEXT: moert.weight @d.0... ["d.0", "d.1"] : 2x64x4xf32
// CHECK-NEXT: moert.weight @d.0..._1 ["d.0", "d.2"] : 2x64x4xf32
// CHECK-NOT:  moert.weight
// CHECK:      moert.matmul {{.*}}, @"gate_up[0:]"
// CHECK:      moert.matmul {{.*}}, @"gate_up[4:]" {{.*}} bias(@"bias[:,4:]")
// CHECK:      moert.matmul {{.*}}, @d.0... offsets
// CHECK:      moert.matmul {{.*}}, @d.0..._1 offsets
func.func @layer(%x: tensor<?x64xf32> {moe.name = "x"}, %ids: tensor<?x1xi32> {moe.name = "ids"})
    -> (tensor<?x64xf32> {moe.name = "y"}) {
  %gate = moe.weight "gate_up" rows(0 of 8) : tensor<2x4x64xf32>
  %up = moe.weight "gate_up" rows(4 of 8) : tensor<2x4x64xf32>
  %again = moe.weight "gate_up" rows(4 of 8) : tensor<2x4x64xf32>
  %bias = moe.weight "bias" columns(4 of 8) : tensor<2x4xf32>
  %down = moe.weight ["d.0", "d.1"] : tensor<2x64x4xf32>
  %other = moe.weight ["d.0", "d.2"] : tensor<2x64x4xf32>
  %permutation, %inverse, %offsets = moe.dispatch %ids experts(2)
    : (tensor<?x1xi32>) -> (tensor<?xi32>, tensor<?x1xi32>, tensor<3xi32>)
  %rows = moe.gather %x, %permutation slots(1) : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %g = moe.grouped_matmul %rows, %gate offsets(%offsets) arithmetic(float)
    : (tensor<?x64xf32>, tensor<2x4x64xf32>, tensor<3xi32>) -> tensor<?x4xf32>
  %u = moe.grouped_matmul %rows, %up offsets(%offsets) bias(%bias) arithmetic(float)
    : (tensor<?x64xf32>, tensor<2x4x64xf32>, tensor<3xi32>, tensor<2x4xf32>) -> tensor<?x4xf32>
  %v = moe.grouped_matmul %rows, %again offsets(%offsets) arithmetic(float)
    : (tensor<?x64xf32>, tensor<2x4x64xf32>, tensor<3xi32>) -> tensor<?x4xf32>
  %a = moe.glu %g, %u kind(swiglu) : tensor<?x4xf32>
  %d = moe.grouped_matmul %a, %down offsets(%offsets) arithmetic(float)
    : (tensor<?x4xf32>, tensor<2x64x4xf32>, tensor<3xi32>) -> tensor<?x64xf32>
  %e = moe.grouped_matmul %v, %other offsets(%offsets) arithmetic(float)
    : (tensor<?x4xf32>, tensor<2x64x4xf32>, tensor<3xi32>) -> tensor<?x64xf32>
  %sum = moe.add %d, %e : tensor<?x64xf32>
  %y = moe.combine %sum inverse(%inverse) : (tensor<?x64xf32>, tensor<?x1xi32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
