// Dense products of unquantized weights, and a contract that cuBLAS keeps.
module attributes {moe.contract = #moe.contract<run>} {
  func.func @shared(%x: tensor<?x96xf32> {moe.name = "hidden"})
      -> (tensor<?x96xf32> {moe.name = "out"}) {
    %gate = moe.weight "gate" : tensor<72x96xf16>
    %up = moe.weight "up" : tensor<72x96xf16>
    %down = moe.weight "down" : tensor<96x72xbf16>
    %g = moe.matmul %x, %gate : (tensor<?x96xf32>, tensor<72x96xf16>) -> tensor<?x72xf32>
    %u = moe.matmul %x, %up : (tensor<?x96xf32>, tensor<72x96xf16>) -> tensor<?x72xf32>
    %a = moe.glu %g, %u kind(swiglu) : tensor<?x72xf32>
    %out = moe.matmul %a, %down : (tensor<?x72xf32>, tensor<96x72xbf16>) -> tensor<?x96xf32>
    return %out : tensor<?x96xf32>
  }
}
