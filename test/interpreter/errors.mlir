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

// -----

// CHECK: error: the interpreter makes no inputs of '!lm.cache<1 x 8 x 8>'
func.func @argument(%c: !lm.cache<1 x 8 x 8>) {
  return
}

// -----

// CHECK: error: the interpreter returns no values of '!lm.cache<1 x 8 x 8>'
lm.cache @c1 : !lm.cache<1 x 8 x 8>
func.func @result() -> !lm.cache<1 x 8 x 8> {
  %0 = lm.read_cache @c1 : !lm.cache<1 x 8 x 8>
  return %0 : !lm.cache<1 x 8 x 8>
}

// -----

// CHECK: error: 'lm.write_cache' op writes what was read from @c2; the interpreter knows no cache that becomes another one
lm.cache @c2 : !lm.cache<1 x 8 x 8>
lm.cache @d2 : !lm.cache<1 x 8 x 8>
func.func @another() {
  %0 = lm.read_cache @c2 : !lm.cache<1 x 8 x 8>
  lm.write_cache %0, @d2 : !lm.cache<1 x 8 x 8>
  return
}

// -----

// Without tokens there is no row to select.
// CHECK: error: 'lm.select_rows' op rows has 0, which is none of 0
func.func @rows(%x: tensor<?x64xf32>, %r: tensor<3xi32>) -> tensor<3x64xf32> {
  %0 = lm.select_rows %x, %r : (tensor<?x64xf32>, tensor<3xi32>) -> tensor<3x64xf32>
  return %0 : tensor<3x64xf32>
}

// -----

// Two tokens without a sequence.
// CHECK: error: 'lm.attend' op sequences has 0, which is none of 0
lm.cache @c3 : !lm.cache<1 x 8 x 8>
func.func @sequences(%q: tensor<2x8xf32>, %p: tensor<2xi32>, %s: tensor<2xi32>,
                     %g: tensor<?x4xi32>) -> tensor<2x8xf32> {
  %0 = lm.read_cache @c3 : !lm.cache<1 x 8 x 8>
  %a = lm.attend %q, %0 at(%p, %s, %g) heads(1) scale(0.5)
    : (tensor<2x8xf32>, !lm.cache<1 x 8 x 8>, tensor<2xi32>, tensor<2xi32>, tensor<?x4xi32>)
    -> tensor<2x8xf32>
  return %a : tensor<2x8xf32>
}

// -----

// A page has 128 positions.
// CHECK: error: 'lm.attend' op positions has 128, which is none of 128
lm.cache @c4 : !lm.cache<1 x 8 x 8>
func.func @positions(%q: tensor<129x8xf32>, %p: tensor<129xi32>, %s: tensor<129xi32>,
                     %g: tensor<1x1xi32>) -> tensor<129x8xf32> {
  %0 = lm.read_cache @c4 : !lm.cache<1 x 8 x 8>
  %a = lm.attend %q, %0 at(%p, %s, %g) heads(1) scale(0.5)
    : (tensor<129x8xf32>, !lm.cache<1 x 8 x 8>, tensor<129xi32>, tensor<129xi32>, tensor<1x1xi32>)
    -> tensor<129x8xf32>
  return %a : tensor<129x8xf32>
}

// -----

// Columns of no size that a type gives have as many elements as there are tokens.
// CHECK: error: 'lm.append' op keys have 5 columns, expected 8
lm.cache @c5 : !lm.cache<1 x 8 x 8>
func.func @keys(%k: tensor<?x?xf32>, %v: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>,
                %g: tensor<?x4xi32>) {
  %0 = lm.read_cache @c5 : !lm.cache<1 x 8 x 8>
  %1 = lm.append %0, %k, %v at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8>, tensor<?x?xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?x4xi32>
  return
}

// -----

// CHECK: error: 'lm.rotate' op has rows of 5 columns, which are not 4 heads with two for each frequency
func.func @heads(%x: tensor<?x?xf32>, %p: tensor<?xi32>) -> tensor<?x?xf32> {
  %0 = lm.rotate %x, %p heads(4) pairs(halves) frequencies [1] : tensor<?x?xf32>, tensor<?xi32>
  return %0 : tensor<?x?xf32>
}
