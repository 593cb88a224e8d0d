// Inputs and outputs of every type, for targets cpu and cuda.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(64)
  moert.func @types("f16" %h: !moert.buffer<tokens x 33 x f16>,
                    "bf16" %b: !moert.buffer<tokens x 33 x bf16>, "i32" %i: !moert.buffer<tokens x i32>)
      outs("half" %y: !moert.buffer<tokens x 33 x f16>, "bfloat" %z: !moert.buffer<tokens x 33 x bf16>,
           "integer" %j: !moert.buffer<tokens x i32>, "sum" %s: !moert.buffer<tokens x 33 x f32>) {
    %0 = moert.buffer : !moert.buffer<tokens x 33 x f32>
    %1 = moert.buffer : !moert.buffer<tokens x 33 x f32>
    moert.convert %h outs(%0) : !moert.buffer<tokens x 33 x f16>, !moert.buffer<tokens x 33 x f32>
    moert.convert %b outs(%1) : !moert.buffer<tokens x 33 x bf16>, !moert.buffer<tokens x 33 x f32>
    moert.add %0, %1 outs(%s) : !moert.buffer<tokens x 33 x f32>,
      !moert.buffer<tokens x 33 x f32>, !moert.buffer<tokens x 33 x f32>
    moert.convert %s outs(%y) : !moert.buffer<tokens x 33 x f32>, !moert.buffer<tokens x 33 x f16>
    moert.checkpoint "half" = %y : !moert.buffer<tokens x 33 x f16>
    moert.convert %s outs(%z) : !moert.buffer<tokens x 33 x f32>, !moert.buffer<tokens x 33 x bf16>
    moert.copy %i outs(%j) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>
    moert.return
  }
}
