// RUN: sortie-opt %s --moe-verify-contract --split-input-file --verify-diagnostics

// Every op that breaks the promise is named, not only the first.
module attributes {moe.contract = #moe.contract<run, batch, device>} {
  func.func @bf16(%x: tensor<?x64xf32>, %w: tensor<8x64xbf16>, %e: tensor<4x8x64xbf16>,
                  %ids: tensor<?x2xi32>) {
    // expected-error @below {{'moe.matmul' op breaks the module's contract {run, batch, device}: with this arithmetic, results do not stay the same across {device}}}
    %0 = moe.matmul %x, %w arithmetic(bf16)
      : (tensor<?x64xf32>, tensor<8x64xbf16>) -> tensor<?x8xf32>
    // expected-error @below {{'moe.routed_matmul' op breaks the module's contract}}
    %1 = moe.routed_matmul %x, %e, %ids arithmetic(bf16)
      : (tensor<?x64xf32>, tensor<4x8x64xbf16>, tensor<?x2xi32>) -> tensor<?x2x8xf32>
    return
  }
}

// -----

// Without a contract in the module the default, everything, is what counts.
func.func @default(%x: tensor<?x64xf32>, %w: tensor<8x64xbf16>) {
  // expected-error @below {{breaks the module's contract {run, batch, device}}}
  %0 = moe.matmul %x, %w arithmetic(bf16)
    : (tensor<?x64xf32>, tensor<8x64xbf16>) -> tensor<?x8xf32>
  return
}
