// RUN: sortie-opt %s --moe-quantize-activations | FileCheck %s
// RUN: sortie-opt %s --moe-quantize-activations --moe-quantize-activations | FileCheck %s
// RUN: sortie-opt %s --moe-quantize-activations="activations=int8" \
// RUN:   | FileCheck %s --check-prefix=INT8
// RUN: sortie-test-semantics %s --moe-quantize-activations \
// RUN:   | FileCheck %s --check-prefix=MEANING

// One quantization, where the value is defined, for experts and shared experts alike: of tokens, not
// of slots. The float matmul reads what it read before.
// CHECK-LABEL: func.func @shared
// INT8-LABEL: func.func @shared
// MEANING: moe-quantize-activations @shared: changed, 3 values agree
func.func @shared(%x: tensor<?x64xf32>, %norm: tensor<64xf32>, %off: tensor<5xi32>,
                  %perm: tensor<?xi32>, %w: tensor<4x32x64x!moe.block<q4_0>>,
                  %s: tensor<32x64x!moe.block<q8_0>>, %f: tensor<4x64xf32>) {
  // CHECK: %[[N:.*]] = moe.rms_norm
  // CHECK-NEXT: %[[Q:.*]] = moe.quantize %[[N]] : tensor<?x64xf32> -> tensor<?x64x!moe.activation<int16>>
  // CHECK-NOT: moe.quantize
  // INT8: moe.quantize {{.*}} -> tensor<?x64x!moe.activation<int8>>
  // CHECK: moe.grouped_matmul %[[N]], %{{.*}} arithmetic(float)
  // CHECK: moe.grouped_glu %[[Q]], {{.*}} slots(2)
  // CHECK: moe.grouped_matmul %[[Q]], %{{.*}} arithmetic(exact)
  %n = moe.rms_norm %x, %norm eps(1.0e-06) : tensor<?x64xf32>, tensor<64xf32>
  %0 = moe.grouped_matmul %n, %f arithmetic(float)
    : (tensor<?x64xf32>, tensor<4x64xf32>) -> tensor<?x4xf32>
  %1 = moe.grouped_glu %n, %w, %w offsets(%off) permutation(%perm) slots(2) kind(swiglu)
    arithmetic(exact)
    : (tensor<?x64xf32>, tensor<4x32x64x!moe.block<q4_0>>, tensor<4x32x64x!moe.block<q4_0>>,
       tensor<5xi32>, tensor<?xi32>) -> tensor<?x32xf32>
  %2 = moe.grouped_matmul %n, %s arithmetic(exact)
    : (tensor<?x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
  return
}

// Arguments are quantized at the start of the function.
// CHECK-LABEL: func.func @argument
// CHECK-NEXT: moe.quantize
// MEANING: moe-quantize-activations @argument: changed, 1 value agrees
func.func @argument(%x: tensor<?x64xf32>, %s: tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32> {
  %0 = moe.grouped_matmul %x, %s arithmetic(exact)
    : (tensor<?x64xf32>, tensor<32x64x!moe.block<q8_0>>) -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}
