// Scales by expert and the score of groups through text, bytecode and the generic form.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s

moert.symbol @tokens max(8)
moert.weight @e "e" : 4x64x64xf32
moert.weight @s "s" : 4xf32
moert.weight @b "b" : 4x64xf32
// CHECK-LABEL: moert.func @f
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "l" %l: !moert.buffer<tokens x 4 x f32>)
    outs("y" %y: !moert.buffer<2*tokens x 64 x f32>) {
  %i = moert.buffer : !moert.buffer<tokens x 2 x i32>
  %w = moert.buffer : !moert.buffer<tokens x 2 x f32>
  // CHECK: moert.route %{{.*}} top(2) scoring(softmax) groups(1 of 2) group_score(best) normalize tie(lower_id)
  moert.route %l top(2) scoring(softmax) groups(1 of 2) group_score(best) normalize tie(lower_id)
    outs(%i, %w) : !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 2 x i32>,
    !moert.buffer<tokens x 2 x f32>
  %p = moert.buffer : !moert.buffer<2*tokens x i32>
  %v = moert.buffer : !moert.buffer<tokens x 2 x i32>
  %o = moert.buffer : !moert.buffer<5 x i32>
  moert.dispatch %i experts(4) outs(%p, %v, %o)
    : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
  %a = moert.buffer : !moert.buffer<2*tokens x 64 x f32>
  // CHECK: moert.glu_matmul %{{.*}}, @e, @e offsets(%{{.*}}) permutation(%{{.*}}) slots(2) gate_scale(@s) up_scale(@s) gate_bias(@b) up_bias(@b) kind(swiglu) arithmetic(float)
  moert.glu_matmul %x, @e, @e offsets(%o) permutation(%p) slots(2) gate_scale(@s) up_scale(@s)
    gate_bias(@b) up_bias(@b) kind(swiglu) arithmetic(float) outs(%a)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<5 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<2*tokens x 64 x f32>
  %c = moert.buffer : !moert.buffer<2*tokens x 64 x f32>
  // CHECK: moert.glu_matmul %{{.*}}, @e, @e offsets(%{{.*}}) up_scale(@s) kind(swiglu) arithmetic(float)
  moert.glu_matmul %a, @e, @e offsets(%o) up_scale(@s) kind(swiglu) arithmetic(float) outs(%c)
    : !moert.buffer<2*tokens x 64 x f32>, !moert.buffer<5 x i32>,
      !moert.buffer<2*tokens x 64 x f32>
  // CHECK: moert.matmul %{{.*}}, @e offsets(%{{.*}}) permutation(%{{.*}}) expert_scale(@s) bias(@b) scale(%{{.*}}) arithmetic(float)
  moert.matmul %c, @e offsets(%o) permutation(%p) expert_scale(@s) bias(@b) scale(%w)
    arithmetic(float) outs(%y)
    : !moert.buffer<2*tokens x 64 x f32>, !moert.buffer<5 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 2 x f32>, !moert.buffer<2*tokens x 64 x f32>
}
