// Latent attention through the whole pipeline: heads are quantized by themselves, once for both products that
// read them; products by head of unquantized weights are not quantized at all.
// RUN: sortie-opt %s --sortie-compile | FileCheck %s --check-prefixes=CHECK,WIDE
// RUN: sortie-opt %s --sortie-compile="kv=int8 activations=int8" | FileCheck %s --check-prefixes=CHECK,NARROW
// RUN: sortie-opt %s --sortie-compile --emit-bytecode -o %t.mlirbc && sortie-opt %t.mlirbc \
// RUN:   | FileCheck %s --check-prefixes=CHECK,WIDE
// RUN: sortie-test-semantics %s --each | FileCheck %s --check-prefix=MEANING
// RUN: sortie-opt %s --sortie-compile="target=cuda chip=sm_80" | FileCheck %s --check-prefix=CUDA

// CUDA: moert.launch @append_latent_0
// CUDA: moert.launch @head_matmul_0 grid(1, tokens ceildiv 64, 2) {{.*}} weights(@k_b)
// CUDA: moert.launch @attend_spans_0
// CUDA: moert.launch @head_matmul_0 grid(1, tokens ceildiv 64, 2) {{.*}} weights(@other)
// CUDA: moert.launch @head_matmul_float_0 grid(1, tokens ceildiv 64, 2) {{.*}} weights(@v_b)

// MEANING: moe-choose-arithmetic @forward: changed
// MEANING: lm-choose-widths @forward: changed
// MEANING: moe-quantize-activations @forward: changed

// WIDE: moert.state @cache : !moert.buffer<pages x 4608 x i32>
// NARROW: moert.state @cache : !moert.buffer<pages x 2432 x i32>
lm.cache @cache : !lm.cache<latent 32 + 4>

// CHECK-LABEL: moert.func @forward
func.func @forward(%x: tensor<?x72xf32> {moe.name = "x"},
                   %compressed: tensor<?x36xf32> {moe.name = "compressed"},
                   %positions: tensor<?xi32>, %sequences: tensor<?xi32>,
                   %pages: tensor<?x2xi32> {moe.symbol = "slots"})
    -> (tensor<?x64xf32> {moe.name = "y"}, tensor<?x10xf32> {moe.name = "z"}) {
  // CHECK: moert.slice_heads %x heads(2) first(0) outs(%[[PLAIN:.*]]) : !moert.buffer<tokens x 72 x f32>, !moert.buffer<tokens x 64 x f32>
  %plain = lm.slice_heads %x heads(2) first(0) : tensor<?x72xf32> -> tensor<?x64xf32>
  // WIDE: moert.quantize_heads %[[PLAIN]] outs(%[[Q:.*]]) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act16>
  // NARROW: moert.quantize_heads %[[PLAIN]] outs(%[[Q:.*]]) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act8>
  // CHECK: moert.slice_heads %x heads(2) first(32) outs(%[[TURNED:.*]]) : !moert.buffer<tokens x 72 x f32>, !moert.buffer<tokens x 8 x f32>
  %turned = lm.slice_heads %x heads(2) first(32) : tensor<?x72xf32> -> tensor<?x8xf32>
  // CHECK: moert.slice_heads %compressed heads(1) first(0) outs(%[[LATENT:.*]])
  %latent = lm.slice_heads %compressed heads(1) first(0) : tensor<?x36xf32> -> tensor<?x32xf32>
  // CHECK: moert.slice_heads %compressed heads(1) first(32) outs(%[[KEY:.*]])
  %key = lm.slice_heads %compressed heads(1) first(32) : tensor<?x36xf32> -> tensor<?x4xf32>
  %c0 = lm.read_cache @cache : !lm.cache<latent 32 + 4>
  // WIDE: moert.append_latent %[[LATENT]], %[[KEY]] at(%{{.*}}, %{{.*}}, %{{.*}}) width(int16) outs(%[[C:.*]]) :
  // NARROW: moert.append_latent %[[LATENT]], %[[KEY]] at(%{{.*}}, %{{.*}}, %{{.*}}) width(int8) outs(%[[C:.*]]) :
  %c1 = lm.append_latent %c0, %latent, %key at(%positions, %sequences, %pages)
    : !lm.cache<latent 32 + 4>, tensor<?x32xf32>, tensor<?x4xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?x2xi32>
  lm.write_cache %c1, @cache : !lm.cache<latent 32 + 4>
  %kb = moe.weight "k_b" : tensor<2x32x32x!moe.block<q8_0>>
  // CHECK: moert.head_matmul %[[Q]], @k_b heads(2) arithmetic(exact) outs(%[[QL:.*]]) :
  %queries = lm.head_matmul %plain, %kb
    : (tensor<?x64xf32>, tensor<2x32x32x!moe.block<q8_0>>) -> tensor<?x64xf32>
  // WIDE: moert.attend_latent %[[QL]], %[[TURNED]], %[[C]] at(%{{.*}}) heads(2) scale(3.500000e-01) query_width(int16) width(int16) outs(%[[A:.*]]) :
  // NARROW: moert.attend_latent %[[QL]], %[[TURNED]], %[[C]] at(%{{.*}}) heads(2) scale(3.500000e-01) query_width(int8) width(int8) outs(%[[A:.*]]) :
  %attended = lm.attend_latent %queries, %turned, %c1 at(%positions, %sequences, %pages) heads(2)
    scale(0.35)
    : (tensor<?x64xf32>, tensor<?x8xf32>, !lm.cache<latent 32 + 4>, tensor<?xi32>, tensor<?xi32>,
       tensor<?x2xi32>) -> tensor<?x64xf32>
  %other = moe.weight "other" : tensor<2x32x32x!moe.block<q8_0>>
  // CHECK: moert.head_matmul %[[Q]], @other heads(2) arithmetic(exact) outs(%[[O:.*]]) :
  %again = lm.head_matmul %plain, %other
    : (tensor<?x64xf32>, tensor<2x32x32x!moe.block<q8_0>>) -> tensor<?x64xf32>
  %y = moe.add %again, %attended : tensor<?x64xf32>
  %vb = moe.weight "v_b" : tensor<2x5x32xbf16>
  // CHECK: moert.head_matmul %[[A]], @v_b heads(2) arithmetic(float) outs(%z) :
  %z = lm.head_matmul %attended, %vb
    : (tensor<?x64xf32>, tensor<2x5x32xbf16>) -> tensor<?x10xf32>
  return %y, %z : tensor<?x64xf32>, tensor<?x10xf32>
}
