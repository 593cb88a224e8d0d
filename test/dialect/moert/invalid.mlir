// One test or more for each constraint of each op of a body, cited as MoertOps.td numbers them.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

//===- moert.rms_norm ------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.weight @w64 "w64" : 64xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C1)
  // expected-error @+1 {{input must have rank 2}}
  moert.rms_norm %x, @w64 eps(0.0) outs(%y)
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w64 "w64" : 64xf32
moert.func @f("x" %x: !moert.buffer<64 x tokens x f32>)
    outs("y" %y: !moert.buffer<64 x tokens x f32>) {
  // (C1)
  // expected-error @+1 {{the last dimension of input must be constant}}
  moert.rms_norm %x, @w64 eps(0.0) outs(%y)
    : !moert.buffer<64 x tokens x f32>, !moert.buffer<64 x tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w64 "w64" : 64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{output must be [tokens, 64]}}
  moert.rms_norm %x, @w64 eps(0.0) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w64 "w64" : 64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x i32>) {
  // (C1)
  // expected-error @+1 {{operand #1 must be buffer of f32}}
  moert.rms_norm %x, @w64 eps(0.0) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w32 "w32" : 32xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C2)
  // expected-error @+1 {{weight @w32 must be 64xf32}}
  moert.rms_norm %x, @w32 eps(0.0) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @h64 "h64" : 64xf16
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C2)
  // expected-error @+1 {{weight @h64 must be 64xf32}}
  moert.rms_norm %x, @h64 eps(0.0) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C2)
  // expected-error @+1 {{there is no moert.weight @absent}}
  moert.rms_norm %x, @absent eps(0.0) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C2)
  // expected-error @+1 {{there is no moert.weight @tokens}}
  moert.rms_norm %x, @tokens eps(0.0) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w64 "w64" : 64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C3)
  // expected-error @+1 {{eps must be finite and not negative}}
  moert.rms_norm %x, @w64 eps(-1.0) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w64 "w64" : 64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32, device = 1>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // All on one device.
  // expected-error @+1 {{buffers must lie on one device in one space}}
  moert.rms_norm %x, @w64 eps(0.0) outs(%y)
    : !moert.buffer<tokens x 64 x f32, device = 1>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w64 "w64" : 64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32, space = "host">)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // All on one space.
  // expected-error @+1 {{buffers must lie on one device in one space}}
  moert.rms_norm %x, @w64 eps(0.0) outs(%y)
    : !moert.buffer<tokens x 64 x f32, space = "host">, !moert.buffer<tokens x 64 x f32>
}

// -----

