// A program with caches has functions for their pages, after those of the module.
// RUN: sortie-opt %s --moe-lower-to-moert | FileCheck %s
// RUN: sortie-opt %s --sortie-compile --emit-bytecode -o %t.mlirbc
// RUN: sortie-run %t.mlirbc --describe | FileCheck %s --check-prefix=DESCRIBE

// An argument asks for a symbol of this name; that of the functions is another one.
// CHECK: moert.symbol @copies max(8192)
// CHECK: moert.symbol @copies_1 max(16)
lm.cache @blk.0.cache : !lm.cache<2 x 8 x 16, int16>
lm.cache @blk.1.cache : !lm.cache<2 x 8 x 16, int8>

// CHECK: moert.func @f
func.func @f(%x: tensor<?x16xf32> {moe.symbol = "copies"}) -> tensor<?x16xf32> {
  %0 = moe.add %x, %x : tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// CHECK: moert.func @copy_pages("from" %[[FROM:[^:]*]]: !moert.buffer<copies_1 x i32>, "to" %[[TO:[^:]*]]: !moert.buffer<copies_1 x i32>) outs() {
// CHECK: %[[CACHE:.*]] = moert.state_buffer @blk.0.cache
// CHECK: %[[PAGES:.*]] = moert.buffer : !moert.buffer<copies_1 x 3584 x i32>
// CHECK: moert.read_rows %[[CACHE]], %[[FROM]] outs(%[[PAGES]])
// CHECK: moert.write_rows %[[PAGES]], %[[TO]] outs(%[[CACHE]])
// CHECK: %[[CACHE:.*]] = moert.state_buffer @blk.1.cache
// CHECK: %[[PAGES:.*]] = moert.buffer : !moert.buffer<copies_1 x 2048 x i32>
// CHECK: moert.read_rows %[[CACHE]], %[[FROM]] outs(%[[PAGES]])
// CHECK: moert.write_rows %[[PAGES]], %[[TO]] outs(%[[CACHE]])
// CHECK: moert.return

// CHECK: moert.func @read_pages("index" %[[INDEX:[^:]*]]: !moert.buffer<copies_1 x i32>)
// CHECK-SAME: outs("blk.0.cache" %[[FIRST:[^:]*]]: !moert.buffer<copies_1 x 3584 x i32>, "blk.1.cache" %[[SECOND:[^:]*]]: !moert.buffer<copies_1 x 2048 x i32>)
// CHECK: moert.read_rows %{{.*}}, %[[INDEX]] outs(%[[FIRST]])
// CHECK: moert.read_rows %{{.*}}, %[[INDEX]] outs(%[[SECOND]])

// CHECK: moert.func @write_pages("index" %[[INDEX:[^:]*]]: !moert.buffer<copies_1 x i32>, "blk.0.cache" %[[FIRST:[^:]*]]: !moert.buffer<copies_1 x 3584 x i32>, "blk.1.cache" %[[SECOND:[^:]*]]: !moert.buffer<copies_1 x 2048 x i32>) outs() {
// CHECK: moert.write_rows %[[FIRST]], %[[INDEX]] outs(%{{.*}})
// CHECK: moert.write_rows %[[SECOND]], %[[INDEX]] outs(%{{.*}})

// DESCRIBE: function copy_pages
// DESCRIBE: input from: i32 [copies_1]
// DESCRIBE: function read_pages
// DESCRIBE: output blk.1.cache: i32 [copies_1, 2048]
// DESCRIBE: function write_pages
