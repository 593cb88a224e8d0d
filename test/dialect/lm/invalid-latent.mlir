// One test or more for each constraint of the ops of latent attention and of their caches, cited as
// LmOps.td and LmTypes.td number them.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

//===- !lm.cache -----------------------------------------------------------===//

// (C1)
// expected-error @below {{heads of a cache have 1 to 1024 elements, got 0}}
lm.cache @c : !lm.cache<latent 0 + 4>

// -----

// (C1)
// expected-error @below {{heads of a cache have 1 to 1024 elements, got 1025}}
lm.cache @c : !lm.cache<latent 1025 + 4>

// -----

// (C2)
// expected-error @below {{the rotated part of a latent cache has 1 to 1024 elements, got 1025}}
lm.cache @c : !lm.cache<latent 16 + 1025>

// -----

// (C2)
// expected-error @below {{the rotated part of a latent cache has 1 to 1024 elements, got -4}}
lm.cache @c : !lm.cache<latent 16 + -4>

// -----

// (C2)
// expected-error @below {{the rotated part of a latent cache is empty}}
lm.cache @c : !lm.cache<latent 16 + 0>

// -----

// expected-error @below {{expected '+'}}
lm.cache @c : !lm.cache<latent 16 x 4>

// -----

//===- lm.slice_heads ----------------------------------------------===//

func.func @f(%x: tensor<?x24xf32>) {
  // (C1)
  // expected-error @below {{input has 24 columns, which are not 5 equal heads}}
  %0 = lm.slice_heads %x heads(5) first(0) : tensor<?x24xf32> -> tensor<?x10xf32>
  return
}

// -----

func.func @f(%x: tensor<?x24xf32>) {
  // (C1)
  // expected-error @below {{result has 9 columns, which are not 2 equal heads}}
  %0 = lm.slice_heads %x heads(2) first(0) : tensor<?x24xf32> -> tensor<?x9xf32>
  return
}

// -----

func.func @f(%x: tensor<?x24xf32>) {
  // (C1)
  // expected-error @below {{the number of heads must be 1 to 1048576, got 0}}
  %0 = lm.slice_heads %x heads(0) first(0) : tensor<?x24xf32> -> tensor<?x8xf32>
  return
}

// -----

func.func @f(%x: tensor<4x24xf32>) {
  // (C1)
  // expected-error @below {{result must be [4, 8], got 'tensor<5x8xf32>'}}
  %0 = lm.slice_heads %x heads(2) first(0) : tensor<4x24xf32> -> tensor<5x8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x24xf32>) {
  // (C2)
  // expected-error @below {{8 elements from 5 on are not all among the 12 of a head}}
  %0 = lm.slice_heads %x heads(2) first(5) : tensor<?x24xf32> -> tensor<?x16xf32>
  return
}

// -----

func.func @f(%x: tensor<?x24xf32>) {
  // (C2)
  // expected-error @below {{8 elements from -1 on are not all among the 12 of a head}}
  %0 = lm.slice_heads %x heads(2) first(-1) : tensor<?x24xf32> -> tensor<?x16xf32>
  return
}

// -----

func.func @f(%x: tensor<?x24xf32>) {
  // (C2)
  // expected-error @below {{8 elements from 9223372036854775807 on are not all among the 12 of a head}}
  %0 = lm.slice_heads %x heads(2) first(9223372036854775807) : tensor<?x24xf32> -> tensor<?x16xf32>
  return
}

// -----

//===- lm.quantize_heads -------------------------------------------===//

func.func @f(%x: tensor<?x24xf32>) {
  // (C1)
  // expected-error @below {{input must be [?, 16], got 'tensor<?x24xf32>'}}
  %0 = lm.quantize_heads %x : tensor<?x24xf32> -> tensor<?x2x8x!moe.activation<int16>>
  return
}

// -----

func.func @f(%x: tensor<3x16xf32>) {
  // (C1)
  // expected-error @below {{result must be [3, 2, 8], got 'tensor<4x2x8x!moe.activation<int16>>'}}
  %0 = lm.quantize_heads %x : tensor<3x16xf32> -> tensor<4x2x8x!moe.activation<int16>>
  return
}

