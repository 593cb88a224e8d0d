// Mistakes with caches and attention are found, as those of wrong-rewrites.mlir are.
// DEFINE: %{of} =
// DEFINE: %{judge} = not sortie-test-semantics %s --test-wrong-rewrite=of=%{of} 2>&1 \
// DEFINE:   | FileCheck %s --check-prefix

// REDEFINE: %{of} = drop-sinks
// RUN: %{judge}=SINKS
// SINKS: error: test-wrong-rewrite changes what @forward means: result 0 at [0, 0] is {{-?[0-9.e-]+}} before and {{-?[0-9.e-]+}} after, with 5 tokens
// REDEFINE: %{of} = drop-window
// RUN: %{judge}=WINDOW
// WINDOW: changes what @forward means: result 0 at
// REDEFINE: %{of} = attend-too-early
// RUN: %{judge}=EARLY
// EARLY: changes what @forward means: result 0 at [0, 0]
// REDEFINE: %{of} = swap-pairs
// RUN: %{judge}=PAIRS
// PAIRS: changes what @forward means: result 0 at
// REDEFINE: %{of} = swap-keys-and-values
// RUN: %{judge}=VALUES
// VALUES: changes what @forward means: result 0 at [0, 0]

// Results are right, but not what the next run reads.
// REDEFINE: %{of} = keep-earlier-cache
// RUN: %{judge}=KEPT
// KEPT: error: test-wrong-rewrite changes what @forward means: cache 'c' gets new rows that are not in the same places before and after, with 5 tokens
// REDEFINE: %{of} = forget-cache
// RUN: %{judge}=FORGOTTEN
// FORGOTTEN: changes what @forward means: cache 'c' gets new rows that are not in the same places

lm.cache @c : !lm.cache<1 x 8 x 8>

func.func @forward(%q: tensor<?x16xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>,
                   %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<2x4xi32>,
                   %sinks: tensor<2xf32>) -> tensor<?x16xf32> {
  %r = lm.rotate %q, %positions heads(2) pairs(halves)
    frequencies [2935890503282001226, 928409291342310101] : tensor<?x16xf32>, tensor<?xi32>
  %c0 = lm.read_cache @c : !lm.cache<1 x 8 x 8>
  %c1 = lm.append %c0, %k, %v at(%positions, %sequences, %pages)
    : !lm.cache<1 x 8 x 8>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<2x4xi32>
  lm.write_cache %c1, @c : !lm.cache<1 x 8 x 8>
  %a = lm.attend %r, %c1 at(%positions, %sequences, %pages) sinks(%sinks) heads(2) scale(0.5)
    window(2)
    : (tensor<?x16xf32>, !lm.cache<1 x 8 x 8>, tensor<?xi32>, tensor<?xi32>, tensor<2x4xi32>,
       tensor<2xf32>) -> tensor<?x16xf32>
  return %a : tensor<?x16xf32>
}
