// What the programs of this folder were compiled from, by sortie-opt 0.1.0 at commit ee2dfaa, the last
// that wrote program ABI 4. Between them they hold every operation of that time:
//   cpu.mlirbc       --sortie-compile="max-tokens=64"
//   stored.mlirbc    --sortie-compile="max-tokens=64 materialize=all"
//   cuda.mlirbc      given.mlir says
// Each with --emit-bytecode. They are never made again: a newer compiler writes a newer ABI.
module attributes {moe.contract = #moe.contract<run, batch, device>,
                   moe.weights_fingerprint = "0123456789abcdef"} {
  func.func @routed(%x: tensor<?x256xf32> {moe.name = "hidden"})
      -> (tensor<?x256xf32> {moe.name = "out"}) {
    %norm = moe.weight "norm" : tensor<256xf32>
    %router = moe.weight "router" : tensor<8x256xf32>
    %bias = moe.weight "selection_bias" : tensor<8xf32>
    %gate = moe.weight "gate_up" rows(0 of 64) : tensor<8x32x256x!moe.block<q4_K>>
    %up = moe.weight "gate_up" rows(32 of 64) : tensor<8x32x256x!moe.block<q4_K>>
    %down_scale = moe.weight "down_scale" : tensor<8xf32>
    %down = moe.weight ["down.0", "down.1", "down.2", "down.3", "down.4", "down.5", "down.6", "down.7"]
      : tensor<8x256x32x!moe.block<q8_0>>
    %shared_gate = moe.weight "shared_gate" : tensor<48x256xf16>
    %shared_up = moe.weight "shared_up" : tensor<48x256x!moe.block<iq2_xxs>>
    %shared_down = moe.weight "shared_down" transposed : tensor<256x48xbf16>
    %n = moe.rms_norm %x, %norm eps(1.0e-06) {moe.names = ["norm"]} : tensor<?x256xf32>, tensor<256xf32>
    %scores = moe.matmul %n, %router {moe.names = ["scores"]}
      : (tensor<?x256xf32>, tensor<8x256xf32>) -> tensor<?x8xf32>
    %ids, %weights = moe.route %scores bias(%bias) top(2) scoring(sigmoid) groups(2 of 4)
      group_score(best) normalize scale(2.5) tie(lower_id) {moe.names = ["ids", "weights"]}
      : (tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    %g = moe.routed_matmul %n, %gate, %ids {moe.names = ["gate"]} : (tensor<?x256xf32>,
      tensor<8x32x256x!moe.block<q4_K>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
    %u = moe.routed_matmul %n, %up, %ids {moe.names = ["up"]} : (tensor<?x256xf32>,
      tensor<8x32x256x!moe.block<q4_K>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
    %a = moe.glu %g, %u kind(swiglu) {moe.names = ["act"]} : tensor<?x2x32xf32>
    %d = moe.routed_matmul %a, %down, %ids expert_scale(%down_scale) {moe.names = ["down"]}
      : (tensor<?x2x32xf32>, tensor<8x256x32x!moe.block<q8_0>>, tensor<?x2xi32>, tensor<8xf32>) -> tensor<?x2x256xf32>
    %c = moe.combine %d weights(%weights) {moe.names = ["routed"]}
      : (tensor<?x2x256xf32>, tensor<?x2xf32>) -> tensor<?x256xf32>
    %sg = moe.matmul %n, %shared_gate {moe.names = ["shared_gate"]}
      : (tensor<?x256xf32>, tensor<48x256xf16>) -> tensor<?x48xf32>
    %su = moe.matmul %n, %shared_up {moe.names = ["shared_up"]}
      : (tensor<?x256xf32>, tensor<48x256x!moe.block<iq2_xxs>>) -> tensor<?x48xf32>
    %sa = moe.glu %sg, %su kind(swiglu) {moe.names = ["shared_act"]} : tensor<?x48xf32>
    %sd = moe.matmul %sa, %shared_down {moe.names = ["shared_down"]}
      : (tensor<?x48xf32>, tensor<256x48xbf16>) -> tensor<?x256xf32>
    %sum = moe.add %c, %sd {moe.names = ["sum"]} : tensor<?x256xf32>
    %small = moe.scale %sum by(0.22) : tensor<?x256xf32>
    %out = moe.add %small, %x : tensor<?x256xf32>
    return %out : tensor<?x256xf32>
  }

  func.func @biased(%x: tensor<?x64xf32> {moe.name = "hidden"})
      -> (tensor<?x64xf32> {moe.name = "out"}, tensor<?x3xi32> {moe.name = "ids"}) {
    %router = moe.weight "b.router" : tensor<4x64xf32>
    %router_bias = moe.weight "b.router_bias" : tensor<4xf32>
    %gate = moe.weight "b.gate" : tensor<4x96x64x!moe.block<mxfp4>>
    %up = moe.weight "b.up" : tensor<4x96x64x!moe.block<mxfp4>>
    %down = moe.weight "b.down" : tensor<4x64x96x!moe.block<mxfp4>>
    %gate_bias = moe.weight "b.gate_bias" : tensor<4x96xf32>
    %up_bias = moe.weight "b.up_bias" : tensor<4x96xf32>
    %down_bias = moe.weight "b.down_bias" : tensor<4x64xf32>
    %scores = moe.matmul %x, %router bias(%router_bias)
      : (tensor<?x64xf32>, tensor<4x64xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    %ids, %weights = moe.route %scores top(3) scoring(softmax_after_topk) tie(lower_id)
      : (tensor<?x4xf32>) -> (tensor<?x3xi32>, tensor<?x3xf32>)
    %g = moe.routed_matmul %x, %gate, %ids bias(%gate_bias) : (tensor<?x64xf32>,
      tensor<4x96x64x!moe.block<mxfp4>>, tensor<?x3xi32>, tensor<4x96xf32>) -> tensor<?x3x96xf32>
    %u = moe.routed_matmul %x, %up, %ids bias(%up_bias) : (tensor<?x64xf32>,
      tensor<4x96x64x!moe.block<mxfp4>>, tensor<?x3xi32>, tensor<4x96xf32>) -> tensor<?x3x96xf32>
    %a = moe.glu %g, %u kind(swiglu_clamped) alpha(1.702) limit(7.0) : tensor<?x3x96xf32>
    %d = moe.routed_matmul %a, %down, %ids bias(%down_bias) : (tensor<?x3x96xf32>,
      tensor<4x64x96x!moe.block<mxfp4>>, tensor<?x3xi32>, tensor<4x64xf32>) -> tensor<?x3x64xf32>
    %out = moe.combine %d weights(%weights) : (tensor<?x3x64xf32>, tensor<?x3xf32>) -> tensor<?x64xf32>
    return %out, %ids : tensor<?x64xf32>, tensor<?x3xi32>
  }

  func.func @given(%x: tensor<?x256xf32> {moe.name = "hidden"}, %ids: tensor<?x2xi32> {moe.name = "ids"})
      -> (tensor<?x32xf32> {moe.name = "out"}, tensor<?x2xi32> {moe.name = "same"}) {
    %gate = moe.weight "gate" : tensor<8x32x256x!moe.block<q4_K>>
    %g = moe.routed_matmul %x, %gate, %ids : (tensor<?x256xf32>,
      tensor<8x32x256x!moe.block<q4_K>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
    %out = moe.combine %g : (tensor<?x2x32xf32>) -> tensor<?x32xf32>
    return %out, %ids : tensor<?x32xf32>, tensor<?x2xi32>
  }
}
