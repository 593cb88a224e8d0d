// A graph that speaks of moert.program where names and comments are free.
func.func @moert.layer(%moert.x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %moert.w = moe.weight "moert.func" : tensor<8xf32>
  %0 = moe.rms_norm %moert.x, %moert.w eps(1.0e-06) : tensor<?x8xf32>, tensor<8xf32>
  return %0 : tensor<?x8xf32>
}
func.func @"moert.func"(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}
func.func @"moert.a quoted name"(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  return %x : tensor<?x8xf32>
}
