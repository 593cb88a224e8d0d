module attributes {moert.program = #moert.program<abi = 5, numerics = 2, target = "cpu", contract = [run, batch, device], features = [], producer = "sortie 0.1.0">} {
  moert.symbol @tokens max(8192)
  moert.symbol @pages max(1048576)
  moert.symbol @slots max(8192)
  moert.symbol @rows max(8192)
  moert.symbol @copies max(16)
  moert.weight @embedding "embedding" : 256x64xq8_0
  moert.weight @norm.1 "norm.1" : 64xf32
  moert.weight @q "q" : 64x64xq8_0
  moert.weight @k "k" : 32x64xq8_0
  moert.weight @v "v" : 32x64xq8_0
  moert.weight @o "o" : 64x64xq8_0
  moert.weight @norm.2 "norm.2" : 64xf32
  moert.weight @router "router" : 4x64xf32
  moert.weight @gate "gate" : 4x96x64xq8_0
  moert.weight @up "up" : 4x96x64xq8_0
  moert.weight @down "down" : 4x64x96xq8_0
  moert.weight @norm.3 "norm.3" : 64xf32
  moert.weight @output "output" : 256x64xq8_0
  moert.state @cache : !moert.buffer<pages x 4352 x i32>
  moert.func @forward("tokens" %tokens: !moert.buffer<tokens x i32>, "positions" %positions: !moert.buffer<tokens x i32>, "sequences" %sequences: !moert.buffer<tokens x i32>, "pages" %pages: !moert.buffer<slots x 2 x i32>, "rows" %rows: !moert.buffer<rows x i32>) outs("logits" %logits: !moert.buffer<rows x 256 x f32>) arena(1600*tokens+64, 576*rows) {
    %0 = moert.buffer offset(320*tokens) : !moert.buffer<tokens x 64 x f32>
    moert.embed %tokens, @embedding outs(%0) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 64 x f32>
    moert.checkpoint "x" = %0 : !moert.buffer<tokens x 64 x f32>
    %1 = moert.state_buffer @cache : !moert.buffer<pages x 4352 x i32>
    %2 = moert.buffer offset(576*tokens) : !moert.buffer<tokens x 64 x f32>
    moert.rms_norm %0, @norm.1 eps(9.99999997E-7) outs(%2) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
    moert.checkpoint "forward.rms_norm" = %2 : !moert.buffer<tokens x 64 x f32>
    %3 = moert.buffer offset(0) : !moert.buffer<tokens x 64 x act16>
    moert.quantize %2 outs(%3) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x act16>
    %4 = moert.buffer offset(576*tokens) : !moert.buffer<tokens x 64 x f32>
    moert.matmul %3, @q arithmetic(exact) outs(%4) : !moert.buffer<tokens x 64 x act16>, !moert.buffer<tokens x 64 x f32>
    moert.checkpoint "forward.matmul" = %4 : !moert.buffer<tokens x 64 x f32>
    %5 = moert.buffer offset(832*tokens) : !moert.buffer<tokens x 32 x f32>
    moert.matmul %3, @k arithmetic(exact) outs(%5) : !moert.buffer<tokens x 64 x act16>, !moert.buffer<tokens x 32 x f32>
    moert.checkpoint "forward.matmul_2" = %5 : !moert.buffer<tokens x 32 x f32>
    %6 = moert.buffer offset(960*tokens) : !moert.buffer<tokens x 32 x f32>
    moert.matmul %3, @v arithmetic(exact) outs(%6) : !moert.buffer<tokens x 64 x act16>, !moert.buffer<tokens x 32 x f32>
    moert.checkpoint "forward.matmul_3" = %6 : !moert.buffer<tokens x 32 x f32>
    %7 = moert.buffer offset(0) : !moert.buffer<tokens x 64 x f32>
    moert.rotate %4, %positions heads(2) pairs(halves) frequencies [2935890503282001226, 1650972556229361476, 928410095122917244, 522083363211519329] outs(%7) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 64 x f32>
    moert.checkpoint "q" = %7 : !moert.buffer<tokens x 64 x f32>
    %8 = moert.buffer offset(576*tokens) : !moert.buffer<tokens x 32 x f32>
    moert.rotate %5, %positions heads(1) pairs(halves) frequencies [2935890503282001226, 1650972556229361476, 928410095122917244, 522083363211519329] outs(%8) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 32 x f32>
    moert.checkpoint "k" = %8 : !moert.buffer<tokens x 32 x f32>
    moert.append %8, %6 at(%positions, %sequences, %pages) kv_heads(1) width(int16) outs(%1) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 2 x i32>, !moert.buffer<pages x 4352 x i32>
    %9 = moert.buffer offset(576*tokens) : !moert.buffer<tokens x 64 x f32>
    moert.attend %7, %1 at(%positions, %sequences, %pages) heads(2) kv_heads(1) scale(0.17677670000000001) query_width(int16) width(int16) outs(%9) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<pages x 4352 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 2 x i32>, !moert.buffer<tokens x 64 x f32>
    moert.checkpoint "attention" = %9 : !moert.buffer<tokens x 64 x f32>
    %10 = moert.buffer offset(0) : !moert.buffer<tokens x 64 x act16>
    moert.quantize %9 outs(%10) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x act16>
    %11 = moert.buffer offset(576*tokens) : !moert.buffer<tokens x 64 x f32>
    moert.matmul %10, @o arithmetic(exact) outs(%11) : !moert.buffer<tokens x 64 x act16>, !moert.buffer<tokens x 64 x f32>
    moert.checkpoint "forward.matmul_4" = %11 : !moert.buffer<tokens x 64 x f32>
    %12 = moert.buffer offset(1152*tokens) : !moert.buffer<tokens x 64 x f32>
    moert.add %11, %0 outs(%12) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
    moert.checkpoint "y" = %12 : !moert.buffer<tokens x 64 x f32>
    %13 = moert.buffer offset(0) : !moert.buffer<tokens x 64 x f32>
    moert.rms_norm %12, @norm.2 eps(9.99999997E-7) outs(%13) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
    moert.checkpoint "forward.rms_norm_2" = %13 : !moert.buffer<tokens x 64 x f32>
    %14 = moert.buffer offset(640*tokens) : !moert.buffer<tokens x 64 x act16>
    moert.quantize %13 outs(%14) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x act16>
    %15 = moert.buffer offset(960*tokens) : !moert.buffer<tokens x 4 x f32>
    moert.matmul %13, @router arithmetic(float) outs(%15) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 4 x f32>
    moert.checkpoint "forward.matmul_5" = %15 : !moert.buffer<tokens x 4 x f32>
    %16 = moert.buffer offset(1024*tokens) : !moert.buffer<tokens x 2 x i32>
    %17 = moert.buffer offset(1408*tokens) : !moert.buffer<tokens x 2 x f32>
    moert.route %15 top(2) scoring(softmax) normalize tie(lower_id) outs(%16, %17) : !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<tokens x 2 x f32>
    moert.checkpoint "ids" = %16 : !moert.buffer<tokens x 2 x i32>
    moert.checkpoint "weights" = %17 : !moert.buffer<tokens x 2 x f32>
    %18 = moert.buffer offset(1472*tokens) : !moert.buffer<2*tokens x i32>
    %19 = moert.buffer offset(1536*tokens) : !moert.buffer<tokens x 2 x i32>
    %20 = moert.buffer offset(1600*tokens) : !moert.buffer<5 x i32>
    moert.dispatch %16 experts(4) outs(%18, %19, %20) : !moert.buffer<tokens x 2 x i32>, !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<5 x i32>
    %21 = moert.buffer offset(0) : !moert.buffer<2*tokens x 96 x act16>
    moert.glu_matmul %14, @gate, @up offsets(%20) permutation(%18) slots(2) kind(swiglu) arithmetic(exact) outs(%21) : !moert.buffer<tokens x 64 x act16>, !moert.buffer<5 x i32>, !moert.buffer<2*tokens x i32>, !moert.buffer<2*tokens x 96 x act16>
    %22 = moert.buffer offset(640*tokens) : !moert.buffer<2*tokens x 64 x f32>
    moert.matmul %21, @down offsets(%20) permutation(%18) scale(%17) arithmetic(exact) outs(%22) : !moert.buffer<2*tokens x 96 x act16>, !moert.buffer<5 x i32>, !moert.buffer<2*tokens x i32>, !moert.buffer<tokens x 2 x f32>, !moert.buffer<2*tokens x 64 x f32>
    %23 = moert.buffer offset(0) : !moert.buffer<tokens x 64 x f32>
    moert.combine %22 inverse(%19) outs(%23) : !moert.buffer<2*tokens x 64 x f32>, !moert.buffer<tokens x 2 x i32>, !moert.buffer<tokens x 64 x f32>
    moert.checkpoint "forward.routed_matmul"
    moert.checkpoint "forward.routed_matmul_2"
    moert.checkpoint "forward.glu"
    moert.checkpoint "forward.routed_matmul_3"
    moert.checkpoint "forward.combine" = %23 : !moert.buffer<tokens x 64 x f32>
    %24 = moert.buffer offset(256*tokens) : !moert.buffer<tokens x 64 x f32>
    moert.add %23, %12 outs(%24) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 64 x f32>
    moert.checkpoint "z" = %24 : !moert.buffer<tokens x 64 x f32>
    %25 = moert.buffer offset(0) : !moert.buffer<rows x 64 x f32>
    moert.read_rows %24, %rows outs(%25) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<rows x i32>, !moert.buffer<rows x 64 x f32>
    moert.checkpoint "forward.select_rows" = %25 : !moert.buffer<rows x 64 x f32>
    %26 = moert.buffer offset(320*rows) : !moert.buffer<rows x 64 x f32>
    moert.rms_norm %25, @norm.3 eps(9.99999997E-7) outs(%26) : !moert.buffer<rows x 64 x f32>, !moert.buffer<rows x 64 x f32>
    moert.checkpoint "forward.rms_norm_3" = %26 : !moert.buffer<rows x 64 x f32>
    %27 = moert.buffer offset(0) : !moert.buffer<rows x 64 x act16>
    moert.quantize %26 outs(%27) : !moert.buffer<rows x 64 x f32>, !moert.buffer<rows x 64 x act16>
    moert.matmul %27, @output arithmetic(exact) outs(%logits) : !moert.buffer<rows x 64 x act16>, !moert.buffer<rows x 256 x f32>
    moert.checkpoint "logits" = %logits : !moert.buffer<rows x 256 x f32>
    moert.return
  }
  moert.func @copy_pages("from" %from: !moert.buffer<copies x i32>, "to" %to: !moert.buffer<copies x i32>) outs() arena(17408*copies) {
    %0 = moert.state_buffer @cache : !moert.buffer<pages x 4352 x i32>
    %1 = moert.buffer offset(0) : !moert.buffer<copies x 4352 x i32>
    moert.read_rows %0, %from outs(%1) : !moert.buffer<pages x 4352 x i32>, !moert.buffer<copies x i32>, !moert.buffer<copies x 4352 x i32>
    moert.write_rows %1, %to outs(%0) : !moert.buffer<copies x 4352 x i32>, !moert.buffer<copies x i32>, !moert.buffer<pages x 4352 x i32>
    moert.return
  }
  moert.func @read_pages("index" %index: !moert.buffer<copies x i32>) outs("cache" %cache: !moert.buffer<copies x 4352 x i32>) arena(0) {
    %0 = moert.state_buffer @cache : !moert.buffer<pages x 4352 x i32>
    moert.read_rows %0, %index outs(%cache) : !moert.buffer<pages x 4352 x i32>, !moert.buffer<copies x i32>, !moert.buffer<copies x 4352 x i32>
    moert.return
  }
  moert.func @write_pages("index" %index: !moert.buffer<copies x i32>, "cache" %cache: !moert.buffer<copies x 4352 x i32>) outs() arena(0) {
    %0 = moert.state_buffer @cache : !moert.buffer<pages x 4352 x i32>
    moert.write_rows %cache, %index outs(%0) : !moert.buffer<copies x 4352 x i32>, !moert.buffer<copies x i32>, !moert.buffer<pages x 4352 x i32>
    moert.return
  }
}

