// Graphs may be written in functions that call each other: MLIR's inliner makes one of them, and the
// rest compiles as ever. What nobody calls any more is gone.
// RUN: sortie-opt %s --inline | FileCheck %s --check-prefix=INLINED
// RUN: sortie-opt %s --inline --sortie-compile --emit-bytecode -o %t.mlirbc
// RUN: sortie-run %t.mlirbc --describe | FileCheck %s
// RUN: sortie-opt %s --inline --symbol-dce --strip-debuginfo --mlir-print-debuginfo \
// RUN:   | FileCheck %s --check-prefix=STRIPPED

// INLINED-NOT: call
// INLINED-NOT: @expert
// INLINED: func.func @layer
// INLINED: moe.matmul
// INLINED: moe.add
// INLINED: moe.matmul
// INLINED: moe.add

// CHECK: function layer
// CHECK: input x: f32 [tokens, 32]
// CHECK: output y: f32 [tokens, 32]

// STRIPPED: loc(unknown)
// STRIPPED-NOT: inline.mlir

func.func private @expert(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %w = moe.weight "w" : tensor<32x32xf32>
  %0 = moe.matmul %x, %w : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %1 = moe.add %0, %x : tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}

func.func @layer(%x: tensor<?x32xf32> {moe.name = "x"}) -> (tensor<?x32xf32> {moe.name = "y"}) {
  %0 = func.call @expert(%x) : (tensor<?x32xf32>) -> tensor<?x32xf32>
  %1 = func.call @expert(%0) : (tensor<?x32xf32>) -> tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}
