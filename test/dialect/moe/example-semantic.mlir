// One layer of a routed model at the semantic level, as the importer writes it.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s

// CHECK: module attributes {moe.contract = #moe.contract<run, batch, device>, moe.fingerprint_keys = ["general.architecture"],
// CHECK-SAME: moe.import_options = {context = 4096 : i64, experts_used = 4 : i64, gating = "sigmoid", ignored_keys = ["a.b"], ignored_tensors = ["blk.0.c", "blk.1.c"]}, moe.numerics = 1 : i64
// CHECK-SAME: moe.weight_hashes = {blk.0.a.weight = "0123456789abcdef0123456789abcdef"}, moe.weights_fingerprint = "2:0123456789abcdef"}
module attributes {
    moe.contract = #moe.contract<run, batch, device>, moe.numerics = 1 : i64,
    moe.weights_fingerprint = "2:0123456789abcdef",
    moe.fingerprint_keys = ["general.architecture"],
    moe.weight_hashes = {"blk.0.a.weight" = "0123456789abcdef0123456789abcdef"},
    moe.import_options = {context = 4096 : i64, experts_used = 4 : i64, gating = "sigmoid",
      ignored_keys = ["a.b"], ignored_tensors = ["blk.0.c", "blk.1.c"]}} {
  // CHECK-LABEL: func.func @blk_0_ffn
  // CHECK-SAME: tensor<?x2048xf32> {moe.name = "hidden"}
  func.func @blk_0_ffn(%hidden: tensor<?x2048xf32> {moe.name = "hidden"})
      -> (tensor<?x2048xf32> {moe.name = "ffn_out"}) {
    // CHECK: moe.weight "blk.0.ffn_norm.weight" : tensor<2048xf32>
    %norm = moe.weight "blk.0.ffn_norm.weight" : tensor<2048xf32>
    %router = moe.weight "blk.0.ffn_gate_inp.weight" : tensor<128x2048xf32>
    %gate = moe.weight "blk.0.ffn_gate_exps.weight" : tensor<128x768x2048x!moe.block<q4_K>>
    %up = moe.weight "blk.0.ffn_up_exps.weight" : tensor<128x768x2048x!moe.block<q4_K>>
    // CHECK: tensor<128x2048x768x!moe.block<q6_K>>
    %down = moe.weight "blk.0.ffn_down_exps.weight" : tensor<128x2048x768x!moe.block<q6_K>>

    // CHECK: moe.rms_norm %{{.*}}, %{{.*}} eps({{.*}}) {moe.names = ["blk.0.ffn_norm"]}
    %x = moe.rms_norm %hidden, %norm eps(1.0e-06) {moe.names = ["blk.0.ffn_norm"]}
      : tensor<?x2048xf32>, tensor<2048xf32>
    // CHECK: moe.matmul
    %scores = moe.matmul %x, %router {moe.names = ["blk.0.scores"]}
      : (tensor<?x2048xf32>, tensor<128x2048xf32>) -> tensor<?x128xf32>
    // CHECK: moe.route %{{.*}} top(8) scoring(softmax) normalize tie(lower_id)
    %ids, %weights = moe.route %scores top(8) scoring(softmax) normalize tie(lower_id)
      {moe.names = ["blk.0.ids", "blk.0.weights"]}
      : (tensor<?x128xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
    // CHECK-COUNT-2: moe.routed_matmul
    %g = moe.routed_matmul %x, %gate, %ids {moe.names = ["blk.0.gate"]}
      : (tensor<?x2048xf32>, tensor<128x768x2048x!moe.block<q4_K>>, tensor<?x8xi32>)
      -> tensor<?x8x768xf32>
    %u = moe.routed_matmul %x, %up, %ids {moe.names = ["blk.0.up"]}
      : (tensor<?x2048xf32>, tensor<128x768x2048x!moe.block<q4_K>>, tensor<?x8xi32>)
      -> tensor<?x8x768xf32>
    // CHECK: moe.glu %{{.*}}, %{{.*}} kind(swiglu)
    %act = moe.glu %g, %u kind(swiglu) {moe.names = ["blk.0.act"]} : tensor<?x8x768xf32>
    // CHECK: moe.routed_matmul
    %d = moe.routed_matmul %act, %down, %ids {moe.names = ["blk.0.down"]}
      : (tensor<?x8x768xf32>, tensor<128x2048x768x!moe.block<q6_K>>, tensor<?x8xi32>)
      -> tensor<?x8x2048xf32>
    // CHECK: moe.combine %{{.*}} weights(%{{.*}})
    %routed = moe.combine %d weights(%weights) {moe.names = ["blk.0.routed"]}
      : (tensor<?x8x2048xf32>, tensor<?x8xf32>) -> tensor<?x2048xf32>
    // CHECK: moe.add
    %out = moe.add %hidden, %routed {moe.names = ["blk.0.ffn_out"]} : tensor<?x2048xf32>
    return %out : tensor<?x2048xf32>
  }
}
