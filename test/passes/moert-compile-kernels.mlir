// A cubin for each chip and PTX for the others take the place of the sources.
// RUN: rm -rf %t && mkdir %t
// RUN: sortie-opt %s --moert-compile-kernels="cache=%t/cache print-schedule" -o %t/first.mlir \
// RUN:   2>&1 | FileCheck %s --check-prefix=SCHEDULE
// RUN: FileCheck %s < %t/first.mlir
// The second time everything is in the cache; a compiled program is left alone.
// RUN: sortie-opt %s --moert-compile-kernels="cache=%t/cache print-schedule" \
// RUN:   -o %t/second.mlir 2>&1 | FileCheck %s --check-prefix=CACHED
// RUN: cmp %t/first.mlir %t/second.mlir
// RUN: sortie-opt %t/first.mlir --moert-compile-kernels -o %t/again.mlir
// RUN: cmp %t/first.mlir %t/again.mlir
// Without a cache the same bytes are made again.
// RUN: sortie-opt %s --moert-compile-kernels="cache=none" -o %t/uncached.mlir
// RUN: cmp %t/first.mlir %t/uncached.mlir
// A folder that cannot be used costs time, nothing else.
// RUN: sortie-opt %s --moert-compile-kernels="cache=%s" -o %t/remark.mlir 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK
// RUN: cmp %t/first.mlir %t/remark.mlir

// SCHEDULE: add_0 sm_80: 64 threads, 0 bytes shared; {{[1-9][0-9]*}} registers, 0 bytes spilled, 0 bytes local; {{[0-9.]+}} us at 512 tokens ({{[a-z ]+}}), {{[0-9.]+}} us at 1 token (launch){{$}}
// SCHEDULE: add_0 compute_80: tile of nothing; 64 threads, 0 bytes shared; registers unknown;
// SCHEDULE: pack_0 sm_90a: {{.*}} registers, {{.*}}; runs once, at init

// CACHED-COUNT-3: [cached]
// CACHED-NOT: bytes shared

// REMARK: remark: kernels are compiled without a cache: the folder '{{.*}}' cannot hold the cache of kernels: {{.*}}; set SORTIE_CACHE_DIR to one that can

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(512)
  // CHECK: moert.kernel @add_0 "sortie_add_0" reads(2) writes(1) threads(64) images [#moert.image<arch = "sm_80", shared = 0, hash = "{{[0-9a-f]+}}", data = dense_resource<add_0_sm_80> : tensor<{{[0-9]+}}xi8>>, #moert.image<arch = "compute_80", shared = 0, {{.*}} dense_resource<add_0_compute_80>
  // CHECK-NOT: sources
  moert.kernel @add_0 "sortie_add_0" reads(2) writes(1) threads(64) sources [
    #moert.source<arch = "sm_80", shared = 0, schedule = "",
      text = "#include \22codegen/kernels/rows/Elementwise.h\22\0Ausing namespace sortie::kernels;\0ASORTIE_KERNEL(64, 1) sortie_add_0(const float *r0, const float *r1, float *w0) { addRows<256>(r0, r1, w0); }\0A">,
    #moert.source<arch = "compute_80", shared = 0, schedule = "tile of nothing",
      text = "#include \22codegen/kernels/rows/Elementwise.h\22\0Ausing namespace sortie::kernels;\0ASORTIE_KERNEL(64, 1) sortie_add_0(const float *r0, const float *r1, float *w0) { addRows<256>(r0, r1, w0); }\0A">]
  // CHECK: moert.kernel @pack_0 "sortie_pack_0" {{.*}} images [#moert.image<arch = "sm_90a", shared = 4736,
  moert.kernel @pack_0 "sortie_pack_0" reads(1) writes(1) extents(2) threads(256) sources [
    #moert.source<arch = "sm_90a", shared = 4736, schedule = "",
      text = "#include \22codegen/kernels/packing/Pack.h\22\0Ausing namespace sortie::kernels;\0ASORTIE_KERNEL(256, 1) sortie_pack_0(const void *r0, void *w0, int32_t e0, int32_t e1) { packPanels<Encoding::Q4_K, 64, 256>(r0, w0, e0, e1); }\0A">]
  moert.func @f("x" %x: !moert.buffer<tokens x 256 x f32>)
      outs("y" %y: !moert.buffer<tokens x 256 x f32>) {
    moert.launch @add_0 grid(tokens, 1) reads(%x, %x) writes(%y) work("moert.add")
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>,
        !moert.buffer<tokens x 256 x f32>
    moert.return
  }
}
// CHECK: add_0_sm_80: "0x
// CHECK: add_0_compute_80: "0x
