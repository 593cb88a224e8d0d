// Functions for several devices: kernels for those of CUDA, buffers on the function's device, the same kernels for
// experts that begin elsewhere.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80" | FileCheck %s

// CHECK: moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(64)
  // CHECK-COUNT-1: moert.kernel @dispatch_count
  // CHECK-COUNT-1: moert.kernel @dispatch_scatter
  // CHECK-NOT: moert.kernel

  // CHECK: moert.func @first
  moert.func @first("ids" %ids: !moert.buffer<tokens x 4 x i32>)
      outs("p" %p: !moert.buffer<4*tokens x i32>, "i" %i: !moert.buffer<tokens x 4 x i32>,
           "o" %o: !moert.buffer<9 x i32>) {
    // CHECK: moert.launch @dispatch_count_0 {{.*}} extents(4*tokens, 0)
    // CHECK: moert.launch @dispatch_scatter_0 {{.*}} extents(4*tokens, tokens+9, 0)
    moert.dispatch %ids experts(16) range [0, 8] outs(%p, %i, %o)
      : !moert.buffer<tokens x 4 x i32>, !moert.buffer<4*tokens x i32>,
        !moert.buffer<tokens x 4 x i32>, !moert.buffer<9 x i32>
    moert.return
  }
  // CHECK: moert.func @second
  // CHECK-SAME: target("cuda") device(1)
  moert.func @second("ids" %ids: !moert.buffer<tokens x 4 x i32, device = 1>)
      outs("p" %p: !moert.buffer<4*tokens x i32, device = 1>,
           "i" %i: !moert.buffer<tokens x 4 x i32, device = 1>,
           "o" %o: !moert.buffer<9 x i32, device = 1>) target("cuda") device(1) {
    // CHECK-COUNT-3: moert.buffer : !moert.buffer<{{[^>]*}}, device = 1>
    // CHECK: moert.launch @dispatch_count_0 {{.*}} extents(4*tokens, 8)
    // CHECK: moert.launch @dispatch_scatter_0 {{.*}} extents(4*tokens, tokens+9, 8)
    moert.dispatch %ids experts(16) range [8, 8] outs(%p, %i, %o)
      : !moert.buffer<tokens x 4 x i32, device = 1>, !moert.buffer<4*tokens x i32, device = 1>,
        !moert.buffer<tokens x 4 x i32, device = 1>, !moert.buffer<9 x i32, device = 1>
    moert.return
  }
  // CHECK: moert.func @host
  // CHECK-SAME: target("cpu")
  moert.func @host("x" %x: !moert.buffer<tokens x 8 x f32>)
      outs("y" %y: !moert.buffer<tokens x 8 x f32>) target("cpu") {
    // CHECK-NEXT: moert.scale
    moert.scale %x by(0.5) outs(%y) : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 8 x f32>
    moert.return
  }
}
