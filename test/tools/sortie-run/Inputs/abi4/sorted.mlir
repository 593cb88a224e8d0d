// sorted.mlirbc is this program, written by hand, as bytecode (--emit-bytecode): the operations that no
// compiled program of layers.mlir has.
module attributes {moert.program = #moert.program<abi = 4, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(64)
  moert.state @ring : !moert.buffer<128 x 64 x f32>
  moert.func @given("hidden" %hidden: !moert.buffer<tokens x 64 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("out" %out: !moert.buffer<tokens x 2 x 64 x f32>, "share" %share: !moert.buffer<tokens x 2 x i32>,
           "half" %half: !moert.buffer<2*tokens x 64 x f16>)
      arena(1216*tokens+384) {
    %permutation = moert.buffer offset(512*tokens) : !moert.buffer<2*tokens x i32>
    %inverse = moert.buffer offset(576*tokens) : !moert.buffer<tokens x 2 x i32>
    %offsets = moert.buffer offset(640*tokens) : !moert.buffer<9 x i32>
    %rows = moert.buffer offset(0) : !moert.buffer<2*tokens x 64 x f32>
    moert.dispatch %ids experts(8) outs(%permutation, %inverse, %offsets)
      : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
        !moert.buffer<tokens x 2 x i32>, !moert.buffer<9 x i32>
    moert.gather %hidden, %permutation slots(2) outs(%rows) : !moert.buffer<tokens x 64 x f32>,
      !moert.buffer<2*tokens x i32>, !moert.buffer<2*tokens x 64 x f32>
    moert.unsort %rows, %inverse outs(%out) : !moert.buffer<2*tokens x 64 x f32>,
      !moert.buffer<tokens x 2 x i32>, !moert.buffer<tokens x 2 x 64 x f32>
    %ring = moert.state_buffer @ring : !moert.buffer<128 x 64 x f32>
    moert.write_rows %rows, %permutation outs(%ring) : !moert.buffer<2*tokens x 64 x f32>,
      !moert.buffer<2*tokens x i32>, !moert.buffer<128 x 64 x f32>
    moert.add %ring, %ring outs(%ring) : !moert.buffer<128 x 64 x f32>,
      !moert.buffer<128 x 64 x f32>, !moert.buffer<128 x 64 x f32>
    %read = moert.buffer offset(704*tokens+320) : !moert.buffer<2*tokens x 64 x f32>
    moert.read_rows %ring, %permutation outs(%read) : !moert.buffer<128 x 64 x f32>,
      !moert.buffer<2*tokens x i32>, !moert.buffer<2*tokens x 64 x f32>
    moert.convert %read outs(%half) : !moert.buffer<2*tokens x 64 x f32>,
      !moert.buffer<2*tokens x 64 x f16>
    %order = moert.buffer offset(0) : !moert.buffer<2*tokens x i32>
    %first = moert.buffer offset(640*tokens+64) : !moert.buffer<4 x i32>
    moert.dispatch %ids experts(8) range [2, 3] outs(%order, %share, %first)
      : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
        !moert.buffer<tokens x 2 x i32>, !moert.buffer<4 x i32>
    moert.return
  }
}
