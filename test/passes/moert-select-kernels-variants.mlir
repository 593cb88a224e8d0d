// Each chip has a plan of its own: where few tokens gain by cutting K, the grid differs, and the launch has a variant
// (docs/launch-variants.md). Kernels say what they read before they wait.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_89,sm_90a" | FileCheck %s
// Chips that come to the same have no variants.
// RUN: sortie-opt %s --moert-select-kernels="chips=sm_86,sm_89" | FileCheck %s --check-prefix=SAME

// SAME-NOT: variants

module attributes {moert.program = #moert.program<abi = 5, numerics = 1, target = "cpu",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(64)
  moert.weight @dense "dense" : 4096x14336xq4_K
  moert.weight @experts "experts" : 16x256x256xq4_K

  // The tile map is settled where another launch stands between, and is read early then.
  // CHECK: moert.kernel @matmul_1 {{.*}} threads(512) sources
  // CHECK: moert.kernel @matmul_2 {{.*}} threads(512) early [2] sources

  // CHECK: moert.func @f
  // SAME: moert.func @f
  moert.func @f("x" %x: !moert.buffer<tokens x 14336 x act16>, "ids" %ids: !moert.buffer<tokens x 4 x i32>,
                "q" %q: !moert.buffer<tokens x 256 x act16>)
      outs("y" %y: !moert.buffer<tokens x 4096 x f32>, "a" %a: !moert.buffer<4*tokens x 256 x f32>,
           "b" %b: !moert.buffer<4*tokens x 256 x f32>) {
    // CHECK: moert.launch @matmul_0 grid(16, tokens ceildiv 64)
    // CHECK-SAME: variants [#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<64>, #moert.grid<tokens ceildiv 64>]>]
    // CHECK-SAME: weights(@dense) extents(tokens) overlaps work(
    // SAME: moert.launch @matmul_0 grid(16, tokens ceildiv 64) reads
    moert.matmul %x, @dense arithmetic(exact) outs(%y)
      : !moert.buffer<tokens x 14336 x act16>, !moert.buffer<tokens x 4096 x f32>
    %p = moert.buffer : !moert.buffer<4*tokens x i32>
    %i = moert.buffer : !moert.buffer<tokens x 4 x i32>
    %o = moert.buffer : !moert.buffer<17 x i32>
    moert.dispatch %ids experts(16) outs(%p, %i, %o) : !moert.buffer<tokens x 4 x i32>,
      !moert.buffer<4*tokens x i32>, !moert.buffer<tokens x 4 x i32>, !moert.buffer<17 x i32>
    // CHECK: moert.launch @matmul_1 grid(1, {{.*}}) reads
    moert.matmul %q, @experts offsets(%o) permutation(%p) slots(4) arithmetic(exact) outs(%a)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<17 x i32>, !moert.buffer<4*tokens x i32>,
        !moert.buffer<4*tokens x 256 x f32>
    // CHECK: moert.launch @matmul_2 grid(1, {{.*}}) reads
    moert.matmul %q, @experts offsets(%o) permutation(%p) slots(4) arithmetic(exact) outs(%b)
      : !moert.buffer<tokens x 256 x act16>, !moert.buffer<17 x i32>, !moert.buffer<4*tokens x i32>,
        !moert.buffer<4*tokens x 256 x f32>
    moert.return
  }
}
