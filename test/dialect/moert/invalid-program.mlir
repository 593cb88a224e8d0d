// What holds a program together: the dialect's attributes, symbols, weights and types, cited as
// MoertDialect.td, MoertAttributes.td, MoertTypes.td and MoertOps.td number them.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

// #moert.program (C1)
// expected-error @+1 {{abi and numerics must not be negative}}
module attributes {moert.program = #moert.program<abi = -1, numerics = 1, target = "cpu",
  contract = [], features = [], producer = "p">} {}

// -----

// #moert.program (C2)
// expected-error @+1 {{target and producer must not be empty}}
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "",
  contract = [], features = [], producer = "p">} {}

// -----

// #moert.program (C3)
// expected-error @+1 {{contract member 'device' implies 'batch', which is missing}}
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
  contract = [run, device], features = [], producer = "p">} {}

// -----

// #moert.program (C3)
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
  // expected-error @+1 {{contract member 'run' is listed twice}}
  contract = [run, run], features = [], producer = "p">} {}

// -----

// #moert.program (C4)
// expected-error @+1 {{names of features must not be empty and all different}}
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
  contract = [run], features = ["a", "a"], producer = "p">} {}

// -----

// moert (C1)
// expected-error @+1 {{'moert.program' must be a #moert.program}}
module attributes {moert.program = 1} {}

// -----

// moert (C1)
// expected-error @+1 {{'moert.program' belongs on a module}}
func.func private @f() attributes {moert.program = 1}

// -----

// moert (C1)
module attributes {moert.program = #moert.program<abi = 3, numerics = 1, target = "cpu",
    contract = [run], features = [], producer = "p">} {
  // expected-error @+1 {{a program holds moert.symbol, moert.kernel, moert.weight, moert.state and moert.func, got 'func.func'}}
  func.func private @f()
}

// -----

// moert (C5)
// expected-error @+1 {{'moert.import_options' has the unknown entry 'mood'}}
module attributes {moert.import_options = {mood = "good"}} {}

// -----

// moert (C2)
// expected-error @+1 {{'moert.weights_fingerprint' must be a string of 16 lower-case hexadecimal}}
module attributes {moert.weights_fingerprint = "xyz"} {}

// -----

// moert (C2)
// expected-error @+1 {{'moert.weights_fingerprint' must be a string of 16 lower-case hexadecimal}}
module attributes {moert.weights_fingerprint = "3:0123456789abcdef"} {}

// -----

// expected-error @+1 {{'moert.weights_fingerprint' must be a string of 16 lower-case hexadecimal}}
module attributes {moert.weights_fingerprint = 7} {}

// -----

// expected-error @+1 {{'moert.fingerprint_keys' and a 'moert.weights_fingerprint' that begins with '2:' must be given together}}
module attributes {moert.weights_fingerprint = "2:0123456789abcdef"} {}

// -----

// expected-error @+1 {{'moert.fingerprint_keys' and a 'moert.weights_fingerprint' that begins with '2:' must be given together}}
module attributes {moert.weights_fingerprint = "0123456789abcdef", moert.fingerprint_keys = ["a"]} {}

// -----

// expected-error @+1 {{'moert.fingerprint_keys' and a 'moert.weights_fingerprint' that begins with '2:' must be given together}}
module attributes {moert.fingerprint_keys = ["a"]} {}

// -----

// expected-error @+1 {{'moert.fingerprint_keys' must be an array of strings that are not empty and all different}}
module attributes {moert.weights_fingerprint = "2:0123456789abcdef", moert.fingerprint_keys = ["a", "a"]} {}

// -----

// expected-error @+1 {{'moert.fingerprint_keys' must be an array of strings that are not empty and all different}}
module attributes {moert.weights_fingerprint = "2:0123456789abcdef", moert.fingerprint_keys = "a"} {}

// -----

// moert (C4)
// expected-error @+1 {{'moert.weight_hashes' must be a dictionary from names of tensors to strings of 32 lower-case hexadecimal digits}}
module attributes {moert.weight_hashes = {"a" = "0123456789abcdef0123456789abcde"}} {}

// -----

// expected-error @+1 {{'moert.weight_hashes' must be a dictionary from names of tensors to strings of 32 lower-case hexadecimal digits}}
module attributes {moert.weight_hashes = ["0123456789abcdef0123456789abcdef"]} {}

// -----

func.func private @moert_hashes_on_a_function() attributes {
  // expected-error @-1 {{'moert.weight_hashes' belongs on a module}}
  moert.weight_hashes = {}}

// -----

// moert (C3)
// expected-error @+1 {{unknown attribute 'moert.speed'}}
module attributes {moert.speed = 1} {}

// -----

//===- #moert.extent ------------------------------------------------------===//

