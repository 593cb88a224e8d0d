// Appends to caches, and the checks of places: one for each set of positions, sequences and pages, pages of
// the cache, and of what is checked. Kernels compile for each generation of chips without a warning.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80" | FileCheck %s
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_86,sm_90a" --moert-compile-kernels \
// RUN:   --verify-diagnostics | FileCheck %s --check-prefix=IMAGES
// IMAGES-COUNT-5: images [#moert.image<arch = "sm_80"
// IMAGES-NOT: images

module attributes {moert.program = #moert.program<abi = 5, numerics = 2, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  moert.symbol @slots max(16)
  moert.symbol @pages max(1048576)
  moert.state @first : !moert.buffer<pages x 16896 x i32>
  moert.state @second : !moert.buffer<pages x 7424 x i32>
  moert.state @latents : !moert.buffer<pages x 69888 x i32>
  moert.state @other : !moert.buffer<5 x 16896 x i32>

  // CHECK: moert.kernel @[[SEGMENTS:check_segments_0]] "sortie_check_segments_0" reads(3) writes(1) extents(4) threads(256)
  // CHECK-SAME: checkSegments<1, true>({r0, r1, r2, e0, e1, e2, e3}, w0)
  // CHECK: moert.kernel @[[PLACES:check_places_0]] "sortie_check_places_0" reads(4) writes(1) extents(4) threads(256)
  // CHECK-SAME: checkPlaces<1, true>({r0, r1, r2, e0, e1, e2, e3}, r3, w0)
  // CHECK: moert.kernel @[[APPEND:append_0]] "sortie_append_0" reads(6) writes(1) extents(1) threads(128)
  // CHECK-SAME: appendRows<ActivationWidth::Int16, 2, 64, 64>(r0, r1, {r2, r3, r4, e0}, r5, w0)
  // CHECK: moert.kernel @[[NARROW:append_1]] {{.*}} threads(64)
  // CHECK-SAME: appendRows<ActivationWidth::Int8, 1, 96, 128>(r0, r1, {r2, r3, r4, e0}, r5, w0)
  // CHECK: moert.kernel @[[LATENT:append_latent_0]] {{.*}} threads(64)
  // CHECK-SAME: appendLatentRows<ActivationWidth::Int16, 512, 64>(r0, r1, {r2, r3, r4, e0}, r5, w0)

  // CHECK: moert.func @append
  moert.func @append("k" %k: !moert.buffer<tokens x 128 x f32>, "k2" %k2: !moert.buffer<tokens x 96 x f32>,
                     "latent" %latent: !moert.buffer<tokens x 512 x f32>,
                     "rotated" %rotated: !moert.buffer<tokens x 64 x f32>,
                     "positions" %p: !moert.buffer<tokens x i32>,
                     "sequences" %s: !moert.buffer<tokens x i32>,
                     "pages" %t: !moert.buffer<slots x 8 x i32>) outs() {
    %first = moert.state_buffer @first : !moert.buffer<pages x 16896 x i32>
    %second = moert.state_buffer @second : !moert.buffer<pages x 7424 x i32>
    %latents = moert.state_buffer @latents : !moert.buffer<pages x 69888 x i32>
    %other = moert.state_buffer @other : !moert.buffer<5 x 16896 x i32>
    // CHECK:      %[[STATUS:.*]] = moert.buffer : !moert.buffer<4 x i32>
    // CHECK-NEXT: %[[SEGMENT:.*]] = moert.buffer : !moert.buffer<{{.*}} x 4 x i32>
    // CHECK-NEXT: moert.launch @[[SEGMENTS]] grid(tokens floordiv 32) reads(%positions, %sequences, %pages) writes(%[[SEGMENT]]) extents(tokens, slots, 1024, pages) overlaps work("moert.append")
    // CHECK-NEXT: moert.launch @[[PLACES]] grid(1) reads(%positions, %sequences, %pages, %[[SEGMENT]]) writes(%[[STATUS]]) extents(tokens, slots, 1024, pages) overlaps work("moert.append")
    // CHECK-NEXT: moert.launch @[[APPEND]] grid(tokens, 1) reads(%k, %k, %positions, %sequences, %pages, %[[STATUS]]) writes(%{{.*}}) extents(8) overlaps work("moert.append")
    moert.append %k, %k at(%p, %s, %t) kv_heads(2) width(int16) outs(%first)
      : !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 8 x i32>, !moert.buffer<pages x 16896 x i32>
    // The same places in another cache of as many pages.
    // CHECK-NEXT: moert.launch @[[NARROW]] grid(tokens, 1) reads(%k2, %k, %positions, %sequences, %pages, %[[STATUS]])
    moert.append %k2, %k at(%p, %s, %t) kv_heads(1) width(int8) outs(%second)
      : !moert.buffer<tokens x 96 x f32>, !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 8 x i32>, !moert.buffer<pages x 7424 x i32>
    // CHECK-NEXT: moert.launch @[[LATENT]] grid(tokens, 1) reads(%latent, %rotated, %positions, %sequences, %pages, %[[STATUS]]) writes(%{{.*}}) extents(8) overlaps work("moert.append_latent")
    moert.append_latent %latent, %rotated at(%p, %s, %t) width(int16) outs(%latents)
      : !moert.buffer<tokens x 512 x f32>, !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 8 x i32>, !moert.buffer<pages x 69888 x i32>
    // A cache with other pages, and other positions, are checked by the same kernels.
    // CHECK:      moert.launch @[[PLACES]] {{.*}} writes(%[[FIVE:.*]]) extents(tokens, slots, 1024, 5)
    // CHECK-NEXT: moert.launch @[[APPEND]] grid(tokens, 1) reads(%k, %k, %positions, %sequences, %pages, %[[FIVE]])
    moert.append %k, %k at(%p, %s, %t) kv_heads(2) width(int16) outs(%other)
      : !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 8 x i32>, !moert.buffer<5 x 16896 x i32>
    // CHECK:      moert.launch @[[PLACES]] grid(1) reads(%sequences, %sequences, %pages, %{{.*}}) writes(%[[MOVED:.*]]) extents(tokens, slots, 1024, 5)
    // CHECK-NEXT: moert.launch @[[APPEND]] grid(tokens, 1) reads(%k, %k, %sequences, %sequences, %pages, %[[MOVED]])
    moert.append %k, %k at(%s, %s, %t) kv_heads(2) width(int16) outs(%other)
      : !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 8 x i32>, !moert.buffer<5 x 16896 x i32>
    // CHECK-NEXT: moert.check_places %[[STATUS]] : !moert.buffer<4 x i32>
    // CHECK-NEXT: moert.check_places %[[FIVE]]
    // CHECK-NEXT: moert.check_places %[[MOVED]]
    // CHECK-NEXT: moert.return
    moert.return
  }
}
