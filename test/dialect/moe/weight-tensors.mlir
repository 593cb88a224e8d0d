// What weights are made of: parts of a tensor, and several, through text and through bytecode.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | FileCheck %s --check-prefix=GENERIC
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s

func.func @weights() {
  // CHECK: moe.weight "gate_up" rows(512 of 1024) : tensor<8x512x256x!moe.block<q4_0>>
  // GENERIC: "moe.weight"() <{source = #moe.tensors<"gate_up" rows(512 of 1024)>}>
  %rows = moe.weight "gate_up" rows(512 of 1024) : tensor<8x512x256x!moe.block<q4_0>>
  // CHECK: moe.weight "dense" rows(0 of 3) : tensor<2x64xf32>
  %dense = moe.weight "dense" rows(0 of 3) : tensor<2x64xf32>
  // CHECK: moe.weight "bias" columns(512 of 1024) : tensor<8x512xf32>
  %columns = moe.weight "bias" columns(512 of 1024) : tensor<8x512xf32>
  // CHECK: moe.weight "v" columns(1 of 3) {moe.names = ["v"]} : tensor<2xf32>
  %vector = moe.weight "v" columns(1 of 3) {moe.names = ["v"]} : tensor<2xf32>
  // CHECK: moe.weight ["gate.0", "gate \22quoted\22"] : tensor<2x512x256x!moe.block<q4_0>>
  // GENERIC: #moe.tensors<["gate.0", "gate \22quoted\22"]>
  %stacked = moe.weight ["gate.0", "gate \"quoted\""] : tensor<2x512x256x!moe.block<q4_0>>
  // CHECK: moe.weight ["bias.0", "bias.1", "bias.2"] : tensor<3x512xf32>
  %biases = moe.weight ["bias.0", "bias.1", "bias.2"] : tensor<3x512xf32>
  // CHECK: moe.weight ["a", "b"] rows(2 of 4) columns(32 of 96) : tensor<2x2x64x!moe.block<q8_0>>
  %both = moe.weight ["a", "b"] rows(2 of 4) columns(32 of 96) : tensor<2x2x64x!moe.block<q8_0>>
  // CHECK: moe.weight "s" rows(4 of 12) columns(256 of 512) : tensor<8x256x!moe.block<q4_k_r4>>
  %strips = moe.weight "s" rows(4 of 12) columns(256 of 512) : tensor<8x256x!moe.block<q4_k_r4>>
  // CHECK: moe.weight "h" rows(1 of 3) : tensor<2x512x!moe.block<iq4_ks>>
  %headers = moe.weight "h" rows(1 of 3) : tensor<2x512x!moe.block<iq4_ks>>
  // CHECK: moe.weight "l" : tensor<2x512x!moe.block<iq2_xxs>>
  %lattice = moe.weight "l" : tensor<2x512x!moe.block<iq2_xxs>>
  // CHECK: moe.weight "kernel" transposed : tensor<2x64xbf16>
  // GENERIC: #moe.tensors<"kernel" transposed>
  %transposed = moe.weight "kernel" transposed : tensor<2x64xbf16>
  // CHECK: moe.weight "kernel" rows(2 of 96) transposed : tensor<2x64xbf16>
  %transposed_rows = moe.weight "kernel" rows(2 of 96) transposed : tensor<2x64xbf16>
  // CHECK: moe.weight "kv" joined rows(128 of 256) : tensor<16x128x512x!moe.block<q4_K>>
  // GENERIC: #moe.tensors<"kv" joined rows(128 of 256)>
  %joined = moe.weight "kv" joined rows(128 of 256) : tensor<16x128x512x!moe.block<q4_K>>
  // CHECK: moe.weight "kv" joined rows(0 of 256) transposed decoded(q4_K) : tensor<16x512x128xf32>
  // GENERIC: #moe.tensors<"kv" joined rows(0 of 256) transposed decoded(q4_K)>
  %decoded = moe.weight "kv" joined rows(0 of 256) transposed decoded(q4_K) : tensor<16x512x128xf32>
  // CHECK: moe.weight "k" joined : tensor<16x512x128xf32>
  %all_joined = moe.weight "k" joined : tensor<16x512x128xf32>
  // One whole tensor is itself, however it is written.
  // CHECK: moe.weight "one" : tensor<1x2x64xf32>
  %one = moe.weight ["one"] : tensor<1x2x64xf32>
  // CHECK: moe.weight "one" rows(0 of 4) : tensor<1x2x64xf32>
  %part = moe.weight ["one"] rows(0 of 4) : tensor<1x2x64xf32>
  return
}
