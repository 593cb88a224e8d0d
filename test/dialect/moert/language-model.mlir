// The operations of language models with every clause and without, through text, bytecode and the generic
// form; and a state whose number of pages is a symbol of the session.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --canonicalize --cse | FileCheck %s

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @rows max(8)
moert.symbol @pages max(64)
// CHECK: moert.state @cache : !moert.buffer<pages x 3584 x i32>
moert.state @cache : !moert.buffer<pages x 3584 x i32>
// CHECK: moert.state @small : !moert.buffer<2*pages+1 x 2048 x i32>
moert.state @small : !moert.buffer<2*pages+1 x 2048 x i32>
moert.weight @table "token_embd.weight" : 64x32xq8_0
moert.weight @norm "norm" : 8xf32
moert.weight @sinks "sinks" : 4xf32

// CHECK-LABEL: moert.func @embed
moert.func @embed("tokens" %tokens: !moert.buffer<tokens x i32>,
                 "positions" %positions: !moert.buffer<tokens x i32>,
                 "rows" %rows: !moert.buffer<rows x i32>)
    outs("y" %y: !moert.buffer<rows x 32 x f32>) {
  %x = moert.buffer : !moert.buffer<tokens x 32 x f32>
  // CHECK: moert.embed %tokens, @table outs(%[[X:.*]]) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
  moert.embed %tokens, @table outs(%x)
    : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
  %n = moert.buffer : !moert.buffer<tokens x 32 x f32>
  // CHECK: moert.head_norm %[[X]], @norm heads(4) eps(9.99999997E-7) outs(%[[N:.*]]) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
  moert.head_norm %x, @norm heads(4) eps(1.0e-06) outs(%n)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
  %h = moert.buffer : !moert.buffer<tokens x 32 x f32>
  // CHECK: moert.rotate %[[N]], %positions heads(4) pairs(halves) frequencies [2935890503282001226, -5] outs(%[[H:.*]]) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
  moert.rotate %n, %positions heads(4) pairs(halves) frequencies [2935890503282001226, -5] outs(%h)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>,
      !moert.buffer<tokens x 32 x f32>
  %r = moert.buffer : !moert.buffer<tokens x 32 x f32>
  // CHECK: moert.rotate %[[H]], %positions heads(4) pairs(neighbours) frequencies [1, 2, 3, 4] factor(1.250000e+00) outs(%[[R:.*]])
  moert.rotate %h, %positions heads(4) pairs(neighbours) frequencies [1, 2, 3, 4] factor(1.25)
    outs(%r)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>,
      !moert.buffer<tokens x 32 x f32>
  // The table has as many rows as a symbol says.
  // CHECK: moert.read_rows %[[R]], %rows outs(%y) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<rows x i32>, !moert.buffer<rows x 32 x f32>
  moert.read_rows %r, %rows outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<rows x i32>, !moert.buffer<rows x 32 x f32>
}

// An append writes the state that the attention reads.
// CHECK-LABEL: moert.func @attend
moert.func @attend("q" %q: !moert.buffer<tokens x 32 x f32>,
                  "k" %k: !moert.buffer<tokens x 16 x f32>,
                  "v" %v: !moert.buffer<tokens x 32 x f32>,
                  "positions" %positions: !moert.buffer<tokens x i32>,
                  "sequences" %sequences: !moert.buffer<tokens x i32>,
                  "pages" %pages: !moert.buffer<slots x 4 x i32>)
    outs("a" %a: !moert.buffer<tokens x 64 x f32>, "b" %b: !moert.buffer<tokens x 64 x f32>) {
  // CHECK: %[[CACHE:.*]] = moert.state_buffer @cache : !moert.buffer<pages x 3584 x i32>
  %cache = moert.state_buffer @cache : !moert.buffer<pages x 3584 x i32>
  // CHECK: %[[SMALL:.*]] = moert.state_buffer @small
  %small = moert.state_buffer @small : !moert.buffer<2*pages+1 x 2048 x i32>
  // CHECK: moert.append %k, %v at(%positions, %sequences, %pages) kv_heads(2) width(int16) outs(%[[CACHE]]) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x i32>
  moert.append %k, %v at(%positions, %sequences, %pages) kv_heads(2) width(int16) outs(%cache)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>,
      !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>,
      !moert.buffer<pages x 3584 x i32>
  // CHECK: moert.attend %q, %[[CACHE]] at(%positions, %sequences, %pages) heads(4) kv_heads(2) scale(3.500000e-01) query_width(int8) width(int16) outs(%a) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
  moert.attend %q, %cache at(%positions, %sequences, %pages) heads(4) kv_heads(2) scale(0.35)
    query_width(int8) width(int16) outs(%a)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>,
      !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>,
      !moert.buffer<tokens x 64 x f32>
  // CHECK: moert.append %k, %v {{.*}} width(int8) outs(%[[SMALL]])
  moert.append %k, %v at(%positions, %sequences, %pages) kv_heads(2) width(int8) outs(%small)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>,
      !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>,
      !moert.buffer<2*pages+1 x 2048 x i32>
  // CHECK: moert.attend %q, %[[SMALL]] at(%positions, %sequences, %pages) sinks(@sinks) heads(4) kv_heads(2) scale(3.500000e-01) window(128) query_width(int16) width(int8) outs(%b)
  moert.attend %q, %small at(%positions, %sequences, %pages) sinks(@sinks) heads(4) kv_heads(2)
    scale(0.35) window(128) query_width(int16) width(int8) outs(%b)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<2*pages+1 x 2048 x i32>,
      !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>,
      !moert.buffer<tokens x 64 x f32>
}

// Rows of a state whose number a session says are read and written by their numbers.
// CHECK-LABEL: moert.func @pages_of
moert.func @pages_of("index" %index: !moert.buffer<tokens x i32>)
    outs("y" %y: !moert.buffer<tokens x 3584 x i32>) {
  %cache = moert.state_buffer @cache : !moert.buffer<pages x 3584 x i32>
  // CHECK: moert.read_rows
  moert.read_rows %cache, %index outs(%y)
    : !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<tokens x 3584 x i32>
  // CHECK: moert.write_rows
  moert.write_rows %y, %index outs(%cache)
    : !moert.buffer<tokens x 3584 x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<pages x 3584 x i32>
}
