// Attention becomes two launches: results of spans, of few tokens; and the output, of these or of more tokens.
// Chips differ in how many queries a thread block of the latter has.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_89,sm_90a" | FileCheck %s
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_89,sm_90a" | FileCheck %s --check-prefix=SOURCE
// Each kernel compiles for each generation of chips without a warning.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_89,sm_90a" --moert-compile-kernels \
// RUN:   --verify-diagnostics | FileCheck %s --check-prefix=IMAGES
// IMAGES-COUNT-8: moert.kernel @attend_{{.*}} images [#moert.image<arch = "sm_80"

// SOURCE:      moert.kernel @attend_spans_0 "sortie_attend_spans_0" reads(6) writes(1) extents(1) threads(128)
// SOURCE-SAME: schedule = "4 chunks, 4 stages"
// SOURCE-SAME: kOwn = sortie::numerics::ActivationWidth::Int16, kCached = sortie::numerics::ActivationWidth::Int16;
// SOURCE-SAME: kHeads = 20, kKvHeads = 2
// SOURCE-SAME: kKey = 8, kValue = 16, kRotated = 0
// SOURCE-SAME: kScale = 0x3f0143f6u
// SOURCE-SAME: kWindow = 0, kPages = 6, kSplit = 64
// SOURCE-SAME: kHasSinks = false
// SOURCE-SAME: kSharedLimit = 101376
// SOURCE-SAME: SORTIE_KERNEL(128, 1)
// SOURCE-SAME: attendSpans<Spec>({r0, nullptr, r1, r2, r3, r4, r5}, w0, e0)
// SOURCE:      moert.kernel @attend_0 "sortie_attend_0" reads(7) writes(1) extents(1) threads(256)
// SOURCE-SAME: arch = "sm_90a"
// SOURCE-SAME: SORTIE_KERNEL(256, 2)
// SOURCE-SAME: attend<Spec>({r0, nullptr, r1, r2, r3, r4, r6}, r5, w0, nullptr, e0)
// SOURCE:      moert.kernel @attend_spans_1
// SOURCE-SAME: kWindow = 128, kPages = 6, kSplit = 64
// SOURCE-SAME: kHasSinks = true
// SOURCE:      moert.kernel @attend_1 "sortie_attend_1" reads(7) writes(1) weights(floats) extents(1)
// SOURCE-SAME: attend<Spec>({r0, nullptr, r1, r2, r3, r4, r6}, r5, w0, g0, e0)
// SOURCE:      moert.kernel @attend_spans_2
// SOURCE-SAME: reads(7) writes(1) extents(1)
// SOURCE-SAME: attendSpans<Spec>({r0, r1, r2, r3, r4, r5, r6}, w0, e0)
// SOURCE:      moert.kernel @attend_2
// SOURCE-SAME: attend<Spec>({r0, r1, r2, r3, r4, r5, r7}, r6, w0, nullptr, e0)

module attributes {moert.program = #moert.program<abi = 3, numerics = 2, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(512)
  moert.symbol @few max(8)
  moert.symbol @slots max(4)
  moert.symbol @pages max(64)
  moert.state @cache : !moert.buffer<pages x 3584 x i32>
  moert.state @small : !moert.buffer<pages x 2048 x i32>
  moert.state @latents : !moert.buffer<pages x 69888 x i32>
  moert.weight @sinks "sinks" : 4xf32

  // CHECK: moert.func @plain
  moert.func @plain("q" %q: !moert.buffer<tokens x 160 x f32>,
                    "positions" %positions: !moert.buffer<tokens x i32>,
                    "sequences" %sequences: !moert.buffer<tokens x i32>,
                    "pages" %pages: !moert.buffer<slots x 6 x i32>)
      outs("y" %y: !moert.buffer<tokens x 320 x f32>) {
    // CHECK: %[[CACHE:.*]] = moert.state_buffer @cache
    %cache = moert.state_buffer @cache : !moert.buffer<pages x 3584 x i32>
    // Two tiles of ten queries, two heads of keys, two spans: 144 floats each.
    // CHECK: %[[RESULTS:.*]] = moert.buffer : !moert.buffer<73728 x f32>
    // CHECK: moert.launch @attend_spans_0 grid(2*tokens max 128, 2, 2) reads(%q, %[[CACHE]], %positions, %sequences, %pages, %[[STATUS:.*]]) writes(%[[RESULTS]]) extents(tokens)
    // CHECK: moert.launch @attend_0 grid(10*tokens+8192 ceildiv 64, 2, 1) reads(%q, %[[CACHE]], %positions, %sequences, %pages, %[[RESULTS]], %[[STATUS]]) writes(%y) extents(tokens)
    moert.attend %q, %cache at(%positions, %sequences, %pages) heads(20) kv_heads(2) scale(0.35)
      query_width(int16) width(int16) outs(%y)
      : !moert.buffer<tokens x 160 x f32>, !moert.buffer<pages x 3584 x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 6 x i32>,
        !moert.buffer<tokens x 320 x f32>
    moert.return
  }

