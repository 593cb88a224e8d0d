// One test or more for each constraint of the operations of language models, cited as MoertOps.td numbers
// them. A page of two heads of 8 and 16 elements has 3584 words of int16, and 2048 of int8.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

//===- moert.embed -------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.weight @w "w" : 64x32xf32
moert.func @f("t" %t: !moert.buffer<tokens x 1 x i32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{tokens must have rank 1}}
  moert.embed %t, @w outs(%y) : !moert.buffer<tokens x 1 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 64x32xf32
moert.func @f("t" %t: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{operand #0 must be buffer of i32}}
  moert.embed %t, @w outs(%y) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 64x32xf32
moert.func @f("t" %t: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C1)
  // expected-error @+1 {{output must have rank 2}}
  moert.embed %t, @w outs(%y) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 64x32xf32
moert.func @f("t" %t: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<32 x tokens x f32>) {
  // (C1)
  // expected-error @+1 {{the last dimension of output must be constant}}
  moert.embed %t, @w outs(%y) : !moert.buffer<tokens x i32>, !moert.buffer<32 x tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 64x32xf32
moert.func @f("t" %t: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<2*tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{output must be [tokens, 32]}}
  moert.embed %t, @w outs(%y) : !moert.buffer<tokens x i32>, !moert.buffer<2*tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 64x32xf32
moert.func @f("t" %t: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x 32 x i32>) {
  // (C1)
  // expected-error @+1 {{operand #1 must be buffer of f32}}
  moert.embed %t, @w outs(%y) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 64x32xf32
moert.func @f("t" %t: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{there is no moert.weight @v}}
  moert.embed %t, @v outs(%y) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 64x16xf32
moert.func @f("t" %t: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{weight @w must be a matrix with rows of 32 elements}}
  moert.embed %t, @w outs(%y) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x64x32xf32
moert.func @f("t" %t: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{weight @w must be a matrix with rows of 32 elements}}
  moert.embed %t, @w outs(%y) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 32xf32
moert.func @f("t" %t: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{weight @w must be a matrix with rows of 32 elements}}
  moert.embed %t, @w outs(%y) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

//===- moert.head_norm ---------------------------------------------------===//

moert.symbol @tokens max(8)
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C1)
  // expected-error @+1 {{input must have rank 2}}
  moert.head_norm %x, @w heads(4) eps(0.0) outs(%y) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<32 x tokens x f32>) outs("y" %y: !moert.buffer<32 x tokens x f32>) {
  // (C1)
  // expected-error @+1 {{the last dimension of input must be constant}}
  moert.head_norm %x, @w heads(4) eps(0.0) outs(%y) : !moert.buffer<32 x tokens x f32>, !moert.buffer<32 x tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{the number of heads must be 1 to 1048576, got 0}}
  moert.head_norm %x, @w heads(0) eps(0.0) outs(%y) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{the number of heads must be 1 to 1048576, got -1}}
  moert.head_norm %x, @w heads(-1) eps(0.0) outs(%y) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{input has 32 columns, which are not 5 equal heads}}
  moert.head_norm %x, @w heads(5) eps(0.0) outs(%y) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2048xf32
moert.func @f("x" %x: !moert.buffer<tokens x 2048 x f32>) outs("y" %y: !moert.buffer<tokens x 2048 x f32>) {
  // (C1)
  // expected-error @+1 {{input has heads of 2048 elements, expected 1 to 1024}}
  moert.head_norm %x, @w heads(1) eps(0.0) outs(%y) : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 2048 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>) outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C1)
  // expected-error @+1 {{output must be [tokens, 32]}}
  moert.head_norm %x, @w heads(4) eps(0.0) outs(%y) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 32xf32
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{weight @w must be 8xf32}}
  moert.head_norm %x, @w heads(4) eps(0.0) outs(%y) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 8xf16
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{weight @w must be 8xf32}}
  moert.head_norm %x, @w heads(4) eps(0.0) outs(%y) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C3)
  // expected-error @+1 {{eps must be finite and not negative}}
  moert.head_norm %x, @w heads(4) eps(-1.0) outs(%y) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C3)
  // expected-error @+1 {{eps must be finite and not negative}}
  moert.head_norm %x, @w heads(4) eps(0x7FC00000) outs(%y) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
}

// -----

//===- moert.rotate ------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "p" %p: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C1)
  // expected-error @+1 {{input must have rank 2}}
  moert.rotate %x, %p heads(4) pairs(halves) frequencies [1] outs(%y)
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{input has 32 columns, which are not 3 equal heads}}
  moert.rotate %x, %p heads(3) pairs(halves) frequencies [1] outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  // (C1)
  // expected-error @+1 {{output must be [tokens, 32]}}
  moert.rotate %x, %p heads(4) pairs(halves) frequencies [1] outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<2*tokens x i32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{positions must be [tokens]}}
  moert.rotate %x, %p heads(4) pairs(halves) frequencies [1] outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x 1 x i32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C1)
  // expected-error @+1 {{positions must be [tokens]}}
  moert.rotate %x, %p heads(4) pairs(halves) frequencies [1] outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 1 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{there are no frequencies; at least one is needed}}
  moert.rotate %x, %p heads(4) pairs(halves) frequencies [] outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C2)
  // expected-error @+1 {{there are 5 frequencies for heads of 8 elements; each turns two of them}}
  moert.rotate %x, %p heads(4) pairs(halves) frequencies [1, 2, 3, 4, 5] outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  // (C3)
  // expected-error @+1 {{factor must be finite}}
  moert.rotate %x, %p heads(4) pairs(halves) frequencies [1] factor(0xFF800000) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