//===- moert.route ---------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("i" %i: !moert.buffer<tokens x 2 x i32>,
    "w" %w: !moert.buffer<tokens x 2 x f32>) {
  // (C1)
  // expected-error @+1 {{scores must have rank 2}}
  moert.route %x top(2) scoring(raw) tie(lower_id) outs(%i, %w)
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<tokens x 2 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<8 x tokens x f32>) outs("i" %i: !moert.buffer<8 x 2 x i32>,
    "w" %w: !moert.buffer<8 x 2 x f32>) {
  // (C1)
  // expected-error @+1 {{the last dimension of scores must be constant}}
  moert.route %x top(2) scoring(raw) tie(lower_id) outs(%i, %w)
    : !moert.buffer<8 x tokens x f32>, !moert.buffer<8 x 2 x i32>, !moert.buffer<8 x 2 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>) outs("i" %i: !moert.buffer<tokens x 3 x i32>,
    "w" %w: !moert.buffer<tokens x 2 x f32>) {
  // (C1)
  // expected-error @+1 {{ids must be [tokens, 2]}}
  moert.route %x top(2) scoring(raw) tie(lower_id) outs(%i, %w)
    : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 3 x i32>,
      !moert.buffer<tokens x 2 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>) outs("i" %i: !moert.buffer<tokens x 2 x i32>,
    "w" %w: !moert.buffer<2 x 2 x f32>) {
  // (C1)
  // expected-error @+1 {{weights must be [tokens, 2]}}
  moert.route %x top(2) scoring(raw) tie(lower_id) outs(%i, %w)
    : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<2 x 2 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>) outs("i" %i: !moert.buffer<tokens x 9 x i32>,
    "w" %w: !moert.buffer<tokens x 9 x f32>) {
  // (C2)
  // expected-error @+1 {{the number of selected experts must be 1 to 8, got 9}}
  moert.route %x top(9) scoring(raw) tie(lower_id) outs(%i, %w)
    : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 9 x i32>,
      !moert.buffer<tokens x 9 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 1025 x f32>)
    outs("i" %i: !moert.buffer<tokens x 2 x i32>, "w" %w: !moert.buffer<tokens x 2 x f32>) {
  // (C2)
  // expected-error @+1 {{the number of experts must be 1 to 1024, got 1025}}
  moert.route %x top(2) scoring(raw) tie(lower_id) outs(%i, %w)
    : !moert.buffer<tokens x 1025 x f32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<tokens x 2 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>) outs("i" %i: !moert.buffer<tokens x 2 x i32>,
    "w" %w: !moert.buffer<tokens x 2 x f32>) {
  // (C2)
  // expected-error @+1 {{8 experts cannot be split into 3 equal groups}}
  moert.route %x top(2) scoring(raw) groups(1 of 3) tie(lower_id) outs(%i, %w)
    : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<tokens x 2 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>) outs("i" %i: !moert.buffer<tokens x 2 x i32>,
    "w" %w: !moert.buffer<tokens x 2 x f32>) {
  // (C2)
  // expected-error @+1 {{scale must be finite}}
  moert.route %x top(2) scoring(raw) scale(0x7F800000) tie(lower_id) outs(%i, %w)
    : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<tokens x 2 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w32 "w32" : 32xf32
moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>) outs("i" %i: !moert.buffer<tokens x 2 x i32>,
    "w" %w: !moert.buffer<tokens x 2 x f32>) {
  // (C3)
  // expected-error @+1 {{weight @w32 must be 8xf32}}
  moert.route %x bias(@w32) top(2) scoring(raw) tie(lower_id) outs(%i, %w)
    : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<tokens x 2 x f32>
}

// -----

