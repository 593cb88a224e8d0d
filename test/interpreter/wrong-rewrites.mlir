// What proves the others: passes that are wrong are found, each by function, value, place and both
// numbers. (The pass test-wrong-rewrite is registered in sortie-test-semantics alone.)
// DEFINE: %{of} =
// DEFINE: %{judge} = not sortie-test-semantics %s --test-wrong-rewrite=of=%{of} 2>&1 \
// DEFINE:   | FileCheck %s --check-prefix

// REDEFINE: %{of} = drop-bias
// RUN: %{judge}=BIAS
// BIAS: error: test-wrong-rewrite changes what @semantic means: result 0 at [0, 0] is {{-?[0-9.e-]+}} before and {{-?[0-9.e-]+}} after, with 5 tokens
// BIAS: error: test-wrong-rewrite changes what @dispatch means: result 0 at [0, 0] is
// BIAS: error: test-wrong-rewrite changes what @selection means: result {{[01]}} at [{{[0-9]+, [0-9]+}}] is
func.func @semantic(%x: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %router = moe.weight "router" : tensor<8x64xf32>
  %norm = moe.weight "norm" : tensor<64xf32>
  %w = moe.weight "w" : tensor<8x64x64x!moe.block<q8_0>>
  %u = moe.weight "u" : tensor<8x64x64x!moe.block<q8_0>>
  %bias = moe.weight "bias" : tensor<8x64xf32>
  %scale = moe.weight "scale" : tensor<8xf32>
  %n = moe.rms_norm %x, %norm eps(1.0e-06) : tensor<?x64xf32>, tensor<64xf32>
  %scores = moe.matmul %n, %router : (tensor<?x64xf32>, tensor<8x64xf32>) -> tensor<?x8xf32>
  %ids, %weights = moe.route %scores top(2) scoring(sigmoid) groups(1 of 4) normalize tie(lower_id)
    {moe.names = ["ids", "weights"]} : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  %g = moe.routed_matmul %n, %w, %ids expert_scale(%scale) bias(%bias)
    : (tensor<?x64xf32>, tensor<8x64x64x!moe.block<q8_0>>, tensor<?x2xi32>, tensor<8xf32>,
       tensor<8x64xf32>) -> tensor<?x2x64xf32>
  %v = moe.routed_matmul %n, %u, %ids : (tensor<?x64xf32>, tensor<8x64x64x!moe.block<q8_0>>,
       tensor<?x2xi32>) -> tensor<?x2x64xf32>
  %a = moe.glu %g, %v kind(swiglu) {moe.names = ["act"]} : tensor<?x2x64xf32>
  %y = moe.combine %a weights(%weights) : (tensor<?x2x64xf32>, tensor<?x2xf32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// REDEFINE: %{of} = drop-expert-scale
// RUN: %{judge}=SCALE
// SCALE: changes what @semantic means: result 0 at [0, 0]
// SCALE: changes what @dispatch means: result 0 at [0, 0]
// SCALE: test-wrong-rewrite @selection: unchanged
// REDEFINE: %{of} = swap-gate-and-up
// RUN: %{judge}=SWAP
// SWAP: changes what @semantic means: result 0 at [0, 0]
// SWAP: changes what @dispatch means: result 0 at [0, 0]
// SWAP: test-wrong-rewrite @selection: unchanged
// REDEFINE: %{of} = drop-routing-weight
// RUN: %{judge}=WEIGHT
// WEIGHT: changes what @semantic means: result 0 at [0, 0]
// WEIGHT: changes what @dispatch means: result 0 at [0, 0]
// WEIGHT: test-wrong-rewrite @selection: unchanged
func.func @dispatch(%x: tensor<?x64xf32>, %ids: tensor<?x2xi32>, %weights: tensor<?x2xf32>,
                    %s: tensor<4xf32>, %b: tensor<4x64xf32>) -> tensor<?x64xf32> {
  %w = moe.weight ["w.0", "w.1", "w.2", "w.3"] : tensor<4x64x64xf32>
  %u = moe.weight "w" rows(64 of 128) : tensor<4x64x64xf32>
  %permutation, %inverse, %offsets = moe.dispatch %ids experts(4)
    : (tensor<?x2xi32>) -> (tensor<?xi32>, tensor<?x2xi32>, tensor<5xi32>)
  %rows = moe.gather %x, %permutation slots(2)
    : (tensor<?x64xf32>, tensor<?xi32>) -> tensor<?x64xf32>
  %a = moe.grouped_glu %rows, %w, %u offsets(%offsets) up_scale(%s) kind(swiglu_clamped)
    alpha(1.702) limit(7.0)
    : (tensor<?x64xf32>, tensor<4x64x64xf32>, tensor<4x64x64xf32>, tensor<5xi32>, tensor<4xf32>)
    -> tensor<?x64xf32>
  %d = moe.grouped_matmul %a, %w offsets(%offsets) permutation(%permutation) bias(%b)
    scale(%weights)
    : (tensor<?x64xf32>, tensor<4x64x64xf32>, tensor<5xi32>, tensor<?xi32>, tensor<4x64xf32>,
       tensor<?x2xf32>) -> tensor<?x64xf32>
  %y = moe.combine %d inverse(%inverse) : (tensor<?x64xf32>, tensor<?x2xi32>) -> tensor<?x64xf32>
  return %y : tensor<?x64xf32>
}

// REDEFINE: %{of} = drop-normalization
// RUN: %{judge}=NORMALIZE
// NORMALIZE: changes what @semantic means: result 0 at [0, 0]
// NORMALIZE: test-wrong-rewrite @dispatch: unchanged
// NORMALIZE: changes what @selection means: result 1 at [0, 0]
// REDEFINE: %{of} = drop-groups
// RUN: %{judge}=GROUPS
// GROUPS: changes what @semantic means: result 0
// GROUPS: changes what @selection means: result 0
// REDEFINE: %{of} = other-group-score
// RUN: %{judge}=GROUPSCORE
// GROUPSCORE: changes what @semantic means: result 0
// GROUPSCORE: changes what @selection means: result 0
func.func @selection(%scores: tensor<?x8xf32>, %bias: tensor<8xf32>)
    -> (tensor<?x2xi32>, tensor<?x2xf32>) {
  %ids, %weights = moe.route %scores bias(%bias) top(2) scoring(softmax) groups(1 of 4)
    group_score(best) normalize scale(2.5) tie(lower_id)
    : (tensor<?x8xf32>, tensor<8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return %ids, %weights : tensor<?x2xi32>, tensor<?x2xf32>
}

// A weight is known by its name.
// REDEFINE: %{of} = rename-weight
// RUN: %{judge}=RENAME
// RENAME: changes what @semantic means: result 0 at [0, 0]
// RENAME: changes what @dispatch means: result 0 at [0, 0]

// The results are right, a named value is not.
// REDEFINE: %{of} = move-name
// RUN: %{judge}=NAME
// NAME: changes what @semantic means: value 'act' at [0, 0, 0] is

// A gather of too many rows cannot be interpreted.
// REDEFINE: %{of} = double-slots
// RUN: %{judge}=SLOTS
// SLOTS: test-wrong-rewrite @semantic: unchanged
// SLOTS: error: 'moe.gather' op has an operand of size 10 where 4 times 5 is needed

// REDEFINE: %{of} = remove-function
// RUN: %{judge}=REMOVED
// REMOVED: error: test-wrong-rewrite removes @semantic, which is public
// REMOVED: error: test-wrong-rewrite removes @dispatch, which is public

// REDEFINE: %{of} = nothing
// RUN: %{judge}=UNKNOWN
// UNKNOWN: error: test-wrong-rewrite: there is no 'nothing'
