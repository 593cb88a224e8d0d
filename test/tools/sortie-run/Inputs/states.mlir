// Functions with states, for targets cpu and cuda.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(64)
  moert.state @ring : !moert.buffer<5 x 33 x f32>
  moert.state @sum : !moert.buffer<5 x 33 x f32>

  // Each run writes rows of x into the ring, adds the ring to the sum, and reads rows of the sum.
  moert.func @turn("x" %x: !moert.buffer<tokens x 33 x f32>, "to" %to: !moert.buffer<tokens x i32>,
                   "from" %from: !moert.buffer<tokens x i32>)
      outs("y" %y: !moert.buffer<tokens x 33 x f32>) {
    %ring = moert.state_buffer @ring : !moert.buffer<5 x 33 x f32>
    %sum = moert.state_buffer @sum : !moert.buffer<5 x 33 x f32>
    moert.write_rows %x, %to outs(%ring)
      : !moert.buffer<tokens x 33 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<5 x 33 x f32>
    moert.add %sum, %ring outs(%sum)
      : !moert.buffer<5 x 33 x f32>, !moert.buffer<5 x 33 x f32>, !moert.buffer<5 x 33 x f32>
    moert.checkpoint "sum" = %sum : !moert.buffer<5 x 33 x f32>
    moert.read_rows %sum, %from outs(%y)
      : !moert.buffer<5 x 33 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 33 x f32>
    moert.return
  }

  // Nothing but states changes.
  moert.func @double() outs() {
    %sum = moert.state_buffer @sum : !moert.buffer<5 x 33 x f32>
    moert.glu %sum, %sum kind(swiglu) outs(%sum)
      : !moert.buffer<5 x 33 x f32>, !moert.buffer<5 x 33 x f32>, !moert.buffer<5 x 33 x f32>
    moert.checkpoint "sum" = %sum : !moert.buffer<5 x 33 x f32>
    moert.return
  }
}
