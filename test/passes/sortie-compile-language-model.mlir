// A small language model through the whole pipeline: what the program holds, as text and as bytecode, and the
// options of widths.
// RUN: sortie-opt %S/../interpreter/language-model.mlir --sortie-compile | FileCheck %s
// RUN: sortie-opt %S/../interpreter/language-model.mlir --sortie-compile="kv=int8" \
// RUN:   | FileCheck %s --check-prefix=KV
// RUN: sortie-opt %S/../interpreter/language-model.mlir --sortie-compile="activations=int8" \
// RUN:   | FileCheck %s --check-prefix=ACTIVATIONS
// RUN: sortie-opt %S/../interpreter/language-model.mlir --sortie-compile --emit-bytecode -o %t.mlirbc
// RUN: sortie-opt %t.mlirbc | FileCheck %s
// RUN: sortie-run %t.mlirbc --describe | FileCheck %s --check-prefix=DESCRIBE
// RUN: sortie-opt %S/../interpreter/language-model.mlir --sortie-compile="target=cuda chip=sm_80" \
// RUN:   | FileCheck %s --check-prefix=CUDA

// CHECK: moert.program<{{.*}}target = "cpu"
// CHECK-DAG: moert.symbol @tokens max(8192)
// CHECK-DAG: moert.symbol @slots max(8192)
// CHECK-DAG: moert.symbol @rows max(8192)
// CHECK-DAG: moert.symbol @pages max(1048576)
// CHECK: moert.state @blk.0.cache : !moert.buffer<pages x 3584 x i32>
// CHECK: moert.state @blk.1.cache : !moert.buffer<pages x 2304 x i32>
// CHECK: moert.func @forward
// CHECK: moert.embed
// CHECK: moert.append {{.*}} width(int16)
// CHECK: moert.checkpoint "forward.attend" =
// CHECK: moert.append {{.*}} kv_heads(1) width(int16)
// CHECK: moert.attend {{.*}} query_width(int16) width(int16)
// CHECK: moert.read_rows
// CHECK: moert.checkpoint "{{.*}}" = %logits : !moert.buffer<rows x 64 x f32>

// KV: moert.state @blk.0.cache : !moert.buffer<pages x 2048 x i32>
// KV: moert.attend {{.*}} query_width(int16) width(int8)
// ACTIVATIONS: moert.state @blk.0.cache : !moert.buffer<pages x 3584 x i32>
// ACTIVATIONS: moert.attend {{.*}} query_width(int8) width(int16)

// DESCRIBE: function forward
// DESCRIBE: input tokens: i32 [tokens]
// DESCRIBE: input pages: i32 [slots, 2]
// DESCRIBE: output logits: f32 [rows, 64]

// CUDA: moert.launch @attend_spans_0 grid({{.*}}tokens max {{.*}})
// CUDA: moert.launch @attend_0
// CUDA: moert.launch @attend_spans_1
