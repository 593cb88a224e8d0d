// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_90a join-launches=false" | FileCheck %s
// Selected again, nothing changes.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_90a join-launches=false" \
// RUN:   --moert-select-kernels \
// RUN:   | FileCheck %s
// The chips that are compiled for if none is named; PTX is always added, and named twice is once.
// RUN: sortie-opt %s --moert-select-kernels=join-launches=false \
// RUN:   | FileCheck %s --check-prefix=DEFAULT
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_89,compute_80,sm_89 join-launches=false" \
// RUN:   | FileCheck %s --check-prefix=ONE

// DEFAULT: moert.kernel @rms_norm_0
// DEFAULT-SAME: arch = "sm_80", {{.*}}arch = "sm_90a", {{.*}}arch = "compute_80",
// ONE: moert.kernel @rms_norm_0
// ONE-SAME: sources [#moert.source<arch = "sm_89", {{[^#]*#include[^#]*}}, #moert.source<arch = "compute_80", {{[^#]*#include[^#]*}}>]

// CHECK: moert.program = #moert.program<{{.*}} target = "cuda"
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.weight @norm "norm" : 256xf32
  moert.weight @router "router" : 16x256xf32
  moert.weight @router_bias "router_bias" : 16xf32
  moert.weight @gate "gate" : 16x128x256xq4_K
  moert.weight @up "up" : 16x128x256xq4_K
  moert.weight @up6 "up6" : 16x128x256xq6_K
  moert.weight @down "down" : 16x256x128xq5_0
  moert.weight @down_bias "down_bias" : 16x256xf32
  moert.weight @half "half" : 16x128x256xf16
  moert.weight @half_bias "half_bias" : 16x128xf32
  moert.weight @dense "dense" : 512x256xq8_0
  moert.weight @dense_bias "dense_bias" : 512xf32

  // A source for each chip, with the shared memory that it needs there; the parameters in the order
  // of the operands.
  // CHECK: moert.symbol @tokens
  // CHECK-NEXT: moert.kernel @rms_norm_0 "sortie_rms_norm_0" reads(1) writes(1) weights(floats) threads(64)
  // CHECK-SAME: arch = "sm_80", shared = 4,
  // CHECK-SAME: #include \22codegen/kernels/{{[a-z/]*}}Norm.h\22
  // CHECK-SAME: SORTIE_KERNEL(64, 1) sortie_rms_norm_0(const float *r0, float *w0, const float *g0,
  // CHECK-SAME: waitForLaunchBefore()
  // CHECK-SAME: beginStep(progress, step)
  // CHECK-SAME: allowNextLaunch()
  // CHECK-SAME: begin();\0A  rmsNormRows<256, 0x358637bdu>(r0, w0, g0);
  // CHECK-SAME: SORTIE_EXPORT(sortie_rms_norm_0)
  // CHECK-SAME: arch = "sm_90a"
  // CHECK-SAME: arch = "compute_80"
  // CHECK-NEXT: moert.kernel @add_0 "sortie_add_0" reads(2) writes(1) threads(64)
  // CHECK-SAME: addRows<256>(r0, r1, w0)
  // CHECK-NEXT: moert.kernel @quantize_0
  // CHECK-SAME: quantizeRows<sortie::numerics::RowKind::Int16, 256>(r0, w0)
  // CHECK-NEXT: moert.kernel @quantize_1
  // CHECK-SAME: quantizeRows<sortie::numerics::RowKind::Int8, 256>(r0, w0)
  // CHECK-NEXT: moert.kernel @glu_0
  // CHECK-SAME: gluRows<128, sortie::numerics::GluKind::SwigluClamped, 0x3fd9db23u, 0x40e00000u>(r0, r1, w0)

  // CHECK: moert.kernel @route_0
  // CHECK-SAME: routeRows<16, 4, 4, 2, sortie::numerics::Scoring::Sigmoid, true, 0x40200000u>(r0, w0, w1, g0, e0)
  // CHECK: moert.kernel @dispatch_count_0
  // CHECK-SAME: dispatchCount<16, 16>(r0, w0, e0, e1)
  // CHECK: moert.kernel @pack_q4_K_0 "sortie_pack_q4_K_0" reads(1) writes(1) extents(2) threads(256)
  // CHECK-SAME: packPanels<Encoding::Q4_K, 128, 256>(r0, w0, e0, e1)
  // A tile and its stages depend on the chip; PTX must run where shared memory is scarce.
  // CHECK: moert.kernel @glu_matmul_0 "sortie_glu_matmul_0" reads(4) writes(1) weights(packed, packed)
  // CHECK-SAME: arch = "sm_80", shared = {{[0-9]+}}, schedule = "tile 128 x {{[0-9]+}}, {{[0-9]+}} stages", text = "#define SORTIE_SHARED_LIMIT 166912
  // CHECK-SAME: static constexpr Format kFirst = Format::Q4_K, kSecond = Format::Q4_K;
  // CHECK-SAME: static constexpr RowKind kInput = sortie::numerics::RowKind::Int16, kOutput = sortie::numerics::RowKind::Int16;
  // CHECK-SAME: static constexpr int kN = 128, kK = 256, kSlots = 4;
  // CHECK-SAME: static constexpr bool kIsGated = true, kIsGrouped = true, kHasScale = false;
  // CHECK-SAME: (const void *r0, const int32_t *r1, const Tile *r2, const int32_t *r3, void *w0, const void *g0, const void *g1, uint32_t *progress, uint32_t step)
  // CHECK-SAME: exactProduct<Spec>({r0, r2, r3, nullptr, w0, g0, g1, nullptr, nullptr, 0}, [] {})
  // CHECK-SAME: arch = "sm_90a", {{.*}}, text = "#define SORTIE_SHARED_LIMIT 232448
  // CHECK-SAME: arch = "compute_80", {{.*}}, text = "#define SORTIE_SHARED_LIMIT 101376
  // CHECK: moert.kernel @matmul_0
  // CHECK-SAME: kSlots = 0;
  // CHECK-SAME: kIsGated = false, kIsGrouped = true, kHasScale = true;
  // CHECK-SAME: exactProduct<Spec>({r0, r2, r3, r4, w0, g0, nullptr, g1, nullptr, 0}, begin)
  // CHECK: moert.kernel @combine_0
  // CHECK-SAME: combineRows<256, 4>(r0, r1, nullptr, w0)
  // CHECK: moert.kernel @dispatch_scatter_1
  // CHECK-SAME: dispatchScatter<16, 64>
  // CHECK: moert.kernel @gather_0
  // CHECK-SAME: gatherRows<256, 4>(r0, r1, w0)
  // CHECK: moert.kernel @glu_matmul_float_0
  // CHECK-SAME: floatGroupedGlu<sortie::numerics::Half, 256, 128, 1, false, sortie::numerics::GluKind::Swiglu, 0x00000000u, 0x00000000u, sortie::numerics::RowKind::Int16>(r0, r2, nullptr, w0, g0, g1, g2, g3)
  // CHECK: moert.kernel @matmul_float_1
  // CHECK-SAME: floatGroupedMatmul<sortie::numerics::Half, 256, 128, 4, true>(r0, r2, r3, nullptr, w0, g0, nullptr)
  // CHECK: moert.kernel @glu_matmul_1
  // CHECK-SAME: kFirst = Format::Q4_K, kSecond = Format::Q6_K;
  // CHECK-SAME: kInput = sortie::numerics::RowKind::Int8, kOutput = sortie::numerics::RowKind::F32;
  // CHECK: moert.kernel @unsort_0
  // CHECK-SAME: unsortRows<128>(r0, r1, w0)
  // CHECK: moert.kernel @combine_1
  // CHECK-SAME: combineRows<128, 4>(r0, nullptr, r1, w0)
  // CHECK: moert.kernel @matmul_1
  // CHECK-SAME: exactProduct<Spec>({r0, nullptr, nullptr, nullptr, w0, g0, nullptr, g1, nullptr, e0}, begin)
  // CHECK: moert.weight @norm "norm" : 256xf32
  // CHECK: moert.weight @gate "gate" pack(@pack_q4_K_0 rows(16) bytes(2304)) : 16x128x256xq4_K
  // CHECK-NEXT: moert.weight @up "up" pack(@pack_q4_K_0 rows(16) bytes(2304)) : 16x128x256xq4_K
  // CHECK: moert.weight @half "half" : 16x128x256xf16

  // CHECK-LABEL: moert.func @rows
  moert.func @rows("x" %x: !moert.buffer<tokens x 256 x f32>,
      "g" %g: !moert.buffer<4*tokens x 128 x f32>)
      outs("y" %y: !moert.buffer<tokens x 256 x f32>,
           "q" %q: !moert.buffer<tokens x 256 x act16>, "q8" %q8: !moert.buffer<tokens x 256 x act8>,
           "a" %a: !moert.buffer<4*tokens x 128 x f32>) {
    // CHECK: %[[N:.*]] = moert.buffer
    %n = moert.buffer : !moert.buffer<tokens x 256 x f32>
    // CHECK-NEXT: moert.launch @rms_norm_0 grid(tokens) reads(%x) writes(%[[N]]) weights(@norm) overlaps work("moert.rms_norm")
    moert.rms_norm %x, @norm eps(1.0e-06) outs(%n)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>
    // CHECK-NEXT: moert.checkpoint "n" = %[[N]]
    moert.checkpoint "n" = %n : !moert.buffer<tokens x 256 x f32>
    // CHECK-NEXT: moert.launch @add_0 grid(tokens, 1) reads(%[[N]], %x) writes(%y) overlaps work("moert.add")
    moert.add %n, %x outs(%y) : !moert.buffer<tokens x 256 x f32>,
      !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>
    // CHECK-NEXT: moert.launch @quantize_0 grid(tokens, 1) reads(%[[N]]) writes(%q) overlaps work("moert.quantize")
    moert.quantize %n outs(%q)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x act16>
    // CHECK-NEXT: moert.launch @quantize_1 {{.*}} writes(%q8)
    moert.quantize %n outs(%q8)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x act8>
    // CHECK-NEXT: moert.launch @glu_0 grid(4*tokens, 1) reads(%g, %g) writes(%a) overlaps work("moert.glu")
    moert.glu %g, %g kind(swiglu_clamped) alpha(1.702) limit(7.0) outs(%a)
      : !moert.buffer<4*tokens x 128 x f32>, !moert.buffer<4*tokens x 128 x f32>,
        !moert.buffer<4*tokens x 128 x f32>
    // CHECK-NEXT: moert.return
    moert.return
  }

  // The kernel of the first function serves here, too.
  // CHECK-LABEL: moert.func @experts
  moert.func @experts("x" %x: !moert.buffer<tokens x 256 x f32>)
      outs("y" %y: !moert.buffer<tokens x 256 x f32>) {
    // CHECK: moert.launch @quantize_0
    %q = moert.buffer : !moert.buffer<tokens x 256 x act16>
    moert.quantize %x outs(%q)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x act16>

    // The router's product is dense: rows are an extent. Its weights are read as they are.
    // CHECK: moert.launch @matmul_float_0 grid(16, tokens ceildiv {{[0-9]+}} max 65535) reads(%x) writes(%[[S:.*]]) weights(@router) extents(tokens) overlaps work("moert.matmul" arithmetic(float) operations(8192))
    %s = moert.buffer : !moert.buffer<tokens x 16 x f32>
    moert.matmul %x, @router arithmetic(float) outs(%s)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 16 x f32>
    // CHECK: moert.launch @route_0 grid(tokens ceildiv 4) reads(%[[S]]) writes(%[[IDS:.*]], %[[W:.*]]) weights(@router_bias) extents(tokens) overlaps work("moert.route")
    %ids = moert.buffer : !moert.buffer<tokens x 4 x i32>
    %w = moert.buffer : !moert.buffer<tokens x 4 x f32>
    moert.route %s bias(@router_bias) top(4) scoring(sigmoid) groups(2 of 4) normalize scale(2.5)
      tie(lower_id) outs(%ids, %w)
      : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 4 x i32>,
        !moert.buffer<tokens x 4 x f32>

    // The histogram has a row of 17 for each 2048 slots, which is less than one number a token, and
    // the tile map an entry for each 32 rows, less than one a token, and one more for each expert.
    // CHECK: %[[HIST:.*]] = moert.buffer : !moert.buffer<tokens+17 x i32>
    // CHECK-NEXT: %[[TILES:.*]] = moert.buffer : !moert.buffer<tokens+17 x 4 x i32>
    // CHECK-NEXT: %[[STATUS:.*]] = moert.buffer : !moert.buffer<2 x i32>
    // CHECK-NEXT: moert.launch @dispatch_count_0 grid(4*tokens floordiv 2048) reads(%[[IDS]]) writes(%[[HIST]]) extents(4*tokens, 0) overlaps work("moert.dispatch")
    // CHECK-NEXT: moert.launch @dispatch_scatter_0 grid(4*tokens+1 ceildiv 2048) reads(%[[IDS]], %[[HIST]]) writes(%[[P:.*]], %[[I:.*]], %[[O:.*]], %[[TILES]], %[[STATUS]]) extents(4*tokens, tokens+17, 0) overlaps work("moert.dispatch")
    %p = moert.buffer : !moert.buffer<4*tokens x i32>
    %i = moert.buffer : !moert.buffer<tokens x 4 x i32>
    %o = moert.buffer : !moert.buffer<17 x i32>
    moert.dispatch %ids experts(16) outs(%p, %i, %o) : !moert.buffer<tokens x 4 x i32>,
      !moert.buffer<4*tokens x i32>, !moert.buffer<tokens x 4 x i32>, !moert.buffer<17 x i32>

    // The grid has room for the tiles of every distribution.
    // CHECK: moert.launch @glu_matmul_0 grid(1, 4*tokens+1024 ceildiv 64 max 4*tokens) reads(%{{.*}}, %[[O]], %[[TILES]], %[[P]]) writes(%[[A:.*]]) weights(@gate, @up) overlaps work("moert.glu_matmul" arithmetic(exact) operations(131072) offsets(1))
    %a = moert.buffer : !moert.buffer<4*tokens x 128 x act16>
    moert.glu_matmul %q, @gate, @up offsets(%o) permutation(%p) slots(4) kind(swiglu)
      arithmetic(exact) outs(%a)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<17 x i32>,
        !moert.buffer<4*tokens x i32>, !moert.buffer<4*tokens x 128 x act16>
    // CHECK: moert.launch @matmul_0 grid(1, 4*tokens+1024 ceildiv 64 max 4*tokens) reads(%[[A]], %[[O]], %[[TILES]], %[[P]], %[[W]]) writes(%[[D:.*]]) weights(@down, @down_bias) overlaps work("moert.matmul" arithmetic(exact) operations(65536) offsets(1))
    %d = moert.buffer : !moert.buffer<4*tokens x 256 x f32>
    moert.matmul %a, @down offsets(%o) permutation(%p) bias(@down_bias) scale(%w)
      arithmetic(exact) outs(%d)
      : !moert.buffer<4*tokens x 128 x act16>, !moert.buffer<17 x i32>,
        !moert.buffer<4*tokens x i32>, !moert.buffer<tokens x 4 x f32>,
        !moert.buffer<4*tokens x 256 x f32>
    // CHECK: moert.launch @combine_0 grid(tokens, 1) reads(%[[D]], %[[I]]) writes(%y) overlaps work("moert.combine")
    moert.combine %d inverse(%i) outs(%y) : !moert.buffer<4*tokens x 256 x f32>,
      !moert.buffer<tokens x 4 x i32>, !moert.buffer<tokens x 256 x f32>
    // CHECK-NEXT: moert.check_ids %[[STATUS]] experts(16) slots(4)
    // CHECK-NEXT: moert.return
    moert.return
  }

  // What stays of the passes with materialize=all, experts of floats, and a part of the experts.
  // CHECK-LABEL: moert.func @others
  moert.func @others("x" %x: !moert.buffer<tokens x 256 x f32>, "ids" %ids: !moert.buffer<tokens x 4 x i32>,
      "w" %w: !moert.buffer<tokens x 4 x f32>, "q" %q: !moert.buffer<tokens x 256 x act8>)
      outs("y" %y: !moert.buffer<tokens x 128 x f32>, "d" %d: !moert.buffer<tokens x 512 x f32>,
           "h" %h: !moert.buffer<4*tokens x 128 x act16>, "m" %m: !moert.buffer<4*tokens x 128 x f32>,
           "k" %k: !moert.buffer<4*tokens x 128 x f32>) {
    // CHECK: moert.launch @dispatch_scatter_1 {{.*}} extents(4*tokens, tokens+17, 32)
    %p = moert.buffer : !moert.buffer<4*tokens x i32>
    %i = moert.buffer : !moert.buffer<tokens x 4 x i32>
    %o = moert.buffer : !moert.buffer<17 x i32>
    moert.dispatch %ids experts(64) range [32, 16] outs(%p, %i, %o) : !moert.buffer<tokens x 4 x i32>,
      !moert.buffer<4*tokens x i32>, !moert.buffer<tokens x 4 x i32>, !moert.buffer<17 x i32>
    // CHECK: moert.launch @gather_0 grid(4*tokens, 1) reads(%x, %[[P:.*]]) writes(%[[R:.*]]) overlaps work("moert.gather")
    %r = moert.buffer : !moert.buffer<4*tokens x 256 x f32>
    moert.gather %x, %p slots(4) outs(%r) : !moert.buffer<tokens x 256 x f32>,
      !moert.buffer<4*tokens x i32>, !moert.buffer<4*tokens x 256 x f32>
    // CHECK: moert.launch @glu_matmul_float_0 grid(1, 4*tokens+1024 ceildiv 64 max 4*tokens) reads(%[[R]], %{{.*}}, %{{.*}}) writes(%h) weights(@half, @half, @half_bias, @half_bias)
    moert.glu_matmul %r, @half, @half offsets(%o) gate_bias(@half_bias) up_bias(@half_bias)
      kind(swiglu) arithmetic(float) outs(%h)
      : !moert.buffer<4*tokens x 256 x f32>, !moert.buffer<17 x i32>,
        !moert.buffer<4*tokens x 128 x act16>
    // CHECK: moert.launch @matmul_float_1 grid(4, 4*tokens+1024 ceildiv 64 max 4*tokens) reads(%x, %{{.*}}, %{{.*}}, %[[P]]) writes(%m) weights(@half)
    moert.matmul %x, @half offsets(%o) permutation(%p) slots(4) arithmetic(float) outs(%m)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<17 x i32>,
        !moert.buffer<4*tokens x i32>, !moert.buffer<4*tokens x 128 x f32>
    // Gate and up in different formats, and an output that stays fp32.
    // CHECK: moert.launch @glu_matmul_1 {{.*}} weights(@gate, @up6)
    moert.glu_matmul %q, @gate, @up6 offsets(%o) permutation(%p) slots(4) kind(swiglu)
      arithmetic(exact) outs(%k)
      : !moert.buffer<tokens x 256 x act8>, !moert.buffer<17 x i32>,
        !moert.buffer<4*tokens x i32>, !moert.buffer<4*tokens x 128 x f32>
    // CHECK: moert.launch @unsort_0 grid(4*tokens, 1) reads(%k, %{{.*}}) writes(%[[U:.*]]) overlaps work("moert.unsort")
    %u = moert.buffer : !moert.buffer<tokens x 4 x 128 x f32>
    moert.unsort %k, %i outs(%u) : !moert.buffer<4*tokens x 128 x f32>,
      !moert.buffer<tokens x 4 x i32>, !moert.buffer<tokens x 4 x 128 x f32>
    // CHECK: moert.launch @combine_1 grid(tokens, 1) reads(%[[U]], %w) writes(%y)
    moert.combine %u weights(%w) outs(%y) : !moert.buffer<tokens x 4 x 128 x f32>,
      !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 128 x f32>
    // CHECK: moert.launch @matmul_1 grid(2, tokens ceildiv 64) reads(%q) writes(%d) weights(@dense, @dense_bias) extents(tokens)
    moert.matmul %q, @dense bias(@dense_bias) arithmetic(exact) outs(%d)
      : !moert.buffer<tokens x 256 x act8>, !moert.buffer<tokens x 512 x f32>
    // CHECK: moert.check_ids %{{.*}} experts(64) slots(4)
    moert.return
  }

  // Copies are the same for every device.
  // CHECK-LABEL: moert.func @copies
  moert.func @copies("x" %x: !moert.buffer<4 x f32>) outs("y" %y: !moert.buffer<4 x f32>) {
    // CHECK-NEXT: moert.copy %x outs(%y)
    moert.copy %x outs(%y) : !moert.buffer<4 x f32>, !moert.buffer<4 x f32>
    moert.return
  }
}
