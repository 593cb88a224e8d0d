// The operations of latent attention, through text, bytecode and the generic form. A page of latents of 16
// and keys of 4 has 2560 words of int16, and 1408 of int8: the latents are in it twice.
// RUN: sortie-opt %s | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --emit-bytecode | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --mlir-print-op-generic | sortie-opt | FileCheck %s
// RUN: sortie-opt %s --canonicalize --cse | FileCheck %s

moert.symbol @tokens max(8)
moert.symbol @slots max(4)
moert.symbol @pages max(64)
moert.state @cache : !moert.buffer<pages x 2560 x i32>
moert.state @small : !moert.buffer<pages x 1408 x i32>
moert.weight @blocks "k_b" : 2x5x32xq8_0
moert.weight @floats "v_b" : 2x5x32xf16

// CHECK-LABEL: moert.func @heads
moert.func @heads("x" %x: !moert.buffer<tokens x 72 x f32>)
    outs("y" %y: !moert.buffer<tokens x 10 x f32>, "z" %z: !moert.buffer<tokens x 10 x f32>) {
  %s = moert.buffer : !moert.buffer<tokens x 64 x f32>
  // CHECK: moert.slice_heads %x heads(2) first(4) outs(%[[S:.*]]) : !moert.buffer<tokens x 72 x f32>, !moert.buffer<tokens x 64 x f32>
  moert.slice_heads %x heads(2) first(4) outs(%s)
    : !moert.buffer<tokens x 72 x f32>, !moert.buffer<tokens x 64 x f32>
  %q = moert.buffer : !moert.buffer<tokens x 2 x 32 x act16>
  // CHECK: moert.quantize_heads %[[S]] outs(%[[Q:.*]]) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act16>
  moert.quantize_heads %s outs(%q)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 2 x 32 x act16>
  // CHECK: moert.head_matmul %[[Q]], @blocks heads(2) arithmetic(exact) outs(%y) : !moert.buffer<tokens x 2 x 32 x act16>, !moert.buffer<tokens x 10 x f32>
  moert.head_matmul %q, @blocks heads(2) arithmetic(exact) outs(%y)
    : !moert.buffer<tokens x 2 x 32 x act16>, !moert.buffer<tokens x 10 x f32>
  // CHECK: moert.head_matmul %[[S]], @floats heads(2) arithmetic(float) outs(%z) : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 10 x f32>
  moert.head_matmul %s, @floats heads(2) arithmetic(float) outs(%z)
    : !moert.buffer<tokens x 64 x f32>, !moert.buffer<tokens x 10 x f32>
}

// CHECK-LABEL: moert.func @attend
moert.func @attend("q" %q: !moert.buffer<tokens x 32 x f32>, "r" %r: !moert.buffer<tokens x 8 x f32>,
                  "l" %l: !moert.buffer<tokens x 16 x f32>, "k" %k: !moert.buffer<tokens x 4 x f32>,
                  "positions" %positions: !moert.buffer<tokens x i32>,
                  "sequences" %sequences: !moert.buffer<tokens x i32>,
                  "pages" %pages: !moert.buffer<slots x 4 x i32>)
    outs("a" %a: !moert.buffer<tokens x 32 x f32>, "b" %b: !moert.buffer<tokens x 32 x f32>) {
  // CHECK: %[[CACHE:.*]] = moert.state_buffer @cache
  %cache = moert.state_buffer @cache : !moert.buffer<pages x 2560 x i32>
  // CHECK: %[[SMALL:.*]] = moert.state_buffer @small
  %small = moert.state_buffer @small : !moert.buffer<pages x 1408 x i32>
  // CHECK: moert.append_latent %l, %k at(%positions, %sequences, %pages) width(int16) outs(%[[CACHE]]) : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 4 x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<pages x 2560 x i32>
  moert.append_latent %l, %k at(%positions, %sequences, %pages) width(int16) outs(%cache)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 4 x f32>,
      !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>,
      !moert.buffer<pages x 2560 x i32>
  // CHECK: moert.attend_latent %q, %r, %[[CACHE]] at(%positions, %sequences, %pages) heads(2) scale(3.500000e-01) query_width(int8) width(int16) outs(%a) : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 8 x f32>, !moert.buffer<pages x 2560 x i32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>, !moert.buffer<tokens x 32 x f32>
  moert.attend_latent %q, %r, %cache at(%positions, %sequences, %pages) heads(2) scale(0.35)
    query_width(int8) width(int16) outs(%a)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 8 x f32>,
      !moert.buffer<pages x 2560 x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>,
      !moert.buffer<tokens x 32 x f32>
  // CHECK: moert.append_latent %l, %k {{.*}} width(int8) outs(%[[SMALL]])
  moert.append_latent %l, %k at(%positions, %sequences, %pages) width(int8) outs(%small)
    : !moert.buffer<tokens x 16 x f32>, !moert.buffer<tokens x 4 x f32>,
      !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>,
      !moert.buffer<pages x 1408 x i32>
  // CHECK: moert.attend_latent %q, %r, %[[SMALL]] {{.*}} query_width(int16) width(int8) outs(%b)
  moert.attend_latent %q, %r, %small at(%positions, %sequences, %pages) heads(2) scale(0.35)
    query_width(int16) width(int8) outs(%b)
    : !moert.buffer<tokens x 32 x f32>, !moert.buffer<tokens x 8 x f32>,
      !moert.buffer<pages x 1408 x i32>, !moert.buffer<tokens x i32>,
      !moert.buffer<tokens x i32>, !moert.buffer<slots x 4 x i32>,
      !moert.buffer<tokens x 32 x f32>
}
