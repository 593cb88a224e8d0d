// Shared experts of a model in bf16, by cuBLAS where the contract is {run} and that is asked for.
// RUN: env %emulated sortie-opt %s --sortie-compile="target=cuda chip=sm_80 unquantized=bf16 cublas" \
// RUN:   | FileCheck %s
// RUN: sed 's/<run>/<run, batch>/' %s > %t.mlir
// RUN: not sortie-opt %t.mlir --sortie-compile="target=cuda unquantized=bf16 cublas" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REFUSED

// CHECK: contract = [run], features = ["cublas"]
// CHECK: moert.launch @round_bf16_0 {{.*}}
// CHECK: moert.cublas_matmul %{{.*}}, @gate outs
// CHECK: moert.cublas_matmul %{{.*}}, @up outs
// CHECK: moert.launch @glu_0 {{.*}}
// CHECK: moert.launch @round_bf16_1 {{.*}}
// CHECK: moert.cublas_matmul %{{.*}}, @down outs(%out)

// REFUSED: error: the option cublas is refused: the library keeps {run} only, the program's contract is [run, batch]

module attributes {moe.contract = #moe.contract<run>} {
  func.func @shared(%x: tensor<?x256xf32> {moe.name = "hidden"})
      -> (tensor<?x256xf32> {moe.name = "out"}) {
    %gate = moe.weight "gate" : tensor<64x256xbf16>
    %up = moe.weight "up" : tensor<64x256xbf16>
    %down = moe.weight "down" : tensor<256x64xbf16>
    %g = moe.matmul %x, %gate : (tensor<?x256xf32>, tensor<64x256xbf16>) -> tensor<?x64xf32>
    %u = moe.matmul %x, %up : (tensor<?x256xf32>, tensor<64x256xbf16>) -> tensor<?x64xf32>
    %a = moe.glu %g, %u kind(swiglu) : tensor<?x64xf32>
    %out = moe.matmul %a, %down : (tensor<?x64xf32>, tensor<256x64xbf16>) -> tensor<?x256xf32>
    return %out : tensor<?x256xf32>
  }
}
