// A function for CUDA with arguments in host memory, which it copies itself.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(64)
  moert.func @f("table" %table: !moert.buffer<5 x 33 x f32, space = "host">, "index" %index: !moert.buffer<tokens x i32>)
      outs("rows" %rows: !moert.buffer<tokens x 33 x f32, space = "host">,
           "half" %half: !moert.buffer<tokens x 33 x f32>) {
    %t = moert.buffer : !moert.buffer<5 x 33 x f32>
    moert.copy %table outs(%t) : !moert.buffer<5 x 33 x f32, space = "host">, !moert.buffer<5 x 33 x f32>
    %r = moert.buffer : !moert.buffer<tokens x 33 x f32>
    moert.read_rows %t, %index outs(%r)
      : !moert.buffer<5 x 33 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 33 x f32>
    moert.copy %r outs(%rows) : !moert.buffer<tokens x 33 x f32>, !moert.buffer<tokens x 33 x f32, space = "host">
    moert.scale %r by(0.5) outs(%half) : !moert.buffer<tokens x 33 x f32>, !moert.buffer<tokens x 33 x f32>
    moert.return
  }
}
