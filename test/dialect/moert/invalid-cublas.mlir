// The rules of moert.cublas_matmul.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

moert.weight @v "v" : 16x48xbf16
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>) outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C1)
  // expected-error @+1 {{there is no moert.weight @w}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.weight @w "w" : 48x16xbf16
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>) outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C1)
  // expected-error @+1 {{weight @w must be 16x48, the columns of output and input}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.weight @w "w" : 1x16x48xbf16
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>) outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C1)
  // expected-error @+1 {{weight @w must be 16x48, the columns of output and input}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.weight @w "w" : 16x48xf16
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>) outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C1)
  // expected-error @+1 {{weight @w must be bf16, or packed in 1 row and 96 bytes, got f16}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.kernel @pack "pack" reads(1) writes(1) extents(2) threads(32)
  sources [#moert.source<arch = "sm_80", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" pack(@pack rows(2) bytes(96)) : 16x48xf32
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>) outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C1)
  // expected-error @+1 {{weight @w must be bf16, or packed in 1 row and 96 bytes, got f32}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.kernel @pack "pack" reads(1) writes(1) extents(2) threads(32)
  sources [#moert.source<arch = "sm_80", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" pack(@pack rows(1) bytes(192)) : 16x48xf32
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>) outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C1)
  // expected-error @+1 {{weight @w must be bf16, or packed in 1 row and 96 bytes, got f32}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.kernel @pack "pack" reads(1) writes(1) extents(2) threads(32)
  sources [#moert.source<arch = "sm_80", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" pack(@pack rows(1) bytes(96))
  packs [#moert.pack_variant<arch = "sm_90a", pack = <@pack rows(16) bytes(1536)>>] : 16x48xf32
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>) outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C1)
  // expected-error @+1 {{weight @w must be bf16, or packed in 1 row and 96 bytes, got f32}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.weight @w "w" : 16x48xbf16
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 48 x f32>) outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C2)
  // expected-error @+1 {{operand #0 must be buffer of bf16}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 48 x f32>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.weight @w "w" : 16x48xbf16
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>) outs("y" %y: !moert.buffer<tokens x 16 x bf16>) {
  // (C2)
  // expected-error @+1 {{operand #1 must be buffer of f32}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x bf16>
}

// -----

moert.weight @w "w" : 16x48xbf16
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 2 x 48 x bf16>) outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C2)
  // expected-error @+1 {{input must have rank 2}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 2 x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.weight @w "w" : 16x48xbf16
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>) outs("y" %y: !moert.buffer<tokens x 2 x 16 x f32>) {
  // (C2)
  // expected-error @+1 {{output must have rank 2}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 2 x 16 x f32>
}

// -----

moert.weight @w "w" : 16x48xbf16
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<48 x tokens x bf16>) outs("y" %y: !moert.buffer<48 x 16 x f32>) {
  // (C2)
  // expected-error @+1 {{the last dimension of input must be constant}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<48 x tokens x bf16>, !moert.buffer<48 x 16 x f32>
}

// -----

moert.weight @w "w" : 16x48xbf16
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<16 x 48 x bf16>) outs("y" %y: !moert.buffer<16 x tokens x f32>) {
  // (C2)
  // expected-error @+1 {{the last dimension of output must be constant}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<16 x 48 x bf16>, !moert.buffer<16 x tokens x f32>
}

// -----

moert.weight @w "w" : 16x48xbf16
moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>) outs("y" %y: !moert.buffer<2*tokens x 16 x f32>) {
  // (C2)
  // expected-error @+1 {{output must be [tokens, 16], got}}
  moert.cublas_matmul %x, @w outs(%y) : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<2*tokens x 16 x f32>
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run, batch], features = ["cublas"], producer = "p">} {
  moert.symbol @tokens max(8)
  moert.weight @w "w" : 16x48xbf16
  moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>)
      outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
    // (C3)
    // expected-error @+1 {{the library does not keep the program's contract [run, batch]: another number of rows may change bits}}
    moert.cublas_matmul %x, @w outs(%y)
      : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run, batch, device], features = ["cublas"], producer = "p">} {
  moert.symbol @tokens max(8)
  moert.weight @w "w" : 16x48xbf16
  moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>)
      outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
    // (C3)
    // expected-error @+1 {{the library does not keep the program's contract [run, batch, device]}}
    moert.cublas_matmul %x, @w outs(%y)
      : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run], features = ["other"], producer = "p">} {
  moert.symbol @tokens max(8)
  moert.weight @w "w" : 16x48xbf16
  moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>)
      outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
    // (C4)
    // expected-error @+1 {{the program must have the feature "cublas"}}
    moert.cublas_matmul %x, @w outs(%y)
      : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
  }
}
