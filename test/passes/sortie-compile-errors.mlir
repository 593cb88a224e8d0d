// RUN: not sortie-opt %s --sortie-compile="chip=sm_80" 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not sortie-opt %s --sortie-compile="print-schedule" 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not sortie-opt %s --sortie-compile="cublas" 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not sortie-opt %s --sortie-compile="warpgroups" 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not sortie-opt %s --sortie-compile="target=tpu" 2>&1 | FileCheck %s --check-prefix=TARGET
// RUN: not sortie-opt %s --sortie-compile="max-tokens=0" 2>&1 | FileCheck %s --check-prefix=TOKENS
// RUN: not sortie-opt %s --sortie-compile="activations=int4" 2>&1 | FileCheck %s --check-prefix=WIDTH
// RUN: not sortie-opt %s --sortie-compile="activation=int8" 2>&1 | FileCheck %s --check-prefix=OPTION
// RUN: not sortie-opt %s --sortie-compile="unquantized=exact" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=UNQUANTIZED
// RUN: not sortie-opt %s --sortie-compile 2>&1 | FileCheck %s --check-prefix=CONTRACT

// CHIP: chip, print-schedule, cublas, warpgroups and join-launches belong to target=cuda
// TARGET: unknown target 'tpu', expected cpu or cuda
// TOKENS: max-tokens must be 1 to 2147483647, got 0
// WIDTH: int4
// OPTION: activation
// UNQUANTIZED: exact

// A promise that the ops do not keep stops the compilation before anything is rewritten.
// CONTRACT: error: 'moe.matmul' op breaks the module's contract {run, batch, device}
module attributes {moe.contract = #moe.contract<run, batch, device>} {
  func.func @bf16(%x: tensor<?x64xf32>) -> tensor<?x8xf32> {
    %w = moe.weight "w" : tensor<8x64xbf16>
    %0 = moe.matmul %x, %w arithmetic(bf16)
      : (tensor<?x64xf32>, tensor<8x64xbf16>) -> tensor<?x8xf32>
    return %0 : tensor<?x8xf32>
  }
}
