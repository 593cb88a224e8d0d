// A rewrite that does not apply is left alone, so this pass has no errors of its own.
// RUN: sortie-opt %s --moe-fuse-requantize | FileCheck %s
// RUN: sortie-opt %s --moe-fuse-requantize --moe-fuse-requantize | FileCheck %s
// RUN: sortie-opt %s --moe-fuse-requantize="materialize=all" | FileCheck %s --check-prefix=ALL
// RUN: sortie-test-semantics %s --moe-fuse-requantize \
// RUN:   | FileCheck %s --check-prefix=MEANING

// The name meant fp32 rows, which are no more.
// CHECK-LABEL: func.func @fused
// ALL-LABEL: func.func @fused
// MEANING: moe-fuse-requantize @fused: changed, 1 value agrees
func.func @fused(%x: tensor<?x64x!moe.activation<int16>>, %w: tensor<32x64x!moe.block<q4_0>>)
    -> tensor<?x32x!moe.activation<int16>> {
  // CHECK-NOT: moe.names
  // CHECK: moe.grouped_glu {{.*}} -> tensor<?x32x!moe.activation<int16>>
  // CHECK-NEXT: return
  // ALL: moe.grouped_glu {{.*}} {moe.names = ["act"]} {{.*}} -> tensor<?x32xf32>
  // ALL-NEXT: moe.quantize
  %a = moe.grouped_glu %x, %w, %w kind(swiglu) arithmetic(exact) {moe.names = ["act"]}
    : (tensor<?x64x!moe.activation<int16>>, tensor<32x64x!moe.block<q4_0>>,
       tensor<32x64x!moe.block<q4_0>>) -> tensor<?x32xf32>
  %q = moe.quantize %a : tensor<?x32xf32> -> tensor<?x32x!moe.activation<int16>>
  return %q : tensor<?x32x!moe.activation<int16>>
}

// The fp32 rows are read as well.
// CHECK-LABEL: func.func @second_reader
// MEANING: moe-fuse-requantize @second_reader: unchanged
func.func @second_reader(%x: tensor<?x64x!moe.activation<int16>>,
                         %w: tensor<32x64x!moe.block<q4_0>>)
    -> (tensor<?x32x!moe.activation<int16>>, tensor<?x32xf32>) {
  // CHECK: moe.quantize
  %a = moe.grouped_glu %x, %w, %w kind(swiglu) arithmetic(exact)
    : (tensor<?x64x!moe.activation<int16>>, tensor<32x64x!moe.block<q4_0>>,
       tensor<32x64x!moe.block<q4_0>>) -> tensor<?x32xf32>
  %q = moe.quantize %a : tensor<?x32xf32> -> tensor<?x32x!moe.activation<int16>>
  return %q, %a : tensor<?x32x!moe.activation<int16>>, tensor<?x32xf32>
}
