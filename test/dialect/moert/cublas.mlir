// Products by cuBLAS through text, bytecode and the generic form.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s

// CHECK: contract = [run], features = ["cublas"]
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run], features = ["cublas"], producer = "p">} {
  moert.symbol @tokens max(64)
  moert.kernel @pack "sortie_pack" reads(1) writes(1) extents(2) threads(256)
    sources [#moert.source<arch = "compute_80", shared = 0, schedule = "", text = "s">]
  moert.weight @raw "raw" : 16x48xbf16
  moert.weight @packed "packed" pack(@pack rows(1) bytes(96)) : 16x48xf16
  // CHECK-LABEL: moert.func @f
  moert.func @f("x" %x: !moert.buffer<tokens x 48 x bf16>)
      outs("y" %y: !moert.buffer<tokens x 16 x f32>, "z" %z: !moert.buffer<tokens x 16 x f32>) {
    // CHECK: moert.cublas_matmul %x, @raw outs(%y) {note = 1 : i64}
    // CHECK-SAME: : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
    moert.cublas_matmul %x, @raw outs(%y) {note = 1}
      : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
    // CHECK: moert.cublas_matmul %x, @packed outs(%z)
    moert.cublas_matmul %x, @packed outs(%z)
      : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
    moert.return
  }
}
