// A compiled program is a function of what its source means: the folder, the name of the file,
// comments, blank lines and how the source was read change no byte.
// RUN: rm -rf %t && mkdir -p %t/here "%t/an other"
// RUN: cp %s %t/here/a.mlir
// RUN: sed "1i // one more comment, and an empty line\n" %s > "%t/an other/b.mlir"
// RUN: cd %t/here && sortie-opt a.mlir --sortie-compile --emit-bytecode -o %t/a.mlirbc
// RUN: sortie-opt "%t/an other/b.mlir" --sortie-compile --emit-bytecode -o %t/b.mlirbc
// RUN: cmp %t/a.mlirbc %t/b.mlirbc
// RUN: sortie-opt --sortie-compile --emit-bytecode --mlir-disable-threading < %s | cmp - %t/a.mlirbc
// RUN: sortie-opt %s --emit-bytecode | sortie-opt --sortie-compile --emit-bytecode | cmp - %t/a.mlirbc
// RUN: not grep -c mlir %t/a.mlirbc

// Fresh kernels and those of a cache, one thread or many give one file, too.
// RUN: cd %t/here && env SORTIE_CACHE_DIR=%t/cache sortie-opt a.mlir \
// RUN:   --sortie-compile="target=cuda chip=sm_90a" --emit-bytecode -o %t/a.cuda.mlirbc
// RUN: env LC_ALL=C SORTIE_CACHE_DIR=%t/cache sortie-opt "%t/an other/b.mlir" \
// RUN:   --sortie-compile="target=cuda chip=sm_90a" --emit-bytecode -o %t/b.cuda.mlirbc
// RUN: cmp %t/a.cuda.mlirbc %t/b.cuda.mlirbc
// RUN: sortie-opt %s --sortie-compile="target=cuda chip=sm_90a" --emit-bytecode \
// RUN:   --mlir-disable-threading | cmp - %t/a.cuda.mlirbc

// A program that is disassembled and assembled again is the same file.
// RUN: sortie-opt %t/a.cuda.mlirbc | sortie-opt --emit-bytecode | cmp - %t/a.cuda.mlirbc
// RUN: sortie-opt %t/a.mlirbc | sortie-opt --emit-bytecode | cmp - %t/a.mlirbc

// On request, a program knows where it comes from.
// RUN: sortie-opt %s --sortie-compile --emit-bytecode --keep-locations -o %t/located.mlirbc
// RUN: sortie-opt %t/located.mlirbc --mlir-print-debuginfo | FileCheck %s --check-prefix=LOCATED
// LOCATED: reproducible.mlir
// RUN: sortie-run %t/located.mlirbc --describe | FileCheck %s
// CHECK: input x: f32 [tokens, 256]

func.func @layer(%x: tensor<?x256xf32> {moe.name = "x"}) -> (tensor<?x256xf32> {moe.name = "y"}) {
  %router = moe.weight "router" : tensor<8x256xf32>
  %gate = moe.weight "gate" : tensor<8x64x256x!moe.block<q4_K>>
  %up = moe.weight "up" : tensor<8x64x256x!moe.block<q4_K>>
  %down = moe.weight "down" : tensor<8x256x64x!moe.block<q8_0>>
  %scores = moe.matmul %x, %router : (tensor<?x256xf32>, tensor<8x256xf32>) -> tensor<?x8xf32>
  %ids, %weights = moe.route %scores top(2) scoring(softmax) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %g = moe.routed_matmul %x, %gate, %ids
    : (tensor<?x256xf32>, tensor<8x64x256x!moe.block<q4_K>>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %u = moe.routed_matmul %x, %up, %ids
    : (tensor<?x256xf32>, tensor<8x64x256x!moe.block<q4_K>>, tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %a = moe.glu %g, %u kind(swiglu) : tensor<?x2x64xf32>
  %d = moe.routed_matmul %a, %down, %ids
    : (tensor<?x2x64xf32>, tensor<8x256x64x!moe.block<q8_0>>, tensor<?x2xi32>)
    -> tensor<?x2x256xf32>
  %y = moe.combine %d weights(%weights) : (tensor<?x2x256xf32>, tensor<?x2xf32>) -> tensor<?x256xf32>
  return %y : tensor<?x256xf32>
}
