// RUN: sortie-opt %s --split-input-file --verify-diagnostics --moert-select-kernels="chips=sm_80"
// RUN: not sortie-opt %s --split-input-file --moert-select-kernels="chips=sm_80,sm_70" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=CHIP

// CHIP: error: unknown chip 'sm_70', expected some of compute_80, sm_80, sm_86, sm_89, sm_90, sm_90a, sm_100a, sm_120

// expected-error @+1 {{is no program yet; run moe-lower-to-moert first}}
module {
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.func @symbolic("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>) {
    // expected-error @+1 {{'moert.add' op has rows of tokens elements; kernels for CUDA are made for rows of a constant length}}
    moert.add %x, %x outs(%y)
      : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
    moert.return
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.weight @w "w" : 16x128x256xq4_K
  moert.func @offsets("x" %x: !moert.buffer<tokens x 256 x act16>, "ids" %ids: !moert.buffer<tokens x 1 x i32>)
      outs("y" %y: !moert.buffer<tokens x 128 x f32>) {
    %p = moert.buffer : !moert.buffer<tokens x i32>
    %i = moert.buffer : !moert.buffer<tokens x 1 x i32>
    %offsets = moert.buffer : !moert.buffer<17 x i32>
    moert.dispatch %ids experts(16) outs(%p, %i, %offsets) : !moert.buffer<tokens x 1 x i32>,
      !moert.buffer<tokens x i32>, !moert.buffer<tokens x 1 x i32>, !moert.buffer<17 x i32>
    %o = moert.buffer : !moert.buffer<17 x i32>
    moert.copy %offsets outs(%o) : !moert.buffer<17 x i32>, !moert.buffer<17 x i32>
    // expected-error @+1 {{has offsets that no moert.dispatch of this function made; kernels for CUDA need its tile map}}
    moert.matmul %x, @w offsets(%o) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 256 x act16>,
      !moert.buffer<17 x i32>, !moert.buffer<tokens x 128 x f32>
    moert.return
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.weight @gate "gate" : 128x256xf16
  moert.weight @up "up" : 128x256xf32
  moert.func @floats("x" %x: !moert.buffer<tokens x 256 x f32>)
      outs("y" %y: !moert.buffer<tokens x 128 x f32>) arena(0) {
    // expected-error @+1 {{has gate and up in two formats of floats, which need buffers between kernels, but memory is planned already; moert-select-kernels comes before moert-plan-memory}}
    moert.glu_matmul %x, @gate, @up kind(swiglu) arithmetic(float) outs(%y)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 128 x f32>
    moert.return
  }
}

// -----

// 2^22 tokens are 2^16 tiles of 64 rows, more than the second dimension of a grid can have.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(4194304)
  moert.weight @w "w" : 128x256xq8_0
  moert.func @grid("x" %x: !moert.buffer<tokens x 256 x act16>)
      outs("y" %y: !moert.buffer<tokens x 128 x f32>) {
    // expected-error @+1 {{needs a grid of 65536 thread blocks in a dimension that can have 65535; compile with a smaller max-tokens}}
    moert.matmul %x, @w arithmetic(exact) outs(%y)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<tokens x 128 x f32>
    moert.return
  }
}

// -----

// The same with weights of floats, for more columns than those whose thread blocks share the rows.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(4194304)
  moert.weight @w "w" : 1152x256xf16
  moert.func @float_grid("x" %x: !moert.buffer<tokens x 256 x f32>)
      outs("y" %y: !moert.buffer<tokens x 1152 x f32>) {
    // expected-error @+1 {{needs a grid of 65536 thread blocks in a dimension that can have 65535; compile with a smaller max-tokens}}
    moert.matmul %x, @w arithmetic(float) outs(%y)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 1152 x f32>
    moert.return
  }
}

// -----

// 73 GB of weights, whose units of 16 bytes 32 bits cannot count.
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.weight @w "w" : 8388608x8192xq8_0
  moert.func @large("x" %x: !moert.buffer<tokens x 8192 x act16>)
      outs("y" %y: !moert.buffer<tokens x 8388608 x f32>) {
    // expected-error @+1 {{has a weight of 73014444032 bytes; kernels for CUDA can address 68719476736 of one weight}}
    moert.matmul %x, @w arithmetic(exact) outs(%y)
      : !moert.buffer<tokens x 8192 x act16>, !moert.buffer<tokens x 8388608 x f32>
    moert.return
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(2147483647)
  moert.func @slots("ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("p" %p: !moert.buffer<2*tokens x i32>, "i" %i: !moert.buffer<tokens x 2 x i32>,
           "o" %o: !moert.buffer<5 x i32>) {
    // expected-error @+1 {{has more rows than kernels can count (2^31 - 1); compile with a smaller max-tokens}}
    moert.dispatch %ids experts(4) outs(%p, %i, %o) : !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    moert.return
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  // expected-error @+1 {{has planned memory already; kernels need buffers of their own, so moert-select-kernels comes before moert-plan-memory}}
  moert.func @planned("ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("p" %p: !moert.buffer<2*tokens x i32>, "i" %i: !moert.buffer<tokens x 2 x i32>,
           "o" %o: !moert.buffer<5 x i32>) arena(0) {
    moert.dispatch %ids experts(4) outs(%p, %i, %o) : !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    moert.return
  }
}

// -----

// A page table for 2^31 positions.
module attributes {moert.program = #moert.program<abi = 5, numerics = 2, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.state @cache : !moert.buffer<3 x 896 x i32>
  moert.func @positions("k" %k: !moert.buffer<tokens x 4 x f32>, "positions" %p: !moert.buffer<tokens x i32>,
                        "sequences" %s: !moert.buffer<tokens x i32>,
                        "pages" %pages: !moert.buffer<1 x 16777216 x i32>) outs() {
    %cache = moert.state_buffer @cache : !moert.buffer<3 x 896 x i32>
    // expected-error @+1 {{'moert.append' op has more rows than kernels can count (2^31 - 1); compile with a smaller max-tokens}}
    moert.append %k, %k at(%p, %s, %pages) kv_heads(1) width(int8) outs(%cache)
      : !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<1 x 16777216 x i32>, !moert.buffer<3 x 896 x i32>
    moert.return
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 5, numerics = 2, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.state @cache : !moert.buffer<3 x 896 x i32>
  // expected-error @+1 {{has planned memory already; kernels need buffers of their own, so moert-select-kernels comes before moert-plan-memory}}
  moert.func @append("k" %k: !moert.buffer<tokens x 4 x f32>, "positions" %p: !moert.buffer<tokens x i32>,
                     "sequences" %s: !moert.buffer<tokens x i32>, "pages" %pages: !moert.buffer<2 x 2 x i32>)
      outs() arena(0) {
    %cache = moert.state_buffer @cache : !moert.buffer<3 x 896 x i32>
    moert.append %k, %k at(%p, %s, %pages) kv_heads(1) width(int8) outs(%cache)
      : !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<2 x 2 x i32>, !moert.buffer<3 x 896 x i32>
    moert.return
  }
}
