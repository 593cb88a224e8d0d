// A small language model of two layers, through every pass of the pipeline: grouped heads, keys and values of
// different sizes, a window, sinks, both orders of pairs, and experts. Sequences begin empty, at the end of a
// page, and in its middle.
// RUN: sortie-test-semantics %s --each | FileCheck %s
// RUN: sortie-test-semantics %s --each="activations=int8 kv=int8 materialize=all" --tokens=40,0 --seed=2 \
// RUN:   | FileCheck %s --check-prefix=WIDTHS
// RUN: sortie-test-semantics %s --moe-name-values --lm-choose-widths --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefix=ALONE

// CHECK: moe-name-values @forward: changed
// CHECK: moe-dispatch-by-sort @forward: changed
// CHECK: moe-sink-unsort @forward: changed
// CHECK: moe-fuse-gather @forward: changed
// CHECK: moe-fuse-glu @forward: changed
// CHECK: moe-choose-arithmetic @forward: changed
// CHECK: lm-choose-widths @forward: changed
// CHECK: moe-quantize-activations @forward: changed
// CHECK: moe-fuse-routing-weight @forward: changed
// WIDTHS: lm-choose-widths @forward: changed
// ALONE: lm-choose-widths @forward: changed, {{[0-9]+}} values agree

lm.cache @blk.0.cache : !lm.cache<2 x 8 x 16>
lm.cache @blk.1.cache : !lm.cache<1 x 16 x 16>

