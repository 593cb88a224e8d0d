// Launch variants: on an sm_90 the kernel has more threads, clusters, another grid and other panels of its weight
// than on an sm_80, and the bits are the same (docs/launch-variants.md).

// RUN: env %emulated sortie-opt %s --moert-compile-kernels --moert-plan-memory --emit-bytecode -o %t
// RUN: sortie-opt %t | FileCheck %s
// RUN: sortie-run %t --describe | FileCheck %s --check-prefix=DESCRIBE
// DEFINE: %{run} = %t --weights random:seed=1 --input x=random:seed=2,tokens=7 --checksums
// RUN: env %emulated SORTIE_EMULATED_CAPABILITY=8.0 sortie-run %{run} --function f > %t.80.txt
// RUN: FileCheck %s --check-prefix=SUMS < %t.80.txt
// RUN: env %emulated SORTIE_EMULATED_CAPABILITY=9.0 sortie-run %{run} --function f | diff %t.80.txt -
// A weight is packed once: @two has a kernel without an image for the sm_90.
// RUN: env %emulated SORTIE_EMULATED_CAPABILITY=8.0 sortie-run %{run} --function two
// RUN: not env %emulated SORTIE_EMULATED_CAPABILITY=9.0 sortie-run %{run} --function two 2>&1 \
// RUN:   | FileCheck %s --check-prefix=TWO

// CHECK: moert.kernel @scale {{.*}}threads(32) images [#moert.image<arch = "sm_80", shared = 0, hash
// CHECK-SAME: #moert.image<arch = "sm_90a", shared = 0, config = <threads = 64, cluster = [2, 1, 1]>, hash
// CHECK: packs [#moert.pack_variant<arch = "sm_90a", pack = <@pack_pairs rows(2) bytes(128)>>]
// CHECK: variants [#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<2*tokens>]>]
// DESCRIBE: kernel scale: 32 threads, sm_80 ({{.*}}, shared memory 0 bytes), sm_90a ({{.*}}, shared memory 0 bytes, 64 threads, clusters of 2 x 1 x 1)
// SUMS: f:y {{[0-9a-f]+$}}
// TWO: kernels 'scale' (sm_90a) and 'scale_old' (compute_80) want tensor 'v' (f32, 4x8) packed in two ways; compile the program for this GPU

