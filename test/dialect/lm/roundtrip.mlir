// Every op of the dialect, with and without what is optional, prints as it parses, and is the same in
// bytecode.
// RUN: sortie-opt %s | FileCheck %s
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode -o %t && sortie-opt %t | FileCheck %s

// CHECK: lm.cache @plain : !lm.cache<2 x 8 x 16>
lm.cache @plain : !lm.cache<2 x 8 x 16>
// CHECK: lm.cache @wide : !lm.cache<2 x 8 x 16, int16>
lm.cache @wide : !lm.cache<2 x 8 x 16, int16>
// CHECK: lm.cache @"blk 0" : !lm.cache<1 x 1 x 1024, int8>
lm.cache @"blk 0" : !lm.cache<1 x 1 x 1024, int8>

// CHECK-LABEL: func.func @rows
// CHECK-SAME: %arg2: tensor<?xi32> {moe.name = "rows", moe.symbol = "rows_2"}
func.func @rows(%tokens: tensor<?xi32>, %positions: tensor<?xi32>,
                %rows: tensor<?xi32> {moe.name = "rows", moe.symbol = "rows_2"},
                %table: tensor<64x32x!moe.block<q8_0>>, %w: tensor<8xf32>) -> tensor<?x32xf32> {
  // CHECK: lm.embed %arg0, %arg3 : (tensor<?xi32>, tensor<64x32x!moe.block<q8_0>>) -> tensor<?x32xf32>
  %x = lm.embed %tokens, %table
    : (tensor<?xi32>, tensor<64x32x!moe.block<q8_0>>) -> tensor<?x32xf32>
  // CHECK: lm.head_norm %{{.*}}, %arg4 heads(4) eps(9.99999997E-7) {moe.names = ["q"]} : tensor<?x32xf32>, tensor<8xf32>
  %n = lm.head_norm %x, %w heads(4) eps(1.0e-06) {moe.names = ["q"]} : tensor<?x32xf32>, tensor<8xf32>
  // CHECK: lm.rotate %{{.*}}, %arg1 heads(4) pairs(halves) frequencies [2935890503282001226, -5] : tensor<?x32xf32>, tensor<?xi32>
  %h = lm.rotate %n, %positions heads(4) pairs(halves) frequencies [2935890503282001226, -5]
    : tensor<?x32xf32>, tensor<?xi32>
  // CHECK: lm.rotate %{{.*}}, %arg1 heads(4) pairs(neighbours) frequencies [1, 2, 3, 4] factor(1.250000e+00) : tensor<?x32xf32>, tensor<?xi32>
  %r = lm.rotate %h, %positions heads(4) pairs(neighbours) frequencies [1, 2, 3, 4] factor(1.25)
    : tensor<?x32xf32>, tensor<?xi32>
  // CHECK: lm.select_rows %{{.*}}, %arg2 : (tensor<?x32xf32>, tensor<?xi32>) -> tensor<?x32xf32>
  %s = lm.select_rows %r, %rows : (tensor<?x32xf32>, tensor<?xi32>) -> tensor<?x32xf32>
  return %s : tensor<?x32xf32>
}

// A table may be of any format, and sizes may be known.
// CHECK-LABEL: func.func @sizes
func.func @sizes(%tokens: tensor<5xi32>, %rows: tensor<2xi32>, %table: tensor<64x32xbf16>)
    -> tensor<2x32xf32> {
  // CHECK: lm.embed {{.*}} : (tensor<5xi32>, tensor<64x32xbf16>) -> tensor<5x32xf32>
  %x = lm.embed %tokens, %table : (tensor<5xi32>, tensor<64x32xbf16>) -> tensor<5x32xf32>
  // CHECK: lm.select_rows {{.*}} : (tensor<5x32xf32>, tensor<2xi32>) -> tensor<2x32xf32>
  %s = lm.select_rows %x, %rows : (tensor<5x32xf32>, tensor<2xi32>) -> tensor<2x32xf32>
  return %s : tensor<2x32xf32>
}

// CHECK-LABEL: func.func @cache
func.func @cache(%q: tensor<?x32xf32>, %k: tensor<?x16xf32>, %v: tensor<?x32xf32>,
                 %positions: tensor<?xi32>, %sequences: tensor<?xi32>, %pages: tensor<?x4xi32>,
                 %sinks: tensor<4xf32>) -> (tensor<?x64xf32>, tensor<?x64xf32>) {
  // CHECK: %[[C0:.*]] = lm.read_cache @plain : <2 x 8 x 16>
  %c0 = lm.read_cache @plain : !lm.cache<2 x 8 x 16>
  // CHECK: %[[C1:.*]] = lm.append %[[C0]], %arg1, %arg2 at(%arg3, %arg4, %arg5) : <2 x 8 x 16>, tensor<?x16xf32>, tensor<?x32xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  %c1 = lm.append %c0, %k, %v at(%positions, %sequences, %pages)
    : !lm.cache<2 x 8 x 16>, tensor<?x16xf32>, tensor<?x32xf32>, tensor<?xi32>, tensor<?xi32>,
      tensor<?x4xi32>
  // CHECK: lm.write_cache %[[C1]], @plain : <2 x 8 x 16>
  lm.write_cache %c1, @plain : !lm.cache<2 x 8 x 16>
  // CHECK: lm.attend %arg0, %[[C1]] at(%arg3, %arg4, %arg5) heads(4) scale(3.500000e-01) : (tensor<?x32xf32>, !lm.cache<2 x 8 x 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x64xf32>
  %a = lm.attend %q, %c1 at(%positions, %sequences, %pages) heads(4) scale(0.35)
    : (tensor<?x32xf32>, !lm.cache<2 x 8 x 16>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>)
    -> tensor<?x64xf32>
  // CHECK: %[[W:.*]] = lm.read_cache @wide : <2 x 8 x 16, int16>
  %w = lm.read_cache @wide : !lm.cache<2 x 8 x 16, int16>
  // CHECK: lm.attend %arg0, %[[W]] at(%arg3, %arg4, %arg5) sinks(%arg6) heads(4) scale(3.500000e-01) window(128) query_width(int8)
  %b = lm.attend %q, %w at(%positions, %sequences, %pages) sinks(%sinks) heads(4) scale(0.35)
    window(128) query_width(int8)
    : (tensor<?x32xf32>, !lm.cache<2 x 8 x 16, int16>, tensor<?xi32>, tensor<?xi32>,
       tensor<?x4xi32>, tensor<4xf32>) -> tensor<?x64xf32>
  return %a, %b : tensor<?x64xf32>, tensor<?x64xf32>
}

// Only what heads are asked for must be known.
// CHECK-LABEL: func.func @dynamic
func.func @dynamic(%x: tensor<?x?xf32>, %w: tensor<?xf32>, %positions: tensor<?xi32>)
    -> tensor<?x?xf32> {
  // CHECK: lm.head_norm
  %n = lm.head_norm %x, %w heads(4) eps(0.0) : tensor<?x?xf32>, tensor<?xf32>
  // CHECK: lm.rotate
  %r = lm.rotate %n, %positions heads(4) pairs(halves) frequencies [1]
    : tensor<?x?xf32>, tensor<?xi32>
  return %r : tensor<?x?xf32>
}
