// What passes refuse of latent attention.
// RUN: sortie-opt %s --moe-lower-to-moert --split-input-file --verify-diagnostics

func.func @f(%x: tensor<?x64xf32>) -> tensor<?x10xf32> {
  %w = moe.weight "w" : tensor<2x5x32x!moe.block<q8_0>>
  // expected-error @below {{'lm.head_matmul' op has no arithmetic yet; run moe-choose-arithmetic first}}
  %0 = lm.head_matmul %x, %w : (tensor<?x64xf32>, tensor<2x5x32x!moe.block<q8_0>>) -> tensor<?x10xf32>
  return %0 : tensor<?x10xf32>
}

// -----

func.func @f(%x: tensor<?x64xf32>) -> tensor<?x10xf32> {
  %w = moe.weight "w" : tensor<2x5x32x!moe.block<q8_0>>
  // expected-error @below {{'lm.head_matmul' op is exact and reads f32 rows; run moe-quantize-activations first}}
  %0 = lm.head_matmul %x, %w arithmetic(exact)
    : (tensor<?x64xf32>, tensor<2x5x32x!moe.block<q8_0>>) -> tensor<?x10xf32>
  return %0 : tensor<?x10xf32>
}

// -----

func.func @f(%x: tensor<?x64xf32>) -> tensor<?x10xf32> {
  %w = moe.weight "w" : tensor<2x5x32x!moe.block<q8_0>>
  // expected-error @below {{'lm.head_matmul' op has bf16 arithmetic and weights in blocks}}
  %0 = lm.head_matmul %x, %w arithmetic(bf16)
    : (tensor<?x64xf32>, tensor<2x5x32x!moe.block<q8_0>>) -> tensor<?x10xf32>
  return %0 : tensor<?x10xf32>
}

// -----

// Appended to twice.
lm.cache @c : !lm.cache<latent 8 + 4, int16>
func.func @f(%l: tensor<?x8xf32>, %r: tensor<?x4xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>,
             %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<latent 8 + 4, int16>
  // expected-error @below {{'lm.append_latent' op appends to a value of a cache that another op appends to}}
  %1 = lm.append_latent %0, %l, %r at(%p, %s, %g)
    : !lm.cache<latent 8 + 4, int16>, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  %2 = lm.append_latent %0, %l, %r at(%p, %s, %g)
    : !lm.cache<latent 8 + 4, int16>, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  lm.write_cache %2, @c : !lm.cache<latent 8 + 4, int16>
  return %l : tensor<?x8xf32>
}

// -----

lm.cache @c : !lm.cache<latent 8 + 4, int16>
func.func @f(%l: tensor<?x8xf32>, %r: tensor<?x4xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>,
             %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<latent 8 + 4, int16>
  // expected-error @below {{'lm.append_latent' op makes the last value of cache @c, which no lm.write_cache keeps}}
  %1 = lm.append_latent %0, %l, %r at(%p, %s, %g)
    : !lm.cache<latent 8 + 4, int16>, tensor<?x8xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  return %l : tensor<?x8xf32>
}