// -----

func.func @f(%x: tensor<?x16xf32>) {
  // (C1)
  // expected-error @below {{result #0 must be}}
  %0 = lm.quantize_heads %x : tensor<?x16xf32> -> tensor<?x16x!moe.activation<int16>>
  return
}

// -----

//===- lm.head_matmul ----------------------------------------------===//

func.func @f(%x: tensor<?x24xf32>, %w: tensor<2x5x8x!moe.block<q8_0>>) {
  // (C1)
  // expected-error @below {{input must be [?, 16], got 'tensor<?x24xf32>'}}
  %0 = lm.head_matmul %x, %w
    : (tensor<?x24xf32>, tensor<2x5x8x!moe.block<q8_0>>) -> tensor<?x10xf32>
  return
}

// -----

func.func @f(%x: tensor<?x16xf32>, %w: tensor<2x5x8x!moe.block<q8_0>>) {
  // (C1)
  // expected-error @below {{result must be [?, 10], got 'tensor<?x5xf32>'}}
  %0 = lm.head_matmul %x, %w
    : (tensor<?x16xf32>, tensor<2x5x8x!moe.block<q8_0>>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%x: tensor<3x16xf32>, %w: tensor<2x5x8x!moe.block<q8_0>>) {
  // (C1)
  // expected-error @below {{result must be [3, 10], got 'tensor<4x10xf32>'}}
  %0 = lm.head_matmul %x, %w
    : (tensor<3x16xf32>, tensor<2x5x8x!moe.block<q8_0>>) -> tensor<4x10xf32>
  return
}

// -----

func.func @f(%x: tensor<?x4x8x!moe.activation<int16>>, %w: tensor<2x5x8x!moe.block<q8_0>>) {
  // (C1)
  // expected-error @below {{input must be [?, 2, 8], got 'tensor<?x4x8x!moe.activation<int16>>'}}
  %0 = lm.head_matmul %x, %w
    : (tensor<?x4x8x!moe.activation<int16>>, tensor<2x5x8x!moe.block<q8_0>>) -> tensor<?x10xf32>
  return
}

// -----

func.func @f(%x: tensor<?x16x!moe.activation<int16>>, %w: tensor<2x5x8x!moe.block<q8_0>>) {
  // (C1)
  // expected-error @below {{input must have 3 dimensions, got 'tensor<?x16x!moe.activation<int16>>'}}
  %0 = lm.head_matmul %x, %w
    : (tensor<?x16x!moe.activation<int16>>, tensor<2x5x8x!moe.block<q8_0>>) -> tensor<?x10xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2x8xf32>, %w: tensor<2x5x8x!moe.block<q8_0>>) {
  // (C1)
  // expected-error @below {{input must have 2 dimensions, got 'tensor<?x2x8xf32>'}}
  %0 = lm.head_matmul %x, %w
    : (tensor<?x2x8xf32>, tensor<2x5x8x!moe.block<q8_0>>) -> tensor<?x10xf32>
  return
}

// -----

func.func @f(%x: tensor<?x8xf32>, %w: tensor<5x8x!moe.block<q8_0>>) {
  // (C1)
  // expected-error @below {{operand #1 must be}}
  %0 = lm.head_matmul %x, %w
    : (tensor<?x8xf32>, tensor<5x8x!moe.block<q8_0>>) -> tensor<?x5xf32>
  return
}

// -----

func.func @f(%x: tensor<?x16xf32>, %w: tensor<2x5x8xf16>) {
  // (C2)
  // expected-error @below {{arithmetic 'exact' does not suit weights of 'f16'}}
  %0 = lm.head_matmul %x, %w arithmetic(exact)
    : (tensor<?x16xf32>, tensor<2x5x8xf16>) -> tensor<?x10xf32>
  return
}

// -----

func.func @f(%x: tensor<?x16xf32>, %w: tensor<2x5x8x!moe.block<q8_0>>) {
  // (C2)
  // expected-error @below {{arithmetic 'float' does not suit weights of '!moe.block<q8_0>'}}
  %0 = lm.head_matmul %x, %w arithmetic(float)
    : (tensor<?x16xf32>, tensor<2x5x8x!moe.block<q8_0>>) -> tensor<?x10xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2x8x!moe.activation<int16>>, %w: tensor<2x5x8xf16>) {
  // (C2)
  // expected-error @below {{quantized input needs block weights, got 'f16'}}
  %0 = lm.head_matmul %x, %w
    : (tensor<?x2x8x!moe.activation<int16>>, tensor<2x5x8xf16>) -> tensor<?x10xf32>
  return
}

// -----

//===- lm.append_latent --------------------------------------------===//

func.func @f(%c: !lm.cache<1 x 16 x 16>, %l: tensor<?x16xf32>, %r: tensor<?x4xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{needs a cache of latents, got '!lm.cache<1 x 16 x 16>'}}
  %0 = lm.append_latent %c, %l, %r at(%p, %s, %t)
    : !lm.cache<1 x 16 x 16>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%c: !lm.cache<latent 16 + 4>, %l: tensor<?x8xf32>, %r: tensor<?x4xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{latents must be [?, 16], got 'tensor<?x8xf32>'}}
  %0 = lm.append_latent %c, %l, %r at(%p, %s, %t)
    : !lm.cache<latent 16 + 4>, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%c: !lm.cache<latent 16 + 4>, %l: tensor<?x16xf32>, %r: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{rotated must be [?, 4], got 'tensor<?x8xf32>'}}
  %0 = lm.append_latent %c, %l, %r at(%p, %s, %t)
    : !lm.cache<latent 16 + 4>, tensor<?x16xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%c: !lm.cache<latent 16 + 4>, %l: tensor<3x16xf32>, %r: tensor<5x4xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{rotated must be [3, 4], got 'tensor<5x4xf32>'}}
  %0 = lm.append_latent %c, %l, %r at(%p, %s, %t)
    : !lm.cache<latent 16 + 4>, tensor<3x16xf32>, tensor<5x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%c: !lm.cache<latent 16 + 4>, %l: tensor<3x16xf32>, %r: tensor<3x4xf32>, %p: tensor<5xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C2)
  // expected-error @below {{positions must be [3], got 'tensor<5xi32>'}}
  %0 = lm.append_latent %c, %l, %r at(%p, %s, %t)
    : !lm.cache<latent 16 + 4>, tensor<3x16xf32>, tensor<3x4xf32>, tensor<5xi32>, tensor<?xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%c: !lm.cache<latent 16 + 4>, %l: tensor<3x16xf32>, %r: tensor<3x4xf32>, %p: tensor<?xi32>, %s: tensor<5xi32>, %t: tensor<?x4xi32>) {
  // (C2)
  // expected-error @below {{sequences must be [3], got 'tensor<5xi32>'}}
  %0 = lm.append_latent %c, %l, %r at(%p, %s, %t)
    : !lm.cache<latent 16 + 4>, tensor<3x16xf32>, tensor<3x4xf32>, tensor<?xi32>, tensor<5xi32>, tensor<?x4xi32>
  return
}

