// Launches that change a state in place have it among the buffers that they write; numbers of rows are
// checked when the function is complete.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80" | FileCheck %s
// Each kernel compiles for each generation of chips without a warning.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_89,sm_90a" --moert-compile-kernels \
// RUN:   --verify-diagnostics | FileCheck %s --check-prefix=IMAGES
// IMAGES-COUNT-8: images [#moert.image<arch = "sm_80"

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(8)
  moert.weight @norm "norm.weight" : 16xf32
  moert.state @sum : !moert.buffer<1 x 16 x f32>
  moert.state @ring : !moert.buffer<4 x 6 x bf16>

  // CHECK:      moert.kernel @[[FIRST:add_[0-9]+]] {{.*}} reads(1) writes(1) threads(32)
  // CHECK-SAME: (const float *r1, float *w0, uint32_t *progress
  // CHECK-SAME: addRows<16>(w0, r1, w0)
  // CHECK:      moert.kernel @[[SECOND:add_[0-9]+]] {{.*}} reads(1) writes(1) threads(32)
  // CHECK-SAME: (const float *r0, float *w0, uint32_t *progress
  // CHECK-SAME: addRows<16>(r0, w0, w0)
  // CHECK:      moert.kernel @[[BOTH:add_[0-9]+]] {{.*}} reads(0) writes(1) threads(32)
  // CHECK-SAME: (float *w0, uint32_t *progress
  // CHECK-SAME: addRows<16>(w0, w0, w0)
  // CHECK:      moert.kernel @[[NORM:rms_norm_[0-9]+]] {{.*}} reads(0) writes(1) weights(floats)
  // CHECK-SAME: (float *w0, const float *g0, uint32_t *progress
  // CHECK-SAME: (w0, w0, g0)
  // CHECK:      moert.kernel @[[READ:read_rows_[0-9]+]] {{.*}} reads(2) writes(2) extents(2) threads(32)
  // CHECK-SAME: shared = 4
  // CHECK-SAME: (const uint32_t *r0, const int32_t *r1, uint32_t *w0, IndexStatus *w1, int32_t e0, int32_t e1,
  // CHECK-SAME: readRows<uint32_t, 3>(r0, r1, w0, w1, e0, e1)
  // CHECK:      moert.kernel @[[WRITE:write_rows_[0-9]+]]
  // CHECK-SAME: writeRows<uint32_t, 3>(r0, r1, w0, w1, e0, e1)

  // CHECK:      moert.kernel @[[NARROW:convert_[0-9]+]]
  // CHECK-SAME: (const float *r0, sortie::numerics::Half *w0,
  // CHECK-SAME: convertRows<float, sortie::numerics::Half, 16>(r0, w0)
  // CHECK:      moert.kernel @[[WIDEN:convert_[0-9]+]]
  // CHECK-SAME: convertRows<sortie::numerics::BFloat16, float, 6>(r0, w0)

  // CHECK: moert.func @accumulate
  moert.func @accumulate("x" %x: !moert.buffer<1 x 16 x f32>) outs() {
    // CHECK-NEXT: %[[SUM:.*]] = moert.state_buffer @sum
    %sum = moert.state_buffer @sum : !moert.buffer<1 x 16 x f32>
    // CHECK-NEXT: moert.launch @[[FIRST]] grid(1, 1) reads(%x) writes(%[[SUM]]) overlaps work("moert.add")
    moert.add %sum, %x outs(%sum)
      : !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>
    // CHECK-NEXT: moert.launch @[[SECOND]] grid(1, 1) reads(%x) writes(%[[SUM]]) overlaps work("moert.add")
    moert.add %x, %sum outs(%sum)
      : !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>
    // CHECK-NEXT: moert.launch @[[BOTH]] grid(1, 1) writes(%[[SUM]]) overlaps work("moert.add")
    moert.add %sum, %sum outs(%sum)
      : !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>
    // CHECK-NEXT: moert.launch @[[NORM]] grid(1) writes(%[[SUM]]) weights(@norm)
    moert.rms_norm %sum, @norm eps(1.0e-06) outs(%sum)
      : !moert.buffer<1 x 16 x f32>, !moert.buffer<1 x 16 x f32>
    moert.return
  }

  // CHECK: moert.func @turn
  moert.func @turn("index" %index: !moert.buffer<tokens x i32>) outs() {
    // CHECK-DAG: %[[RING:.*]] = moert.state_buffer @ring
    %ring = moert.state_buffer @ring : !moert.buffer<4 x 6 x bf16>
    %y = moert.buffer : !moert.buffer<tokens x 6 x bf16>
    // CHECK:      %[[STATUS:.*]] = moert.buffer : !moert.buffer<4 x i32>
    // CHECK-NEXT: moert.launch @[[READ]] grid(tokens+1, 1) reads(%[[RING]], %index) writes(%[[Y:.*]], %[[STATUS]]) extents(tokens, 4) overlaps work("moert.read_rows")
    moert.read_rows %ring, %index outs(%y)
      : !moert.buffer<4 x 6 x bf16>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 6 x bf16>
    // CHECK:      %[[OTHER:.*]] = moert.buffer : !moert.buffer<4 x i32>
    // CHECK-NEXT: moert.launch @[[WRITE]] grid(tokens+1, 1) reads(%[[Y]], %index) writes(%[[RING]], %[[OTHER]]) extents(tokens, 4) overlaps work("moert.write_rows")
    moert.write_rows %y, %index outs(%ring)
      : !moert.buffer<tokens x 6 x bf16>, !moert.buffer<tokens x i32>, !moert.buffer<4 x 6 x bf16>
    // CHECK:      moert.checkpoint
    moert.checkpoint "y"
    // CHECK-NEXT: moert.check_places %[[STATUS]]
    // CHECK-NEXT: moert.check_places %[[OTHER]]
    // CHECK-NEXT: moert.return
    moert.return
  }

  // CHECK: moert.func @convert
  moert.func @convert("x" %x: !moert.buffer<tokens x 16 x f32>, "b" %b: !moert.buffer<tokens x 6 x bf16>)
      outs("y" %y: !moert.buffer<tokens x 16 x f16>, "z" %z: !moert.buffer<tokens x 6 x f32>) {
    // CHECK-NEXT: moert.launch @[[NARROW]] grid(tokens) reads(%x) writes(%y) overlaps work("moert.convert")
    moert.convert %x outs(%y) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 16 x f16>
    // CHECK-NEXT: moert.launch @[[WIDEN]] grid(tokens) reads(%b) writes(%z) overlaps work("moert.convert")
    moert.convert %b outs(%z) : !moert.buffer<tokens x 6 x bf16>, !moert.buffer<tokens x 6 x f32>
    moert.return
  }
}
