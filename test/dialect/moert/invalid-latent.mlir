// One test or more for each constraint of the operations of latent attention, cited as MoertOps.td numbers
// them. A page of latents of 16 and keys of 4 elements has 2560 words of int16.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

//===- moert.slice_heads -------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x f32>)
    outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C1)
  // expected-error @below {{input must have rank 2}}
  moert.slice_heads %x heads(2) first(4) outs(%y) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 24 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  // (C1)
  // expected-error @below {{input has 24 columns, which are not 5 equal heads}}
  moert.slice_heads %x heads(5) first(4) outs(%y) : !moert.buffer<tokens x 24 x f32>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 24 x f32>)
    outs("y" %y: !moert.buffer<tokens x 15 x f32>) {
  // (C1)
  // expected-error @below {{output has 15 columns, which are not 2 equal heads}}
  moert.slice_heads %x heads(2) first(4) outs(%y) : !moert.buffer<tokens x 24 x f32>, !moert.buffer<tokens x 15 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 24 x f32>)
    outs("y" %y: !moert.buffer<2*tokens x 16 x f32>) {
  // (C1)
  // expected-error @below {{output must be [tokens, 16]}}
  moert.slice_heads %x heads(2) first(4) outs(%y) : !moert.buffer<tokens x 24 x f32>, !moert.buffer<2*tokens x 16 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 24 x f32>)
    outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C1)
  // expected-error @below {{the number of heads must be 1 to 1048576, got 0}}
  moert.slice_heads %x heads(0) first(4) outs(%y) : !moert.buffer<tokens x 24 x f32>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 24 x f32>)
    outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C2)
  // expected-error @below {{8 elements from 5 on are not all among the 12 of a head}}
  moert.slice_heads %x heads(2) first(5) outs(%y) : !moert.buffer<tokens x 24 x f32>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 24 x f32>)
    outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  // (C2)
  // expected-error @below {{8 elements from -1 on are not all among the 12 of a head}}
  moert.slice_heads %x heads(2) first(-1) outs(%y) : !moert.buffer<tokens x 24 x f32>, !moert.buffer<tokens x 16 x f32>
}

// -----

