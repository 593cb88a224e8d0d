// RUN: sortie-opt %s --moe-choose-arithmetic=unquantized=bf16 --split-input-file --verify-diagnostics
// RUN: not sortie-opt %s --moe-choose-arithmetic=unquantized=exact 2>&1 | FileCheck %s

// CHECK: exact

func.func @mixed(%x: tensor<?x64xf32>, %w: tensor<32x64xf32>, %q: tensor<32x64x!moe.block<q8_0>>) {
  // expected-error @below {{has weights in blocks beside unquantized ones: no arithmetic suits both}}
  %0 = moe.grouped_glu %x, %w, %q kind(swiglu)
    : (tensor<?x64xf32>, tensor<32x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
  return
}

// -----

// A module that says nothing promises everything. One error is enough.
func.func @default_contract(%x: tensor<?x64xf32>, %w: tensor<32x64xbf16>) {
  // expected-error @below {{'moe.matmul' op cannot have the arithmetic of unquantized=bf16, which does not keep the module's contract {run, batch, device}; promise less in moe.contract}}
  %0 = moe.matmul %x, %w : (tensor<?x64xf32>, tensor<32x64xbf16>) -> tensor<?x32xf32>
  %1 = moe.matmul %x, %w : (tensor<?x64xf32>, tensor<32x64xbf16>) -> tensor<?x32xf32>
  return
}
