// Caches become states of pages that appends write in place, and dynamic extents the symbols that arguments
// ask for.
// RUN: sortie-opt %s --moe-lower-to-moert | FileCheck %s
// RUN: sortie-opt %s --moe-lower-to-moert="max-tokens=64" | FileCheck %s --check-prefix=BOUND

// CHECK: moert.symbol @tokens max(8192)
// CHECK: moert.symbol @pages max(1048576)
// CHECK-DAG: moert.symbol @slots max(8192)
// CHECK-DAG: moert.symbol @rows max(8192)
// CHECK-DAG: moert.symbol @copies max(16)
// BOUND-DAG: moert.symbol @tokens max(64)
// BOUND-DAG: moert.symbol @pages max(1048576)
// BOUND-DAG: moert.symbol @slots max(64)
// BOUND-DAG: moert.symbol @copies max(16)
// CHECK-NOT: moert.symbol
// CHECK-DAG: moert.weight @z "z" : 4xf32

// CHECK: moert.state @blk.0.cache : !moert.buffer<pages x 3584 x i32>
lm.cache @blk.0.cache : !lm.cache<2 x 8 x 16, int16>
// CHECK: moert.state @blk.1.cache : !moert.buffer<pages x 2048 x i32>
lm.cache @blk.1.cache : !lm.cache<2 x 8 x 16, int8>

// CHECK: moert.func @forward
// CHECK-SAME: "tokens" %tokens: !moert.buffer<tokens x i32>
// CHECK-SAME: "pages" %pages: !moert.buffer<slots x 4 x i32>
// CHECK-SAME: "rows" %rows: !moert.buffer<rows x i32>
// CHECK-SAME: outs("y" %y: !moert.buffer<rows x 64 x f32>, "z" %z: !moert.buffer<tokens x 64 x f32>)
func.func @forward(%tokens: tensor<?xi32> {moe.name = "tokens"},
                   %positions: tensor<?xi32> {moe.name = "positions"},
                   %sequences: tensor<?xi32> {moe.name = "sequences"},
                   %pages: tensor<?x4xi32> {moe.name = "pages", moe.symbol = "slots"},
                   %rows: tensor<?xi32> {moe.name = "rows", moe.symbol = "rows"},
                   %k: tensor<?x16xf32> {moe.name = "k"})
    -> (tensor<?x64xf32> {moe.name = "y"}, tensor<?x64xf32> {moe.name = "z"}) {
  %table = moe.weight "table" : tensor<64x32x!moe.block<q8_0>>
  %norm = moe.weight "norm" : tensor<8xf32>
  %sinks = moe.weight "z" : tensor<4xf32>
  // CHECK: %[[X:.*]] = moert.buffer : !moert.buffer<tokens x 32 x f32>
  // CHECK: moert.embed %tokens, @table outs(%[[X]])
  %x = lm.embed %tokens, %table
    : (tensor<?xi32>, tensor<64x32x!moe.block<q8_0>>) -> tensor<?x32xf32>
  // CHECK: moert.head_norm %[[X]], @norm heads(4) eps(9.99999997E-7) outs(%[[N:[^)]*]])
  %n = lm.head_norm %x, %norm heads(4) eps(1.0e-6) : tensor<?x32xf32>, tensor<8xf32>
  // CHECK: moert.rotate %[[N]], %positions heads(4) pairs(neighbours) frequencies [5, 7] factor(2.000000e+00) outs(%[[Q:[^)]*]])
  %q = lm.rotate %n, %positions heads(4) pairs(neighbours) frequencies [5, 7] factor(2.0)
    : tensor<?x32xf32>, tensor<?xi32>
  // CHECK: %[[CACHE:.*]] = moert.state_buffer @blk.0.cache : !moert.buffer<pages x 3584 x i32>
  %c0 = lm.read_cache @blk.0.cache : !lm.cache<2 x 8 x 16, int16>
  // CHECK: moert.append %k, %[[X]] at(%positions, %sequences, %pages) kv_heads(2) width(int16) outs(%[[CACHE]])
  %c1 = lm.append %c0, %k, %x at(%positions, %sequences, %pages)
    : !lm.cache<2 x 8 x 16, int16>, tensor<?x16xf32>, tensor<?x32xf32>, tensor<?xi32>,
      tensor<?xi32>, tensor<?x4xi32>
  // A value between two appends may be read between them.
  // CHECK: moert.attend %[[Q]], %[[CACHE]] at(%positions, %sequences, %pages) heads(4) kv_heads(2) scale(3.500000e-01) query_width(int8) width(int16) outs(%[[A:[^)]*]])
  %a = lm.attend %q, %c1 at(%positions, %sequences, %pages) heads(4) scale(0.35) query_width(int8)
    : (tensor<?x32xf32>, !lm.cache<2 x 8 x 16, int16>, tensor<?xi32>, tensor<?xi32>,
       tensor<?x4xi32>) -> tensor<?x64xf32>
  // CHECK: moert.append %k, %[[N]] at(%positions, %sequences, %pages) kv_heads(2) width(int16) outs(%[[CACHE]])
  %c2 = lm.append %c1, %k, %n at(%positions, %sequences, %pages)
    : !lm.cache<2 x 8 x 16, int16>, tensor<?x16xf32>, tensor<?x32xf32>, tensor<?xi32>,
      tensor<?xi32>, tensor<?x4xi32>
  // CHECK-NOT: write
  lm.write_cache %c2, @blk.0.cache : !lm.cache<2 x 8 x 16, int16>
  // CHECK: %[[OTHER:.*]] = moert.state_buffer @blk.1.cache : !moert.buffer<pages x 2048 x i32>
  %d0 = lm.read_cache @blk.1.cache : !lm.cache<2 x 8 x 16, int8>
  // CHECK: moert.attend %[[Q]], %[[OTHER]] at(%positions, %sequences, %pages) sinks(@z) heads(4) kv_heads(2) scale(3.500000e-01) window(128) query_width(int16) width(int8) outs(%z)
  %b = lm.attend %q, %d0 at(%positions, %sequences, %pages) sinks(%sinks) heads(4) scale(0.35)
    window(128) query_width(int16)
    : (tensor<?x32xf32>, !lm.cache<2 x 8 x 16, int8>, tensor<?xi32>, tensor<?xi32>,
       tensor<?x4xi32>, tensor<4xf32>) -> tensor<?x64xf32>
  // CHECK: moert.read_rows %[[A]], %rows outs(%y) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<rows x i32>, !moert.buffer<rows x 64 x f32>
  %y = lm.select_rows %a, %rows : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  return %y, %b : tensor<?x64xf32>, tensor<?x64xf32>
}

