// Products in bf16 arithmetic have kernels of their own, with the operands of those in fp32.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_90a" | FileCheck %s

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.weight @w "w" : 16x128x256xbf16
  moert.weight @half "half" : 16x256x128xf16
  moert.weight @bias "bias" : 16x256xf32
  moert.weight @dense "dense" : 512x256xf32
  moert.weight @dense_bias "dense_bias" : 512xf32

  // CHECK: moert.kernel @matmul_bf16_0 {{.*}} weights(raw, floats) extents(1)
  // CHECK-SAME: schedule = "tile 128 x {{[0-9]+}}, {{[0-9]}} stages of 32"
  // CHECK-SAME: bf16Matmul<float, 256, 512>(r0, w0, g0, g1, e0)
  // CHECK: moert.kernel @glu_matmul_bf16_0 {{.*}} weights(raw, raw)
  // CHECK-SAME: stages of 64"
  // CHECK-SAME: bf16GroupedGlu<sortie::numerics::BFloat16, 256, 128, 4, true, sortie::numerics::GluKind::Swiglu, 0x00000000u, 0x00000000u, sortie::numerics::RowKind::F32>(r0, r2, r3, w0, g0, g1, nullptr, nullptr)
  // CHECK: moert.kernel @matmul_bf16_1
  // CHECK-SAME: bf16GroupedMatmul<sortie::numerics::Half, 128, 256, 1, false>(r0, r2, r3, r4, w0, g0, g1)
  // CHECK: moert.kernel @glu_matmul_bf16_1
  // CHECK-SAME: sortie::numerics::RowKind::Int16>(r0, r2, r3, w0, g0, g1, nullptr, nullptr)
  // CHECK: moert.kernel @glu_matmul_bf16_2
  // CHECK-SAME: bf16Glu<float, 256, 512, sortie::numerics::GluKind::Swiglu, {{.*}}>(r0, w0, g0, g1, nullptr, nullptr, e0)

  // CHECK-LABEL: moert.func @products
  moert.func @products("x" %x: !moert.buffer<tokens x 256 x f32>,
      "ids" %ids: !moert.buffer<tokens x 4 x i32>, "s" %s: !moert.buffer<tokens x 4 x f32>)
      outs("y" %y: !moert.buffer<tokens x 512 x f32>, "a" %a: !moert.buffer<4*tokens x 128 x f32>,
           "d" %d: !moert.buffer<4*tokens x 256 x f32>, "q" %q: !moert.buffer<4*tokens x 128 x act16>,
           "g" %g: !moert.buffer<tokens x 512 x f32>) {
    %p = moert.buffer : !moert.buffer<4*tokens x i32>
    %i = moert.buffer : !moert.buffer<tokens x 4 x i32>
    %o = moert.buffer : !moert.buffer<17 x i32>
    moert.dispatch %ids experts(16) outs(%p, %i, %o) : !moert.buffer<tokens x 4 x i32>,
      !moert.buffer<4*tokens x i32>, !moert.buffer<tokens x 4 x i32>, !moert.buffer<17 x i32>
    // CHECK: moert.launch @matmul_bf16_0 grid(4, tokens ceildiv {{[0-9]+}}) reads(%x) writes(%y) weights(@dense, @dense_bias) extents(tokens) overlaps work("moert.matmul" arithmetic(bf16) operations(262144))
    moert.matmul %x, @dense bias(@dense_bias) arithmetic(bf16) outs(%y)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 512 x f32>
    // CHECK: moert.launch @glu_matmul_bf16_0 grid(2, 4*tokens+{{[0-9]+}} ceildiv {{[0-9]+}} max 4*tokens) reads(%x, %{{.*}}, %{{.*}}, %{{.*}}) writes(%a) weights(@w, @w) overlaps work("moert.glu_matmul" arithmetic(bf16) operations(131072) offsets(1))
    moert.glu_matmul %x, @w, @w offsets(%o) permutation(%p) slots(4) kind(swiglu)
      arithmetic(bf16) outs(%a)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<17 x i32>,
        !moert.buffer<4*tokens x i32>, !moert.buffer<4*tokens x 128 x f32>
    // CHECK: moert.launch @matmul_bf16_1 grid(2, {{.*}}) reads(%a, %{{.*}}, %{{.*}}, %{{.*}}, %s) writes(%d) weights(@half, @bias)
    moert.matmul %a, @half offsets(%o) permutation(%p) bias(@bias) scale(%s) arithmetic(bf16) outs(%d)
      : !moert.buffer<4*tokens x 128 x f32>, !moert.buffer<17 x i32>,
        !moert.buffer<4*tokens x i32>, !moert.buffer<tokens x 4 x f32>,
        !moert.buffer<4*tokens x 256 x f32>
    // Quantized rows come in whole activation blocks.
    // CHECK: moert.launch @glu_matmul_bf16_1 grid(1, {{.*}}) {{.*}} writes(%q)
    moert.glu_matmul %x, @w, @w offsets(%o) permutation(%p) slots(4) kind(swiglu)
      arithmetic(bf16) outs(%q)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<17 x i32>,
        !moert.buffer<4*tokens x i32>, !moert.buffer<4*tokens x 128 x act16>
    // CHECK: moert.launch @glu_matmul_bf16_2 grid(8, tokens ceildiv {{[0-9]+}}) reads(%x) writes(%g)
    moert.glu_matmul %x, @dense, @dense kind(swiglu) arithmetic(bf16) outs(%g)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 512 x f32>
    moert.return
  }
}
