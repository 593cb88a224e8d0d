// The ops of latent attention print as they parse, and are the same in bytecode.
// RUN: sortie-opt %s | FileCheck %s
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode -o %t && sortie-opt %t | FileCheck %s

// CHECK: lm.cache @plain : !lm.cache<latent 16 + 4>
lm.cache @plain : !lm.cache<latent 16 + 4>
// CHECK: lm.cache @wide : !lm.cache<latent 16 + 4, int16>
lm.cache @wide : !lm.cache<latent 16 + 4, int16>
// CHECK: lm.cache @largest : !lm.cache<latent 1024 + 1024, int8>
lm.cache @largest : !lm.cache<latent 1024 + 1024, int8>

// CHECK-LABEL: func.func @heads
func.func @heads(%x: tensor<?x24xf32>, %w: tensor<2x5x8x!moe.block<q8_0>>, %f: tensor<2x5x8xf16>)
    -> (tensor<?x10xf32>, tensor<?x10xf32>, tensor<?x10xf32>) {
  // CHECK: %[[S:.*]] = lm.slice_heads %arg0 heads(2) first(4) {moe.names = ["s"]} : tensor<?x24xf32> -> tensor<?x16xf32>
  %s = lm.slice_heads %x heads(2) first(4) {moe.names = ["s"]}
    : tensor<?x24xf32> -> tensor<?x16xf32>
  // CHECK: lm.head_matmul %[[S]], %arg1 : (tensor<?x16xf32>, tensor<2x5x8x!moe.block<q8_0>>) -> tensor<?x10xf32>
  %y = lm.head_matmul %s, %w
    : (tensor<?x16xf32>, tensor<2x5x8x!moe.block<q8_0>>) -> tensor<?x10xf32>
  // CHECK: %[[Q:.*]] = lm.quantize_heads %[[S]] : tensor<?x16xf32> -> tensor<?x2x8x!moe.activation<int16>>
  %q = lm.quantize_heads %s : tensor<?x16xf32> -> tensor<?x2x8x!moe.activation<int16>>
  // CHECK: lm.head_matmul %[[Q]], %arg1 arithmetic(exact) : (tensor<?x2x8x!moe.activation<int16>>, tensor<2x5x8x!moe.block<q8_0>>) -> tensor<?x10xf32>
  %e = lm.head_matmul %q, %w arithmetic(exact)
    : (tensor<?x2x8x!moe.activation<int16>>, tensor<2x5x8x!moe.block<q8_0>>) -> tensor<?x10xf32>
  // CHECK: lm.head_matmul %[[S]], %arg2 arithmetic(float) : (tensor<?x16xf32>, tensor<2x5x8xf16>) -> tensor<?x10xf32>
  %h = lm.head_matmul %s, %f arithmetic(float)
    : (tensor<?x16xf32>, tensor<2x5x8xf16>) -> tensor<?x10xf32>
  return %y, %e, %h : tensor<?x10xf32>, tensor<?x10xf32>, tensor<?x10xf32>
}

// CHECK-LABEL: func.func @cache
func.func @cache(%q: tensor<?x32xf32>, %r: tensor<?x8xf32>, %latent: tensor<?x16xf32>,
                 %k: tensor<?x4xf32>, %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
                 %pages: tensor<?x4xi32>) -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  // CHECK: %[[C0:.*]] = lm.read_cache @plain : <latent 16 + 4>
  %c0 = lm.read_cache @plain : !lm.cache<latent 16 + 4>
  // CHECK: %[[C1:.*]] = lm.append_latent %[[C0]], %arg2, %arg3 at(%arg4, %arg5, %arg6) : <latent 16 + 4>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  %c1 = lm.append_latent %c0, %latent, %k at(%positions, %sequences, %pages)
    : !lm.cache<latent 16 + 4>, tensor<?x16xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?x4xi32>
  // CHECK: lm.write_cache %[[C1]], @plain : <latent 16 + 4>
  lm.write_cache %c1, @plain : !lm.cache<latent 16 + 4>
  // CHECK: lm.attend_latent %arg0, %arg1, %[[C1]] at(%arg4, %arg5, %arg6) heads(2) scale(3.500000e-01) : (tensor<?x32xf32>, tensor<?x8xf32>, !lm.cache<latent 16 + 4>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x32xf32>
  %a = lm.attend_latent %q, %r, %c1 at(%positions, %sequences, %pages) heads(2) scale(0.35)
    : (tensor<?x32xf32>, tensor<?x8xf32>, !lm.cache<latent 16 + 4>, tensor<?xi32>, tensor<?xi32>,
       tensor<?x4xi32>) -> tensor<?x32xf32>
  // CHECK: %[[W:.*]] = lm.read_cache @wide : <latent 16 + 4, int16>
  %w = lm.read_cache @wide : !lm.cache<latent 16 + 4, int16>
  // CHECK: lm.attend_latent %arg0, %arg1, %[[W]] at(%arg4, %arg5, %arg6) heads(2) scale(3.500000e-01) query_width(int8)
  %b = lm.attend_latent %q, %r, %w at(%positions, %sequences, %pages) heads(2) scale(0.35)
    query_width(int8)
    : (tensor<?x32xf32>, tensor<?x8xf32>, !lm.cache<latent 16 + 4, int16>, tensor<?xi32>,
       tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x32xf32>
  return %a, %b : tensor<?x32xf32>, tensor<?x32xf32>
}

// What is not known of sizes agrees with everything.
// CHECK-LABEL: func.func @dynamic
func.func @dynamic(%x: tensor<?x?xf32>, %w: tensor<?x?x?x!moe.block<q8_0>>) -> tensor<?x?xf32> {
  // CHECK: lm.slice_heads
  %s = lm.slice_heads %x heads(2) first(4) : tensor<?x?xf32> -> tensor<?x?xf32>
  // CHECK: lm.quantize_heads
  %q = lm.quantize_heads %s : tensor<?x?xf32> -> tensor<?x?x?x!moe.activation<int16>>
  // CHECK: lm.head_matmul
  %y = lm.head_matmul %q, %w
    : (tensor<?x?x?x!moe.activation<int16>>, tensor<?x?x?x!moe.block<q8_0>>) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}
