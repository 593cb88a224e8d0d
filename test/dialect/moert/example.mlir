// The layer of ../moe/example-dispatch.mlir as a compiled program, planned for up to 512 tokens.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s

// CHECK: moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
// CHECK-SAME: contract = [run, batch, device], features = [], producer = "by hand">
module attributes {
    moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
      contract = [run, batch, device], features = [], producer = "by hand">,
    moert.weights_fingerprint = "2:0123456789abcdef",
    moert.fingerprint_keys = ["general.architecture"],
    moert.weight_hashes = {"blk.0.a.weight" = "0123456789abcdef0123456789abcdef"},
    moert.import_options = {experts_used = 4 : i64}} {
  // CHECK: moert.symbol @tokens max(512)
  moert.symbol @tokens max(512)
  // CHECK: moert.weight @norm "blk.0.ffn_norm.weight" : 2048xf32
  moert.weight @norm "blk.0.ffn_norm.weight" : 2048xf32
  moert.weight @router "blk.0.ffn_gate_inp.weight" : 128x2048xf32
  // CHECK: moert.weight @gate "blk.0.ffn_gate_exps.weight" : 128x768x2048xq4_K
  moert.weight @gate "blk.0.ffn_gate_exps.weight" : 128x768x2048xq4_K
  moert.weight @up "blk.0.ffn_up_exps.weight" : 128x768x2048xq4_K
  moert.weight @down "blk.0.ffn_down_exps.weight" : 128x2048x768xq6_K

  // CHECK: moert.func @blk_0_ffn("hidden" %hidden: !moert.buffer<tokens x 2048 x f32>)
  // CHECK-SAME: outs("ffn_out" %ffn_out: !moert.buffer<tokens x 2048 x f32>)
  // CHECK-SAME: arena(93504*tokens+576) {
  moert.func @blk_0_ffn("hidden" %hidden: !moert.buffer<tokens x 2048 x f32>)
      outs("ffn_out" %out: !moert.buffer<tokens x 2048 x f32>) arena(93504*tokens+576) {
    // CHECK: %[[X:.*]] = moert.buffer offset(0) : !moert.buffer<tokens x 2048 x f32>
    %x = moert.buffer offset(0) : !moert.buffer<tokens x 2048 x f32>
    // CHECK: moert.rms_norm %hidden, @norm eps({{.*}}) outs(%[[X]])
    moert.rms_norm %hidden, @norm eps(1.0e-06) outs(%x)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
    // CHECK: moert.checkpoint "blk.0.ffn_norm" = %[[X]] : !moert.buffer<tokens x 2048 x f32>
    moert.checkpoint "blk.0.ffn_norm" = %x : !moert.buffer<tokens x 2048 x f32>

    %scores = moert.buffer offset(8192*tokens) : !moert.buffer<tokens x 128 x f32>
    // CHECK: moert.matmul %[[X]], @router arithmetic(float) outs(%{{[^ ]*}})
    moert.matmul %x, @router arithmetic(float) outs(%scores)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 128 x f32>
    moert.checkpoint "blk.0.scores" = %scores : !moert.buffer<tokens x 128 x f32>

    %ids = moert.buffer offset(8704*tokens) : !moert.buffer<tokens x 8 x i32>
    %weights = moert.buffer offset(8768*tokens) : !moert.buffer<tokens x 8 x f32>
    // CHECK: moert.route %{{[^ ]*}} top(8) scoring(softmax) normalize tie(lower_id) outs(%{{[^ ]*}}, %
    moert.route %scores top(8) scoring(softmax) normalize tie(lower_id) outs(%ids, %weights)
      : !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x 8 x i32>,
        !moert.buffer<tokens x 8 x f32>
    moert.checkpoint "blk.0.ids" = %ids : !moert.buffer<tokens x 8 x i32>
    moert.checkpoint "blk.0.weights" = %weights : !moert.buffer<tokens x 8 x f32>

    %permutation = moert.buffer offset(8832*tokens) : !moert.buffer<8*tokens x i32>
    %inverse = moert.buffer offset(8896*tokens) : !moert.buffer<tokens x 8 x i32>
    %offsets = moert.buffer offset(8960*tokens) : !moert.buffer<129 x i32>
    // CHECK: moert.dispatch %{{[^ ]*}} experts(128) outs(%{{[^ ]*}}, %{{[^ ]*}}, %
    moert.dispatch %ids experts(128) outs(%permutation, %inverse, %offsets)
      : !moert.buffer<tokens x 8 x i32>, !moert.buffer<8*tokens x i32>,
        !moert.buffer<tokens x 8 x i32>, !moert.buffer<129 x i32>

    // Rows of 2048 act16 elements take 4672 bytes, rows of 768 take 1792.
    %q = moert.buffer offset(8960*tokens+576) : !moert.buffer<tokens x 2048 x act16>
    // CHECK: moert.quantize %[[X]] outs(%{{[^ ]*}})
    moert.quantize %x outs(%q)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x act16>

    %act = moert.buffer offset(13632*tokens+576) : !moert.buffer<8*tokens x 768 x act16>
    // CHECK: moert.glu_matmul %{{[^ ]*}}, @gate, @up offsets(%{{[^ ]*}}) permutation(%{{[^ ]*}}) slots(8)
    // CHECK-SAME: kind(swiglu) arithmetic(exact) outs(%
    moert.glu_matmul %q, @gate, @up offsets(%offsets) permutation(%permutation) slots(8)
      kind(swiglu) arithmetic(exact) outs(%act)
      : !moert.buffer<tokens x 2048 x act16>, !moert.buffer<129 x i32>,
        !moert.buffer<8*tokens x i32>, !moert.buffer<8*tokens x 768 x act16>
    // CHECK: moert.checkpoint "blk.0.gate"
    moert.checkpoint "blk.0.gate"
    moert.checkpoint "blk.0.up"
    moert.checkpoint "blk.0.act"

    %d = moert.buffer offset(27968*tokens+576) : !moert.buffer<8*tokens x 2048 x f32>
    // CHECK: moert.matmul %{{[^ ]*}}, @down offsets(%{{[^ ]*}}) permutation(%{{[^ ]*}}) scale(%{{[^ ]*}})
    // CHECK-SAME: arithmetic(exact) outs(%
    moert.matmul %act, @down offsets(%offsets) permutation(%permutation) scale(%weights)
      arithmetic(exact) outs(%d)
      : !moert.buffer<8*tokens x 768 x act16>, !moert.buffer<129 x i32>,
        !moert.buffer<8*tokens x i32>, !moert.buffer<tokens x 8 x f32>,
        !moert.buffer<8*tokens x 2048 x f32>
    moert.checkpoint "blk.0.down"

    // The normalised rows are not needed any more: their memory serves again.
    %routed = moert.buffer offset(0) : !moert.buffer<tokens x 2048 x f32>
    // CHECK: moert.combine %{{[^ ]*}} inverse(%{{[^ ]*}}) outs(%
    moert.combine %d inverse(%inverse) outs(%routed)
      : !moert.buffer<8*tokens x 2048 x f32>, !moert.buffer<tokens x 8 x i32>,
        !moert.buffer<tokens x 2048 x f32>
    moert.checkpoint "blk.0.routed" = %routed : !moert.buffer<tokens x 2048 x f32>

    // CHECK: moert.add %hidden, %{{[^ ]*}} outs(%ffn_out)
    moert.add %hidden, %routed outs(%out)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>,
        !moert.buffer<tokens x 2048 x f32>
    // CHECK: moert.checkpoint "blk.0.ffn_out" = %ffn_out
    moert.checkpoint "blk.0.ffn_out" = %out : !moert.buffer<tokens x 2048 x f32>
    // CHECK: moert.return
    moert.return
  }
}
