// The attention of a layer of DeepSeek-V2-Lite: which launches it becomes, in their order. Every operation has a kernel;
// what appends and what attends wait for a check of the tokens' places.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_90a join-launches=false" | FileCheck %s
// Fewer, where operations share launches.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_90a" | FileCheck %s --check-prefix=JOINED

// JOINED: moert.func @attention

module attributes {moert.program = #moert.program<abi = 5, numerics = 2, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(512)
  moert.symbol @slots max(4)
  moert.symbol @pages max(64)
  moert.state @latents : !moert.buffer<pages x 69888 x i32>
  moert.weight @norm "blk.0.attn_norm.weight" : 2048xf32
  moert.weight @q "blk.0.attn_q.weight" : 3072x2048xq4_K
  moert.weight @kv_a "blk.0.attn_kv_a_mqa.weight" : 576x2048xq4_K
  moert.weight @kv_a_norm "blk.0.attn_kv_a_norm.weight" : 512xf32
  moert.weight @k_b "blk.0.attn_k_b.weight" : 16x512x128xq8_0
  moert.weight @v_b "blk.0.attn_v_b.weight" : 16x128x512xq4_K
  moert.weight @output "blk.0.attn_output.weight" : 2048x2048xq4_K

  // CHECK: moert.func @attention
  // CHECK-NOT: moert.launch @dispatch
  moert.func @attention("x" %x: !moert.buffer<tokens x 2048 x f32>,
                        "positions" %positions: !moert.buffer<tokens x i32>,
                        "sequences" %sequences: !moert.buffer<tokens x i32>,
                        "pages" %pages: !moert.buffer<slots x 6 x i32>)
      outs("y" %y: !moert.buffer<tokens x 2048 x f32>) {
    %cache = moert.state_buffer @latents : !moert.buffer<pages x 69888 x i32>
    // CHECK: moert.launch @rms_norm_0
    %n = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.rms_norm %x, @norm eps(1.0e-6) outs(%n)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
    // CHECK: moert.launch @quantize_0
    %qn = moert.buffer : !moert.buffer<tokens x 2048 x act16>
    moert.quantize %n outs(%qn) : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x act16>
    // CHECK: moert.launch @matmul_0 {{.*}} weights(@q)
    %queries = moert.buffer : !moert.buffer<tokens x 3072 x f32>
    moert.matmul %qn, @q arithmetic(exact) outs(%queries)
      : !moert.buffer<tokens x 2048 x act16>, !moert.buffer<tokens x 3072 x f32>
    // CHECK: moert.launch @matmul_1 {{.*}} weights(@kv_a)
    %compressed = moert.buffer : !moert.buffer<tokens x 576 x f32>
    moert.matmul %qn, @kv_a arithmetic(exact) outs(%compressed)
      : !moert.buffer<tokens x 2048 x act16>, !moert.buffer<tokens x 576 x f32>
    // CHECK: moert.launch @slice_heads_0
    // CHECK: moert.launch @slice_heads_1
    %plain = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.slice_heads %queries heads(16) first(0) outs(%plain)
      : !moert.buffer<tokens x 3072 x f32>, !moert.buffer<tokens x 2048 x f32>
    %unturned = moert.buffer : !moert.buffer<tokens x 1024 x f32>
    moert.slice_heads %queries heads(16) first(128) outs(%unturned)
      : !moert.buffer<tokens x 3072 x f32>, !moert.buffer<tokens x 1024 x f32>
    // CHECK: moert.launch @rotate_0
    %turned = moert.buffer : !moert.buffer<tokens x 1024 x f32>
    moert.rotate %unturned, %positions heads(16) pairs(neighbours) frequencies [2935890503282001226, 92840] outs(%turned)
      : !moert.buffer<tokens x 1024 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 1024 x f32>
    // CHECK: moert.launch @slice_heads_2
    // CHECK: moert.launch @slice_heads_3
    %unscaled = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.slice_heads %compressed heads(1) first(0) outs(%unscaled)
      : !moert.buffer<tokens x 576 x f32>, !moert.buffer<tokens x 512 x f32>
    %straight = moert.buffer : !moert.buffer<tokens x 64 x f32>
    moert.slice_heads %compressed heads(1) first(512) outs(%straight)
      : !moert.buffer<tokens x 576 x f32>, !moert.buffer<tokens x 64 x f32>
    // CHECK: moert.launch @rms_norm_1
    %latent = moert.buffer : !moert.buffer<tokens x 512 x f32>
    moert.rms_norm %unscaled, @kv_a_norm eps(1.0e-6) outs(%latent)
      : !moert.buffer<tokens x 512 x f32>, !moert.buffer<tokens x 512 x f32>
    // CHECK: moert.launch @rotate_1
    %key = moert.buffer : !moert.buffer<tokens x 64 x f32>
    moert.rotate %straight, %positions heads(1) pairs(neighbours) frequencies [2935890503282001226, 92840] outs(%key)
      : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 64 x f32>
    // CHECK: moert.launch @check_places_0 {{.*}} writes(%[[STATUS:[0-9]+]])
    // CHECK: moert.launch @append_latent_0 {{.*}}%[[STATUS]]
    moert.append_latent %latent, %key at(%positions, %sequences, %pages) width(int16) outs(%cache)
      : !moert.buffer<tokens x 512 x f32>, !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 6 x i32>, !moert.buffer<pages x 69888 x i32>
    // CHECK: moert.launch @quantize_1 grid(16*tokens, 1)
    %heads = moert.buffer : !moert.buffer<tokens x 16 x 128 x act16>
    moert.quantize_heads %plain outs(%heads)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 16 x 128 x act16>
    // CHECK: moert.launch @head_matmul_0 grid(2, tokens ceildiv 64, 16) {{.*}} weights(@k_b) extents(16*tokens)
    %absorbed = moert.buffer : !moert.buffer<tokens x 8192 x f32>
    moert.head_matmul %heads, @k_b heads(16) arithmetic(exact) outs(%absorbed)
      : !moert.buffer<tokens x 16 x 128 x act16>, !moert.buffer<tokens x 8192 x f32>
    // CHECK: moert.launch @attend_spans_0
    // CHECK: moert.launch @attend_0
    %attended = moert.buffer : !moert.buffer<tokens x 8192 x f32>
    moert.attend_latent %absorbed, %turned, %cache at(%positions, %sequences, %pages) heads(16)
      scale(7.216878e-02) query_width(int16) width(int16) outs(%attended)
      : !moert.buffer<tokens x 8192 x f32>, !moert.buffer<tokens x 1024 x f32>, !moert.buffer<pages x 69888 x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 6 x i32>,
        !moert.buffer<tokens x 8192 x f32>
    // CHECK: moert.launch @quantize_2 grid(16*tokens, 1)
    %latents = moert.buffer : !moert.buffer<tokens x 16 x 512 x act16>
    moert.quantize_heads %attended outs(%latents)
      : !moert.buffer<tokens x 8192 x f32>, !moert.buffer<tokens x 16 x 512 x act16>
    // CHECK: moert.launch @head_matmul_1 grid(1, tokens ceildiv 64, 16) {{.*}} weights(@v_b) extents(16*tokens)
    %values = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.head_matmul %latents, @v_b heads(16) arithmetic(exact) outs(%values)
      : !moert.buffer<tokens x 16 x 512 x act16>, !moert.buffer<tokens x 2048 x f32>
    // CHECK: moert.launch @quantize_0
    %qv = moert.buffer : !moert.buffer<tokens x 2048 x act16>
    moert.quantize %values outs(%qv) : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x act16>
    // CHECK: moert.launch @matmul_2 {{.*}} weights(@output)
    %o = moert.buffer : !moert.buffer<tokens x 2048 x f32>
    moert.matmul %qv, @output arithmetic(exact) outs(%o)
      : !moert.buffer<tokens x 2048 x act16>, !moert.buffer<tokens x 2048 x f32>
    // CHECK: moert.launch @add_0
    moert.add %x, %o outs(%y) : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>,
      !moert.buffer<tokens x 2048 x f32>
    // CHECK: moert.check_places %[[STATUS]]
    moert.return
  }
}
