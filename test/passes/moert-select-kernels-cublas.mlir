// RUN: sortie-opt %s --moert-select-kernels="chips=compute_80 cublas" | FileCheck %s
// RUN: sortie-opt %s --moert-select-kernels="chips=compute_80 cublas" --moert-plan-memory | \
// RUN:   FileCheck %s --check-prefix=PLANNED
// RUN: sed 's/32x48xf16/32x48xbf16/' %s | sortie-opt --moert-select-kernels="chips=compute_80" \
// RUN:   | FileCheck %s --check-prefix=OFF

// OFF-NOT: cublas_matmul
// OFF-NOT: round_bf16

// CHECK: contract = [run], features = ["cublas"]
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run], features = [], producer = "test">} {
  moert.symbol @tokens max(64)
  // The kernels: one for values that are read, one for weights that are not bf16.
  // CHECK-DAG: moert.kernel @round_bf16_0 "sortie_round_bf16_0" reads(1) writes(1) threads(256){{.*}}roundRows<float, 48>(r0, w0)
  // CHECK-DAG: moert.kernel @pack_bf16_1 "sortie_pack_bf16_1" reads(1) writes(1) extents(2) threads(256){{.*}}roundRows<sortie::numerics::Half, 48>(r0, w0)
  // CHECK-DAG: moert.kernel @pack_bf16_0 {{.*}}roundRows<float, 48>(r0, w0)

  // CHECK: moert.weight @gate "gate" : 32x48xbf16
  moert.weight @gate "gate" : 32x48xbf16
  // CHECK: moert.weight @up "up" pack(@pack_bf16_1 rows(1) bytes(96)) : 32x48xf16
  moert.weight @up "up" : 32x48xf16
  // CHECK: moert.weight @down "down" pack(@pack_bf16_0 rows(1) bytes(96)) : 16x48xf32
  moert.weight @down "down" : 16x48xf32
  moert.weight @biased "biased" : 16x48xbf16
  moert.weight @bias "bias" : 16xf32

  // One rounding of an input that two products read; a gated product in three steps.
  // CHECK-LABEL: moert.func @products
  moert.func @products("x" %x: !moert.buffer<tokens x 48 x f32>)
      outs("y" %y: !moert.buffer<tokens x 16 x f32>, "act" %act: !moert.buffer<tokens x 32 x f32>) {
    // CHECK: %[[X:.*]] = moert.buffer : !moert.buffer<tokens x 48 x bf16>
    // CHECK: moert.launch @round_bf16_0 grid(tokens) reads(%x) writes(%[[X]]) overlaps work("moert.matmul")
    // CHECK: moert.cublas_matmul %[[X]], @down outs(%y) : !moert.buffer<tokens x 48 x bf16>, !moert.buffer<tokens x 16 x f32>
    moert.matmul %x, @down arithmetic(bf16) outs(%y)
      : !moert.buffer<tokens x 48 x f32>, !moert.buffer<tokens x 16 x f32>
    // CHECK-NOT: round_bf16
    // CHECK: %[[GATE:.*]] = moert.buffer : !moert.buffer<tokens x 32 x f32>
    // CHECK: moert.cublas_matmul %[[X]], @gate outs(%[[GATE]])
    // CHECK: %[[UP:.*]] = moert.buffer : !moert.buffer<tokens x 32 x f32>
    // CHECK: moert.cublas_matmul %[[X]], @up outs(%[[UP]])
    // CHECK: moert.launch @glu_0 {{.*}} reads(%[[GATE]], %[[UP]]) writes(%act) overlaps work("moert.glu_matmul")
    // PLANNED: moert.buffer offset({{.*}}) : !moert.buffer<tokens x 48 x bf16>
    moert.glu_matmul %x, @gate, @up kind(swiglu) arithmetic(bf16) outs(%act)
      : !moert.buffer<tokens x 48 x f32>, !moert.buffer<tokens x 32 x f32>
    moert.return
  }

  // A bias, a quantized output and another arithmetic stay with the kernels.
  // CHECK-LABEL: moert.func @others
  // CHECK-NOT: cublas_matmul
  moert.func @others("x" %x: !moert.buffer<tokens x 48 x f32>)
      outs("y" %y: !moert.buffer<tokens x 16 x f32>, "z" %z: !moert.buffer<tokens x 16 x f32>,
           "q" %q: !moert.buffer<tokens x 32 x act16>) {
    moert.matmul %x, @biased bias(@bias) arithmetic(bf16) outs(%y)
      : !moert.buffer<tokens x 48 x f32>, !moert.buffer<tokens x 16 x f32>
    moert.matmul %x, @down arithmetic(float) outs(%z)
      : !moert.buffer<tokens x 48 x f32>, !moert.buffer<tokens x 16 x f32>
    moert.glu_matmul %x, @gate, @gate kind(swiglu) arithmetic(bf16) outs(%q)
      : !moert.buffer<tokens x 48 x f32>, !moert.buffer<tokens x 32 x act16>
    moert.return
  }
}
