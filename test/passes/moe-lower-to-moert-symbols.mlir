// Whatever the tensors of a model are called, a program can be made of it: functions keep their names,
// since callers use them, and the symbols of weights and of the number of tokens make way.
// RUN: sortie-opt %s --sortie-compile | FileCheck %s
// RUN: sortie-opt %s --sortie-compile --emit-bytecode -o %t && sortie-run %t --describe \
// RUN:   | FileCheck %s --check-prefix=DESCRIBE

// CHECK: moert.symbol @tokens_1 max(8192)
// CHECK-DAG: moert.weight @layer_2 "layer" : 16x256xf32
// CHECK-DAG: moert.weight @layer_1 "layer_1" : 16x256xf32
// CHECK-DAG: moert.weight @tokens_2 "tokens" : 16x256xf32
// CHECK-DAG: moert.weight @tokens_1_1 "tokens_1" : 16x256xf32
// CHECK: moert.func @layer("x" %x: !moert.buffer<tokens_1 x 256 x f32>)
// CHECK: moert.matmul %x, @layer_2
// CHECK: moert.matmul %x, @layer_1
// CHECK: moert.matmul %x, @tokens_2
// CHECK: moert.matmul %x, @tokens_1_1
// CHECK: moert.func @tokens(
// CHECK: moert.matmul %arg0, @layer_2

// DESCRIBE: function layer
// DESCRIBE: input x: f32 [tokens_1, 256]
// DESCRIBE: function tokens

func.func @layer(%x: tensor<?x256xf32> {moe.name = "x"})
    -> (tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>) {
  %0 = moe.weight "layer" : tensor<16x256xf32>
  %1 = moe.weight "layer_1" : tensor<16x256xf32>
  %2 = moe.weight "tokens" : tensor<16x256xf32>
  %3 = moe.weight "tokens_1" : tensor<16x256xf32>
  %4 = moe.matmul %x, %0 : (tensor<?x256xf32>, tensor<16x256xf32>) -> tensor<?x16xf32>
  %5 = moe.matmul %x, %1 : (tensor<?x256xf32>, tensor<16x256xf32>) -> tensor<?x16xf32>
  %6 = moe.matmul %x, %2 : (tensor<?x256xf32>, tensor<16x256xf32>) -> tensor<?x16xf32>
  %7 = moe.matmul %x, %3 : (tensor<?x256xf32>, tensor<16x256xf32>) -> tensor<?x16xf32>
  return %4, %5, %6, %7 : tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>
}

func.func @tokens(%x: tensor<?x256xf32>) -> tensor<?x16xf32> {
  %0 = moe.weight "layer" : tensor<16x256xf32>
  %1 = moe.matmul %x, %0 : (tensor<?x256xf32>, tensor<16x256xf32>) -> tensor<?x16xf32>
  return %1 : tensor<?x16xf32>
}
