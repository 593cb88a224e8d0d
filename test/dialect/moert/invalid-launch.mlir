// One test or more for each constraint of kernels, their images, and what launches them, cited as
// MoertAttributes.td and MoertOps.td number them.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

//===- #moert.image -----------------------------------------------------------===//

// (C1)
// expected-error-re @+1 {{arch of an image must be sm_ or {{.*}} got 'sm_'}}
module attributes {a = #moert.image<arch = "sm_", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C1)
// expected-error-re @+1 {{arch of an image must be sm_ or {{.*}} got 'sm_90b'}}
module attributes {a = #moert.image<arch = "sm_90b", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C1)
// expected-error-re @+1 {{arch of an image must be sm_ or {{.*}} got 'compute_90a'}}
module attributes {a = #moert.image<arch = "compute_90a", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C1)
// expected-error-re @+1 {{arch of an image must be sm_ or {{.*}} got 'gfx942'}}
module attributes {a = #moert.image<arch = "gfx942", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C1)
// expected-error-re @+1 {{arch of an image must be sm_ or {{.*}} got 'sm_9'}}
module attributes {a = #moert.image<arch = "sm_9", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C1)
// expected-error-re @+1 {{arch of an image must be sm_ or {{.*}} got 'sm_9a'}}
module attributes {a = #moert.image<arch = "sm_9a", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C1)
// expected-error-re @+1 {{arch of an image must be sm_ or {{.*}} got 'sm_05'}}
module attributes {a = #moert.image<arch = "sm_05", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C1)
// expected-error-re @+1 {{arch of an image must be sm_ or {{.*}} got 'sm_1000'}}
module attributes {a = #moert.image<arch = "sm_1000", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C1)
// expected-error-re @+1 {{arch of an image must be sm_ or {{.*}} got 'compute_9'}}
module attributes {a = #moert.image<arch = "compute_9", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C2)
// expected-error @+1 {{shared memory of an image must be 0 to 232448 bytes, got 232449}}
module attributes {a = #moert.image<arch = "sm_90", shared = 232449,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C2)
// expected-error @+1 {{shared memory of an image must be 0 to 232448 bytes, got -1}}
module attributes {a = #moert.image<arch = "sm_90", shared = -1,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C3)
// expected-error @+1 {{hash of an image must be 32 lower-case hexadecimal digits}}
module attributes {a = #moert.image<arch = "sm_90", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc94", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C3)
// expected-error @+1 {{hash of an image must be 32 lower-case hexadecimal digits}}
module attributes {a = #moert.image<arch = "sm_90", shared = 0,
  hash = "AF1349B9F5F9A1A6A0404DEA36DCC949", data = dense_resource<r> : tensor<4xi8>>} {}

// -----

// (C4)
// expected-error @+1 {{data of an image must have one dimension, not empty, of i8}}
module attributes {a = #moert.image<arch = "sm_90", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<2x2xi8>>} {}

// -----

// (C4)
// expected-error @+1 {{data of an image must have one dimension, not empty, of i8}}
module attributes {a = #moert.image<arch = "sm_90", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi32>>} {}

// -----

// (C4)
// expected-error @+1 {{data of an image must have one dimension, not empty, of i8}}
module attributes {a = #moert.image<arch = "sm_90", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<0xi8>>} {}

// -----

// (C4)
// expected-error @+1 {{data of an image must have one dimension, not empty, of i8}}
module attributes {a = #moert.image<arch = "sm_90", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xui8>>} {}

// -----

//===- #moert.source ------------------------------------------------------===//

// (C1)
// expected-error-re @+1 {{arch of a source must be sm_ or {{.*}} got 'sm_9x'}}
module attributes {a = #moert.source<arch = "sm_9x", shared = 0, schedule = "", text = "s">} {}

// -----

// (C1)
// expected-error @+1 {{shared memory of a source must be 0 to 232448 bytes, got 232449}}
module attributes {a = #moert.source<arch = "sm_90", shared = 232449, schedule = "", text = "s">} {}

// -----

// (C1)
// expected-error @+1 {{text of a source must not be empty}}
module attributes {a = #moert.source<arch = "sm_90", shared = 0, schedule = "", text = "">} {}

// -----

//===- #moert.grid, #moert.pack, #moert.work ----------------------------------===//

// (#moert.grid C1)
// expected-error @+1 {{divisor of a grid must be 1 to 2^31 - 1, got 0}}
module attributes {a = #moert.grid<tokens ceildiv 0>} {}

// -----

// (#moert.grid C1)
// expected-error @+1 {{divisor of a grid must be 1 to 2^31 - 1, got 2147483648}}
module attributes {a = #moert.grid<tokens ceildiv 2147483648>} {}

// -----

// (#moert.pack C1)
// expected-error @+1 {{a pack has 1 to 2^31 - 1 rows and 1 to 2^48 bytes, got 0 and 1}}
module attributes {a = #moert.pack<@k rows(0) bytes(1)>} {}

// -----

// (#moert.pack C1)
// expected-error @+1 {{a pack has 1 to 2^31 - 1 rows and 1 to 2^48 bytes, got 1 and 0}}
module attributes {a = #moert.pack<@k rows(1) bytes(0)>} {}

// -----

// (#moert.pack C1)
// expected-error-re @+1 {{a pack has 1 to 2^31 - 1 rows and {{.*}} 281474976710657}}
module attributes {a = #moert.pack<@k rows(1) bytes(281474976710657)>} {}

// -----

// (#moert.work C1)
// expected-error @+1 {{the operation of a work must not be empty}}
module attributes {a = #moert.work<"">} {}

// -----

// (#moert.work C2)
// expected-error @+1 {{operations of a work must be 0 to 2^48, offsets not negative, got -1 and 0}}
module attributes {a = #moert.work<"op" operations(-1)>} {}

// -----

// (#moert.work C2)
// expected-error-re @+1 {{operations of a work must be 0 to 2^48, {{.*}} 281474976710657 and 0}}
module attributes {a = #moert.work<"op" operations(281474976710657)>} {}

// -----

// (#moert.work C2)
// expected-error @+1 {{operations of a work must be 0 to 2^48, offsets not negative, got 0 and -1}}
module attributes {a = #moert.work<"op" offsets(-1)>} {}

// -----

//===- moert.kernel -----------------------------------------------------------===//

// (C1)
// expected-error @+1 {{must be an identifier of letters, digits and underscores, got 'a b'}}
moert.kernel @k "a b" reads(1) writes(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

// -----

// (C2)
// expected-error @+1 {{a kernel writes at least 1 buffer and has at most 64 parameters}}
moert.kernel @k "k" reads(1) writes(0) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

// -----

// (C2)
// expected-error @+1 {{a kernel writes at least 1 buffer and has at most 64 parameters}}
moert.kernel @k "k" reads(-1) writes(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

// -----

// (C2)
// expected-error @+1 {{a kernel writes at least 1 buffer and has at most 64 parameters}}
moert.kernel @k "k" reads(1) writes(1) extents(-1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

// -----

// (C2)
// expected-error @+1 {{a kernel writes at least 1 buffer and has at most 64 parameters}}
moert.kernel @k "k" reads(31) writes(31) weights(raw, raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

// -----

// (C3)
// expected-error @+1 {{threads must be a multiple of 32 from 32 to 1024, got 0}}
moert.kernel @k "k" reads(1) writes(1) threads(0)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

// -----

// (C3)
// expected-error @+1 {{threads must be a multiple of 32 from 32 to 1024, got 48}}
moert.kernel @k "k" reads(1) writes(1) threads(48)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

// -----

// (C3)
// expected-error @+1 {{threads must be a multiple of 32 from 32 to 1024, got 1056}}
moert.kernel @k "k" reads(1) writes(1) threads(1056)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

// -----

// (C3)
// expected-error @+1 {{threads must be a multiple of 32 from 32 to 1024, got -32}}
moert.kernel @k "k" reads(1) writes(1) threads(-32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

// -----

// (C4)
// expected-error @+1 {{a kernel has either sources or images, at least one}}
moert.kernel @k "k" reads(1) writes(1) threads(32)

// -----

// (C4)
// expected-error @+1 {{a kernel has either sources or images, at least one}}
moert.kernel @k "k" reads(1) writes(1) threads(32) images []

// -----

// (C4)
// expected-error @+1 {{a kernel has either sources or images, at least one}}
moert.kernel @k "k" reads(1) writes(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">] images [
  #moert.image<arch = "sm_90", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>]

// -----

// (C4)
// expected-error @+1 {{a kernel has either sources or images, at least one}}
moert.kernel @k "k" reads(1) writes(1) threads(32) sources []

// -----

// (C5)
// expected-error @+1 {{there are two sources for sm_90}}
moert.kernel @k "k" reads(1) writes(1) threads(32) sources [
  #moert.source<arch = "sm_90", shared = 0, schedule = "", text = "a">,
  #moert.source<arch = "sm_90", shared = 0, schedule = "", text = "b">]

// -----

// (C5)
// expected-error @+1 {{there are two images for sm_90}}
moert.kernel @k "k" reads(1) writes(1) threads(32) images [
  #moert.image<arch = "sm_90", shared = 0,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>,
  #moert.image<arch = "sm_90", shared = 1,
  hash = "af1349b9f5f9a1a6a0404dea36dcc949", data = dense_resource<r> : tensor<4xi8>>]

// -----

func.func @f() {
  // expected-error @+1 {{expects parent op 'builtin.module'}}
  moert.kernel @k "k" reads(1) writes(1) threads(32)
    sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
  return
}

// -----

// expected-error @+1 {{expected one of [packed, raw, floats]}}
moert.kernel @k "k" reads(1) writes(1) weights(half) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]

// -----

//===- moert.weight: packs ----------------------------------------------------===//

moert.kernel @pack "k" reads(1) writes(1) extents(2) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
// (C5)
// expected-error @+1 {{a weight that is packed has 2 or 3 dimensions}}
moert.weight @w "w" pack(@pack rows(16) bytes(16)) : 8xf32

// -----

moert.kernel @pack "k" reads(1) writes(1) extents(2) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
// (C5): 2 experts of 2 panels each.
// expected-error @+1 {{the packed weight is larger than 2^48 bytes}}
moert.weight @w "w" pack(@pack rows(16) bytes(70368744177665)) : 2x17x8xf32

// -----

// (C6)
// expected-error @+1 {{there is no moert.kernel @pack}}
moert.weight @w "w" pack(@pack rows(16) bytes(16)) : 8x8xf32

// -----

moert.kernel @k "k" reads(2) writes(1) extents(2) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
// (C6)
// expected-error @+1 {{kernel @k cannot pack: it must read one buffer, write one}}
moert.weight @w "w" pack(@k rows(16) bytes(16)) : 8x8xf32

// -----

moert.kernel @k "k" reads(1) writes(2) extents(2) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
// (C6)
// expected-error @+1 {{kernel @k cannot pack: it must read one buffer, write one}}
moert.weight @w "w" pack(@k rows(16) bytes(16)) : 8x8xf32

// -----

moert.kernel @k "k" reads(1) writes(1) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
// (C6)
// expected-error @+1 {{kernel @k cannot pack: it must read one buffer, write one}}
moert.weight @w "w" pack(@k rows(16) bytes(16)) : 8x8xf32

// -----

moert.kernel @k "k" reads(1) writes(1) weights(raw) extents(2) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
// (C6)
// expected-error @+1 {{kernel @k cannot pack: it must read one buffer, write one}}
moert.weight @w "w" pack(@k rows(16) bytes(16)) : 8x8xf32

// -----

module attributes {a = #moert.work<"op" arithmetic(fp8)>} {} // expected-error {{expected}}

// -----

//===- moert.launch -----------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C1)
  // expected-error @+1 {{a grid has 1 to 3 dimensions, got 4}}
  moert.launch @k grid(1, 1, 1, 1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C1)
  // expected-error @+1 {{a grid has 1 to 3 dimensions, got 0}}
  "moert.launch"(%y) <{kernel = @k, grid = [], work = #moert.work<"op">,
    operandSegmentSizes = array<i32: 0, 1>}> : (!moert.buffer<tokens x f32>) -> ()
}

// -----

module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cuda",
    contract = [run, batch, device], features = [], producer = "p">} {
  moert.symbol @tokens max(8)
  moert.kernel @k "k" reads(1) writes(1) threads(32)
    sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
  moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>) {
    // (C5)
    // expected-error @+1 {{arithmetic 'bf16' does not keep the program's contract [run, batch, device]}}
    moert.launch @k grid(1) reads(%x) writes(%y) work("moert.matmul" arithmetic(bf16))
      : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
    moert.return
  }
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C2)
  // expected-error @+1 {{there is no moert.kernel @other}}
  moert.launch @other grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C2)
  // expected-error @+1 {{there is no moert.kernel @w}}
  moert.launch @w grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C2)
  // expected-error @+1 {{kernel @k takes 2 reads, got 1}}
  moert.launch @k grid(1) reads(%x) writes(%y) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>, "z" %z: !moert.buffer<tokens x f32>) {
  // (C2)
  // expected-error @+1 {{kernel @k takes 1 writes, got 2}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y, %z) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>,
      !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C2)
  // expected-error @+1 {{kernel @k takes 1 weights, got 2}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w, @w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C2)
  // expected-error @+1 {{kernel @k takes 1 weights, got 0}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C2)
  // expected-error @+1 {{kernel @k takes 1 extents, got 2}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens, 1) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C3)
  // expected-error @+1 {{there is no moert.weight @other}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@other) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(packed) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C3)
  // expected-error @+1 {{the kernel reads weight @w packed, but it has no pack}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(floats) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 256xq4_K
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C3)
  // expected-error @+1 {{the kernel reads weight @w as floats, but it is q4_K}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C4)
  // expected-error @+1 {{the offsets of its work are read buffer 2 of 2}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op" offsets(2))
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C4)
  // expected-error @+1 {{the offsets of its work must be i32 [E + 1], got}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op" offsets(0))
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<1 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C4)
  // expected-error @+1 {{work must be i32 [E + 1], got '!moert.buffer<1 x i32>'}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op" offsets(1))
    : !moert.buffer<tokens x f32>, !moert.buffer<1 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<3 x 3 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C4)
  // expected-error @+1 {{work must be i32 [E + 1], got '!moert.buffer<3 x 3 x i32>'}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op" offsets(1))
    : !moert.buffer<tokens x f32>, !moert.buffer<3 x 3 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<tokens x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C4)
  // expected-error @+1 {{work must be i32 [E + 1], got '!moert.buffer<tokens x i32>'}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op" offsets(1))
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x f32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C4)
  // expected-error @+1 {{work must be i32 [E + 1], got '!moert.buffer<9 x f32>'}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op" offsets(1))
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x f32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(1) writes(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C6)
  // expected-error @+1 {{its work has an arithmetic: it must read a buffer and a weight}}
  moert.launch @k grid(1) reads(%x) writes(%y) work("op" arithmetic(exact))
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(0) writes(1) weights(raw) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8x8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C6)
  // expected-error @+1 {{its work has an arithmetic: it must read a buffer and a weight}}
  moert.launch @k grid(1) writes(%y) weights(@w) work("op" arithmetic(float))
    : !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(1) writes(1) weights(raw) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>) outs("y" %y: !moert.buffer<tokens x f32>) {
  // (C6)
  // expected-error @+1 {{its first weight must have 2 or 3 dimensions, @w has 1}}
  moert.launch @k grid(1) reads(%x) writes(%y) weights(@w) work("op" arithmetic(exact))
    : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (moert.func C3)
  // expected-error @+1 {{there is no moert.symbol @rows, which 8*rows uses}}
  moert.launch @k grid(8*rows) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (moert.func C3)
  // expected-error @+1 {{there is no moert.symbol @rows, which rows uses}}
  moert.launch @k grid(1, tokens max rows) reads(%x, %o) writes(%y) weights(@w) extents(tokens)
    work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (moert.func C3)
  // expected-error @+1 {{there is no moert.symbol @rows, which rows+1 uses}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(rows+1) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (moert.func C5)
  // expected-error @+1 {{writes an input of the function}}
  moert.launch @k grid(1) reads(%x, %o) writes(%x) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (moert.func C5)
  // expected-error @+1 {{reads a buffer that no operation before has written}}
  moert.launch @k grid(1) reads(%y, %o) writes(%y) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
  // (moert.func C5)
  // expected-error @+1 {{writes a buffer that has been written already}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32>)
    outs("y" %y: !moert.buffer<tokens x f32>) arena(32*tokens) {
  // expected-note @+1 {{the other buffer}}
  %a = moert.buffer offset(0) : !moert.buffer<tokens x f32>
  // (moert.func C6): what a launch reads is live while it writes.
  // expected-error @+1 {{overlaps a buffer of the arena that is live at the same time}}
  %b = moert.buffer offset(0) : !moert.buffer<tokens x f32>
  moert.copy %x outs(%a) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
  moert.launch @k grid(1) reads(%a, %o) writes(%b) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32>, !moert.buffer<tokens x f32>
  moert.copy %b outs(%y) : !moert.buffer<tokens x f32>, !moert.buffer<tokens x f32>
}

// -----

moert.symbol @tokens max(8)
moert.kernel @k "k" reads(2) writes(1) weights(raw) extents(1) threads(32)
  sources [#moert.source<arch = "sm_90", shared = 0, schedule = "", text = "s">]
moert.weight @w "w" : 8xf32
moert.func @f("x" %x: !moert.buffer<tokens x f32>, "o" %o: !moert.buffer<9 x i32, device = 1>)
    outs("y" %y: !moert.buffer<tokens x f32>) {
  // (device operations)
  // expected-error @+1 {{buffers must lie on one device in one space}}
  moert.launch @k grid(1) reads(%x, %o) writes(%y) weights(@w) extents(tokens) work("op")
    : !moert.buffer<tokens x f32>, !moert.buffer<9 x i32, device = 1>, !moert.buffer<tokens x f32>
}

// -----

//===- moert.check_ids --------------------------------------------------------===//

moert.symbol @tokens max(8)
moert.func @f("s" %s: !moert.buffer<3 x i32>) outs("y" %y: !moert.buffer<3 x i32>) {
  moert.copy %s outs(%y) : !moert.buffer<3 x i32>, !moert.buffer<3 x i32>
  // (C1)
  // expected-error @+1 {{status must be [2], got '!moert.buffer<3 x i32>'}}
  moert.check_ids %s experts(8) slots(2) : !moert.buffer<3 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("s" %s: !moert.buffer<2 x 1 x i32>) outs("y" %y: !moert.buffer<2 x 1 x i32>) {
  moert.copy %s outs(%y) : !moert.buffer<2 x 1 x i32>, !moert.buffer<2 x 1 x i32>
  // (C1)
  // expected-error @+1 {{status must be [2], got '!moert.buffer<2 x 1 x i32>'}}
  moert.check_ids %s experts(8) slots(2) : !moert.buffer<2 x 1 x i32>
}

// -----

moert.symbol @tokens max(8)
moert.func @f("s" %s: !moert.buffer<tokens x i32>) outs("y" %y: !moert.buffer<tokens x i32>) {
  moert.copy %s outs(%y) : !moert.buffer<tokens x i32>, !moert.buffer<tokens x i32>
  // (C1)
  // expected-error @+1 {{status must be [2], got '!moert.buffer<tokens x i32>'}}
  moert.check_ids %s experts(8) slots(2) : !moert.buffer<tokens x i32>
}

// -----

moert.func @f("s" %s: !moert.buffer<2 x i32>) outs("y" %y: !moert.buffer<2 x i32>) {
  moert.copy %s outs(%y) : !moert.buffer<2 x i32>, !moert.buffer<2 x i32>
  // (C2)
  // expected-error @+1 {{experts and slots must be 1 to 2^31 - 1, got 0}}
  moert.check_ids %s experts(0) slots(2) : !moert.buffer<2 x i32>
}

// -----

moert.func @f("s" %s: !moert.buffer<2 x i32>) outs("y" %y: !moert.buffer<2 x i32>) {
  moert.copy %s outs(%y) : !moert.buffer<2 x i32>, !moert.buffer<2 x i32>
  // (C2)
  // expected-error @+1 {{experts and slots must be 1 to 2^31 - 1, got 0}}
  moert.check_ids %s experts(8) slots(0) : !moert.buffer<2 x i32>
}

// -----

moert.func @f("s" %s: !moert.buffer<2 x i32>) outs("y" %y: !moert.buffer<2 x i32>) {
  moert.copy %s outs(%y) : !moert.buffer<2 x i32>, !moert.buffer<2 x i32>
  // (C2)
  // expected-error @+1 {{experts and slots must be 1 to 2^31 - 1, got 2147483648}}
  moert.check_ids %s experts(8) slots(2147483648) : !moert.buffer<2 x i32>
}

// -----

moert.func @f("s" %s: !moert.buffer<2 x f32>) outs("y" %y: !moert.buffer<2 x f32>) {
  moert.copy %s outs(%y) : !moert.buffer<2 x f32>, !moert.buffer<2 x f32>
  // (C1)
  // expected-error @+1 {{operand #0 must be buffer of i32}}
  moert.check_ids %s experts(8) slots(2) : !moert.buffer<2 x f32>
}
