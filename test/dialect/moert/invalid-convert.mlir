// Rules of moert.convert, as MoertOps.td numbers them.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

// (C1) of moert.convert
moert.func @f("x" %x: !moert.buffer<8 x f16>) outs("y" %y: !moert.buffer<9 x f32>) {
  // expected-error @+1 {{output must be [8], got '!moert.buffer<9 x f32>'}}
  moert.convert %x outs(%y) : !moert.buffer<8 x f16>, !moert.buffer<9 x f32>
}

// -----

// (C2)
moert.func @f("x" %x: !moert.buffer<8 x f16>) outs("y" %y: !moert.buffer<8 x bf16>) {
  // expected-error @+1 {{one of input and output must be f32, the other f16 or bf16}}
  moert.convert %x outs(%y) : !moert.buffer<8 x f16>, !moert.buffer<8 x bf16>
}

// -----

// (C2)
moert.func @f("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32>) {
  // expected-error @+1 {{one of input and output must be f32, the other f16 or bf16}}
  moert.convert %x outs(%y) : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}