module attributes {moert.program = #moert.program<abi = 5, numerics = 1, target = "cuda",
    contract = [run], features = [], producer = "test">} {
  moert.symbol @tokens max(64)
  moert.kernel @pack_rows "pack_rows" reads(1) writes(1) extents(2) threads(32) sources [
    #moert.source<arch = "sm_80", shared = 0, schedule = "", text = "#include \22codegen/kernels/common/FourFloats.h\22\0Ausing namespace sortie;\0ASORTIE_KERNEL(32, 1) pack_rows(const float *r0, float *w0, int e0, int e1, unsigned *progress, unsigned step) { hw::beginStep(progress, step); const int t = hw::threadIndex(); if (t < 8) w0[hw::blockIndexX() * 8 + t] = r0[hw::blockIndexX() * 8 + t]; }\0ASORTIE_EXPORT(pack_rows)\0A">,
    #moert.source<arch = "compute_80", shared = 0, schedule = "", text = "#include \22codegen/kernels/common/FourFloats.h\22\0Ausing namespace sortie;\0ASORTIE_KERNEL(32, 1) pack_rows(const float *r0, float *w0, int e0, int e1, unsigned *progress, unsigned step) { hw::beginStep(progress, step); const int t = hw::threadIndex(); if (t < 8) w0[hw::blockIndexX() * 8 + t] = r0[hw::blockIndexX() * 8 + t]; }\0ASORTIE_EXPORT(pack_rows)\0A">]
  // Panels of two rows, each as long as four.
  moert.kernel @pack_pairs "pack_pairs" reads(1) writes(1) extents(2) threads(32) sources [
    #moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "#include \22codegen/kernels/common/FourFloats.h\22\0Ausing namespace sortie;\0ASORTIE_KERNEL(32, 1) pack_pairs(const float *r0, float *w0, int e0, int e1, unsigned *progress, unsigned step) { hw::beginStep(progress, step); const int t = hw::threadIndex(); w0[hw::blockIndexX() * 32 + t] = t < 16 ? r0[hw::blockIndexX() * 16 + t] : 0; }\0ASORTIE_EXPORT(pack_pairs)\0A">]
  moert.kernel @scale "scale" reads(1) writes(1) weights(packed) extents(1) threads(32) sources [
    #moert.source<arch = "sm_80", shared = 0, schedule = "", text = "#include \22codegen/kernels/common/FourFloats.h\22\0Ausing namespace sortie;\0ASORTIE_KERNEL(32, 1) scale(const float *r0, float *w0, const float *g0, int e0, unsigned *progress, unsigned step) { hw::waitForLaunchBefore(); hw::beginStep(progress, step); hw::allowNextLaunch(); const int t = hw::threadIndex(), row = hw::blockIndexX(); w0[row * 32 + t] = r0[row * 32 + t] * g0[t]; }\0ASORTIE_EXPORT(scale)\0A">,
    #moert.source<arch = "sm_90a", shared = 0, config = <threads = 64, cluster = [2, 1, 1]>, schedule = "", text = "#include \22codegen/kernels/common/FourFloats.h\22\0Ausing namespace sortie;\0ASORTIE_KERNEL(64, 1) scale(const float *r0, float *w0, const float *g0, int e0, unsigned *progress, unsigned step) { hw::waitForLaunchBefore(); hw::beginStep(progress, step); hw::allowNextLaunch(); const int t = hw::threadIndex() % 32, row = 2 * hw::blockIndexX() + hw::threadIndex() / 32; if (row < e0) w0[row * 32 + t] = r0[row * 32 + t] * g0[t / 16 * 32 + t % 16]; }\0ASORTIE_EXPORT(scale)\0A">]
  moert.kernel @scale_old "scale_old" reads(1) writes(1) weights(packed) extents(1) threads(32) sources [
    #moert.source<arch = "compute_80", shared = 0, schedule = "", text = "#include \22codegen/kernels/common/FourFloats.h\22\0Ausing namespace sortie;\0ASORTIE_KERNEL(32, 1) scale_old(const float *r0, float *w0, const float *g0, int e0, unsigned *progress, unsigned step) { hw::waitForLaunchBefore(); hw::beginStep(progress, step); hw::allowNextLaunch(); const int t = hw::threadIndex(), row = hw::blockIndexX(); w0[row * 32 + t] = r0[row * 32 + t] * g0[t]; }\0ASORTIE_EXPORT(scale_old)\0A">]
  moert.weight @w "w" pack(@pack_rows rows(1) bytes(32))
    packs [#moert.pack_variant<arch = "sm_90a", pack = <@pack_pairs rows(2) bytes(128)>>] : 4x8xf32
  moert.weight @v "v" pack(@pack_rows rows(1) bytes(32))
    packs [#moert.pack_variant<arch = "sm_90a", pack = <@pack_pairs rows(2) bytes(128)>>] : 4x8xf32

  moert.func @f("x" %x: !moert.buffer<tokens x 32 x f32>)
      outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
    moert.launch @scale grid(tokens)
      variants [#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<2*tokens>]>]
      reads(%x) writes(%y) weights(@w) extents(tokens) overlaps work("moert.add")
      : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
    moert.return
  }

  moert.func @two("x" %x: !moert.buffer<tokens x 32 x f32>)
      outs("y" %y: !moert.buffer<tokens x 32 x f32>) {
    %z = moert.buffer : !moert.buffer<tokens x 32 x f32>
    moert.launch @scale grid(tokens)
      variants [#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<2*tokens>]>]
      reads(%x) writes(%z) weights(@v) extents(tokens) overlaps work("moert.add")
      : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
    moert.launch @scale_old grid(tokens)
      reads(%z) writes(%y) weights(@v) extents(tokens) overlaps work("moert.add")
      : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>
    moert.return
  }
}
