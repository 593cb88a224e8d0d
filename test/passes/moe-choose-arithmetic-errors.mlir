// RUN: sortie-opt %s --moe-choose-arithmetic --split-input-file --verify-diagnostics

func.func @mixed(%x: tensor<?x64xf32>, %w: tensor<32x64xf32>, %q: tensor<32x64x!moe.block<q8_0>>) {
  // expected-error @below {{has weights in blocks beside unquantized ones: no arithmetic suits both}}
  %0 = moe.grouped_glu %x, %w, %q kind(swiglu)
    : (tensor<?x64xf32>, tensor<32x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
  return
}
