// A whole Mixture-of-Experts layer, written by hand: norm, router, top 2 of 4 experts, gate and up,
// down with the routing weight, combine, residual. Names, formats and shapes of tensors are those of
// layer.py.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(64)
  moert.weight @norm "blk.0.ffn_norm.weight" : 256xf32
  moert.weight @router "blk.0.ffn_gate_inp.weight" : 4x256xf32
  moert.weight @gate "blk.0.ffn_gate_exps.weight" : 4x64x256xq4_0
  moert.weight @up "blk.0.ffn_up_exps.weight" : 4x64x256xq4_0
  moert.weight @down "blk.0.ffn_down_exps.weight" : 4x256x64xq8_0
  moert.func @layer("hidden" %hidden: !moert.buffer<tokens x 256 x f32>)
      outs("out" %out: !moert.buffer<tokens x 256 x f32>) arena(7168*tokens+1024) {
    %norm = moert.buffer offset(0) : !moert.buffer<tokens x 256 x f32>
    %scores = moert.buffer offset(1024*tokens) : !moert.buffer<tokens x 4 x f32>
    %ids = moert.buffer offset(1088*tokens) : !moert.buffer<tokens x 2 x i32>
    %weights = moert.buffer offset(1152*tokens) : !moert.buffer<tokens x 2 x f32>
    %permutation = moert.buffer offset(1216*tokens) : !moert.buffer<2*tokens x i32>
    %inverse = moert.buffer offset(1280*tokens) : !moert.buffer<tokens x 2 x i32>
    %quantized = moert.buffer offset(1344*tokens) : !moert.buffer<tokens x 256 x act16>
    %act = moert.buffer offset(1984*tokens) : !moert.buffer<2*tokens x 64 x act16>
    %down = moert.buffer offset(3072*tokens) : !moert.buffer<2*tokens x 256 x f32>
    %routed = moert.buffer offset(5120*tokens) : !moert.buffer<tokens x 256 x f32>
    %offsets = moert.buffer offset(7168*tokens) : !moert.buffer<5 x i32>
    moert.rms_norm %hidden, @norm eps(1.0e-06) outs(%norm)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>
    moert.checkpoint "blk.0.ffn_norm" = %norm : !moert.buffer<tokens x 256 x f32>
    moert.matmul %norm, @router arithmetic(float) outs(%scores)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 4 x f32>
    moert.checkpoint "blk.0.scores" = %scores : !moert.buffer<tokens x 4 x f32>
    moert.route %scores top(2) scoring(softmax) normalize tie(lower_id) outs(%ids, %weights)
      : !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 2 x i32>,
        !moert.buffer<tokens x 2 x f32>
    moert.checkpoint "blk.0.ids" = %ids : !moert.buffer<tokens x 2 x i32>
    moert.dispatch %ids experts(4) outs(%permutation, %inverse, %offsets)
      : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
        !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    moert.quantize %norm outs(%quantized)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x act16>
    moert.glu_matmul %quantized, @gate, @up offsets(%offsets) permutation(%permutation) slots(2)
      kind(swiglu) arithmetic(exact) outs(%act)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<5 x i32>, !moert.buffer<2*tokens x i32>,
        !moert.buffer<2*tokens x 64 x act16>
    moert.checkpoint "blk.0.act"
    moert.matmul %act, @down offsets(%offsets) permutation(%permutation) scale(%weights)
      arithmetic(exact) outs(%down)
      : !moert.buffer<2*tokens x 64 x act16>, !moert.buffer<5 x i32>,
        !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x f32>,
        !moert.buffer<2*tokens x 256 x f32>
    moert.checkpoint "blk.0.down" = %down order(%inverse)
      : !moert.buffer<2*tokens x 256 x f32>, !moert.buffer<tokens x 2 x i32>
    moert.combine %down inverse(%inverse) outs(%routed)
      : !moert.buffer<2*tokens x 256 x f32>, !moert.buffer<tokens x 2 x i32>,
        !moert.buffer<tokens x 256 x f32>
    moert.add %hidden, %routed outs(%out)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>,
        !moert.buffer<tokens x 256 x f32>
    moert.return
  }
}
