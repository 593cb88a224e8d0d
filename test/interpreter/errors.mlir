// What has no meaning is an error that says what and where.
// RUN: not sortie-test-semantics %s --split-input-file --moe-verify-input 2>&1 | FileCheck %s
// RUN: not sortie-test-semantics %s 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not sortie-test-semantics %s --cse --each 2>&1 | FileCheck %s --check-prefix=NOTHING
// RUN: not sortie-test-semantics %t.none --cse 2>&1 | FileCheck %s --check-prefix=NOFILE
// RUN: not sortie-test-semantics %s --each=arithmetic=none 2>&1 | FileCheck %s --check-prefix=OPTION
// NOTHING: error: give the passes to judge: either their flags, as for sortie-opt, or --each
// NOFILE: error: cannot open input file
// OPTION: no such option arithmetic

// CHECK: error: 'func.call' op is not known to the interpreter; say what it means in test/interpreter
func.func private @callee(%x: tensor<?x64xf32>) -> tensor<?x64xf32>
func.func @call(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %0 = func.call @callee(%x) : (tensor<?x64xf32>) -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// -----

// CHECK: error: no sizes of its dynamic dimensions fit for 5 tokens
func.func @sizes(%x: tensor<4x64xf32>, %p: tensor<9xi32>) -> tensor<9x64xf32> {
  %0 = moe.gather %x, %p slots(2) : (tensor<4x64xf32>, tensor<9xi32>) -> tensor<9x64xf32>
  return %0 : tensor<9x64xf32>
}

// -----

// A sum of what is sorted with what is not: the sizes contradict each other.
// CHECK: error: no sizes of its dynamic dimensions fit
func.func @slots(%x: tensor<?x64xf32>, %p: tensor<?xi32>) -> tensor<?x64xf32> {
  %0 = moe.gather %x, %p slots(2) : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %1 = moe.add %0, %x : tensor<?x64xf32>
  return %1 : tensor<?x64xf32>
}

// -----

// Ids that an op makes are checked as well: experts 4 to 7 have no matrix.
// CHECK: error: 'moe.routed_matmul' op ids has {{[4-7]}}, which is none of 4
func.func @ids(%s: tensor<?x8xf32>, %x: tensor<?x64xf32>, %w: tensor<4x64x64xf32>)
    -> tensor<?x4x64xf32> {
  %ids, %weights = moe.route %s top(4) scoring(raw) tie(lower_id)
    : (tensor<?x8xf32>) -> (tensor<?x4xi32>, tensor<?x4xf32>)
  %0 = moe.routed_matmul %x, %w, %ids
    : (tensor<?x64xf32>, tensor<4x64x64xf32>, tensor<?x4xi32>) -> tensor<?x4x64xf32>
  return %0 : tensor<?x4x64xf32>
}

// -----

// CHECK: error: the interpreter makes no inputs of 'tensor<*xf32>'
func.func @unranked(%x: tensor<*xf32>) {
  return
}

// -----

// CHECK: error: the interpreter takes functions with one block
func.func @blocks() {
  return
^unreachable:
  return
}