//===- moert.dispatch ------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x i32>) outs("p" %p: !moert.buffer<2*tokens x i32>,
    "i" %i: !moert.buffer<tokens x 2 x i32>, "o" %o: !moert.buffer<9 x i32>) {
  // (C1)
  // expected-error @+1 {{ids must have rank 2}}
  moert.dispatch %x experts(8) outs(%p, %i, %o)
    : !moert.buffer<tokens x i32>, !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<9 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<2 x tokens x i32>) outs("p" %p: !moert.buffer<2*tokens x i32>,
    "i" %i: !moert.buffer<2 x tokens x i32>, "o" %o: !moert.buffer<9 x i32>) {
  // (C1)
  // expected-error @+1 {{the last dimension of ids must be constant}}
  moert.dispatch %x experts(8) outs(%p, %i, %o)
    : !moert.buffer<2 x tokens x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<2 x tokens x i32>, !moert.buffer<9 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 2 x i32>) outs("p" %p: !moert.buffer<tokens x i32>,
    "i" %i: !moert.buffer<tokens x 2 x i32>, "o" %o: !moert.buffer<9 x i32>) {
  // (C1)
  // expected-error @+1 {{permutation must be [2*tokens]}}
  moert.dispatch %x experts(8) outs(%p, %i, %o)
    : !moert.buffer<tokens x 2 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<9 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 2 x i32>) outs("p" %p: !moert.buffer<2*tokens x i32>,
    "i" %i: !moert.buffer<tokens x 1 x i32>, "o" %o: !moert.buffer<9 x i32>) {
  // (C1)
  // expected-error @+1 {{inverse must be [tokens, 2]}}
  moert.dispatch %x experts(8) outs(%p, %i, %o)
    : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 1 x i32>, !moert.buffer<9 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 2 x i32>) outs("p" %p: !moert.buffer<2*tokens x i32>,
    "i" %i: !moert.buffer<tokens x 2 x i32>, "o" %o: !moert.buffer<8 x i32>) {
  // (C1)
  // expected-error @+1 {{offsets must be [9]}}
  moert.dispatch %x experts(8) outs(%p, %i, %o)
    : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 2 x i32>, !moert.buffer<8 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 2 x i32>) outs("p" %p: !moert.buffer<2*tokens x i32>,
    "i" %i: !moert.buffer<tokens x 2 x i32>, "o" %o: !moert.buffer<9 x i32>) {
  // (C1)
  // expected-error @+1 {{offsets must be [4]}}
  moert.dispatch %x experts(8) range [2, 3] outs(%p, %i, %o)
    : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 2 x i32>, !moert.buffer<9 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 2 x i32>) outs("p" %p: !moert.buffer<2*tokens x i32>,
    "i" %i: !moert.buffer<tokens x 2 x i32>, "o" %o: !moert.buffer<1 x i32>) {
  // (C2)
  // expected-error @+1 {{the number of experts must be 1 to 1024, got 0}}
  moert.dispatch %x experts(0) outs(%p, %i, %o)
    : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 2 x i32>, !moert.buffer<1 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 2 x i32>) outs("p" %p: !moert.buffer<2*tokens x i32>,
    "i" %i: !moert.buffer<tokens x 2 x i32>, "o" %o: !moert.buffer<3 x i32>) {
  // (C2)
  // expected-error @+1 {{range [7, 2] does not lie inside 8 experts}}
  moert.dispatch %x experts(8) range [7, 2] outs(%p, %i, %o)
    : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 2 x i32>, !moert.buffer<3 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 2 x i32>) outs("p" %p: !moert.buffer<2*tokens x i32>,
    "i" %i: !moert.buffer<tokens x 2 x i32>, "o" %o: !moert.buffer<9 x i32>) {
  // (C2)
  // expected-error @+1 {{range must be [first, count], got 0 numbers}}
  moert.dispatch %x experts(8) range [] outs(%p, %i, %o)
    : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 2 x i32>, !moert.buffer<9 x i32>
}

// -----

//===- moert.quantize ------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<8 x tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<8 x tokens x 64 x act8>) {
  // (C1)
  // expected-error @+1 {{input must have rank 2}}
  moert.quantize %x outs(%y)
    : !moert.buffer<8 x tokens x 64 x f32>, !moert.buffer<8 x tokens x 64 x act8>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 128 x act8>) {
  // (C1)
  // expected-error @+1 {{output must be [tokens, 64]}}
  moert.quantize %x outs(%y) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 128 x act8>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{operand #1 must be buffer of quantized rows (act16 or act8)}}
  moert.quantize %x outs(%y) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
}

// -----

//===- moert.gather --------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "p" %p: !moert.buffer<2*tokens x i32>)
    outs("y" %y: !moert.buffer<2*tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{input must have rank 2}}
  moert.gather %x, %p slots(2) outs(%y)
    : !moert.buffer<tokens x f32>, !moert.buffer<2*tokens x i32>, !moert.buffer<2*tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<tokens x i32>)
    outs("y" %y: !moert.buffer<2*tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{permutation must be [2*tokens]}}
  moert.gather %x, %p slots(2) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x i32>,
      !moert.buffer<2*tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<2*tokens x i32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{output must be [2*tokens, 64]}}
  moert.gather %x, %p slots(2) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<2*tokens x i32>)
    outs("y" %y: !moert.buffer<2*tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{permutation would be too large}}
  moert.gather %x, %p slots(9223372036854775807) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<2*tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<2*tokens x i32>)
    outs("y" %y: !moert.buffer<2*tokens x 64 x f32>) {
  // (C2)
  // expected-error @+1 {{slots must be at least 1}}
  moert.gather %x, %p slots(0) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<2*tokens x 64 x f32>
}

