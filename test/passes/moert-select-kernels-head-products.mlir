// Products of heads: heads are the last dimension of the grid, tokens and heads together the extent; no tile map and
// no permutation. Heads are quantized as rows are.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_89,sm_90a" | FileCheck %s
// Each kernel compiles for each generation of chips without a warning.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_89,sm_90a" --moert-compile-kernels \
// RUN:   --verify-diagnostics | FileCheck %s --check-prefix=IMAGES
// IMAGES-COUNT-8: images [#moert.image<arch = "sm_80"
// cuBLAS takes none of them.
// RUN: sed 's/\[run, batch\]/[run]/' %s | sortie-opt --moert-select-kernels="chips=sm_80 cublas" \
// RUN:   | FileCheck %s --check-prefix=CUBLAS
// CUBLAS: moert.launch @head_matmul_bf16_0
// CUBLAS-NOT: moert.cublas_matmul
// What a launch is predicted to take counts all heads.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_90a" \
// RUN:   --moert-compile-kernels="print-schedule" 2>&1 >/dev/null | FileCheck %s --check-prefix=SCHEDULE
// SCHEDULE: head_matmul_1 sm_90a: tile 256 x 64, {{[34]}} stages; 512 threads, {{.*}} 0 bytes spilled, {{.*}} at 512 tokens (issue slots), {{.*}} at 1 token (launch)

module attributes {moert.program = #moert.program<abi = 5, numerics = 2, target = "cpu",
    contract = [run, batch], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.weight @k_b "blk.0.attn_k_b.weight" : 128x512x128xq8_0
  moert.weight @v_b "blk.0.attn_v_b.weight" : 16x128x512xq4_K
  moert.weight @long "long" : 16x128x4096xq4_K
  moert.weight @half "half" : 16x128x512xf16
  moert.weight @bfloat "bfloat" : 16x512x128xbf16

  // A warp for each block of a head.
  // CHECK: moert.kernel @quantize_0 {{.*}} threads(32)
  // CHECK-SAME: quantizeRows<sortie::numerics::RowKind::Int16, 128>(r0, w0)
  // CHECK: moert.kernel @pack_q8_0_0
  // CHECK: moert.kernel @head_matmul_0 "sortie_head_matmul_0" reads(1) writes(1) weights(packed) extents(1) threads(512)
  // CHECK-SAME: static constexpr int kN = 512, kK = 128, kSlots = 0;
  // CHECK-SAME: static constexpr bool kIsGated = false, kIsGrouped = false, kHasScale = false;
  // CHECK-SAME: static constexpr int kHeads = 128;
  // CHECK-SAME: exactProduct<Spec>({r0, nullptr, nullptr, nullptr, w0, g0, nullptr, nullptr, nullptr, e0}, begin)
  // CHECK: moert.kernel @quantize_1
  // CHECK-SAME: quantizeRows<sortie::numerics::RowKind::Int8, 512>(r0, w0)
  // CHECK: moert.kernel @head_matmul_1
  // CHECK-SAME: static constexpr RowKind kInput = sortie::numerics::RowKind::Int8,
  // CHECK-SAME: static constexpr int kHeads = 16;
  // CHECK: moert.kernel @head_matmul_float_0 {{.*}} reads(1) writes(1) weights(raw) extents(1) threads(256)
  // CHECK-SAME: floatHeadMatmul<sortie::numerics::Half, 512, 128, 16>(r0, w0, g0, nullptr, e0)
  // CHECK: moert.kernel @head_matmul_bf16_0
  // CHECK-SAME: bf16HeadMatmul<sortie::numerics::BFloat16, 128, 512, 16>(r0, w0, g0, nullptr, e0)
  // CHECK: moert.kernel @head_matmul_2
  // CHECK-SAME: arch = "sm_89"
  // CHECK-SAME: kSlices = 1
  // CHECK-SAME: arch = "sm_90a"
  // CHECK-SAME: kSlices = 4

  // CHECK-LABEL: moert.func @products
  moert.func @products("q" %q: !moert.buffer<tokens x 16384 x f32>, "a" %a: !moert.buffer<tokens x 8192 x f32>,
                       "b" %b: !moert.buffer<tokens x 2048 x f32>,
                       "l" %l: !moert.buffer<tokens x 16 x 4096 x act16>)
      outs("x" %x: !moert.buffer<tokens x 65536 x f32>, "y" %y: !moert.buffer<tokens x 2048 x f32>,
           "z" %z: !moert.buffer<tokens x 2048 x f32>, "w" %w: !moert.buffer<tokens x 8192 x f32>,
           "v" %v: !moert.buffer<tokens x 2048 x f32>) {
    %wide = moert.buffer : !moert.buffer<tokens x 128 x 128 x act16>
    %narrow = moert.buffer : !moert.buffer<tokens x 16 x 512 x act8>
    // CHECK: moert.launch @quantize_0 grid(128*tokens, 1) reads(%q) writes(%[[WIDE:.*]]) overlaps work("moert.quantize_heads")
    moert.quantize_heads %q outs(%wide)
      : !moert.buffer<tokens x 16384 x f32>, !moert.buffer<tokens x 128 x 128 x act16>
    // CHECK: moert.launch @head_matmul_0 grid(2, tokens ceildiv 64, 128) reads(%[[WIDE]]) writes(%x) weights(@k_b) extents(128*tokens) overlaps work("moert.head_matmul" arithmetic(exact) operations(16777216))
    moert.head_matmul %wide, @k_b heads(128) arithmetic(exact) outs(%x)
      : !moert.buffer<tokens x 128 x 128 x act16>, !moert.buffer<tokens x 65536 x f32>
    // CHECK: moert.launch @quantize_1 grid(16*tokens, 1) reads(%a)
    moert.quantize_heads %a outs(%narrow)
      : !moert.buffer<tokens x 8192 x f32>, !moert.buffer<tokens x 16 x 512 x act8>
    // CHECK: moert.launch @head_matmul_1 grid(1, tokens ceildiv 64, 16)
    moert.head_matmul %narrow, @v_b heads(16) arithmetic(exact) outs(%y)
      : !moert.buffer<tokens x 16 x 512 x act8>, !moert.buffer<tokens x 2048 x f32>
    // CHECK: moert.launch @head_matmul_float_0 grid(4, tokens ceildiv 64, 16) reads(%a) writes(%z) weights(@half) extents(16*tokens)
    moert.head_matmul %a, @half heads(16) arithmetic(float) outs(%z)
      : !moert.buffer<tokens x 8192 x f32>, !moert.buffer<tokens x 2048 x f32>
    // CHECK: moert.launch @head_matmul_bf16_0 grid(4, tokens ceildiv 64, 16) reads(%b) writes(%w) weights(@bfloat) extents(16*tokens)
    moert.head_matmul %b, @bfloat heads(16) arithmetic(bf16) outs(%w)
      : !moert.buffer<tokens x 2048 x f32>, !moert.buffer<tokens x 8192 x f32>
    // Long heads of few are cut.
    // CHECK: moert.launch @head_matmul_2 grid(1, tokens ceildiv 64, 16)
    // CHECK-SAME: variants [#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<2>, #moert.grid<tokens ceildiv 64>, #moert.grid<16>]>]
    moert.head_matmul %l, @long heads(16) arithmetic(exact) outs(%v)
      : !moert.buffer<tokens x 16 x 4096 x act16>, !moert.buffer<tokens x 2048 x f32>
    moert.return
  }
}
