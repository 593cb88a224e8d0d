// RUN: sortie-opt %s --moe-name-values --split-input-file --verify-diagnostics

// A name is unique in its function.
func.func @twice(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // expected-note @below {{by this op}}
  %0 = moe.add %x, %x {moe.names = ["sum"]} : tensor<?x64xf32>
  // expected-error @below {{has the name 'sum', which is taken}}
  %1 = moe.add %0, %x {moe.names = ["sum"]} : tensor<?x64xf32>
  return %1 : tensor<?x64xf32>
}