// -----

//===- moert.matmul --------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.weight @e "e" : 4x32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{weight @e must have 2 dimensions without offsets, got 3}}
  moert.matmul %x, @e arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "o" %o: !moert.buffer<5 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{weight @m must have 3 dimensions with offsets, got 2}}
  moert.matmul %x, @m offsets(%o) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<5 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @e "e" : 4x32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "o" %o: !moert.buffer<6 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{offsets must be [5]}}
  moert.matmul %x, @e offsets(%o) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<6 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{there is no moert.weight @absent}}
  moert.matmul %x, @absent arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<2 x tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{input must have rank 2}}
  moert.matmul %x, @m arithmetic(float) outs(%y)
    : !moert.buffer<2 x tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>) outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C2)
  // expected-error @+1 {{output must have rank 2}}
  moert.matmul %x, @m arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<64 x tokens x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{the last dimension of input must be constant}}
  moert.matmul %x, @m arithmetic(float) outs(%y)
    : !moert.buffer<64 x tokens x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<32 x tokens x f32>) {
  // (C2)
  // expected-error @+1 {{the last dimension of output must be constant}}
  moert.matmul %x, @m arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<32 x tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<2*tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{output must be [tokens, 32]}}
  moert.matmul %x, @m arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<2*tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<2*tokens x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{output must be [2*tokens, 32]}}
  moert.matmul %x, @m permutation(%p) slots(2) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 128 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{weight @m must end in 32x128, the columns of output and input}}
  moert.matmul %x, @m arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C2)
  // expected-error @+1 {{weight @m must end in 16x64, the columns of output and input}}
  moert.matmul %x, @m arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.weight @w64 "w64" : 64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C3)
  // expected-error @+1 {{weight @w64 must be 32xf32}}
  moert.matmul %x, @m bias(@w64) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @e "e" : 4x32x64xf32
moert.weight @w32 "w32" : 32xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "o" %o: !moert.buffer<5 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C3)
  // expected-error @+1 {{weight @w32 must be 4x32xf32}}
  moert.matmul %x, @e offsets(%o) bias(@w32) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<5 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<2*tokens x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C4)
  // expected-error @+1 {{permutation must be given exactly if slots or scale is}}
  moert.matmul %x, @m permutation(%p) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "s" %s: !moert.buffer<tokens x 2 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C4)
  // expected-error @+1 {{permutation must be given exactly if slots or scale is}}
  moert.matmul %x, @m scale(%s) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x f32>,
      !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<2*tokens x i32>,
    "s" %s: !moert.buffer<tokens x 1 x f32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C4)
  // expected-error @+1 {{permutation must be [tokens]}}
  moert.matmul %x, @m permutation(%p) scale(%s) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 1 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<2*tokens x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C5)
  // expected-error @+1 {{slots must be at least 1}}
  moert.matmul %x, @m permutation(%p) slots(-2) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x 2 x f32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C5)
  // expected-error @+1 {{scale must have an element for each of tokens rows}}
  moert.matmul %x, @m permutation(%p) scale(%s) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x i32>,
      !moert.buffer<tokens x 2 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C5)
  // expected-error @+1 {{scale must have rank 2}}
  moert.matmul %x, @m permutation(%p) scale(%s) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x f32>,
      !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<8 x 64 x f32>, "p" %p: !moert.buffer<8 x i32>,
    "s" %s: !moert.buffer<1 x tokens x f32>) outs("y" %y: !moert.buffer<8 x 32 x f32>) {
  // (C5)
  // expected-error @+1 {{the last dimension of scale must be constant}}
  moert.matmul %x, @m permutation(%p) scale(%s) arithmetic(float) outs(%y)
    : !moert.buffer<8 x 64 x f32>, !moert.buffer<8 x i32>, !moert.buffer<1 x tokens x f32>,
      !moert.buffer<8 x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x act16>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C6)
  // expected-error @+1 {{arithmetic 'bf16' needs f32 input}}
  moert.matmul %x, @m arithmetic(bf16) outs(%y)
    : !moert.buffer<tokens x 64 x act16>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xq8_0
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C6)
  // expected-error @+1 {{arithmetic 'bf16' does not suit weight @m of format q8_0}}
  moert.matmul %x, @m arithmetic(bf16) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "p">} {
  moert.symbol @tokens max(8)
  moert.weight @m "m" : 32x64xbf16
  moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
      outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
    // (C6)
    // expected-error @+1 {{arithmetic 'bf16' does not keep the program's contract [run, batch, device]}}
    moert.matmul %x, @m arithmetic(bf16) outs(%y)
      : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
    moert.return
  }
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "p">} {
  moert.symbol @tokens max(8)
  moert.weight @m "m" : 32x64xbf16
  moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
      outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
    // (C6)
    // expected-error @+1 {{arithmetic 'bf16' does not keep the program's contract [run, batch, device]}}
    moert.glu_matmul %x, @m, @m kind(swiglu) arithmetic(bf16) outs(%y)
      : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
    moert.return
  }
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C6)
  // expected-error @+1 {{arithmetic 'exact' needs quantized input}}
  moert.matmul %x, @m arithmetic(exact) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x act16>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C6)
  // expected-error @+1 {{arithmetic 'float' needs f32 input}}
  moert.matmul %x, @m arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x act16>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x act16>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C6)
  // expected-error @+1 {{arithmetic 'exact' does not suit weight @m of format f32}}
  moert.matmul %x, @m arithmetic(exact) outs(%y)
    : !moert.buffer<tokens x 64 x act16>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @q "q" : 32x64xq4_0
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C6)
  // expected-error @+1 {{arithmetic 'float' does not suit weight @q of format q4_0}}
  moert.matmul %x, @q arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