// -----

//===- lm.attend_latent --------------------------------------------===//

func.func @f(%q: tensor<?x32xf32>, %r: tensor<?x8xf32>, %c: !lm.cache<1 x 16 x 16>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{needs a cache of latents, got '!lm.cache<1 x 16 x 16>'}}
  %0 = lm.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    : (tensor<?x32xf32>, tensor<?x8xf32>, !lm.cache<1 x 16 x 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x32xf32>
  return
}

// -----

func.func @f(%q: tensor<?x32xf32>, %r: tensor<?x8xf32>, %c: !lm.cache<latent 16 + 4>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{the number of heads must be 1 to 1048576, got 0}}
  %0 = lm.attend_latent %q, %r, %c at(%p, %s, %t) heads(0) scale(0.35)
    : (tensor<?x32xf32>, tensor<?x8xf32>, !lm.cache<latent 16 + 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x32xf32>
  return
}

// -----

func.func @f(%q: tensor<?x16xf32>, %r: tensor<?x8xf32>, %c: !lm.cache<latent 16 + 4>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{queries must be [?, 32], got 'tensor<?x16xf32>'}}
  %0 = lm.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    : (tensor<?x16xf32>, tensor<?x8xf32>, !lm.cache<latent 16 + 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x32xf32>
  return
}

