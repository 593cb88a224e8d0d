// The program that consumer.c runs: y = x + x.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(16)
  moert.func @double("x" %x: !moert.buffer<tokens x 4 x f32>)
      outs("y" %y: !moert.buffer<tokens x 4 x f32>) arena(0) {
    moert.add %x, %x outs(%y) : !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 4 x f32>,
      !moert.buffer<tokens x 4 x f32>
    moert.return
  }
}
