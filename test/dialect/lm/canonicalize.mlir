// What comes of nothing goes away, what is computed twice is computed once, and what stays for the next run
// stays.
// RUN: sortie-opt %s --canonicalize --cse | FileCheck %s
// RUN: sortie-test-semantics %s --canonicalize --cse | FileCheck %s --check-prefix=MEANING

lm.cache @c : !lm.cache<1 x 8 x 8>

// CHECK-LABEL: func.func @unread
// CHECK-NEXT: return %{{.*}}
func.func @unread(%k: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>)
    -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8>
  %1 = lm.append %0, %k, %k at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?x4xi32>
  return %k : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @kept
// CHECK-NEXT: %[[OLD:.*]] = lm.read_cache @c
// CHECK-NEXT: %[[NEW:.*]] = lm.append %[[OLD]]
// CHECK-NEXT: lm.write_cache %[[NEW]], @c
// CHECK-NEXT: return
func.func @kept(%k: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8>
  %1 = lm.append %0, %k, %k at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?x4xi32>
  lm.write_cache %1, @c : !lm.cache<1 x 8 x 8>
  return
}

// So two reads of a cache are one, as lowering needs it.
// CHECK-LABEL: func.func @twice
// CHECK-NEXT: %[[C:.*]] = lm.read_cache @c
// CHECK-NEXT: %[[A:.*]] = lm.attend %{{.*}}, %[[C]]
// CHECK-NEXT: %[[B:.*]] = lm.attend %{{.*}}, %[[C]] {{.*}} window(2)
// CHECK-NEXT: moe.add %[[A]], %[[B]]
// MEANING: canonicalize @twice: unchanged
// MEANING: cse @twice: changed, 1 value agrees
func.func @twice(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>)
    -> tensor<?x8xf32> {
  %c = lm.read_cache @c : !lm.cache<1 x 8 x 8>
  %a = lm.attend %q, %c at(%p, %s, %g) heads(1) scale(0.5)
    : (tensor<?x8xf32>, !lm.cache<1 x 8 x 8>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>)
    -> tensor<?x8xf32>
  %d = lm.read_cache @c : !lm.cache<1 x 8 x 8>
  %b = lm.attend %q, %d at(%p, %s, %g) heads(1) scale(0.5) window(2)
    : (tensor<?x8xf32>, !lm.cache<1 x 8 x 8>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>)
    -> tensor<?x8xf32>
  %0 = moe.add %a, %b : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