  // CHECK: moert.func @sinks_and_window
  moert.func @sinks_and_window("q" %q: !moert.buffer<tokens x 32 x f32>,
                               "positions" %positions: !moert.buffer<tokens x i32>,
                               "sequences" %sequences: !moert.buffer<tokens x i32>,
                               "pages" %pages: !moert.buffer<slots x 6 x i32>)
      outs("y" %y: !moert.buffer<tokens x 64 x f32>) {
    %small = moert.state_buffer @small : !moert.buffer<pages x 2048 x i32>
    // CHECK: moert.launch @attend_spans_1 grid(tokens max 64, 2, 2)
    // CHECK: moert.launch @attend_1 grid(2*tokens+4096 ceildiv 64, 2, 1) {{.*}} weights(@sinks)
    moert.attend %q, %small at(%positions, %sequences, %pages) sinks(@sinks) heads(4) kv_heads(2)
      scale(0.35) window(128) query_width(int8) width(int8) outs(%y)
      : !moert.buffer<tokens x 32 x f32>, !moert.buffer<pages x 2048 x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 6 x i32>,
        !moert.buffer<tokens x 64 x f32>
    moert.return
  }

  // CHECK: moert.func @latent
  moert.func @latent("q" %q: !moert.buffer<tokens x 8192 x f32>, "r" %r: !moert.buffer<tokens x 1024 x f32>,
                     "positions" %positions: !moert.buffer<tokens x i32>,
                     "sequences" %sequences: !moert.buffer<tokens x i32>,
                     "pages" %pages: !moert.buffer<slots x 6 x i32>)
      outs("y" %y: !moert.buffer<tokens x 8192 x f32>) {
    %latents = moert.state_buffer @latents : !moert.buffer<pages x 69888 x i32>
    // CHECK: moert.launch @attend_spans_2 grid(2*tokens max 128, 1, 2) reads(%q, %r, {{.*}}, %positions, %sequences, %pages, %{{.*}})
    // CHECK: moert.launch @attend_2 grid(16*tokens+2048 ceildiv 16, 1, 16) variants [#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<16*tokens+6144 ceildiv 48>, #moert.grid<1>, #moert.grid<6>]>] reads(%q, %r,
    moert.attend_latent %q, %r, %latents at(%positions, %sequences, %pages) heads(16) scale(0.07)
      query_width(int16) width(int16) outs(%y)
      : !moert.buffer<tokens x 8192 x f32>, !moert.buffer<tokens x 1024 x f32>,
        !moert.buffer<pages x 69888 x i32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 6 x i32>,
        !moert.buffer<tokens x 8192 x f32>
    moert.return
  }

  // Where all runs have few tokens, results are of so many.
  // CHECK: moert.func @small_runs
  moert.func @small_runs("q" %q: !moert.buffer<few x 32 x f32>,
                         "positions" %positions: !moert.buffer<few x i32>,
                         "sequences" %sequences: !moert.buffer<few x i32>,
                         "pages" %pages: !moert.buffer<slots x 6 x i32>)
      outs("y" %y: !moert.buffer<few x 64 x f32>) {
    %cache = moert.state_buffer @cache : !moert.buffer<pages x 3584 x i32>
    // CHECK: moert.buffer : !moert.buffer<4608 x f32>
    // CHECK: moert.launch @attend_spans_3 grid(few max 8, 2, 2)
    // CHECK: moert.launch @attend_3 grid(2*few+512 ceildiv 64, 2, 1)
    moert.attend %q, %cache at(%positions, %sequences, %pages) heads(4) kv_heads(2) scale(0.35)
      query_width(int16) width(int16) outs(%y)
      : !moert.buffer<few x 32 x f32>, !moert.buffer<pages x 3584 x i32>,
        !moert.buffer<few x i32>, !moert.buffer<few x i32>, !moert.buffer<slots x 6 x i32>,
        !moert.buffer<few x 64 x f32>
    moert.return
  }
}
