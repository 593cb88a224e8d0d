// The launches of a layer of qwen3-30b-a3b, whose count is a good part of the time of one token (docs/cuda.md): what
// adds one must say so here. The first layer of a function checks the places of all layers.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_90a" | grep -oE 'moert.launch @[a-z_]+' \
// RUN:   | FileCheck %s --match-full-lines

// CHECK:      moert.launch @joined_rms_norm_quantize_
// CHECK-NEXT: moert.launch @joined_matmul_
// CHECK-NEXT: moert.launch @joined_head_norm_rotate_
// CHECK-NEXT: moert.launch @check_segments_
// CHECK-NEXT: moert.launch @check_places_
// CHECK-NEXT: moert.launch @append_
// CHECK-NEXT: moert.launch @check_segments_
// CHECK-NEXT: moert.launch @check_places_
// CHECK-NEXT: moert.launch @attend_spans_
// CHECK-NEXT: moert.launch @attend_
// CHECK-NEXT: moert.launch @quantize_
// CHECK-NEXT: moert.launch @matmul_
// CHECK-NEXT: moert.launch @joined_add_rms_norm_quantize_
// CHECK-NEXT: moert.launch @matmul_float_
// CHECK-NEXT: moert.launch @route_
// CHECK-NEXT: moert.launch @dispatch_count_
// CHECK-NEXT: moert.launch @dispatch_scatter_
// CHECK-NEXT: moert.launch @glu_matmul_
// CHECK-NEXT: moert.launch @matmul_
// CHECK-NEXT: moert.launch @joined_combine_add_
// CHECK-NOT:  moert.launch

