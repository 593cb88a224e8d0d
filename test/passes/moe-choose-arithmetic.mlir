// RUN: sortie-opt %s --moe-choose-arithmetic --verify-diagnostics | FileCheck %s
// RUN: sortie-opt %s --moe-choose-arithmetic --moe-choose-arithmetic 2>/dev/null | FileCheck %s
// RUN: sortie-test-semantics %s --moe-choose-arithmetic \
// RUN:   | FileCheck %s --check-prefix=MEANING

// CHECK-LABEL: func.func @by_weights
// MEANING: moe-choose-arithmetic @by_weights: changed, 5 values agree
func.func @by_weights(%x: tensor<?x256xf32>, %ids: tensor<?x2xi32>, %f: tensor<32x256xf32>,
                      %h: tensor<32x256xf16>, %q: tensor<32x256x!moe.block<q4_K>>,
                      %e: tensor<4x32x256x!moe.block<mxfp4>>) {
  // CHECK: moe.matmul {{.*}} arithmetic(float) : (tensor<?x256xf32>, tensor<32x256xf32>)
  %0 = moe.matmul %x, %f : (tensor<?x256xf32>, tensor<32x256xf32>) -> tensor<?x32xf32>
  // CHECK: moe.matmul {{.*}} arithmetic(float) : (tensor<?x256xf32>, tensor<32x256xf16>)
  %1 = moe.matmul %x, %h : (tensor<?x256xf32>, tensor<32x256xf16>) -> tensor<?x32xf32>
  // CHECK: moe.grouped_matmul {{.*}} arithmetic(exact)
  %2 = moe.grouped_matmul %x, %q
    : (tensor<?x256xf32>, tensor<32x256x!moe.block<q4_K>>) -> tensor<?x32xf32>
  // CHECK: moe.routed_matmul {{.*}} arithmetic(exact)
  %3 = moe.routed_matmul %x, %e, %ids
    : (tensor<?x256xf32>, tensor<4x32x256x!moe.block<mxfp4>>, tensor<?x2xi32>)
    -> tensor<?x2x32xf32>
  // CHECK: moe.grouped_glu {{.*}} arithmetic(exact)
  %4 = moe.grouped_glu %x, %q, %q kind(swiglu)
    : (tensor<?x256xf32>, tensor<32x256x!moe.block<q4_K>>, tensor<32x256x!moe.block<q4_K>>)
    -> tensor<?x32xf32>
  return
}

// A choice that stands in the IR stays.
// CHECK-LABEL: func.func @stated
// MEANING: moe-choose-arithmetic @stated: unchanged
func.func @stated(%x: tensor<?x256xf32>, %h: tensor<32x256xbf16>) {
  // CHECK: arithmetic(bf16)
  %0 = moe.matmul %x, %h arithmetic(bf16)
    : (tensor<?x256xf32>, tensor<32x256xbf16>) -> tensor<?x32xf32>
  return
}

// Experts are nearly all of the work: where they are slow, that is said, once a module.
// CHECK-LABEL: func.func @slow_experts
// MEANING: moe-choose-arithmetic @slow_experts: changed, 2 values agree
func.func @slow_experts(%x: tensor<?x64xf32>, %off: tensor<5xi32>, %w: tensor<4x32x64xbf16>) {
  // CHECK-COUNT-2: arithmetic(float)
  // expected-remark @below {{this and 1 more expert matmuls have unquantized weights and use `float` arithmetic, which keeps the whole contract and is slow; a model with block-quantized experts (q8_0, say) gets `exact`, which keeps it as well and is faster, and unquantized=bf16 uses tensor cores where moe.contract does not promise `device`}}
  %0 = moe.grouped_matmul %x, %w offsets(%off)
    : (tensor<?x64xf32>, tensor<4x32x64xbf16>, tensor<5xi32>) -> tensor<?x32xf32>
  %1 = moe.grouped_matmul %x, %w offsets(%off)
    : (tensor<?x64xf32>, tensor<4x32x64xbf16>, tensor<5xi32>) -> tensor<?x32xf32>
  return
}