// -----

func.func @f(%q: tensor<?x32xf32>, %r: tensor<?x4xf32>, %c: !lm.cache<latent 16 + 4>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{rotated must be [?, 8], got 'tensor<?x4xf32>'}}
  %0 = lm.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    : (tensor<?x32xf32>, tensor<?x4xf32>, !lm.cache<latent 16 + 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x32xf32>
  return
}

// -----

func.func @f(%q: tensor<?x32xf32>, %r: tensor<?x8xf32>, %c: !lm.cache<latent 16 + 4>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{result must be [?, 32], got 'tensor<?x16xf32>'}}
  %0 = lm.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    : (tensor<?x32xf32>, tensor<?x8xf32>, !lm.cache<latent 16 + 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @f(%q: tensor<3x32xf32>, %r: tensor<3x8xf32>, %c: !lm.cache<latent 16 + 4>, %p: tensor<5xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C2)
  // expected-error @below {{positions must be [3], got 'tensor<5xi32>'}}
  %0 = lm.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    : (tensor<3x32xf32>, tensor<3x8xf32>, !lm.cache<latent 16 + 4>, tensor<5xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<3x32xf32>
  return
}

// -----

func.func @f(%q: tensor<?x32xf32>, %r: tensor<?x8xf32>, %c: !lm.cache<latent 16 + 4>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<4xi32>) {
  // (C2)
  // expected-error @below {{operand #5 must be}}
  %0 = lm.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    : (tensor<?x32xf32>, tensor<?x8xf32>, !lm.cache<latent 16 + 4>, tensor<?xi32>, tensor<?xi32>, tensor<4xi32>) -> tensor<?x32xf32>
  return
}

// -----

func.func @f(%q: tensor<?x32xf32>, %r: tensor<?x8xf32>, %c: !lm.cache<latent 16 + 4>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C3)
  // expected-error @below {{scale must be finite and positive}}
  %0 = lm.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.0)
    : (tensor<?x32xf32>, tensor<?x8xf32>, !lm.cache<latent 16 + 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x32xf32>
  return
}

// -----

func.func @f(%q: tensor<?x32xf32>, %r: tensor<?x8xf32>, %c: !lm.cache<latent 16 + 4>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C4)
  // expected-error @below {{query_width must be given if and only if the cache has a width}}
  %0 = lm.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35) query_width(int16)
    : (tensor<?x32xf32>, tensor<?x8xf32>, !lm.cache<latent 16 + 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x32xf32>
  return
}

// -----

func.func @f(%q: tensor<?x32xf32>, %r: tensor<?x8xf32>, %c: !lm.cache<latent 16 + 4, int16>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C4)
  // expected-error @below {{query_width must be given if and only if the cache has a width}}
  %0 = lm.attend_latent %q, %r, %c at(%p, %s, %t) heads(2) scale(0.35)
    : (tensor<?x32xf32>, tensor<?x8xf32>, !lm.cache<latent 16 + 4, int16>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x32xf32>
  return
}

// -----

//===- Other ops over caches of latents ----------------------------===//

func.func @f(%c: !lm.cache<latent 16 + 4>, %l: tensor<?x16xf32>, %r: tensor<?x16xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{cannot have a cache of latents, got '!lm.cache<latent 16 + 4>'}}
  %0 = lm.append %c, %l, %r at(%p, %s, %t)
    : !lm.cache<latent 16 + 4>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%q: tensor<?x32xf32>, %c: !lm.cache<latent 16 + 4>, %p: tensor<?xi32>, %s: tensor<?xi32>, %t: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{cannot have a cache of latents, got '!lm.cache<latent 16 + 4>'}}
  %0 = lm.attend %q, %c at(%p, %s, %t) heads(2) scale(0.35)
    : (tensor<?x32xf32>, !lm.cache<latent 16 + 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x32xf32>
  return
}
