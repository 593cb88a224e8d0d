// Products with a constant, of rows in token order and of sorted ones, which stay sorted: the GPU gives the
// CPU's bits.

// RUN: sortie-opt %s --sortie-compile --emit-bytecode -o %t.cpu
// RUN: sortie-opt %s --sortie-compile | FileCheck %s
// RUN: env %emulated sortie-opt %s --sortie-compile="target=cuda chip=sm_80" --emit-bytecode -o %t.cuda
// RUN: %python %S/Inputs/abi3/ids.py %t.ids.npy 70 4
// DEFINE: %{run} = --weights random:seed=1 --input x=random:seed=2,tokens=70 --input ids=%t.ids.npy --checksums
// RUN: sortie-run %t.cpu %{run} > %t.cpu.txt
// RUN: env %emulated sortie-run %t.cuda %{run} | diff %t.cpu.txt -

// CHECK: moert.scale %{{.*}} by(2.200000e-01) outs(%{{.*}}) : !moert.buffer<tokens x 64 x f32>
// CHECK-NOT: moert.unsort
// CHECK: moert.scale %{{.*}} by(5.000000e-01) outs(%{{.*}}) : !moert.buffer<2*tokens x 64 x f32>
// CHECK: moert.combine %{{.*}} inverse(
func.func @f(%x: tensor<?x64xf32> {moe.name = "x"}, %ids: tensor<?x2xi32> {moe.name = "ids"})
    -> (tensor<?x64xf32> {moe.name = "y"}) {
  %w = moe.weight "w" : tensor<4x64x64xf32>
  %small = moe.scale %x by(0.22) : tensor<?x64xf32>
  %rows = moe.routed_matmul %small, %w, %ids
    : (tensor<?x64xf32>, tensor<4x64x64xf32>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %half = moe.scale %rows by(0.5) : tensor<?x2x64xf32>
  %y = moe.combine %half : (tensor<?x2x64xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}
