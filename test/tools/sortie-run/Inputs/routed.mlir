// Two functions for every target: a layer, and a product whose expert ids the caller passes.
func.func @layer(%x: tensor<?x256xf32> {moe.name = "hidden"}) -> (tensor<?x256xf32> {moe.name = "out"}) {
  %norm = moe.weight "norm" : tensor<256xf32>
  %router = moe.weight "router" : tensor<4x256xf32>
  %gate = moe.weight "gate" : tensor<4x32x256x!moe.block<q4_K>>
  %up = moe.weight "up" : tensor<4x32x256x!moe.block<q4_K>>
  %down = moe.weight "down" : tensor<4x256x32x!moe.block<q8_0>>
  %n = moe.rms_norm %x, %norm eps(1.0e-06) : tensor<?x256xf32>, tensor<256xf32>
  %scores = moe.matmul %n, %router : (tensor<?x256xf32>, tensor<4x256xf32>) -> tensor<?x4xf32>
  %ids, %weights = moe.route %scores top(2) scoring(softmax) normalize tie(lower_id)
    : (tensor<?x4xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %g = moe.routed_matmul %n, %gate, %ids : (tensor<?x256xf32>,
    tensor<4x32x256x!moe.block<q4_K>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  %u = moe.routed_matmul %n, %up, %ids : (tensor<?x256xf32>,
    tensor<4x32x256x!moe.block<q4_K>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  %a = moe.glu %g, %u kind(swiglu) : tensor<?x2x32xf32>
  %d = moe.routed_matmul %a, %down, %ids : (tensor<?x2x32xf32>,
    tensor<4x256x32x!moe.block<q8_0>>, tensor<?x2xi32>) -> tensor<?x2x256xf32>
  %c = moe.combine %d weights(%weights) : (tensor<?x2x256xf32>, tensor<?x2xf32>) -> tensor<?x256xf32>
  %out = moe.add %c, %x : tensor<?x256xf32>
  return %out : tensor<?x256xf32>
}

func.func @given(%x: tensor<?x256xf32> {moe.name = "hidden"}, %ids: tensor<?x2xi32> {moe.name = "ids"})
    -> (tensor<?x32xf32> {moe.name = "out"}) {
  %gate = moe.weight "gate" : tensor<4x32x256x!moe.block<q4_K>>
  %g = moe.routed_matmul %x, %gate, %ids : (tensor<?x256xf32>,
    tensor<4x32x256x!moe.block<q4_K>>, tensor<?x2xi32>) -> tensor<?x2x32xf32>
  %out = moe.combine %g : (tensor<?x2x32xf32>) -> tensor<?x32xf32>
  return %out : tensor<?x32xf32>
}