module attributes {moert.program = #moert.program<abi = 5, numerics = 2, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.symbol @pages max(1048576)
  moert.symbol @slots max(512)
  moert.weight @ffn_norm "ffn_norm" : 2048xf32
  moert.weight @ffn_gate_inp "ffn_gate_inp" : 128x2048xf32
  moert.weight @ffn_gate_exps "ffn_gate_exps" : 128x768x2048xq4_K
  moert.weight @ffn_up_exps "ffn_up_exps" : 128x768x2048xq4_K
  moert.weight @ffn_down_exps "ffn_down_exps" : 128x2048x768xq6_K
  moert.weight @attn_norm "attn_norm" : 2048xf32
  moert.weight @attn_q "attn_q" : 4096x2048xq4_K
  moert.weight @attn_q_norm "attn_q_norm" : 128xf32
  moert.weight @attn_k "attn_k" : 512x2048xq4_K
  moert.weight @attn_k_norm "attn_k_norm" : 128xf32
  moert.weight @attn_v "attn_v" : 512x2048xq6_K
  moert.weight @attn_output "attn_output" : 2048x4096xq4_K
  moert.state @cache : !moert.buffer<pages x 66560 x i32>
  moert.func @layer("x" %x: !moert.buffer<tokens x 2048 x f32>, "positions" %positions: !moert.buffer<tokens x i32>,
                    "sequences" %sequences: !moert.buffer<tokens x i32>,
                    "pages" %pages: !moert.buffer<slots x 272 x i32>)
      outs("y" %y: !moert.buffer<tokens x 2048 x f32>) {
    %0 = moert.state_buffer @cache : !moert.buffer<pages x 66560 x i32>
    %1 = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.rms_norm %x, @attn_norm eps(1.0e-06) outs(%1)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
    %2 = moert.buffer : !moert.buffer<tokens x 2048 x act16>
    moert.quantize %1 outs(%2)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x act16>
    %3 = moert.buffer : !moert.buffer<tokens x 4096 x f32>
    moert.matmul %2, @attn_q arithmetic(exact) outs(%3)
      : !moert.buffer<tokens x 2048 x act16>, !moert.buffer<tokens x 4096 x f32>
    %4 = moert.buffer : !moert.buffer<tokens x 4096 x f32>
    moert.head_norm %3, @attn_q_norm heads(32) eps(1.0e-06) outs(%4)
      : !moert.buffer<tokens x 4096 x f32>, !moert.buffer<tokens x 4096 x f32>
    %5 = moert.buffer : !moert.buffer<tokens x 4096 x f32>
    moert.rotate %4, %positions heads(32) pairs(halves) frequencies [1] outs(%5)
      : !moert.buffer<tokens x 4096 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 4096 x f32>
    %6 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.matmul %2, @attn_k arithmetic(exact) outs(%6)
      : !moert.buffer<tokens x 2048 x act16>, !moert.buffer<tokens x 512 x f32>
    %7 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.head_norm %6, @attn_k_norm heads(4) eps(1.0e-06) outs(%7)
      : !moert.buffer<tokens x 512 x f32>, !moert.buffer<tokens x 512 x f32>
    %8 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.rotate %7, %positions heads(4) pairs(halves) frequencies [1] outs(%8)
      : !moert.buffer<tokens x 512 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 512 x f32>
    %9 = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.matmul %2, @attn_v arithmetic(exact) outs(%9)
      : !moert.buffer<tokens x 2048 x act16>, !moert.buffer<tokens x 512 x f32>
    moert.append %8, %9 at(%positions, %sequences, %pages) kv_heads(4) width(int16) outs(%0)
      : !moert.buffer<tokens x 512 x f32>, !moert.buffer<tokens x 512 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 272 x i32>, !moert.buffer<pages x 66560 x i32>
    %10 = moert.buffer : !moert.buffer<tokens x 4096 x f32>
    moert.attend %5, %0 at(%positions, %sequences, %pages) heads(32) kv_heads(4) scale(0.125) query_width(int16) width(int16) outs(%10)
      : !moert.buffer<tokens x 4096 x f32>, !moert.buffer<pages x 66560 x i32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 272 x i32>, !moert.buffer<tokens x 4096 x f32>
    %11 = moert.buffer : !moert.buffer<tokens x 4096 x act16>
    moert.quantize %10 outs(%11)
      : !moert.buffer<tokens x 4096 x f32>, !moert.buffer<tokens x 4096 x act16>
    %12 = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.matmul %11, @attn_output arithmetic(exact) outs(%12)
      : !moert.buffer<tokens x 4096 x act16>, !moert.buffer<tokens x 2048 x f32>
    %13 = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.add %12, %x outs(%13)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
    %14 = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.rms_norm %13, @ffn_norm eps(1.0e-06) outs(%14)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
    %15 = moert.buffer : !moert.buffer<tokens x 2048 x act16>
    moert.quantize %14 outs(%15)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x act16>
    %16 = moert.buffer : !moert.buffer<tokens x 128 x f32>
    moert.matmul %14, @ffn_gate_inp arithmetic(float) outs(%16)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 128 x f32>
    %17 = moert.buffer : !moert.buffer<tokens x 8 x i32>
    %18 = moert.buffer : !moert.buffer<tokens x 8 x f32>
    moert.route %16 top(8) scoring(softmax) normalize tie(lower_id) outs(%17, %18)
      : !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x 8 x i32>, !moert.buffer<tokens x 8 x f32>
    %19 = moert.buffer : !moert.buffer<8*tokens x i32>
    %20 = moert.buffer : !moert.buffer<tokens x 8 x i32>
    %21 = moert.buffer : !moert.buffer<129 x i32>
    moert.dispatch %17 experts(128) outs(%19, %20, %21)
      : !moert.buffer<tokens x 8 x i32>, !moert.buffer<8*tokens x i32>, !moert.buffer<tokens x 8 x i32>, !moert.buffer<129 x i32>
    %22 = moert.buffer : !moert.buffer<8*tokens x 768 x act16>
    moert.glu_matmul %15, @ffn_gate_exps, @ffn_up_exps offsets(%21)
      permutation(%19) slots(8) kind(swiglu) arithmetic(exact) outs(%22)
      : !moert.buffer<tokens x 2048 x act16>, !moert.buffer<129 x i32>, !moert.buffer<8*tokens x i32>, !moert.buffer<8*tokens x 768 x act16>
    %23 = moert.buffer : !moert.buffer<8*tokens x 2048 x f32>
    moert.matmul %22, @ffn_down_exps offsets(%21)
      permutation(%19) scale(%18) arithmetic(exact) outs(%23)
      : !moert.buffer<8*tokens x 768 x act16>, !moert.buffer<129 x i32>, !moert.buffer<8*tokens x i32>, !moert.buffer<tokens x 8 x f32>, !moert.buffer<8*tokens x 2048 x f32>
    %24 = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.combine %23 inverse(%20) outs(%24)
      : !moert.buffer<8*tokens x 2048 x f32>, !moert.buffer<tokens x 8 x i32>, !moert.buffer<tokens x 2048 x f32>
    moert.add %24, %13 outs(%y)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
    moert.return
  }
}
