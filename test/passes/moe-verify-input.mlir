// A graph is left as it is.
// RUN: sortie-opt %s -o %t.before && sortie-opt %s --moe-verify-input | cmp - %t.before
func.func @layer(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  return %x : tensor<?x64xf32>
}