// (C1)
// expected-error @+1 {{scale and constant of an extent must be 0 to 2^48, got 281474976710657}}
module attributes {e = #moert.extent<281474976710657*tokens>} {}

// -----

// (C1)
// expected-error @+1 {{scale and constant of an extent must be 0 to 2^48, got 0 and -1}}
module attributes {e = #moert.extent<-1>} {}

// -----

// (C1): a scale of zero and a symbol cannot be one.
// expected-error @+1 {{an extent needs a symbol exactly if its scale is not 0, got 0 and 'tokens'}}
module attributes {e = #moert.extent<0*tokens+1>} {}

// -----

// (C2)
// expected-error @+1 {{an extent needs a symbol exactly if its scale is not 0, got 1 and 'to.kens'}}
module attributes {e = #moert.extent<to.kens>} {}

// -----

// expected-error @+1 {{integer value too large}}
module attributes {e = #moert.extent<99999999999999999999*tokens>} {}

// -----

//===- !moert.buffer ------------------------------------------------------===//

// (C1)
// expected-error @+1 {{a buffer has 1 to 4 dimensions, got 0}}
module attributes {t = !moert.buffer<f32>} {}

// -----

// (C1)
// expected-error @+1 {{a buffer has 1 to 4 dimensions, got 5}}
module attributes {t = !moert.buffer<1 x 1 x 1 x 1 x 1 x f32>} {}

// -----

// (C1)
// expected-error @+1 {{a constant dimension must be at least 1}}
module attributes {t = !moert.buffer<tokens x 0 x f32>} {}

// -----

// (C2)
// expected-error @+1 {{at most one dimension may have a symbol}}
module attributes {t = !moert.buffer<tokens x tokens x f32>} {}

// -----

// (C3)
// expected-error @+1 {{the last dimension of act16 must be constant}}
module attributes {t = !moert.buffer<8 x tokens x act16>} {}

// -----

// (C4)
// expected-error @+1 {{device must not be negative, space not empty}}
module attributes {t = !moert.buffer<8 x f32, device = -1>} {}

// -----

// (C4)
// expected-error @+1 {{device must not be negative, space not empty}}
module attributes {t = !moert.buffer<8 x f32, space = "">} {}

// -----

// (C5)
// expected-error @+1 {{the size in bytes exceeds 2^48}}
module attributes {t = !moert.buffer<16777216*tokens x 16777216 x f32>} {}

// -----

// (C5)
// expected-error @+1 {{the size in bytes exceeds 2^48}}
module attributes {t = !moert.buffer<281474976710656 x act8>} {}

// -----

// expected-error @+1 {{unknown element kind 'f64', expected f32, i32, bf16, f16, act16 or act8}}
module attributes {t = !moert.buffer<tokens x 8 x f64>} {}

// -----

// expected-error @+1 {{expected 'x'}}
module attributes {t = !moert.buffer<8*tokens+1 y f32>} {}

// -----

// expected-error @+1 {{expected 'space'}}
module attributes {t = !moert.buffer<8 x f32, place = "x">} {}

// -----

//===- moert.symbol -------------------------------------------------------===//

// (C1)
// expected-error @+1 {{max must be 1 to 2^31 - 1, got 0}}
moert.symbol @tokens max(0)

// -----

// (C1)
// expected-error @+1 {{max must be 1 to 2^31 - 1, got 2147483648}}
moert.symbol @tokens max(2147483648)

// -----

// (C2)
// expected-error @+1 {{the name must be an identifier of letters, digits and underscores, got 'a-b'}}
moert.symbol @"a-b" max(1)

// -----

func.func @f() {
  // expected-error @+1 {{expects parent op 'builtin.module'}}
  moert.symbol @tokens max(1)
  return
}

// -----

//===- moert.weight -------------------------------------------------------===//

// (C1)
// expected-error @+1 {{the tensor's name must not be empty}}
moert.weight @w "" : 8xf32

// -----

// (C2)
// expected-error @+1 {{unknown weight format 'f64'}}
moert.weight @w "w" : 8xf64

// -----

// (C3)
// expected-error @+1 {{a weight has 1 to 3 dimensions, got 4}}
moert.weight @w "w" : 1x2x3x4xf32

// -----

// (C3)
// expected-error @+1 {{a weight has 1 to 3 dimensions, got 0}}
"moert.weight"() {sym_name = "w", tensor = "w", shape = array<i64>, format = "f32"} : () -> ()

// -----

// (C3)
// expected-error @+1 {{dimensions must be 1 to 2^31 - 1, got 0}}
moert.weight @w "w" : 0x8xf32

// -----

// (C3)
// expected-error @+1 {{dimensions must be 1 to 2^31 - 1, got -8}}
"moert.weight"() {sym_name = "w", tensor = "w", shape = array<i64: -8>, format = "f32"} : () -> ()

// -----

// (C3)
// expected-error @+1 {{the weight is larger than 2^48 bytes}}
moert.weight @w "w" : 65536x65536x65536xf32

// -----

// (C4)
// expected-error @+1 {{the last dimension 128 is no multiple of the block size 256 of q6_K}}
moert.weight @w "w" : 8x128xq6_K
