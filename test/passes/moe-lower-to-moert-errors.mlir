// RUN: sortie-opt %s --moe-lower-to-moert --split-input-file --verify-diagnostics

// expected-error @below {{asks for version 7 of the numerics contract, this compiler has }}
module attributes {moe.numerics = 7} {
}

// -----

module {
  // expected-error @below {{'builtin.module' op cannot be part of a program; only functions and caches can}}
  module {
  }
}

// -----

// expected-error @below {{must have a body of one block to become a program}}
func.func private @declaration(tensor<?x64xf32>) -> tensor<?x64xf32>

// -----

// expected-error @below {{returns nothing and writes no cache; a program needs an output}}
func.func @no_output(%x: tensor<?x64xf32>) {
  return
}

// -----

func.func @semantic_level(%x: tensor<?x64xf32>) -> tensor<?x4xf32> {
  %w = moe.weight "w" : tensor<4x64xf32>
  // expected-error @below {{'moe.matmul' op is of the semantic level; run moe-dispatch-by-sort first}}
  %0 = moe.matmul %x, %w arithmetic(float)
    : (tensor<?x64xf32>, tensor<4x64xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @no_arithmetic(%x: tensor<?x64xf32>) -> tensor<?x4xf32> {
  %w = moe.weight "w" : tensor<4x64xf32>
  // expected-error @below {{has no arithmetic yet; run moe-choose-arithmetic first}}
  %0 = moe.grouped_matmul %x, %w : (tensor<?x64xf32>, tensor<4x64xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @bf16_of_blocks(%x: tensor<?x64xf32>) -> tensor<?x4xf32> {
  %w = moe.weight "w" : tensor<4x64x!moe.block<q8_0>>
  // expected-error @below {{has bf16 arithmetic and weights in blocks; no device decodes blocks to bf16, use exact}}
  %0 = moe.grouped_matmul %x, %w arithmetic(bf16)
    : (tensor<?x64xf32>, tensor<4x64x!moe.block<q8_0>>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @bf16_glu_of_blocks(%x: tensor<?x64xf32>) -> tensor<?x4xf32> {
  %g = moe.weight "g" : tensor<4x64xbf16>
  %u = moe.weight "u" : tensor<4x64x!moe.block<q8_0>>
  // expected-error @below {{has bf16 arithmetic and weights in blocks}}
  %0 = moe.grouped_glu %x, %g, %u kind(swiglu) arithmetic(bf16)
    : (tensor<?x64xf32>, tensor<4x64xbf16>, tensor<4x64x!moe.block<q8_0>>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @unquantized(%x: tensor<?x64xf32>) -> tensor<?x4xf32> {
  %w = moe.weight "w" : tensor<4x64x!moe.block<q8_0>>
  // expected-error @below {{is exact and reads f32 rows; run moe-quantize-activations first}}
  %0 = moe.grouped_matmul %x, %w arithmetic(exact)
    : (tensor<?x64xf32>, tensor<4x64x!moe.block<q8_0>>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @quantized_gather(%x: tensor<?x64x!moe.activation<int16>>, %perm: tensor<?xi32>)
    -> tensor<?x64x!moe.activation<int16>> {
  // expected-error @below {{'moe.gather' op of quantized rows has no counterpart; run moe-fuse-gather first}}
  %0 = moe.gather %x, %perm slots(2)
    : (tensor<?x64x!moe.activation<int16>>, tensor<?xi32>) -> tensor<?x64x!moe.activation<int16>>
  return %0 : tensor<?x64x!moe.activation<int16>>
}

// -----

func.func @foreign_op(%x: tensor<?x2x64xf32>) -> tensor<?x64xf32> {
  // expected-error @below {{'tensor.collapse_shape' op has no counterpart in a program}}
  %0 = tensor.collapse_shape %x [[0, 1], [2]] : tensor<?x2x64xf32> into tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

func.func @computed_weight(%x: tensor<?x64xf32>, %w: tensor<4x64xf32>) -> tensor<?x4xf32> {
  // expected-error @below {{has a weight that is computed; it must be a moe.weight}}
  %0 = moe.grouped_matmul %x, %w arithmetic(float)
    : (tensor<?x64xf32>, tensor<4x64xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @weight_as_rows(%x: tensor<?x64xf32>) -> tensor<4x64xf32> {
  %w = moe.weight "w" : tensor<4x64xf32>
  // expected-error @below {{'moe.add' op reads a weight where only rows of tokens can be lowered}}
  %0 = moe.add %w, %w : tensor<4x64xf32>
  return %0 : tensor<4x64xf32>
}

// -----

func.func @returned_weight() -> tensor<64xf32> {
  %w = moe.weight "w" : tensor<64xf32>
  // expected-error @below {{reads a weight where only rows of tokens can be lowered}}
  return %w : tensor<64xf32>
}

// -----

func.func @two_types(%x: tensor<?x64xf32>) -> (tensor<?x4xf32>, tensor<?x4xf32>) {
  // expected-note @below {{it is read as 'tensor<4x64xf32>' here}}
  %a = moe.weight "w" : tensor<4x64xf32>
  // expected-error @below {{reads tensor 'w' as 'tensor<4x64xbf16>'}}
  %b = moe.weight "w" : tensor<4x64xbf16>
  %0 = moe.grouped_matmul %x, %a arithmetic(float)
    : (tensor<?x64xf32>, tensor<4x64xf32>) -> tensor<?x4xf32>
  %1 = moe.grouped_matmul %x, %b arithmetic(float)
    : (tensor<?x64xf32>, tensor<4x64xbf16>) -> tensor<?x4xf32>
  return %0, %1 : tensor<?x4xf32>, tensor<?x4xf32>
}

// -----

// expected-error @below {{argument 0 is no ranked tensor}}
func.func @scalar(%x: f32) -> f32 {
  return %x : f32
}

// -----

// expected-error @below {{argument 0 has a dynamic dimension 1; only the first may be dynamic}}
func.func @dynamic_width(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  return %x : tensor<?x?xf32>
}

// -----

// expected-error @below {{no buffer can hold elements of type 'f16'}}
func.func @f16(%x: tensor<?x64xf16>) -> tensor<?x64xf16> {
  return %x : tensor<?x64xf16>
}

// -----

func.func private @g(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}
func.func @call(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @below {{'func.call' op has no counterpart in a program; call functions of this module only, and give --inline before --sortie-compile}}
  %0 = func.call @g(%x) : (tensor<?x4xf32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @arith(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @below {{'arith.mulf' op has no counterpart in a program; express it in ops of the dialect moe, or compute it outside and pass the result as an input}}
  %0 = arith.mulf %x, %x : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @loop(%x: tensor<?x4xf32>, %tokens: index) -> tensor<?x4xf32> {
  // expected-error @below {{'tensor.generate' op has no counterpart in a program; a program is a straight line of moe ops: unroll what is repeated, and compile a function for each case that is decided at run time}}
  %0 = tensor.generate %tokens {
  ^bb0(%token: index, %column: index):
    %value = tensor.extract %x[%token, %column] : tensor<?x4xf32>
    tensor.yield %value : f32
  } : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @slice(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @below {{'tensor.extract_slice' op has no counterpart in a program; its shape has to be that of the moe op that reads it: pass slices as inputs of their own, and name a weight with the shape that is needed}}
  %0 = tensor.extract_slice %x[0, 0] [4, 8] [1, 1] : tensor<?x8xf32> to tensor<4x8xf32>
  %1 = tensor.cast %0 : tensor<4x8xf32> to tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// -----

// expected-error @below {{argument 0 holds '!moe.activation<int16>'; callers can pass f32 and i32 only}}
func.func @quantized_input(%x: tensor<?x128x!moe.activation<int16>>) -> tensor<?x4xf32> {
  %w = moe.weight "w" : tensor<4x128x!moe.block<q8_0>>
  %0 = moe.grouped_matmul %x, %w arithmetic(exact)
    : (tensor<?x128x!moe.activation<int16>>, tensor<4x128x!moe.block<q8_0>>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @quantized_output(%x: tensor<?x128xf32>) -> tensor<?x128x!moe.activation<int16>> {
  %0 = moe.quantize %x : tensor<?x128xf32> -> tensor<?x128x!moe.activation<int16>>
  // expected-error @below {{result 0 holds '!moe.activation<int16>'; callers can read f32 and i32 only}}
  return %0 : tensor<?x128x!moe.activation<int16>>
}

// -----

// expected-error @below {{its name must be UTF-8 without control characters}}
func.func @"a\0Ab"(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

// expected-error @below {{must have a name that is not empty, to be called by}}
func.func @""(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

// What the loader would refuse: indices that no dispatch made, and a product of other rows.
func.func @inverse(%x: tensor<?x4xf32>, %inverse: tensor<?x1xi32>) -> tensor<?x4xf32> {
  %0 = moe.add %x, %x : tensor<?x4xf32>
  // expected-error @below {{'moert.combine' op reads as inverse what is not the inverse of a moert.dispatch}}
  %1 = moe.combine %0 inverse(%inverse) : (tensor<?x4xf32>, tensor<?x1xi32>) -> tensor<?x4xf32>
  return %1 : tensor<?x4xf32>
}

// -----

func.func @slots(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>) -> tensor<?x4xf32> {
  %w = moe.weight "w" : tensor<8x4x64xf32>
  %p, %i, %o = moe.dispatch %ids experts(8)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<9xi32>)
  // expected-error @below {{'moert.matmul' op output must be [3*tokens, 4], got}}
  %0 = moe.grouped_matmul %x, %w offsets(%o) permutation(%p) slots(3) arithmetic(float)
    : (tensor<?x64xf32>, tensor<8x4x64xf32>, tensor<9xi32>, tensor<?xi32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

func.func @rows(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>) -> tensor<?x4xf32> {
  %w = moe.weight "w" : tensor<8x4x64xf32>
  %p, %i, %o = moe.dispatch %ids experts(8)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<9xi32>)
  // expected-error @below {{'moert.matmul' op has another number of rows than the moert.dispatch of its offsets}}
  %0 = moe.grouped_matmul %x, %w offsets(%o) arithmetic(float)
    : (tensor<?x64xf32>, tensor<8x4x64xf32>, tensor<9xi32>) -> tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}
