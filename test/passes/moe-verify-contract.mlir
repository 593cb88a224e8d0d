// RUN: sortie-opt %s --moe-verify-contract --split-input-file | FileCheck %s
// RUN: sortie-opt %s --moe-verify-contract --moe-verify-contract --split-input-file | FileCheck %s
// RUN: sortie-test-semantics %s --moe-verify-contract --split-input-file \
// RUN:   | FileCheck %s --check-prefix=MEANING

// A module that says nothing promises everything, from now on in writing.
// CHECK: module attributes {moe.contract = #moe.contract<run, batch, device>}
// CHECK: @exact_and_float
module {
  // MEANING: moe-verify-contract @exact_and_float: unchanged
  func.func @exact_and_float(%x: tensor<?x64xf32>, %w: tensor<8x64xf32>,
                             %q: tensor<8x64x!moe.block<q4_0>>) {
    %0 = moe.matmul %x, %w arithmetic(float)
      : (tensor<?x64xf32>, tensor<8x64xf32>) -> tensor<?x8xf32>
    %1 = moe.matmul %x, %q arithmetic(exact)
      : (tensor<?x64xf32>, tensor<8x64x!moe.block<q4_0>>) -> tensor<?x8xf32>
    return
  }
}

// -----

// bf16 keeps {run, batch}; a module that promises no more may use it.
// CHECK: module attributes {moe.contract = #moe.contract<run, batch>}
// CHECK: arithmetic(bf16)
module attributes {moe.contract = #moe.contract<run, batch>} {
  // MEANING: moe-verify-contract @bf16: unchanged
  func.func @bf16(%x: tensor<?x64xf32>, %w: tensor<8x64xbf16>) {
    %0 = moe.matmul %x, %w arithmetic(bf16)
      : (tensor<?x64xf32>, tensor<8x64xbf16>) -> tensor<?x8xf32>
    return
  }
}
