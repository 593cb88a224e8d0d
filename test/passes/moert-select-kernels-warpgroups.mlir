// With `warpgroups`, sm_90a has a kernel of its own for grouped exact products; grid, threads, operands and packing are those
// of other chips (docs/hopper.md).
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_90a warpgroups" | FileCheck %s
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_80,sm_90a" | FileCheck %s --check-prefix=WITHOUT

// WITHOUT-NOT: warpgroup

module attributes {moert.program = #moert.program<abi = 5, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(64)
  moert.weight @experts "experts" : 16x256x256xq4_K
  moert.weight @other "other" : 16x256x256xq6_K

  // CHECK: moert.kernel @matmul_0 {{.*}}weights(packed) threads(512) sources [#moert.source<arch = "sm_80", {{.*}}arch = "sm_90a"
  // CHECK-SAME: kExperts = 16, kBlocks = 132;
  // CHECK-SAME: warpgroupProduct<Spec>({r0, r2, r3, nullptr, w0, g0, nullptr, nullptr, nullptr, 0}, r1, [] {})
  // CHECK-SAME: arch = "compute_80"
  // CHECK: moert.kernel @matmul_1
  // CHECK-NOT: warpgroupProduct
  // CHECK: moert.weight @experts "experts" pack(@pack_q4_K_0 rows(16) bytes(2304)) : 16x256x256xq4_K

  moert.func @f("ids" %ids: !moert.buffer<tokens x 4 x i32>, "q" %q: !moert.buffer<tokens x 256 x act16>)
      outs("a" %a: !moert.buffer<4*tokens x 256 x f32>, "b" %b: !moert.buffer<4*tokens x 256 x f32>) {
    %p = moert.buffer : !moert.buffer<4*tokens x i32>
    %i = moert.buffer : !moert.buffer<tokens x 4 x i32>
    %o = moert.buffer : !moert.buffer<17 x i32>
    moert.dispatch %ids experts(16) outs(%p, %i, %o) : !moert.buffer<tokens x 4 x i32>,
      !moert.buffer<4*tokens x i32>, !moert.buffer<tokens x 4 x i32>, !moert.buffer<17 x i32>
    // CHECK: moert.launch @matmul_0 grid(1, 4*tokens+1024 ceildiv 64 max 4*tokens)
    // CHECK-NOT: variants
    moert.matmul %q, @experts offsets(%o) permutation(%p) slots(4) arithmetic(exact) outs(%a)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<17 x i32>, !moert.buffer<4*tokens x i32>,
        !moert.buffer<4*tokens x 256 x f32>
    // CHECK: moert.launch @matmul_1 grid(1, 4*tokens+1024 ceildiv 64 max 4*tokens) reads
    moert.matmul %q, @other offsets(%o) permutation(%p) slots(4) arithmetic(exact) outs(%b)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<17 x i32>, !moert.buffer<4*tokens x i32>,
        !moert.buffer<4*tokens x 256 x f32>
    moert.return
  }
}
