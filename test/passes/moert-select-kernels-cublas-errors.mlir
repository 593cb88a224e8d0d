// RUN: sortie-opt %s --split-input-file --verify-diagnostics \
// RUN:   --moert-select-kernels="chips=sm_80 cublas"

// expected-error @+1 {{the option cublas is refused: the library keeps {run} only, the program's contract is [run, batch]; promise less in moe.contract, or do without}}
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch], features = [], producer = "test">} {
}

// -----

// expected-remark @+1 {{cublas serves no product: none is dense, in bf16 arithmetic (see unquantized=bf16) and without bias}}
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run], features = [], producer = "test">} {
  moert.weight @w "w" : 8x64xbf16
  moert.func @float("x" %x: !moert.buffer<2 x 64 x f32>) outs("y" %y: !moert.buffer<2 x 8 x f32>) {
    moert.matmul %x, @w arithmetic(float) outs(%y)
      : !moert.buffer<2 x 64 x f32>, !moert.buffer<2 x 8 x f32>
    moert.return
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run], features = [], producer = "test">} {
  moert.weight @w "w" : 8x64xbf16
  // expected-error @+1 {{has planned memory already; kernels need buffers of their own, so moert-select-kernels comes before moert-plan-memory}}
  moert.func @planned("x" %x: !moert.buffer<2 x 64 x f32>)
      outs("y" %y: !moert.buffer<2 x 8 x f32>) arena(0) {
    moert.matmul %x, @w arithmetic(bf16) outs(%y)
      : !moert.buffer<2 x 64 x f32>, !moert.buffer<2 x 8 x f32>
    moert.return
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run], features = [], producer = "test">} {
  moert.symbol @tokens max(2147483647)
  moert.weight @w "w" : 8x64xbf16
  moert.func @large("x" %x: !moert.buffer<2*tokens x 64 x f32>)
      outs("y" %y: !moert.buffer<2*tokens x 8 x f32>) {
    // expected-error @+1 {{needs a grid of 4294967294 thread blocks in a dimension that can have 2147483647; compile with a smaller max-tokens}}
    moert.matmul %x, @w arithmetic(bf16) outs(%y)
      : !moert.buffer<2*tokens x 64 x f32>, !moert.buffer<2*tokens x 8 x f32>
    moert.return
  }
}
