// Gate and up in two formats of floats: no kernel reads both, so each has its own, and the activation
// follows. Scales by expert and biases go with their matrices.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80" | FileCheck %s

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.weight @gate "gate" : 4x128x256xbf16
  moert.weight @up "up" : 4x128x256xf32
  moert.weight @s "s" : 4xf32
  moert.weight @b "b" : 4x128xf32
  moert.weight @dense_gate "dense_gate" : 128x256xf32
  moert.weight @dense_up "dense_up" : 128x256xf16
  // CHECK-LABEL: moert.func @f
  moert.func @f("x" %x: !moert.buffer<tokens x 256 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("y" %y: !moert.buffer<2*tokens x 128 x act16>, "z" %z: !moert.buffer<tokens x 128 x f32>) {
    %p = moert.buffer : !moert.buffer<2*tokens x i32>
    %i = moert.buffer : !moert.buffer<tokens x 2 x i32>
    %o = moert.buffer : !moert.buffer<5 x i32>
    moert.dispatch %ids experts(4) outs(%p, %i, %o) : !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    // CHECK: %[[G:.*]] = moert.buffer : !moert.buffer<2*tokens x 128 x f32>
    // CHECK-NEXT: moert.launch @matmul_float_0 {{.*}} writes(%[[G]]) weights(@gate, @s)
    // CHECK-NEXT: %[[U:.*]] = moert.buffer : !moert.buffer<2*tokens x 128 x f32>
    // CHECK-NEXT: moert.launch @matmul_float_1 {{.*}} writes(%[[U]]) weights(@up, @b)
    // CHECK-NEXT: %[[A:.*]] = moert.buffer : !moert.buffer<2*tokens x 128 x f32>
    // CHECK-NEXT: moert.launch @glu_0 {{.*}} reads(%[[G]], %[[U]]) writes(%[[A]])
    // CHECK-NEXT: moert.launch @quantize_0 {{.*}} reads(%[[A]]) writes(%y)
    moert.glu_matmul %x, @gate, @up offsets(%o) permutation(%p) slots(2) gate_scale(@s) up_bias(@b)
      kind(swiglu) arithmetic(float) outs(%y)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<5 x i32>, !moert.buffer<2*tokens x i32>,
        !moert.buffer<2*tokens x 128 x act16>
    // CHECK-NEXT: %[[G:.*]] = moert.buffer : !moert.buffer<tokens x 128 x f32>
    // CHECK-NEXT: moert.launch @matmul_float_2 {{.*}} writes(%[[G]]) weights(@dense_gate)
    // CHECK-NEXT: %[[U:.*]] = moert.buffer : !moert.buffer<tokens x 128 x f32>
    // CHECK-NEXT: moert.launch @matmul_float_3 {{.*}} writes(%[[U]]) weights(@dense_up)
    // CHECK-NEXT: moert.launch @glu_0 {{.*}} reads(%[[G]], %[[U]]) writes(%z)
    moert.glu_matmul %x, @dense_gate, @dense_up kind(swiglu) arithmetic(float) outs(%z)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 128 x f32>
    moert.return
  }
}
