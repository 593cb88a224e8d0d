// What lies around attention, for targets cpu and cuda: embedding, norms and rotation of heads, caches.
module attributes {moert.program = #moert.program<abi = 5, numerics = 2, target = "cpu",
    contract = [run, batch, device], features = [], producer = "by hand">} {
  moert.symbol @tokens max(64)
  moert.symbol @slots max(4)
  moert.symbol @pages max(1024)
  moert.weight @table "table" : 64x256xq4_K
  moert.weight @norm "norm" : 64xf32
  moert.state @cache : !moert.buffer<pages x 16896 x i32>
  moert.state @latents : !moert.buffer<pages x 3200 x i32>

  // Appends what it makes of tokens to both caches, and reads pages of them.
  moert.func @append("tokens" %tokens: !moert.buffer<tokens x i32>,
                     "positions" %positions: !moert.buffer<tokens x i32>,
                     "sequences" %sequences: !moert.buffer<tokens x i32>,
                     "pages" %pages: !moert.buffer<slots x 2 x i32>,
                     "index" %index: !moert.buffer<slots x i32>)
      outs("x" %x: !moert.buffer<tokens x 256 x f32>, "cached" %cached: !moert.buffer<slots x 16896 x i32>) {
    %cache = moert.state_buffer @cache : !moert.buffer<pages x 16896 x i32>
    %latents = moert.state_buffer @latents : !moert.buffer<pages x 3200 x i32>
    moert.embed %tokens, @table outs(%x)
      : !moert.buffer<tokens x i32>, !moert.buffer<tokens x 256 x f32>
    %n = moert.buffer : !moert.buffer<tokens x 256 x f32>
    moert.head_norm %x, @norm heads(4) eps(1.0e-06) outs(%n)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 256 x f32>
    moert.checkpoint "norm" = %n : !moert.buffer<tokens x 256 x f32>
    %r = moert.buffer : !moert.buffer<tokens x 256 x f32>
    moert.rotate %n, %positions heads(4) pairs(neighbours)
      frequencies [2935890503282001226, 1650971574863098880, 928400, -5] factor(1.25) outs(%r)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x 256 x f32>
    moert.checkpoint "rotated" = %r : !moert.buffer<tokens x 256 x f32>
    %k = moert.buffer : !moert.buffer<tokens x 128 x f32>
    moert.slice_heads %r heads(2) first(64) outs(%k)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 128 x f32>
    moert.checkpoint "keys" = %k : !moert.buffer<tokens x 128 x f32>
    moert.append %k, %k at(%positions, %sequences, %pages) kv_heads(2) width(int16) outs(%cache)
      : !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x 128 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 2 x i32>, !moert.buffer<pages x 16896 x i32>
    %latent = moert.buffer : !moert.buffer<tokens x 36 x f32>
    moert.slice_heads %r heads(4) first(3) outs(%latent)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 36 x f32>
    %turned = moert.buffer : !moert.buffer<tokens x 6 x f32>
    moert.slice_heads %r heads(2) first(1) outs(%turned)
      : !moert.buffer<tokens x 256 x f32>, !moert.buffer<tokens x 6 x f32>
    moert.append_latent %latent, %turned at(%positions, %sequences, %pages) width(int8) outs(%latents)
      : !moert.buffer<tokens x 36 x f32>, !moert.buffer<tokens x 6 x f32>, !moert.buffer<tokens x i32>,
        !moert.buffer<tokens x i32>, !moert.buffer<slots x 2 x i32>, !moert.buffer<pages x 3200 x i32>
    moert.checkpoint "cache" = %cache : !moert.buffer<pages x 16896 x i32>
    moert.checkpoint "latents" = %latents : !moert.buffer<pages x 3200 x i32>
    moert.read_rows %cache, %index outs(%cached)
      : !moert.buffer<pages x 16896 x i32>, !moert.buffer<slots x i32>, !moert.buffer<slots x 16896 x i32>
    moert.return
  }
}