//===- moert.glu_matmul ----------------------------------------------------===//

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.weight @e "e" : 4x32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{weight @e must have 2 dimensions without offsets, got 3}}
  moert.glu_matmul %x, @m, @e kind(swiglu) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @e "e" : 4x32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "o" %o: !moert.buffer<4 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{offsets must be [5]}}
  moert.glu_matmul %x, @e, @e offsets(%o) kind(swiglu) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<4 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.weight @m2 "m2" : 16x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{weight @m2 must end in 32x64, the columns of output and input}}
  moert.glu_matmul %x, @m, @m2 kind(swiglu) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<8 x 32 x act16>) {
  // (C2)
  // expected-error @+1 {{output must be [tokens, 32]}}
  moert.glu_matmul %x, @m, @m kind(swiglu) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<8 x 32 x act16>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.weight @w64 "w64" : 64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C3)
  // expected-error @+1 {{weight @w64 must be 32xf32}}
  moert.glu_matmul %x, @m, @m gate_bias(@w64) kind(swiglu) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.weight @w64 "w64" : 64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C3)
  // expected-error @+1 {{weight @w64 must be 32xf32}}
  moert.glu_matmul %x, @m, @m up_bias(@w64) kind(swiglu) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<tokens x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C4)
  // expected-error @+1 {{permutation must be given exactly if slots or scale is}}
  moert.glu_matmul %x, @m, @m permutation(%p) kind(swiglu) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x i32>,
      !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "p" %p: !moert.buffer<tokens x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C5)
  // expected-error @+1 {{slots must be at least 1}}
  moert.glu_matmul %x, @m, @m permutation(%p) slots(0) kind(swiglu) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x i32>,
      !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.weight @q "q" : 32x64xq4_0
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C6)
  // expected-error @+1 {{arithmetic 'float' does not suit weight @q of format q4_0}}
  moert.glu_matmul %x, @m, @q kind(swiglu) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C6)
  // expected-error @+1 {{arithmetic 'exact' needs quantized input}}
  moert.glu_matmul %x, @m, @m kind(swiglu) arithmetic(exact) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C7)
  // expected-error @+1 {{swiglu_clamped needs alpha and limit}}
  moert.glu_matmul %x, @m, @m kind(swiglu_clamped) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

