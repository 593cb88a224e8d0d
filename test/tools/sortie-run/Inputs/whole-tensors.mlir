// A layer whose weights are a tensor each; part-tensors.mlir is the same with the weights of tensors.py's
// other layout.
module attributes {moe.contract = #moe.contract<run, batch, device>} {
  func.func @layer(%x: tensor<?x256xf32> {moe.name = "hidden"})
      -> (tensor<?x256xf32> {moe.name = "out"}) {
    %norm = moe.weight "norm" : tensor<256xf32>
    %n = moe.rms_norm %x, %norm eps(1.0e-06) {moe.names = ["norm"]}
      : tensor<?x256xf32>, tensor<256xf32>
    %router = moe.weight "router" : tensor<4x256xf32>
    %shared_down = moe.weight "shared_down" : tensor<256x48xbf16>
    %gate = moe.weight "gate" : tensor<4x64x256x!moe.block<q4_0>>
    %up = moe.weight "up" : tensor<4x64x256x!moe.block<q4_0>>
    %gate_bias = moe.weight "gate.bias" : tensor<4x64xf32>
    %up_bias = moe.weight "up.bias" : tensor<4x64xf32>
    %down = moe.weight "down" : tensor<4x256x64x!moe.block<q8_0>>
    %down_bias = moe.weight "down.bias" : tensor<4x256xf32>
    %shared_gate = moe.weight "shared_gate" : tensor<48x256xf16>
    %shared_up = moe.weight "shared_up" : tensor<48x256xf16>
    %scores = moe.matmul %n, %router {moe.names = ["scores"]}
      : (tensor<?x256xf32>, tensor<4x256xf32>) -> tensor<?x4xf32>
    %ids, %weights = moe.route %scores top(2) scoring(softmax) normalize tie(lower_id)
      {moe.names = ["ids", "weights"]} : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
    %g = moe.routed_matmul %n, %gate, %ids bias(%gate_bias) {moe.names = ["gate"]}
      : (tensor<?x256xf32>, tensor<4x64x256x!moe.block<q4_0>>, tensor<?x2xi32>, tensor<4x64xf32>)
      -> tensor<?x2x64xf32>
    %u = moe.routed_matmul %n, %up, %ids bias(%up_bias) {moe.names = ["up"]}
      : (tensor<?x256xf32>, tensor<4x64x256x!moe.block<q4_0>>, tensor<?x2xi32>, tensor<4x64xf32>)
      -> tensor<?x2x64xf32>
    %a = moe.glu %g, %u kind(swiglu) {moe.names = ["act"]} : tensor<?x2x64xf32>
    %d = moe.routed_matmul %a, %down, %ids bias(%down_bias) {moe.names = ["down"]}
      : (tensor<?x2x64xf32>, tensor<4x256x64x!moe.block<q8_0>>, tensor<?x2xi32>, tensor<4x256xf32>)
      -> tensor<?x2x256xf32>
    %routed = moe.combine %d weights(%weights) {moe.names = ["routed"]}
      : (tensor<?x2x256xf32>, tensor<?x2xf32>) -> tensor<?x256xf32>
    %sg = moe.matmul %n, %shared_gate {moe.names = ["shared_gate"]}
      : (tensor<?x256xf32>, tensor<48x256xf16>) -> tensor<?x48xf32>
    %su = moe.matmul %n, %shared_up {moe.names = ["shared_up"]}
      : (tensor<?x256xf32>, tensor<48x256xf16>) -> tensor<?x48xf32>
    %sa = moe.glu %sg, %su kind(swiglu) {moe.names = ["shared_act"]} : tensor<?x48xf32>
    %sd = moe.matmul %sa, %shared_down {moe.names = ["shared"]}
      : (tensor<?x48xf32>, tensor<256x48xbf16>) -> tensor<?x256xf32>
    %out = moe.add %routed, %sd {moe.names = ["out"]} : tensor<?x256xf32>
    return %out : tensor<?x256xf32>
  }
}
