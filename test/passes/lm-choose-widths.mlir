// RUN: sortie-opt %s --lm-choose-widths | FileCheck %s --check-prefixes=CHECK,DEFAULT
// RUN: sortie-opt %s --lm-choose-widths="activations=int8 kv=int8" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,OPTIONS
// RUN: sortie-opt %s --lm-choose-widths --lm-choose-widths="activations=int8 kv=int8" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,DEFAULT
// RUN: sortie-opt %s --lm-choose-widths --mlir-pass-statistics -o %t 2>&1 \
// RUN:   | FileCheck %s --check-prefix=STATISTICS
// RUN: sortie-test-semantics %s --lm-choose-widths | FileCheck %s --check-prefix=MEANING
// RUN: not sortie-opt %s --lm-choose-widths=kv=int4 2>&1 | FileCheck %s --check-prefix=WORD
// RUN: sortie-opt %s --lm-choose-widths --emit-bytecode -o %t && sortie-opt %t \
// RUN:   | FileCheck %s --check-prefixes=CHECK,DEFAULT
// There is no input on which it can fail: any cache and any query may have any width.
// WORD: int4
// STATISTICS: 2 widths-chosen - Caches and queries that got a width

// DEFAULT: lm.cache @plain : !lm.cache<2 x 8 x 16, int16>
// OPTIONS: lm.cache @plain : !lm.cache<2 x 8 x 16, int8>
lm.cache @plain : !lm.cache<2 x 8 x 16>
// A width that stands in the IR stays.
// CHECK: lm.cache @stated : !lm.cache<2 x 8 x 8, int8>
lm.cache @stated : !lm.cache<2 x 8 x 8, int8>

// Every value of a cache is of its type.
// CHECK-LABEL: func.func @values
// MEANING: lm-choose-widths @values: changed, 2 values agree
func.func @values(%q: tensor<?x32xf32>, %k: tensor<?x16xf32>, %v: tensor<?x32xf32>,
                  %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x4xi32>)
    -> tensor<?x64xf32> {
  // DEFAULT: lm.read_cache @plain : <2 x 8 x 16, int16>
  // OPTIONS: lm.read_cache @plain : <2 x 8 x 16, int8>
  %c0 = lm.read_cache @plain : !lm.cache<2 x 8 x 16>
  // DEFAULT: lm.append {{.*}} : <2 x 8 x 16, int16>, tensor<?x16xf32>
  // OPTIONS: lm.append {{.*}} : <2 x 8 x 16, int8>, tensor<?x16xf32>
  %c1 = lm.append %c0, %k, %v at(%positions, %sequences, %pages)
    : !lm.cache<2 x 8 x 16>, tensor<?x16xf32>, tensor<?x32xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?x4xi32>
  // DEFAULT: lm.write_cache {{.*}} : <2 x 8 x 16, int16>
  // OPTIONS: lm.write_cache {{.*}} : <2 x 8 x 16, int8>
  lm.write_cache %c1, @plain : !lm.cache<2 x 8 x 16>
  // DEFAULT: lm.attend {{.*}} query_width(int16) : (tensor<?x32xf32>, !lm.cache<2 x 8 x 16, int16>
  // OPTIONS: lm.attend {{.*}} query_width(int8) : (tensor<?x32xf32>, !lm.cache<2 x 8 x 16, int8>
  %a = lm.attend %q, %c1 at(%positions, %sequences, %pages) heads(4) scale(0.35) window(3)
    : (tensor<?x32xf32>, !lm.cache<2 x 8 x 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>)
    -> tensor<?x64xf32>
  return %a : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @stated_width
// MEANING: lm-choose-widths @stated_width: unchanged
func.func @stated_width(%q: tensor<?x32xf32>, %positions: tensor<?xi32>,
                        %sequences: tensor<?xi32>, %pages: tensor<?x4xi32>) -> tensor<?x32xf32> {
  // CHECK: lm.read_cache @stated : <2 x 8 x 8, int8>
  %c = lm.read_cache @stated : !lm.cache<2 x 8 x 8, int8>
  // CHECK: lm.attend {{.*}} query_width(int16)
  %a = lm.attend %q, %c at(%positions, %sequences, %pages) heads(4) scale(0.35) query_width(int16)
    : (tensor<?x32xf32>, !lm.cache<2 x 8 x 8, int8>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>)
    -> tensor<?x32xf32>
  return %a : tensor<?x32xf32>
}