//===- moert.glu -----------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "u" %u: !moert.buffer<tokens x 32 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{up must be [tokens, 64]}}
  moert.glu %x, %u kind(swiglu) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>,
      !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{output must be [tokens, 64]}}
  moert.glu %x, %x kind(swiglu) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>,
      !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C2)
  // expected-error @+1 {{alpha and limit belong to swiglu_clamped, not to swiglu}}
  moert.glu %x, %x kind(swiglu) alpha(1.0) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>,
      !moert.buffer<tokens x 64 x f32>
}

// -----

//===- moert.unsort --------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "i" %i: !moert.buffer<tokens x 2 x i32>)
    outs("y" %y: !moert.buffer<tokens x 2 x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{rows must be [2*tokens, 64]}}
  moert.unsort %x, %i outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<tokens x 2 x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<2*tokens x 64 x f32>, "i" %i: !moert.buffer<2*tokens x i32>)
    outs("y" %y: !moert.buffer<tokens x 2 x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{inverse must have rank 2}}
  moert.unsort %x, %i outs(%y)
    : !moert.buffer<2*tokens x 64 x f32>, !moert.buffer<2*tokens x i32>,
      !moert.buffer<tokens x 2 x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<2*tokens x 64 x f32>, "i" %i: !moert.buffer<tokens x 2 x i32>)
    outs("y" %y: !moert.buffer<2*tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{output must be [tokens, 2, 64]}}
  moert.unsort %x, %i outs(%y)
    : !moert.buffer<2*tokens x 64 x f32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<2*tokens x 64 x f32>
}

// -----

//===- moert.combine -------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<2*tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{rows must have rank 3}}
  moert.combine %x outs(%y) : !moert.buffer<2*tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<3*tokens x 64 x f32>, "i" %i: !moert.buffer<tokens x 2 x i32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{rows must be [2*tokens, 64]}}
  moert.combine %x inverse(%i) outs(%y)
    : !moert.buffer<3*tokens x 64 x f32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<2*tokens x 64 x f32>, "i" %i: !moert.buffer<2 x tokens x i32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{the last dimension of inverse must be constant}}
  moert.combine %x inverse(%i) outs(%y)
    : !moert.buffer<2*tokens x 64 x f32>, !moert.buffer<2 x tokens x i32>,
      !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 2 x 64 x f32>, "w" %w: !moert.buffer<tokens x 3 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C2)
  // expected-error @+1 {{weights must be [tokens, 2]}}
  moert.combine %x weights(%w) outs(%y)
    : !moert.buffer<tokens x 2 x 64 x f32>, !moert.buffer<tokens x 3 x f32>,
      !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 2 x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C3)
  // expected-error @+1 {{output must be [tokens, 64]}}
  moert.combine %x outs(%y) : !moert.buffer<tokens x 2 x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

//===- moert.scale ---------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>) outs("y" %y: !moert.buffer<tokens x 9 x f32>) {
  // (C1)
  // expected-error @+1 {{output must be [tokens, 8], got '!moert.buffer<tokens x 9 x f32>'}}
  moert.scale %x by(0.5) outs(%y) : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 9 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>) outs("y" %y: !moert.buffer<tokens x 8 x f32>) {
  // (C2)
  // expected-error @+1 {{factor must be finite}}
  moert.scale %x by(0x7F800000) outs(%y)
    : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 8 x f32>
}

// -----

//===- moert.add -----------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "z" %z: !moert.buffer<tokens+1 x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{rhs must be [tokens, 64]}}
  moert.add %x, %z outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens+1 x 64 x f32>,
      !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 2 x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{output must be [tokens, 64]}}
  moert.add %x, %x outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>,
      !moert.buffer<tokens x 2 x 32 x f32>
}

// -----

