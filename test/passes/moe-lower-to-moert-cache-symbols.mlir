// Caches and functions keep their names, since callers use them; symbols make way for them.
// RUN: sortie-opt %s --moe-lower-to-moert | FileCheck %s

// CHECK: moert.symbol @tokens_1 max(8192)
// CHECK: moert.symbol @pages_1 max(1048576)
// CHECK: moert.symbol @rows_1 max(8192)
// CHECK: moert.state @tokens : !moert.buffer<pages_1 x 3584 x i32>
lm.cache @tokens : !lm.cache<2 x 8 x 16, int16>
// CHECK: moert.state @pages : !moert.buffer<pages_1 x 3584 x i32>
lm.cache @pages : !lm.cache<2 x 8 x 16, int16>

// CHECK: moert.func @rows("x" %x: !moert.buffer<rows_1 x 16 x f32>, "y" %y: !moert.buffer<tokens_1 x 16 x f32>)
func.func @rows(%x: tensor<?x16xf32> {moe.name = "x", moe.symbol = "rows"},
                %y: tensor<?x16xf32> {moe.name = "y", moe.symbol = "tokens"})
    -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  %0 = moe.add %x, %x : tensor<?x16xf32>
  %1 = moe.add %y, %y : tensor<?x16xf32>
  return %0, %1 : tensor<?x16xf32>, tensor<?x16xf32>
}