func.func @forward(%tokens: tensor<?xi32> {moe.name = "tokens"},
                   %positions: tensor<?xi32> {moe.name = "positions"},
                   %sequences: tensor<?xi32> {moe.name = "sequences"},
                   %pages: tensor<?x2xi32> {moe.name = "pages", moe.symbol = "slots"},
                   %rows: tensor<?xi32> {moe.name = "rows", moe.symbol = "rows"})
    -> (tensor<?x64xf32> {moe.name = "logits"}) {
  %table = moe.weight "token_embd.weight" : tensor<64x32x!moe.block<q8_0>>
  %x = lm.embed %tokens, %table
    : (tensor<?xi32>, tensor<64x32x!moe.block<q8_0>>) -> tensor<?x32xf32>

  // Four heads of queries for two of keys, normalized and turned, with sinks and a window.
  %norm0 = moe.weight "blk.0.attn_norm.weight" : tensor<32xf32>
  %wq0 = moe.weight "blk.0.attn_q.weight" : tensor<32x32x!moe.block<q8_0>>
  %bq0 = moe.weight "blk.0.attn_q.bias" : tensor<32xf32>
  %wk0 = moe.weight "blk.0.attn_k.weight" : tensor<16x32x!moe.block<q8_0>>
  %wv0 = moe.weight "blk.0.attn_v.weight" : tensor<32x32x!moe.block<q8_0>>
  %nq0 = moe.weight "blk.0.attn_q_norm.weight" : tensor<8xf32>
  %nk0 = moe.weight "blk.0.attn_k_norm.weight" : tensor<8xf32>
  %sinks0 = moe.weight "blk.0.attn_sinks.weight" : tensor<4xf32>
  %wo0 = moe.weight "blk.0.attn_output.weight" : tensor<32x64x!moe.block<q8_0>>
  %n0 = moe.rms_norm %x, %norm0 eps(1.0e-6) : tensor<?x32xf32>, tensor<32xf32>
  %q0 = moe.matmul %n0, %wq0 bias(%bq0)
    : (tensor<?x32xf32>, tensor<32x32x!moe.block<q8_0>>, tensor<32xf32>) -> tensor<?x32xf32>
  %k0 = moe.matmul %n0, %wk0
    : (tensor<?x32xf32>, tensor<16x32x!moe.block<q8_0>>) -> tensor<?x16xf32>
  %v0 = moe.matmul %n0, %wv0
    : (tensor<?x32xf32>, tensor<32x32x!moe.block<q8_0>>) -> tensor<?x32xf32>
  %qn0 = lm.head_norm %q0, %nq0 heads(4) eps(1.0e-6) : tensor<?x32xf32>, tensor<8xf32>
  %kn0 = lm.head_norm %k0, %nk0 heads(2) eps(1.0e-6) : tensor<?x16xf32>, tensor<8xf32>
  %qr0 = lm.rotate %qn0, %positions heads(4) pairs(halves)
    frequencies [2935890503282001226, 928409291342310101, 5] : tensor<?x32xf32>, tensor<?xi32>
  %kr0 = lm.rotate %kn0, %positions heads(2) pairs(halves)
    frequencies [2935890503282001226, 928409291342310101, 5] : tensor<?x16xf32>, tensor<?xi32>
  %c0 = lm.read_cache @blk.0.cache : !lm.cache<2 x 8 x 16>
  %d0 = lm.append %c0, %kr0, %v0 at(%positions, %sequences, %pages)
    : !lm.cache<2 x 8 x 16>, tensor<?x16xf32>, tensor<?x32xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?x2xi32>
  lm.write_cache %d0, @blk.0.cache : !lm.cache<2 x 8 x 16>
  %a0 = lm.attend %qr0, %d0 at(%positions, %sequences, %pages) sinks(%sinks0) heads(4) scale(0.35)
    window(4)
    : (tensor<?x32xf32>, !lm.cache<2 x 8 x 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x2xi32>,
       tensor<4xf32>) -> tensor<?x64xf32>
  %o0 = moe.matmul %a0, %wo0
    : (tensor<?x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
  %x1 = moe.add %x, %o0 : tensor<?x32xf32>

  // Experts.
  %router = moe.weight "blk.0.ffn_gate_inp.weight" : tensor<8x32xf32>
  %gate = moe.weight "blk.0.ffn_gate_exps.weight" : tensor<8x32x32x!moe.block<q8_0>>
  %up = moe.weight "blk.0.ffn_up_exps.weight" : tensor<8x32x32x!moe.block<q8_0>>
  %down = moe.weight "blk.0.ffn_down_exps.weight" : tensor<8x32x32x!moe.block<q8_0>>
  %scores = moe.matmul %x1, %router : (tensor<?x32xf32>, tensor<8x32xf32>) -> tensor<?x8xf32>
  %ids, %weights = moe.route %scores top(2) scoring(softmax) normalize tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %g = moe.routed_matmul %x1, %gate, %ids
    : (tensor<?x32xf32>, tensor<8x32x32x!moe.block<q8_0>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  %u = moe.routed_matmul %x1, %up, %ids
    : (tensor<?x32xf32>, tensor<8x32x32x!moe.block<q8_0>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  %act = moe.glu %g, %u kind(swiglu) : tensor<?x2x32xf32>
  %y = moe.routed_matmul %act, %down, %ids
    : (tensor<?x2x32xf32>, tensor<8x32x32x!moe.block<q8_0>>, tensor<?x2xi32>)
    -> tensor<?x2x32xf32>
  %f = moe.combine %y weights(%weights)
    : (tensor<?x2x32xf32>, tensor<?x2xf32>) -> tensor<?x32xf32>
  %x2 = moe.add %x1, %f : tensor<?x32xf32>

  // All heads of queries for one of keys, neighbours turned, every position seen.
  %wq1 = moe.weight "blk.1.attn_q.weight" : tensor<32x32x!moe.block<q8_0>>
  %wk1 = moe.weight "blk.1.attn_k.weight" : tensor<16x32x!moe.block<q8_0>>
  %wv1 = moe.weight "blk.1.attn_v.weight" : tensor<16x32x!moe.block<q8_0>>
  %q1 = moe.matmul %x2, %wq1
    : (tensor<?x32xf32>, tensor<32x32x!moe.block<q8_0>>) -> tensor<?x32xf32>
  %k1 = moe.matmul %x2, %wk1
    : (tensor<?x32xf32>, tensor<16x32x!moe.block<q8_0>>) -> tensor<?x16xf32>
  %v1 = moe.matmul %x2, %wv1
    : (tensor<?x32xf32>, tensor<16x32x!moe.block<q8_0>>) -> tensor<?x16xf32>
  %qr1 = lm.rotate %q1, %positions heads(2) pairs(neighbours)
    frequencies [2935890503282001226, 928409291342310101] factor(1.25)
    : tensor<?x32xf32>, tensor<?xi32>
  %kr1 = lm.rotate %k1, %positions heads(1) pairs(neighbours)
    frequencies [2935890503282001226, 928409291342310101] factor(1.25)
    : tensor<?x16xf32>, tensor<?xi32>
  %c1 = lm.read_cache @blk.1.cache : !lm.cache<1 x 16 x 16>
  %d1 = lm.append %c1, %kr1, %v1 at(%positions, %sequences, %pages)
    : !lm.cache<1 x 16 x 16>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?x2xi32>
  lm.write_cache %d1, @blk.1.cache : !lm.cache<1 x 16 x 16>
  %a1 = lm.attend %qr1, %d1 at(%positions, %sequences, %pages) heads(2) scale(0.25)
    : (tensor<?x32xf32>, !lm.cache<1 x 16 x 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x2xi32>)
    -> tensor<?x32xf32>
  %x3 = moe.add %x2, %a1 : tensor<?x32xf32>

  %last = lm.select_rows %x3, %rows : (tensor<?x32xf32>, tensor<?xi32>) -> tensor<?x32xf32>
  %logits = moe.matmul %last, %table
    : (tensor<?x32xf32>, tensor<64x32x!moe.block<q8_0>>) -> tensor<?x64xf32>
  return %logits : tensor<?x64xf32>
}