//===- moert.copy ----------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{output must be [tokens, 64]}}
  moert.copy %x outs(%y) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 64 x i32>) {
  // (C1)
  // expected-error @+1 {{input and output must have one element kind}}
  moert.copy %x outs(%y) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x i32>
}

// -----

//===- moert.checkpoint ----------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>) outs("out" %out: !moert.buffer<1 x f32>) {
  // (C1)
  // expected-error @+1 {{name must not be empty}}
  moert.checkpoint "" = %x : !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "i" %i: !moert.buffer<tokens x 2 x i32>)
    outs("out" %out: !moert.buffer<1 x f32>) {
  // (C2)
  // expected-error @+1 {{value must be [2*tokens, 64]}}
  moert.checkpoint "a" = %x order(%i)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 64 x act16>) outs("out" %out: !moert.buffer<1 x f32>) {
  // (C3)
  // expected-error @+1 {{value must hold f32, i32, bf16 or f16}}
  moert.checkpoint "a" = %x : !moert.buffer<tokens x 64 x act16>
}

// -----

//===- moert.checkpoint without a value -----------------------------------===//

moert.func @f("i" %i: !moert.buffer<4 x 2 x i32>) outs("out" %out: !moert.buffer<1 x f32>) {
  // (C2)
  // expected-error @+1 {{order needs a value}}
  "moert.checkpoint"(%i) <{name = "a", operandSegmentSizes = array<i32: 0, 1>}>
    : (!moert.buffer<4 x 2 x i32>) -> ()
}

// -----

//===- moert.buffer --------------------------------------------------------===//

moert.func @f() outs("out" %out: !moert.buffer<1 x f32>) arena(128) {
  // (C1)
  // expected-error @+1 {{scale and constant of the offset must be multiples of 64, got 32}}
  %0 = moert.buffer offset(32) : !moert.buffer<1 x f32>
}

// -----

moert.func @f() outs("out" %out: !moert.buffer<1 x f32>) arena(128) {
  // (C1)
  // expected-error @+1 {{scale and constant of the offset must be multiples of 64, got 4*tokens}}
  %0 = moert.buffer offset(4*tokens) : !moert.buffer<1 x f32>
}

// -----

moert.func @f() outs("out" %out: !moert.buffer<1 x f32>) {
  // (C2)
  // expected-error @+1 {{the arena is in space "global", got}}
  %0 = moert.buffer : !moert.buffer<1 x f32, space = "host">
}

// -----

//===- Scales by expert, scores of groups -----------------------------------===//

moert.symbol @tokens max(8)
moert.weight @e "e" : 4x32x64xf32
moert.weight @s "s" : 5xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "o" %o: !moert.buffer<5 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C7)
  // expected-error @+1 {{weight @s must be 4xf32}}
  moert.matmul %x, @e offsets(%o) expert_scale(@s) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<5 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.weight @s "s" : 32xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C7)
  // expected-error @+1 {{the scale by expert @s needs offsets}}
  moert.matmul %x, @m expert_scale(@s) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @e "e" : 4x32x64xf32
moert.weight @s "s" : 4xf16
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>, "o" %o: !moert.buffer<5 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C8)
  // expected-error @+1 {{weight @s must be 4xf32}}
  moert.glu_matmul %x, @e, @e offsets(%o) up_scale(@s) kind(swiglu) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<5 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @m "m" : 32x64xf32
moert.weight @s "s" : 32xf32
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C8)
  // expected-error @+1 {{the scale by expert @s needs offsets}}
  moert.glu_matmul %x, @m, @m gate_scale(@s) kind(swiglu) arithmetic(float) outs(%y)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>) outs("i" %i: !moert.buffer<tokens x 2 x i32>,
    "w" %w: !moert.buffer<tokens x 2 x f32>) {
  // (C2)
  // expected-error @+1 {{group_score(best) needs groups}}
  moert.route %x top(2) scoring(raw) group_score(best) tie(lower_id) outs(%i, %w)
    : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 2 x i32>,
      !moert.buffer<tokens x 2 x f32>
}
