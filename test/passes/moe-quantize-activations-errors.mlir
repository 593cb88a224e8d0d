// RUN: sortie-opt %s --moe-quantize-activations="activations=int16" --split-input-file --verify-diagnostics

func.func @another_width(%x: tensor<?x64x!moe.activation<int8>>, %w: tensor<32x64x!moe.block<q8_0>>) {
  // expected-error @below {{reads activations that are quantized to another width already}}
  %0 = moe.grouped_matmul %x, %w arithmetic(exact)
    : (tensor<?x64x!moe.activation<int8>>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
  return
}
