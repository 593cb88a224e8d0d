// A graph is left as it is.
// RUN: sortie-opt %s -o %t.before && sortie-opt %s --moe-verify-input | cmp - %t.before
// RUN: sortie-test-semantics %s --moe-verify-input \
// RUN:   | FileCheck %s --check-prefix=MEANING
// MEANING: moe-verify-input @layer: unchanged
func.func @layer(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  return %x : tensor<?x64xf32>
}
