// What is refused of weights that are parts of tensors, or several, cited as Tensors.td and MoeOps.td
// number the constraints.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

func.func @weight() {
  // tensors: (C1)
  // expected-error @+1 {{names of tensors must not be empty and all different}}
  %0 = moe.weight ["a", ""] : tensor<2x64xf32>
  return
}

// -----

func.func @weight() {
  // tensors: (C1)
  // expected-error @+1 {{names of tensors must not be empty and all different}}
  %0 = moe.weight ["a", "b", "a"] : tensor<3x64xf32>
  return
}

// -----

func.func @weight() {
  // tensors: (C2)
  // expected-error @+1 {{rows must begin at 0 or later and before their total, at most 2^31 - 1, got 4 of 4}}
  %0 = moe.weight "a" rows(4 of 4) : tensor<1x64xf32>
  return
}

// -----

func.func @weight() {
  // tensors: (C2)
  // expected-error @+1 {{rows must begin at 0 or later and before their total, at most 2^31 - 1, got -1 of 4}}
  %0 = moe.weight "a" rows(-1 of 4) : tensor<1x64xf32>
  return
}

// -----

func.func @weight() {
  // tensors: (C2)
  // expected-error @+1 {{columns must begin at 0 or later and before their total, at most 2^31 - 1, got 0 of 2147483648}}
  %0 = moe.weight "a" columns(0 of 2147483648) : tensor<1x64xf32>
  return
}

// -----

func.func @weight() {
  // tensors: (C2)
  // expected-error @+1 {{rows of 0 hold nothing}}
  %0 = moe.weight "a" rows(0 of 0) : tensor<1x64xf32>
  return
}

// -----

func.func @weight() {
  // expected-error @+1 {{expected string}}
  %0 = moe.weight [] : tensor<1x64xf32>
  return
}

// -----

func.func @weight() {
  // (C4)
  // expected-error @+1 {{a weight that stacks 2 tensors has 2 or 3 dimensions, of which the first is 2}}
  %0 = moe.weight ["a", "b"] : tensor<3x4x64xf32>
  return
}

// -----

func.func @weight() {
  // (C4)
  // expected-error @+1 {{a weight that stacks 2 tensors has 2 or 3 dimensions, of which the first is 2}}
  %0 = moe.weight ["a", "b"] : tensor<2xf32>
  return
}

// -----

func.func @weight() {
  // (C5)
  // expected-error @+1 {{rows are of matrices; take columns for a part of each row}}
  %0 = moe.weight "a" rows(0 of 4) : tensor<2xf32>
  return
}

// -----

func.func @weight() {
  // (C5)
  // expected-error @+1 {{rows are of matrices; take columns for a part of each row}}
  %0 = moe.weight ["a", "b"] rows(0 of 4) : tensor<2x64xf32>
  return
}

// -----

func.func @weight() {
  // (C5)
  // expected-error @+1 {{rows 3 to 4 do not lie in 4}}
  %0 = moe.weight "a" rows(3 of 4) : tensor<8x2x64xf32>
  return
}

// -----

func.func @weight() {
  // (C5)
  // expected-error @+1 {{columns 32 to 95 do not lie in 64}}
  %0 = moe.weight "a" columns(32 of 64) : tensor<64xf32>
  return
}

// -----

func.func @weight() {
  // (C5)
  // expected-error @+1 {{columns must begin and end with blocks of 32 elements, got 16 of 96}}
  %0 = moe.weight "a" columns(16 of 96) : tensor<2x64x!moe.block<q8_0>>
  return
}

// -----

func.func @weight() {
  // (C5)
  // expected-error @+1 {{columns must begin and end with blocks of 32 elements, got 32 of 112}}
  %0 = moe.weight "a" columns(32 of 112) : tensor<2x64x!moe.block<q8_0>>
  return
}

// -----

func.func @weight() {
  // (C6)
  // expected-error @+1 {{q4_k_r4 stores rows in strips of 4; a weight is made of whole strips, and of matrices of them}}
  %0 = moe.weight "a" : tensor<2x6x256x!moe.block<q4_k_r4>>
  return
}

// -----

