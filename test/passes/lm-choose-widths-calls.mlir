// Arguments and results of functions, and those of calls, change with the caches that they are: a graph may
// be inlined before or after.
// RUN: sortie-opt %s --lm-choose-widths | FileCheck %s
// RUN: sortie-opt %s --lm-choose-widths --inline --symbol-dce | FileCheck %s --check-prefix=INLINED
// RUN: sortie-opt %s --inline --symbol-dce --lm-choose-widths | FileCheck %s --check-prefix=INLINED

lm.cache @c : !lm.cache<2 x 8 x 16>

// CHECK-LABEL: func.func private @layer
// CHECK-SAME: !lm.cache<2 x 8 x 16, int16>
// CHECK-SAME: -> (tensor<?x64xf32>, !lm.cache<2 x 8 x 16, int16>)
// INLINED-NOT: @layer
func.func private @layer(%c: !lm.cache<2 x 8 x 16>, %q: tensor<?x32xf32>, %k: tensor<?x16xf32>,
                         %v: tensor<?x32xf32>, %positions: tensor<?xi32>,
                         %sequences: tensor<?xi32>, %pages: tensor<?x4xi32>)
    -> (tensor<?x64xf32>, !lm.cache<2 x 8 x 16>) {
  // CHECK: lm.append {{.*}} : <2 x 8 x 16, int16>
  %new = lm.append %c, %k, %v at(%positions, %sequences, %pages)
    : !lm.cache<2 x 8 x 16>, tensor<?x16xf32>, tensor<?x32xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?x4xi32>
  // CHECK: lm.attend {{.*}} query_width(int16)
  %a = lm.attend %q, %new at(%positions, %sequences, %pages) heads(4) scale(0.35)
    : (tensor<?x32xf32>, !lm.cache<2 x 8 x 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>)
    -> tensor<?x64xf32>
  // CHECK: return {{.*}}, !lm.cache<2 x 8 x 16, int16>
  return %a, %new : tensor<?x64xf32>, !lm.cache<2 x 8 x 16>
}

// CHECK-LABEL: func.func @forward
// INLINED-LABEL: func.func @forward
// INLINED: lm.read_cache @c : <2 x 8 x 16, int16>
// INLINED: lm.append {{.*}} : <2 x 8 x 16, int16>
// INLINED: lm.attend {{.*}} query_width(int16)
// INLINED: lm.write_cache {{.*}} : <2 x 8 x 16, int16>
func.func @forward(%q: tensor<?x32xf32>, %k: tensor<?x16xf32>, %v: tensor<?x32xf32>,
                   %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x4xi32>)
    -> tensor<?x64xf32> {
  %c = lm.read_cache @c : !lm.cache<2 x 8 x 16>
  // CHECK: call @layer({{.*}}) : (!lm.cache<2 x 8 x 16, int16>, {{.*}}) -> (tensor<?x64xf32>, !lm.cache<2 x 8 x 16, int16>)
  %a, %new = func.call @layer(%c, %q, %k, %v, %positions, %sequences, %pages)
    : (!lm.cache<2 x 8 x 16>, tensor<?x32xf32>, tensor<?x16xf32>, tensor<?x32xf32>, tensor<?xi32>,
       tensor<?xi32>, tensor<?x4xi32>) -> (tensor<?x64xf32>, !lm.cache<2 x 8 x 16>)
  lm.write_cache %new, @c : !lm.cache<2 x 8 x 16>
  return %a : tensor<?x64xf32>
}