//===- moert.quantize_heads ----------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 16 x f32>)
    outs("z" %z: !moert.buffer<tokens x 2 x f32>) {
  %y = moert.buffer : !moert.buffer<tokens x 16 x act16>
  // (C1)
  // expected-error @below {{output must have rank 3}}
  moert.quantize_heads %x outs(%y) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x act16>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 24 x f32>)
    outs("z" %z: !moert.buffer<tokens x 2 x f32>) {
  %y = moert.buffer : !moert.buffer<tokens x 2 x 8 x act16>
  // (C1)
  // expected-error @below {{input must be [tokens, 16]}}
  moert.quantize_heads %x outs(%y) : !moert.buffer<tokens x 24 x f32>, !moert.buffer<tokens x 2 x 8 x act16>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("x" %x: !moert.buffer<tokens x 16 x f32>)
    outs("z" %z: !moert.buffer<tokens x 2 x f32>) {
  %y = moert.buffer : !moert.buffer<2 x tokens x 8 x act16>
  // (C1)
  // expected-error @below {{output must have a constant number of heads}}
  moert.quantize_heads %x outs(%y) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<2 x tokens x 8 x act16>
}

// -----

//===- moert.head_matmul -------------------------------------------===//

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xq8_0
moert.func @f("z" %z: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  %x = moert.buffer : !moert.buffer<tokens x 2 x 32 x act16>
  moert.quantize_heads %z outs(%x)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act16>
  // (C1)
  // expected-error @below {{the number of heads must be 1 to 1048576, got 0}}
  moert.head_matmul %x, @w heads(0) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 2 x 32 x act16>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xq8_0
moert.func @f("z" %z: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 9 x f32>) {
  %x = moert.buffer : !moert.buffer<tokens x 2 x 32 x act16>
  moert.quantize_heads %z outs(%x)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act16>
  // (C1)
  // expected-error @below {{output has 9 columns, which are not 2 equal heads}}
  moert.head_matmul %x, @w heads(2) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 2 x 32 x act16>, !moert.buffer<tokens x 9 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xq8_0
moert.func @f("z" %z: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  %x = moert.buffer : !moert.buffer<tokens x 2 x 32 x act16>
  moert.quantize_heads %z outs(%x)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act16>
  // (C1)
  // expected-error @below {{there is no moert.weight @v}}
  moert.head_matmul %x, @v heads(2) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 2 x 32 x act16>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x64xq8_0
moert.func @f("z" %z: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  %x = moert.buffer : !moert.buffer<tokens x 2 x 32 x act16>
  moert.quantize_heads %z outs(%x)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act16>
  // (C1)
  // expected-error @below {{weight @w must be 2x5x32: heads, and the columns of output and input}}
  moert.head_matmul %x, @w heads(2) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 2 x 32 x act16>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 3x5x32xq8_0
moert.func @f("z" %z: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  %x = moert.buffer : !moert.buffer<tokens x 2 x 32 x act16>
  moert.quantize_heads %z outs(%x)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act16>
  // (C1)
  // expected-error @below {{weight @w must be 2x5x32: heads, and the columns of output and input}}
  moert.head_matmul %x, @w heads(2) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 2 x 32 x act16>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 5x32xq8_0
moert.func @f("z" %z: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  %x = moert.buffer : !moert.buffer<tokens x 2 x 32 x act16>
  moert.quantize_heads %z outs(%x)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act16>
  // (C1)
  // expected-error @below {{weight @w must be 2x5x32: heads, and the columns of output and input}}
  moert.head_matmul %x, @w heads(2) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 2 x 32 x act16>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x64xf16
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  // (C1)
  // expected-error @below {{weight @w must be 2x5x32: heads, and the columns of output and input}}
  moert.head_matmul %x, @w heads(2) arithmetic(float) outs(%y) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xq8_0
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  // (C2)
  // expected-error @below {{arithmetic 'exact' needs quantized input}}
  moert.head_matmul %x, @w heads(2) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xf16
moert.func @f("z" %z: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  %x = moert.buffer : !moert.buffer<tokens x 2 x 32 x act16>
  moert.quantize_heads %z outs(%x)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act16>
  // (C2)
  // expected-error @below {{arithmetic 'float' needs f32 input}}
  moert.head_matmul %x, @w heads(2) arithmetic(float) outs(%y) : !moert.buffer<tokens x 2 x 32 x act16>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xq8_0
moert.func @f("z" %z: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  %x = moert.buffer : !moert.buffer<tokens x 64 x act16>
  // (C2)
  // expected-error @below {{input must have rank 3}}
  moert.head_matmul %x, @w heads(2) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 64 x act16>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xq8_0
moert.func @f("z" %z: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  %x = moert.buffer : !moert.buffer<tokens x 4 x 32 x act16>
  // (C2)
  // expected-error @below {{input must be [tokens, 2, 32]}}
  moert.head_matmul %x, @w heads(2) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 4 x 32 x act16>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xq8_0
moert.func @f("z" %z: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  %x = moert.buffer : !moert.buffer<2*tokens x 2 x 32 x act16>
  // (C2)
  // expected-error @below {{input must be [tokens, 2, 32]}}
  moert.head_matmul %x, @w heads(2) arithmetic(exact) outs(%y) : !moert.buffer<2*tokens x 2 x 32 x act16>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xf16
moert.func @f("x" %x: !moert.buffer<tokens x 63 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  // (C2)
  // expected-error @below {{input has 63 columns, which are not 2 equal heads}}
  moert.head_matmul %x, @w heads(2) arithmetic(float) outs(%y) : !moert.buffer<tokens x 63 x f32>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xf16
moert.func @f("x" %x: !moert.buffer<2*tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  // (C2)
  // expected-error @below {{input must be [tokens, 64]}}
  moert.head_matmul %x, @w heads(2) arithmetic(float) outs(%y) : !moert.buffer<2*tokens x 64 x f32>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xf16
moert.func @f("z" %z: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  %x = moert.buffer : !moert.buffer<tokens x 2 x 32 x act16>
  moert.quantize_heads %z outs(%x)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act16>
  // (C2)
  // expected-error @below {{arithmetic 'exact' does not suit weight @w of format f16}}
  moert.head_matmul %x, @w heads(2) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 2 x 32 x act16>, !moert.buffer<tokens x 10 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.weight @w "w" : 2x5x32xq8_0
moert.func @f("x" %x: !moert.buffer<tokens x 64 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>) {
  // (C2)
  // expected-error @below {{arithmetic 'float' does not suit weight @w of format q8_0}}
  moert.head_matmul %x, @w heads(2) arithmetic(float) outs(%y) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 10 x f32>
}

// -----

//===- moert.append_latent -----------------------------------------===//

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("l" %l: !moert.buffer<tokens x 1025 x f32>, "r" %r: !moert.buffer<tokens x 4 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("z" %z: !moert.buffer<tokens x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C1)
  // expected-error @below {{latents has heads of 1025 elements, expected 1 to 1024}}
  moert.append_latent %l, %r at(%p, %s, %t) width(int16) outs(%c)
    : !moert.buffer<tokens x 1025 x f32>, !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 2560 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("l" %l: !moert.buffer<tokens x 16 x f32>, "r" %r: !moert.buffer<tokens x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("z" %z: !moert.buffer<tokens x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C1)
  // expected-error @below {{rotated must have rank 2}}
  moert.append_latent %l, %r at(%p, %s, %t) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 2560 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("l" %l: !moert.buffer<tokens x 16 x f32>, "r" %r: !moert.buffer<2*tokens x 4 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("z" %z: !moert.buffer<tokens x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C1)
  // expected-error @below {{rotated must be [tokens, 4]}}
  moert.append_latent %l, %r at(%p, %s, %t) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<2*tokens x 4 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 2560 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("l" %l: !moert.buffer<tokens x 16 x f32>, "r" %r: !moert.buffer<tokens x 4 x f32>, "p" %p: !moert.buffer<2*tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("z" %z: !moert.buffer<tokens x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C2)
  // expected-error @below {{positions must be [tokens]}}
  moert.append_latent %l, %r at(%p, %s, %t) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 4 x f32>, !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 2560 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("l" %l: !moert.buffer<tokens x 16 x f32>, "r" %r: !moert.buffer<tokens x 4 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<2*tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("z" %z: !moert.buffer<tokens x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C2)
  // expected-error @below {{sequences must be [tokens]}}
  moert.append_latent %l, %r at(%p, %s, %t) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<2*tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 2560 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("l" %l: !moert.buffer<tokens x 16 x f32>, "r" %r: !moert.buffer<tokens x 4 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<4 x slots x i32>)
    outs("z" %z: !moert.buffer<tokens x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C2)
  // expected-error @below {{the last dimension of pages must be constant}}
  moert.append_latent %l, %r at(%p, %s, %t) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<4 x slots x i32>, !moert.buffer<pages x 2560 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("l" %l: !moert.buffer<tokens x 16 x f32>, "r" %r: !moert.buffer<tokens x 8 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("z" %z: !moert.buffer<tokens x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C3)
  // expected-error @below {{pages of latents of 16 and keys of 8 elements of int16 have 2816 words, cache is}}
  moert.append_latent %l, %r at(%p, %s, %t) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 2560 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("l" %l: !moert.buffer<tokens x 16 x f32>, "r" %r: !moert.buffer<tokens x 4 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("z" %z: !moert.buffer<tokens x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C3)
  // expected-error @below {{pages of latents of 16 and keys of 4 elements of int8 have 1408 words, cache is}}
  moert.append_latent %l, %r at(%p, %s, %t) width(int8) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 2560 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("l" %l: !moert.buffer<tokens x 16 x f32>, "r" %r: !moert.buffer<tokens x 4 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("z" %z: !moert.buffer<tokens x f32>, "c" %c: !moert.buffer<pages x 2560 x i32>) {
  // (C3)
  // expected-error @below {{appends to a state, got another buffer}}
  moert.append_latent %l, %r at(%p, %s, %t) width(int16) outs(%c)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 2560 x i32>
}

// -----

//===- moert.attend_latent -----------------------------------------===//

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "r" %r: !moert.buffer<tokens x 8 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C1)
  // expected-error @below {{the number of heads must be 1 to 1048576, got 0}}
  moert.attend_latent %q, %r, %c at(%p, %s, %t) heads(0) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 8 x f32>, !moert.buffer<pages x 2560 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 33 x f32>, "r" %r: !moert.buffer<tokens x 8 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C1)
  // expected-error @below {{queries has 33 columns, which are not 2 equal heads}}
  moert.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 33 x f32>, !moert.buffer<tokens x 8 x f32>, !moert.buffer<pages x 2560 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "r" %r: !moert.buffer<tokens x 9 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C1)
  // expected-error @below {{rotated has 9 columns, which are not 2 equal heads}}
  moert.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 9 x f32>, !moert.buffer<pages x 2560 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "r" %r: !moert.buffer<2*tokens x 8 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C1)
  // expected-error @below {{rotated must be [tokens, 8]}}
  moert.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<2*tokens x 8 x f32>, !moert.buffer<pages x 2560 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "r" %r: !moert.buffer<tokens x 8 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("y" %y: !moert.buffer<tokens x 16 x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C1)
  // expected-error @below {{output must}}
  moert.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 8 x f32>, !moert.buffer<pages x 2560 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 16 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "r" %r: !moert.buffer<tokens x 8 x f32>, "p" %p: !moert.buffer<2*tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C2)
  // expected-error @below {{positions must be [tokens]}}
  moert.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 8 x f32>, !moert.buffer<pages x 2560 x i32>, !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "r" %r: !moert.buffer<tokens x 16 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C3)
  // expected-error @below {{pages of latents of 16 and keys of 8 elements of int16 have 2816 words, cache is}}
  moert.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 16 x f32>, !moert.buffer<pages x 2560 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "r" %r: !moert.buffer<tokens x 8 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C3)
  // expected-error @below {{pages of latents of 16 and keys of 4 elements of int8 have 1408 words, cache is}}
  moert.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    query_width(int16) width(int8) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 8 x f32>, !moert.buffer<pages x 2560 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 32 x f32>
}

// -----

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.func @f("q" %q: !moert.buffer<tokens x 32 x f32>, "r" %r: !moert.buffer<tokens x 8 x f32>, "p" %p: !moert.buffer<tokens x i32>, "s" %s: !moert.buffer<tokens x i32>, "t" %t: !moert.buffer<slots x 4 x i32>)
    outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
  %c = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // (C4)
  // expected-error @below {{scale must be finite and positive}}
  moert.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(-1.0)
    query_width(int16) width(int16) outs(%y)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 8 x f32>, !moert.buffer<pages x 2560 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 32 x f32>
}