func.func @weight() {
  // (C6)
  // expected-error @+1 {{q4_k_r4 stores rows in strips of 4}}
  %0 = moe.weight ["a", "b"] : tensor<2x256x!moe.block<q4_k_r4>>
  return
}

// -----

func.func @weight() {
  // (C6)
  // expected-error @+1 {{q4_k_r4 stores rows in strips of 4}}
  %0 = moe.weight "a" rows(2 of 8) : tensor<4x256x!moe.block<q4_k_r4>>
  return
}

// -----

func.func @weight() {
  // (C6)
  // expected-error @+1 {{q4_k_r4 stores rows in strips of 4}}
  %0 = moe.weight "a" rows(4 of 10) : tensor<4x256x!moe.block<q4_k_r4>>
  return
}

// -----

func.func @weight() {
  // (C6)
  // expected-error @+1 {{rows of iq4_ks have a header; columns can be parts of rows without one}}
  %0 = moe.weight "a" columns(256 of 512) : tensor<4x256x!moe.block<iq4_ks>>
  return
}

// -----

func.func @weight() {
  // (C7)
  // expected-error @+1 {{blocks of q8_0 run along rows; only tensors of floats can be transposed}}
  %0 = moe.weight "a" transposed : tensor<4x64x!moe.block<q8_0>>
  return
}

// -----

func.func @weight() {
  // (C7)
  // expected-error @+1 {{only matrices can be transposed}}
  %0 = moe.weight ["a", "b"] transposed : tensor<2x64xf32>
  return
}

// -----

func.func @weight() {
  // (C7)
  // expected-error @+1 {{of rows that are transposed no part is taken; leave columns out}}
  %0 = moe.weight "a" columns(0 of 128) transposed : tensor<4x64xf32>
  return
}

// -----

func.func @weight() {
  // (C5)
  // expected-error @+1 {{rows 4 to 67 do not lie in 64}}
  %0 = moe.weight "a" rows(4 of 64) transposed : tensor<128x64xf32>
  return
}

// -----

func.func @weight() {
  // (C7)
  // expected-error @+1 {{only what is transposed is decoded}}
  %0 = moe.weight "a" decoded(q4_K) : tensor<4x256xf16>
  return
}

// -----

func.func @weight() {
  // (C7)
  // expected-error @+1 {{blocks are decoded to f32, got q4_K as bf16}}
  %0 = moe.weight "a" transposed decoded(q4_K) : tensor<256x4xbf16>
  return
}

// -----

func.func @weight() {
  // (C7)
  // expected-error @+1 {{blocks are decoded to f32, got bf16 as f32}}
  %0 = moe.weight "a" transposed decoded(bf16) : tensor<256x4xf32>
  return
}

// -----

func.func @weight() {
  // (C7)
  // expected-error @+1 {{rows of 128 elements are not made of blocks of 256, as those of q4_K are}}
  %0 = moe.weight "a" transposed decoded(q4_K) : tensor<128x4xf32>
  return
}

// -----

func.func @weight() {
  // (C7)
  // expected-error @+1 {{q4_k_r4 stores rows in strips of 4}}
  %0 = moe.weight "a" rows(2 of 8) transposed decoded(q4_k_r4) : tensor<256x4xf32>
  return
}

// -----

func.func @weight() {
  // (C8)
  // expected-error @+1 {{joined are the matrices of a weight of 3 dimensions, in one tensor}}
  %0 = moe.weight "a" joined rows(0 of 8) : tensor<4x64xf32>
  return
}

// -----

func.func @weight() {
  // (C8)
  // expected-error @+1 {{joined are the matrices of a weight of 3 dimensions, in one tensor}}
  %0 = moe.weight ["a", "b"] joined : tensor<2x4x64xf32>
  return
}

// -----

func.func @weight() {
  // (C7)
  // expected-error @+1 {{unknown weight format 'q4_L'}}
  %0 = moe.weight "a" transposed decoded(q4_L) : tensor<256x4xf16>
  return
}

// -----

// tensors: (C3)
// expected-error @+1 {{a whole tensor is named by a string alone}}
module attributes {a.b = #moe.tensors<"a">} {}
