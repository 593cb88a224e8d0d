// cuda.mlirbc was compiled from this, as cpu.mlirbc from layers.mlir, with
//   --sortie-compile="target=cuda chip=compute_80 max-tokens=2 activations=int8"
// Its kernels are PTX, and small because it is; gzip holds them in a tenth of their size.
func.func @given(%x: tensor<?x64xf32> {moe.name = "hidden"}, %ids: tensor<?x2xi32> {moe.name = "ids"})
    -> (tensor<?x32xf32> {moe.name = "out"}) {
  %matrices = moe.weight "matrices" : tensor<4x32x64x!moe.block<q8_0>>
  %y = moe.routed_matmul %x, %matrices, %ids {moe.names = ["y"]} : (tensor<?x64xf32>,
    tensor<4x32x64x!moe.block<q8_0>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  %out = moe.combine %y : (tensor<?x2x32xf32>) -> tensor<?x32xf32>
  return %out : tensor<?x32xf32>
}
