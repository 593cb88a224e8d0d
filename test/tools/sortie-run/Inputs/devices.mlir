// A layer in parts for two devices: normalization, router and sum on the CPU, experts on a GPU. Without what the
// functions say about targets, it is a program for either.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(64)
  moert.weight @norm "norm" : 256xf32
  moert.weight @router "router" : 4x256xf32
  moert.weight @gate "gate" : 2x32x256xq4_K
  moert.weight @up "up" : 2x32x256xq4_K
  moert.weight @down "down" : 2x256x32xq8_0

  moert.func @route("x" %x: !moert.buffer<tokens x 256 x f32>)
      outs("n" %n: !moert.buffer<tokens x 256 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>,
           "w" %w: !moert.buffer<tokens x 2 x f32>) target("cpu") {
    moert.rms_norm %x, @norm eps(1.0e-06) outs(%n)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>
    moert.checkpoint "n" = %n : !moert.buffer<tokens x 256 x f32>
    %scores = moert.buffer : !moert.buffer<tokens x 4 x f32>
    moert.matmul %n, @router arithmetic(float) outs(%scores)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 4 x f32>
    moert.route %scores top(2) scoring(softmax) normalize tie(lower_id) outs(%ids, %w)
      : !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<tokens x 2 x f32>
    moert.return
  }

  // Experts 2 and 3 of 4.
  moert.func @experts("n" %n: !moert.buffer<tokens x 256 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>,
                      "w" %w: !moert.buffer<tokens x 2 x f32>)
      outs("y" %y: !moert.buffer<tokens x 256 x f32>) target("cuda") {
    %p = moert.buffer : !moert.buffer<2*tokens x i32>
    %i = moert.buffer : !moert.buffer<tokens x 2 x i32>
    %o = moert.buffer : !moert.buffer<3 x i32>
    moert.dispatch %ids experts(4) range [2, 2] outs(%p, %i, %o)
      : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x i32>,
        !moert.buffer<3 x i32>
    %q = moert.buffer : !moert.buffer<tokens x 256 x act16>
    moert.quantize %n outs(%q) : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x act16>
    %a = moert.buffer : !moert.buffer<2*tokens x 32 x act16>
    moert.glu_matmul %q, @gate, @up offsets(%o) permutation(%p) slots(2) kind(swiglu) arithmetic(exact) outs(%a)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<3 x i32>, !moert.buffer<2*tokens x i32>,
        !moert.buffer<2*tokens x 32 x act16>
    %d = moert.buffer : !moert.buffer<2*tokens x 256 x f32>
    moert.matmul %a, @down offsets(%o) permutation(%p) scale(%w) arithmetic(exact) outs(%d)
      : !moert.buffer<2*tokens x 32 x act16>, !moert.buffer<3 x i32>, !moert.buffer<2*tokens x i32>,
        !moert.buffer<tokens x 2 x f32>, !moert.buffer<2*tokens x 256 x f32>
    moert.combine %d inverse(%i) outs(%y)
      : !moert.buffer<2*tokens x 256 x f32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<tokens x 256 x f32>
    moert.checkpoint "y" = %y : !moert.buffer<tokens x 256 x f32>
    moert.return
  }

  // The weight of the norm, which the CPU reads, too.
  moert.func @finish("x" %x: !moert.buffer<tokens x 256 x f32>, "y" %y: !moert.buffer<tokens x 256 x f32>)
      outs("z" %z: !moert.buffer<tokens x 256 x f32>) target("cuda") {
    %s = moert.buffer : !moert.buffer<tokens x 256 x f32>
    moert.add %x, %y outs(%s) : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>,
      !moert.buffer<tokens x 256 x f32>
    moert.rms_norm %s, @norm eps(1.0e-06) outs(%z)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>
    moert.return
  }
}