//===- moert.append ------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{keys must have rank 2}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{the number of heads must be 1 to 1048576, got 0}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(0) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{keys has 16 columns, which are not 3 equal heads}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(3) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 33 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{values has 33 columns, which are not 2 equal heads}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 33 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 2050 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{values has heads of 1025 elements, expected 1 to 1024}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 2050 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<2*tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{values must be [tokens, 32]}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<2*tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<slots x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C2)
  // expected-error @+1 {{positions must be [tokens]}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<slots x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<slots x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C2)
  // expected-error @+1 {{sequences must be [tokens]}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C2)
  // expected-error @+1 {{pages must have rank 2}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<4 x slots x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C2)
  // expected-error @+1 {{the last dimension of pages must be constant}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<4 x slots x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>)
    outs("c" %c: !moert.buffer<pages x 3584 x i32>) {
  // (C3)
  // expected-error @+1 {{appends to a state, got another buffer}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<3584 x i32>
  // (C3)
  // expected-error @+1 {{cache must have rank 2}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 2048 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 2048 x i32>
  // (C3)
  // expected-error @+1 {{pages of 2 heads of 8 and 16 elements of int16 have 3584 words, cache is }}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 2048 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C3)
  // expected-error @+1 {{pages of 2 heads of 8 and 16 elements of int8 have 2048 words, cache is }}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int8) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x f32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>,
    "s" %s: !moert.buffer<tokens x i32>, "g" %g: !moert.buffer<slots x 4 x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x f32>
  // (C3)
  // expected-error @+1 {{operand #5 must be buffer of i32}}
  moert.append %k, %v at(%p, %s, %g) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 3584 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("k" %k: !moert.buffer<tokens x 16 x f32>, "v" %v: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>) outs() {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // A cache says nothing of its own pages.
  // expected-error @+1 {{reads the state that it writes}}
  moert.append %k, %v at(%p, %p, %c) kv_heads(2) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<pages x 3584 x i32>, !moert.buffer<pages x 3584 x i32>
}

// -----

//===- moert.attend ------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{3 heads of queries must be a multiple of 2 heads of keys}}
  moert.attend %q, %c at(%p, %s, %g) heads(3) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{the number of heads must be 1 to 1048576, got 0}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(0) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{the number of heads must be 1 to 1048576, got 9223372036854775806}}
  moert.attend %q, %c at(%p, %s, %g) heads(9223372036854775806) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{queries must have rank 2}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 34 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{queries has 34 columns, which are not 4 equal heads}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 34 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 62 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{output has 62 columns, which are not 4 equal heads}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 62 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<slots x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C1)
  // expected-error @+1 {{output must be [tokens, 64]}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<slots x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<slots x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C2)
  // expected-error @+1 {{positions must be [tokens]}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<slots x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<slots x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C2)
  // expected-error @+1 {{sequences must be [tokens]}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C2)
  // expected-error @+1 {{pages must have rank 2}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<4 x slots x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C2)
  // expected-error @+1 {{the last dimension of pages must be constant}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<4 x slots x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<3584 x i32>
  // (C3)
  // expected-error @+1 {{cache must have rank 2}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3585 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3585 x i32>
  // (C3)
  // expected-error @+1 {{pages of 2 heads of 8 and 16 elements of int16 have 3584 words, cache is }}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3585 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C3)
  // expected-error @+1 {{pages of 2 heads of 8 and 16 elements of int8 have 2048 words, cache is }}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int8) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C4)
  // expected-error @+1 {{there is no moert.weight @z}}
  moert.attend %q, %c at(%p, %s, %g) sinks(@z) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.weight @z "z" : 2xf32
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C4)
  // expected-error @+1 {{weight @z must be 4xf32}}
  moert.attend %q, %c at(%p, %s, %g) sinks(@z) heads(4) kv_heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C5)
  // expected-error @+1 {{scale must be finite and positive}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.0)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C5)
  // expected-error @+1 {{scale must be finite and positive}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0x7FF8000000000000)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C5)
  // expected-error @+1 {{window must be 0 to 2^31 - 1, got -1}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35) window(-1)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(8)
moert.symbol @pages max(64)
moert.state @c : !moert.buffer<pages x 3584 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>,
    "g" %g: !moert.buffer<slots x 4 x i32>) outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
  %c = moert.state_buffer @c : !moert.buffer<pages x 3584 x i32>
  // (C5)
  // expected-error @+1 {{window must be 0 to 2^31 - 1, got 2147483648}}
  moert.attend %q, %c at(%p, %s, %g) heads(4) kv_heads(2) scale(0.35) window(2147483648)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 3584 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 64 x f32>
}