// What only writes a cache needs no output. Another function of the program may have read it before.
// CHECK: moert.func @prompt
// CHECK-SAME: outs()
func.func @prompt(%k: tensor<?x16xf32>, %v: tensor<?x32xf32>, %positions: tensor<?xi32>,
                  %sequences: tensor<?xi32>, %pages: tensor<?x4xi32> {moe.symbol = "slots"}) {
  // CHECK: %[[CACHE:.*]] = moert.state_buffer @blk.0.cache
  %c0 = lm.read_cache @blk.0.cache : !lm.cache<2 x 8 x 16, int16>
  // CHECK: moert.append {{.*}} outs(%[[CACHE]])
  %c1 = lm.append %c0, %k, %v at(%positions, %sequences, %pages)
    : !lm.cache<2 x 8 x 16, int16>, tensor<?x16xf32>, tensor<?x32xf32>, tensor<?xi32>,
      tensor<?xi32>, tensor<?x4xi32>
  lm.write_cache %c1, @blk.0.cache : !lm.cache<2 x 8 x 16, int16>
  return
}

// A symbol that no dimension needs is none: 'static' is not there, see above.
// CHECK: moert.func @static
func.func @static(%x: tensor<4x16xf32> {moe.symbol = "static"}) -> tensor<4x16xf32> {
  %0 = moe.add %x, %x : tensor<4x16xf32>
  return %0 : tensor<4x16xf32>
}
