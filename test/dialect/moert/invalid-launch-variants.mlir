// One test or more for each constraint of launch variants and of overlap, cited as MoertAttributes.td and MoertOps.td
// number them.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

//===- #moert.tensor_map -----------------------------------------------------===//

// (C1)
// expected-error @+1 {{a tensor map has an index that is not negative, elements of 1, 2, 4 or 8 bytes, and a swizzle of 0, 32, 64 or 128, got 0, 3 and 0}}
module attributes {a = #moert.tensor_map<operand = weight, index = 0, element = 3,
  dims = [#moert.extent<8>], strides = [], box = [16]>} {}

// -----

// (C2)
// expected-error @+1 {{a tensor map has 1 to 5 extents as dims, as many sizes of its box, and one stride less}}
module attributes {a = #moert.tensor_map<operand = weight, index = 0, element = 1,
  dims = [#moert.extent<8>, #moert.extent<8>], strides = [], box = [16]>} {}

// -----

// (C3)
// expected-error @+1 {{strides of a tensor map must be multiples of 16 below 2^40, got 8}}
module attributes {a = #moert.tensor_map<operand = weight, index = 0, element = 1,
  dims = [#moert.extent<8>, #moert.extent<8>], strides = [8], box = [16, 8]>} {}

// -----

// (C3)
// expected-error @+1 {{sizes of a tensor map's box must be 1 to 256, got 512}}
module attributes {a = #moert.tensor_map<operand = read, index = 0, element = 1,
  dims = [#moert.extent<tokens>], strides = [], box = [512]>} {}

// -----

// (C4)
// expected-error @+1 {{a row of a tensor map's box must be a multiple of 16 bytes, and no longer than the swizzle, got 128}}
module attributes {a = #moert.tensor_map<operand = write, index = 0, element = 2,
  dims = [#moert.extent<tokens>], strides = [], box = [64], swizzle = 64>} {}

// -----

//===- #moert.config ---------------------------------------------------------===//

// (C1)
// expected-error @+1 {{a config has threads, a cluster or maps}}
module attributes {a = #moert.config<threads = 0>} {}

// -----

// (C2)
// expected-error @+1 {{threads of a config must be a multiple of 32 from 32 to 1024, got 33}}
module attributes {a = #moert.config<threads = 33>} {}

// -----

// (C3)
// expected-error @+1 {{a cluster has three sizes, together 1 to 8 thread blocks, got [4, 4, 1]}}
module attributes {a = #moert.config<cluster = [4, 4, 1]>} {}

// -----

// (C3)
// expected-error @+1 {{a cluster has three sizes, together 1 to 8 thread blocks, got [2]}}
module attributes {a = #moert.config<cluster = [2]>} {}

// -----

// (C4)
// expected-error @+1 {{maps of a config must be tensor maps, at least one}}
module attributes {a = #moert.config<maps = [1]>} {}

// -----

//===- #moert.source ---------------------------------------------------------===//

// (C5) of images, (C1)
// expected-error @+1 {{clusters and tensor maps are for sm_90 and newer, a source is for sm_89}}
module attributes {a = #moert.source<arch = "sm_89", shared = 0,
  config = <cluster = [2, 1, 1]>, schedule = "", text = "s">} {}

// -----

//===- #moert.pack_variant, #moert.launch_variant ----------------------------===//

// (C1)
// expected-error-re @+1 {{arch of a pack_variant must be sm_ or {{.*}} got 'gfx942'}}
module attributes {a = #moert.pack_variant<arch = "gfx942", pack = <@k rows(1) bytes(1)>>} {}

// -----

// (C1)
// expected-error-re @+1 {{arch of a launch_variant must be sm_ or {{.*}} got 'gfx942'}}
module attributes {a = #moert.launch_variant<arch = "gfx942", grid = [#moert.grid<1>]>} {}

// -----

// (C2)
// expected-error @+1 {{a grid has 1 to 3 dimensions, each a #moert.grid}}
module attributes {a = #moert.launch_variant<arch = "sm_90a", grid = []>} {}

// -----

//===- moert.kernel ----------------------------------------------------------===//

// (C6)
// expected-error @+1 {{a tensor map is of weight 0 of 0}}
moert.kernel @k "k" reads(1) writes(1) threads(32) sources [#moert.source<arch = "sm_90a", shared = 0,
  config = <maps = [#moert.tensor_map<operand = weight, index = 0, element = 1,
    dims = [#moert.extent<8>], strides = [], box = [16]>]>, schedule = "", text = "s">]

// -----

// (C7)
// expected-error @+1 {{early must be numbers of the 2 buffers that it reads, ascending, got 2}}
moert.kernel @k "k" reads(2) writes(1) threads(32) early [0, 2]
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]

// -----

// (C7)
// expected-error @+1 {{early must be numbers of the 2 buffers that it reads, ascending, got 0}}
moert.kernel @k "k" reads(2) writes(1) threads(32) early [1, 0]
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]

// -----

//===- moert.weight ----------------------------------------------------------===//

moert.kernel @k "k" reads(1) writes(1) extents(2) threads(32)
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]
// (C5)
// expected-error @+1 {{the packed weight is larger than 2^48 bytes}}
moert.weight @w "w" pack(@k rows(1) bytes(8))
  packs [#moert.pack_variant<arch = "sm_90a", pack = <@k rows(1) bytes(281474976710656)>>] : 4x8xf32

// -----

// (C6)
// expected-error @+1 {{there is no moert.kernel @other}}
moert.weight @w "w" pack(@k rows(1) bytes(8))
  packs [#moert.pack_variant<arch = "sm_90a", pack = <@other rows(1) bytes(8)>>] : 4x8xf32
moert.kernel @k "k" reads(1) writes(1) extents(2) threads(32)
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]

// -----

// (C8)
// expected-error @+1 {{packs for architectures stand beside a pack for all others}}
moert.weight @w "w" packs [#moert.pack_variant<arch = "sm_90a", pack = <@k rows(1) bytes(8)>>] : 4x8xf32

// -----

// (C8)
// expected-error @+1 {{there are two packs for sm_90a}}
moert.weight @w "w" pack(@k rows(1) bytes(8))
  packs [#moert.pack_variant<arch = "sm_90a", pack = <@k rows(1) bytes(8)>>,
         #moert.pack_variant<arch = "sm_90a", pack = <@k rows(2) bytes(8)>>] : 4x8xf32

// -----

//===- moert.launch ----------------------------------------------------------===//

moert.kernel @k "k" reads(1) writes(1) threads(32)
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]
moert.func @f("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32>) {
  // (C7)
  // expected-error @+1 {{there are two variants for sm_90a}}
  moert.launch @k grid(1) variants [#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<2>]>,
                                    #moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<3>]>]
    reads(%x) writes(%y) work("moert.add") : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.kernel @k "k" reads(1) writes(1) threads(32)
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]
moert.func @f("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32>) {
  // (C7)
  // expected-error @+1 {{has a variant for sm_80, kernel @k has none}}
  moert.launch @k grid(1) variants [#moert.launch_variant<arch = "sm_80", grid = [#moert.grid<2>]>]
    reads(%x) writes(%y) work("moert.add") : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.symbol @tokens max(64)
moert.kernel @k "k" reads(1) writes(1) threads(32) sources [
  #moert.source<arch = "sm_80", shared = 0, schedule = "", text = "s">,
  #moert.source<arch = "sm_90a", shared = 0, config = <cluster = [2, 1, 1]>, schedule = "", text = "s">]
moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>,
    "z" %z: !moert.buffer<tokens x f32>, "w" %w: !moert.buffer<tokens x f32>) {
  moert.launch @k grid(6) reads(%x) writes(%y) work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  moert.launch @k grid(tokens)
    variants [#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<4*tokens+2>]>]
    reads(%x) writes(%z) work("moert.add") : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  // (C8)
  // expected-error @+1 {{dimension 0 of its grid is no multiple of 2, the cluster of kernel @k for sm_90a}}
  moert.launch @k grid(tokens ceildiv 2) reads(%x) writes(%w) work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
}

// -----

//===- moert.func ------------------------------------------------------------===//

moert.kernel @k "k" reads(1) writes(1) threads(32)
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]
moert.func @f("x" %x: !moert.buffer<8 x f32>) outs("y" %y: !moert.buffer<8 x f32>) {
  // (C3)
  // expected-error @+1 {{there is no moert.symbol @tokens, which tokens uses}}
  moert.launch @k grid(1) variants [#moert.launch_variant<arch = "sm_90a", grid = [#moert.grid<tokens>]>]
    reads(%x) writes(%y) work("moert.add") : !moert.buffer<8 x f32>, !moert.buffer<8 x f32>
}

// -----

moert.symbol @tokens max(64)
moert.kernel @write "write" reads(1) writes(1) threads(32)
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]
moert.kernel @early "early" reads(2) writes(1) threads(32) early [1]
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]
moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>,
    "a" %a: !moert.buffer<tokens x f32>) {
  // expected-note @+1 {{the other launch}}
  moert.launch @write grid(tokens) reads(%x) writes(%a) overlaps work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  // (C12)
  // expected-error @+1 {{overlaps a launch that writes read buffer 1, which kernel @early reads before it waits}}
  moert.launch @early grid(tokens) reads(%x, %a) writes(%y) overlaps work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(64)
moert.kernel @write "write" reads(1) writes(1) threads(32)
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]
moert.kernel @early "early" reads(2) writes(1) threads(32) early [1]
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]
moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>,
    "a" %a: !moert.buffer<tokens x f32>, "b" %b: !moert.buffer<tokens x f32>) {
  // expected-note @+1 {{the other launch}}
  moert.launch @write grid(tokens) reads(%x) writes(%a) overlaps work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  // With few tokens it has no thread blocks, and the launch before it is that of %a.
  moert.launch @write grid(tokens floordiv 8) reads(%x) writes(%b) overlaps work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  moert.checkpoint "b" = %b : !moert.buffer<tokens x f32>
  // (C12)
  // expected-error @+1 {{overlaps a launch that writes read buffer 1, which kernel @early reads before it waits}}
  moert.launch @early grid(tokens) reads(%x, %a) writes(%y) overlaps work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
}

// -----

// What keeps (C12): a launch between that always has thread blocks; a launch that does not overlap; a copy between.
moert.symbol @tokens max(64)
moert.kernel @write "write" reads(1) writes(1) threads(32)
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]
moert.kernel @early "early" reads(2) writes(1) threads(32) early [1]
  sources [#moert.source<arch = "sm_90a", shared = 0, schedule = "", text = "s">]
moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>,
    "z" %z: !moert.buffer<tokens x f32>, "a" %a: !moert.buffer<tokens x f32>,
    "b" %b: !moert.buffer<tokens x f32>, "c" %c: !moert.buffer<tokens x f32>,
    "d" %d: !moert.buffer<tokens x f32>) {
  moert.launch @write grid(tokens) reads(%x) writes(%a) overlaps work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  moert.launch @write grid(tokens ceildiv 8) reads(%x) writes(%b) overlaps work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  moert.launch @early grid(tokens) reads(%x, %a) writes(%y) overlaps work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  moert.launch @early grid(tokens) reads(%x, %y) writes(%z) work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  moert.copy %x outs(%c) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  moert.launch @early grid(tokens) reads(%x, %z) writes(%d) overlaps work("moert.add")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
}
