// Kernels and launches with every clause, through text, bytecode and the generic form.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s

// CHECK: a = #moert.grid<6>, b = #moert.grid<tokens ceildiv 64>
// CHECK-SAME: c = #moert.grid<8*tokens+8192 ceildiv 64 max 8*tokens>, d = #moert.grid<tokens max 7>
// CHECK-SAME: e = #moert.work<"moert.add">, f = #moert.work<"moert.add" operations(5)>
// CHECK-SAME: g = #moert.work<"moert.add" offsets(1)>, h = #moert.pack<@k rows(16) bytes(512)>
// CHECK-SAME: i = #moert.grid<8*tokens floordiv 2048 max 9>
func.func private @attributes() attributes {
  a = #moert.grid<6 ceildiv 1>, b = #moert.grid<tokens ceildiv 64>,
  c = #moert.grid<8*tokens+8192 ceildiv 64 max 8*tokens>, d = #moert.grid<tokens max 7>,
  e = #moert.work<"moert.add" operations(0)>, f = #moert.work<"moert.add" operations(5)>,
  g = #moert.work<"moert.add" offsets(1)>, h = #moert.pack<@k rows(16) bytes(512)>,
  i = #moert.grid<8*tokens floordiv 2048 max 9>}

// CHECK: a = #moert.config<threads = 64>, b = #moert.config<cluster = [2, 1, 1]>
// CHECK-SAME: c = #moert.config<threads = 64, cluster = [1, 4, 2],
// CHECK-SAME: maps = [#moert.tensor_map<operand = weight, index = 0, element = 1, dims = [#moert.extent<2048>, #moert.extent<8*tokens>], strides = [2048], box = [128, 64], swizzle = 128>]>
// CHECK-SAME: d = #moert.tensor_map<operand = read, index = 1, element = 4, dims = [#moert.extent<64>], strides = [], box = [64]>
func.func private @variants() attributes {
  a = #moert.config<threads = 64>, b = #moert.config<cluster = [2, 1, 1]>,
  c = #moert.config<threads = 64, cluster = [1, 4, 2],
    maps = [#moert.tensor_map<operand = weight, index = 0, element = 1,
      dims = [#moert.extent<2048>, #moert.extent<8*tokens>], strides = [2048],
      box = [128, 64], swizzle = 128>]>,
  d = #moert.tensor_map<operand = read, index = 1, element = 4, dims = [#moert.extent<64>],
    strides = [], box = [64], swizzle = 0>}

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [], features = [], producer = "p">} {
  // CHECK: moert.symbol @tokens max(64)
  moert.symbol @tokens max(64)
  // CHECK: moert.kernel @pack "sortie_pack" reads(1) writes(1) extents(2) threads(256)
  // CHECK-SAME: sources [#moert.source<arch = "sm_90a", shared = 1024, schedule = "tile 16",
  // CHECK-SAME: text = "#include \22a.h\22\0A\0Apack();">,
  // CHECK-SAME: #moert.source<arch = "compute_80", shared = 0, schedule = "", text = "s">]
  moert.kernel @pack "sortie_pack" reads(1) writes(1) extents(2) threads(256)
    sources [
      #moert.source<arch = "sm_90a", shared = 1024, schedule = "tile 16",
                    text = "#include \"a.h\"\n\npack();">,
      #moert.source<arch = "compute_80", shared = 0, schedule = "", text = "s">]
  // CHECK: moert.kernel @all "sortie_all" reads(2) writes(1) weights(packed, raw, floats)
  // CHECK-SAME: extents(1) threads(1024) images [#moert.image<arch = "sm_90a", shared = 232448,
  // CHECK-SAME: hash = "af1349b9f5f9a1a6a0404dea36dcc949",
  // CHECK-SAME: data = dense_resource<all_sm_90a> : tensor<4xi8>>,
  // CHECK-SAME: #moert.image<arch = "compute_80", shared = 0,
  // CHECK-SAME: hash = "0123456789abcdef0123456789abcdef",
  // CHECK-SAME: data = dense_resource<all_compute_80> : tensor<3xi8>>] {note = 1 : i64}
  moert.kernel @all "sortie_all" reads(2) writes(1) weights(packed, raw, floats) extents(1)
    threads(1024) images [
      #moert.image<arch = "sm_90a", shared = 232448, hash = "af1349b9f5f9a1a6a0404dea36dcc949",
                   data = dense_resource<all_sm_90a> : tensor<4xi8>>,
      #moert.image<arch = "compute_80", shared = 0, hash = "0123456789abcdef0123456789abcdef",
                   data = dense_resource<all_compute_80> : tensor<3xi8>>] {note = 1}
  // CHECK: moert.kernel @fill "sortie_fill" reads(0) writes(1) weights(raw) threads(32) sources [
  moert.kernel @fill "sortie_fill" reads(0) writes(1) weights(raw) threads(32)
    sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
  // CHECK: moert.kernel @tuned "tuned" reads(2) writes(1) threads(32) early [1] images [
  // CHECK-SAME: #moert.image<arch = "sm_80", shared = 0, hash
  // CHECK-SAME: #moert.image<arch = "sm_90a", shared = 0, config = <threads = 64, cluster = [2, 1, 1]>, hash
  moert.kernel @tuned "tuned" reads(2) writes(1) threads(32) early [1] images [
    #moert.image<arch = "sm_80", shared = 0, hash = "0123456789abcdef0123456789abcdef",
                 data = dense_resource<all_compute_80> : tensor<3xi8>>,
    #moert.image<arch = "sm_90a", shared = 0,
                 config = <threads = 64, cluster = [2, 1, 1]>,
                 hash = "0123456789abcdef0123456789abcdef",
                 data = dense_resource<all_compute_80> : tensor<3xi8>>]
  // CHECK: moert.weight @v "v" pack(@pack rows(16) bytes(512))
  // CHECK-SAME: packs [#moert.pack_variant<arch = "sm_90a", pack = <@pack rows(64) bytes(4096)>>]
  moert.weight @v "v" pack(@pack rows(16) bytes(512))
    packs [#moert.pack_variant<arch = "sm_90a", pack = <@pack rows(64) bytes(4096)>>] : 8x32x64xf32
  // CHECK: moert.weight @w "w" pack(@pack rows(16) bytes(512)) {note = 1 : i64} : 8x32x64xf32
  moert.weight @w "w" pack(@pack rows(16) bytes(512)) {note = 1} : 8x32x64xf32

  moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>, "o" %o: !moert.buffer<9 x i32>)
      outs("y" %y: !moert.buffer<tokens x 8 x f32>, "s" %s: !moert.buffer<2 x i32>) {
    // CHECK: moert.launch @all grid(6, 8*tokens+8192 ceildiv 64 max 8*tokens, tokens)
    // CHECK-SAME: reads(%x, %o) writes(%y) weights(@w, @w, @w) extents(8*tokens+1)
    // CHECK-SAME: work("moert.matmul" arithmetic(bf16) operations(512) offsets(1)) {note = 1 : i64}
    // CHECK-SAME: : !moert.buffer<tokens x 8 x f32>, !moert.buffer<9 x i32>,
    // CHECK-SAME: !moert.buffer<tokens x 8 x f32>
    moert.launch @all grid(6, 8*tokens+8192 ceildiv 64 max 8*tokens, tokens) reads(%x, %o)
      writes(%y) weights(@w, @w, @w) extents(8*tokens+1)
      work("moert.matmul" arithmetic(bf16) operations(512) offsets(1)) {note = 1}
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x 8 x f32>
    // CHECK: moert.launch @fill grid(1) writes(%s) weights(@w) work("moert.dispatch")
    // CHECK-SAME: : !moert.buffer<2 x i32>
    moert.launch @fill grid(1) writes(%s) weights(@w) work("moert.dispatch")
      : !moert.buffer<2 x i32>
    // CHECK: moert.check_ids %s experts(8) slots(2) : !moert.buffer<2 x i32>
    moert.check_ids %s experts(8) slots(2) : !moert.buffer<2 x i32>
    moert.return
  }
}

module {
  moert.symbol @tokens max(64)
  moert.kernel @tuned "tuned" reads(2) writes(1) threads(32) sources [
    #moert.source<arch = "sm_80", shared = 0, schedule = "", text = "s">,
    #moert.source<arch = "sm_90a", shared = 0, config = <cluster = [2, 1, 1]>,
                  schedule = "", text = "s">]
  moert.func @g("x" %x: !moert.buffer<tokens x 8 x f32>)
      outs("y" %y: !moert.buffer<tokens x 8 x f32>) {
    // CHECK: moert.launch @tuned grid(6, tokens)
    // CHECK-SAME: variants [#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<2*tokens>]>]
    // CHECK-SAME: reads(%x, %x) writes(%y) overlaps work("moert.add")
    moert.launch @tuned grid(6, tokens)
      variants [#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<2*tokens>]>]
      reads(%x, %x) writes(%y) overlaps work("moert.add")
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<tokens x 8 x f32>,
        !moert.buffer<tokens x 8 x f32>
    moert.return
  }
}

// CHECK: all_sm_90a: "0x0400000001020304"
// CHECK: all_compute_80: "0x04000000050607"
{-#
  dialect_resources: {
    builtin: {all_sm_90a: "0x0400000001020304", all_compute_80: "0x04000000050607"}
  }
#-}
