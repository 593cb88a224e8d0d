module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run, batch, device], features = [], producer = "test">} {
  moert.symbol @tokens max(16)
  moert.kernel @pack "sortie_pack" reads(1) writes(1) extents(2) threads(256) images [
    #moert.image<arch = "sm_90", shared = 1024, hash = "63781d171425a36312fa058d8712d5d0",
                 data = dense_resource<pack_sm_90> : tensor<4xi8>>]
  moert.kernel @dispatch "sortie_dispatch" reads(1) writes(3) threads(32) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "63781d171425a36312fa058d8712d5d0",
                 data = dense_resource<dispatch_sm_90> : tensor<4xi8>>]
  moert.kernel @product "sortie_product" reads(2) writes(1) weights(packed, raw, floats) extents(1)
    threads(64) images [
      #moert.image<arch = "sm_90a", shared = 98304, hash = "63781d171425a36312fa058d8712d5d0",
                   data = dense_resource<product_sm_90a> : tensor<4xi8>>,
      #moert.image<arch = "compute_80", shared = 0, hash = "06bddef0b75d6e6154882f051f965fac",
                   data = dense_resource<product_compute_80> : tensor<3xi8>>]
  moert.weight @matrix "matrix" pack(@pack rows(16) bytes(512)) : 3x40x8xf32
  moert.weight @router "router" : 3x8xf16
  moert.weight @bias "bias" : 3x40xf32
  moert.func @f("x" %x: !moert.buffer<tokens x 8 x f32>, "ids" %ids: !moert.buffer<tokens x 2 x i32>)
      outs("y" %y: !moert.buffer<2*tokens x 40 x f32>) arena(64*tokens+128) {
    %offsets = moert.buffer offset(0) : !moert.buffer<4 x i32>
    %status = moert.buffer offset(64) : !moert.buffer<2 x i32>
    %inverse = moert.buffer offset(128) : !moert.buffer<tokens x 2 x i32>
    moert.launch @dispatch grid(1) reads(%ids) writes(%offsets, %status, %inverse)
      work("moert.dispatch")
      : !moert.buffer<tokens x 2 x i32>, !moert.buffer<4 x i32>, !moert.buffer<2 x i32>,
        !moert.buffer<tokens x 2 x i32>
    moert.launch @product grid(5, 2*tokens+6 ceildiv 4 max 2*tokens) reads(%x, %offsets)
      writes(%y) weights(@matrix, @router, @bias) extents(2*tokens)
      work("moert.matmul" operations(640) offsets(1))
      : !moert.buffer<tokens x 8 x f32>, !moert.buffer<4 x i32>, !moert.buffer<2*tokens x 40 x f32>
    moert.checkpoint "y" = %y order(%inverse)
      : !moert.buffer<2*tokens x 40 x f32>, !moert.buffer<tokens x 2 x i32>
    moert.check_ids %status experts(3) slots(2) : !moert.buffer<2 x i32>
    moert.return
  }
}

{-#
  dialect_resources: {builtin: {
    pack_sm_90: "0x0400000001020304",
    dispatch_sm_90: "0x0400000001020304",
    product_sm_90a: "0x0400000001020304",
    product_compute_80: "0x04000000050600"
  }}
#-}
