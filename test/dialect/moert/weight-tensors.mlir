// What weights are made of, through text, bytecode and the generic form.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s

// CHECK: moert.weight @rows "gate_up" rows(512 of 1024) : 8x512x256xq4_0
moert.weight @rows "gate_up" rows(512 of 1024) : 8x512x256xq4_0
// CHECK: moert.weight @columns "bias" columns(512 of 1024) : 8x512xf32
moert.weight @columns "bias" columns(512 of 1024) : 8x512xf32
// CHECK: moert.weight @both ["a", "b"] rows(2 of 4) columns(32 of 96) : 2x2x64xq8_0
moert.weight @both ["a", "b"] rows(2 of 4) columns(32 of 96) : 2x2x64xq8_0
// CHECK: moert.weight @stacked ["gate.0", "gate.1"] pack(@pack rows(16) bytes(2176)) : 2x512x64xq4_0
moert.weight @stacked ["gate.0", "gate.1"] pack(@pack rows(16) bytes(2176)) : 2x512x64xq4_0
moert.kernel @pack "pack" reads(1) writes(1) extents(2) threads(32)
  sources [#moert.source<arch = "sm_80", shared = 0, schedule = "", text = "x">]
// CHECK: moert.weight @one "one" : 64xf32
moert.weight @one ["one"] : 64xf32
// CHECK: moert.weight @kernel "kernel" transposed : 2x64xf16
moert.weight @kernel "kernel" transposed : 2x64xf16
// CHECK: moert.weight @keys "kv" joined rows(0 of 256) transposed decoded(q4_K) : 16x512x128xf32
moert.weight @keys "kv" joined rows(0 of 256) transposed decoded(q4_K) : 16x512x128xf32
// CHECK: moert.weight @strips "s" rows(4 of 12) columns(256 of 512) : 8x256xq4_k_r4
moert.weight @strips "s" rows(4 of 12) columns(256 of 512) : 8x256xq4_k_r4
