// The rules of the dialect's attributes and types, cited as MoeDialect.td, MoeAttributes.td and
// MoeTypes.td number them.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

// #moe.contract (C1)
// expected-error @+1 {{unknown contract member 'always', expected run, batch or device}}
module attributes {moe.contract = #moe.contract<run, always>} {}

// -----

// #moe.contract (C1)
// expected-error @+1 {{unknown contract member 'none'}}
module attributes {moe.contract = #moe.contract<none>} {}

// -----

// #moe.contract (C1)
// expected-error @+1 {{contract member 'batch' is listed twice}}
module attributes {moe.contract = #moe.contract<run, batch, batch>} {}

// -----

// #moe.contract (C2)
// expected-error @+1 {{contract member 'device' implies 'batch', which is missing}}
module attributes {moe.contract = #moe.contract<run, device>} {}

// -----

// #moe.contract (C2)
// expected-error @+1 {{contract member 'batch' implies 'run', which is missing}}
module attributes {moe.contract = #moe.contract<batch>} {}

// -----

// !moe.block (C1)
// expected-error @+1 {{unknown weight format 'q9_K'}}
func.func private @block(tensor<256x!moe.block<q9_K>>)

// -----

// !moe.block (C1)
// expected-error @+1 {{'bf16' is no block format, use the builtin type}}
func.func private @block(tensor<256x!moe.block<bf16>>)

// -----

// expected-error @+1 {{unknown activation width 'int4', expected int16 or int8}}
func.func private @activation(tensor<256x!moe.activation<int4>>)

// -----

// moe (C9)
// expected-error @+1 {{'moe.import_options' must be a dictionary that is not empty}}
module attributes {moe.import_options = {}} {}

// -----

// moe (C9)
// expected-error @+1 {{'ignored_tensors' of 'moe.import_options' must hold strings that are not empty and all different}}
module attributes {moe.import_options = {ignored_tensors = ["a", "a"]}} {}

// -----

// moe (C9)
// expected-error @+1 {{'ignored_keys' of 'moe.import_options' must hold strings that are not empty}}
module attributes {moe.import_options = {ignored_keys = [""]}} {}

// -----

// moe (C9)
// expected-error @+1 {{'gating' of 'moe.import_options' must be a word}}
module attributes {moe.import_options = {gating = 1 : i64}} {}

// -----

// moe (C9)
// expected-error @+1 {{'experts_used' of 'moe.import_options' must be an i64 of at least 1}}
module attributes {moe.import_options = {experts_used = 0 : i64}} {}

// -----

// moe (C9)
// expected-error @+1 {{'context' of 'moe.import_options' must be an i64 of at least 1}}
module attributes {moe.import_options = {context = 0 : i64}} {}

// -----

// moe (C9)
// expected-error @+1 {{'moe.import_options' has the unknown entry 'mood'}}
module attributes {moe.import_options = {mood = "good"}} {}

// -----

// moe (C9)
// expected-error @+1 {{'moe.import_options' belongs on a module}}
func.func private @f() attributes {moe.import_options = {gating = "sigmoid"}}

// -----

// moe (C1)
// expected-error @+1 {{'moe.contract' must be a #moe.contract}}
module attributes {moe.contract = "run"} {}

// -----

// moe (C1)
// expected-error @+1 {{'moe.contract' belongs on a module}}
func.func private @f() attributes {moe.contract = #moe.contract<run>}

// -----

// moe (C2)
// expected-error @+1 {{'moe.numerics' must be an i64 of at least 0}}
module attributes {moe.numerics = -1 : i64} {}

// -----

// moe (C2)
// expected-error @+1 {{'moe.numerics' must be an i64 of at least 0}}
module attributes {moe.numerics = 1 : i32} {}

// -----

// moe (C3)
// expected-error @+1 {{'moe.weights_fingerprint' must be a string of 16 lower-case hexadecimal}}
module attributes {moe.weights_fingerprint = "0123456789ABCDEF"} {}

// -----

// moe (C3)
// expected-error @+1 {{'moe.weights_fingerprint' must be a string of 16 lower-case hexadecimal}}
module attributes {moe.weights_fingerprint = "0123"} {}

// -----

// moe (C3)
// expected-error @+1 {{'moe.weights_fingerprint' must be a string of 16 lower-case hexadecimal}}
module attributes {moe.weights_fingerprint = "3:0123456789abcdef"} {}

// -----

// expected-error @+1 {{'moe.weights_fingerprint' must be a string of 16 lower-case hexadecimal}}
module attributes {moe.weights_fingerprint = 7} {}

// -----

// expected-error @+1 {{'moe.fingerprint_keys' and a 'moe.weights_fingerprint' that begins with '2:' must be given together}}
module attributes {moe.weights_fingerprint = "2:0123456789abcdef"} {}

// -----

// expected-error @+1 {{'moe.fingerprint_keys' and a 'moe.weights_fingerprint' that begins with '2:' must be given together}}
module attributes {moe.weights_fingerprint = "0123456789abcdef", moe.fingerprint_keys = ["a"]} {}

// -----

// expected-error @+1 {{'moe.fingerprint_keys' and a 'moe.weights_fingerprint' that begins with '2:' must be given together}}
module attributes {moe.fingerprint_keys = ["a"]} {}

// -----

// expected-error @+1 {{'moe.fingerprint_keys' must be an array of strings that are not empty and all different}}
module attributes {moe.weights_fingerprint = "2:0123456789abcdef", moe.fingerprint_keys = ["a", "a"]} {}

// -----

// expected-error @+1 {{'moe.fingerprint_keys' must be an array of strings that are not empty and all different}}
module attributes {moe.weights_fingerprint = "2:0123456789abcdef", moe.fingerprint_keys = "a"} {}

// -----

// moe (C8)
// expected-error @+1 {{'moe.weight_hashes' must be a dictionary from names of tensors to strings of 32 lower-case hexadecimal digits}}
module attributes {moe.weight_hashes = {"a" = "0123456789abcdef0123456789abcde"}} {}

// -----

// expected-error @+1 {{'moe.weight_hashes' must be a dictionary from names of tensors to strings of 32 lower-case hexadecimal digits}}
module attributes {moe.weight_hashes = ["0123456789abcdef0123456789abcdef"]} {}

// -----

func.func private @moe_hashes_on_a_function() attributes {
  // expected-error @-1 {{'moe.weight_hashes' belongs on a module}}
  moe.weight_hashes = {}}

// -----

func.func @names(%a: tensor<?x8xf32>) {
  // moe (C4)
  // expected-error @+1 {{'moe.names' must be an array of 1 strings, one for each result}}
  %0 = moe.add %a, %a {moe.names = ["a", "b"]} : tensor<?x8xf32>
  return
}

// -----

func.func @names(%s: tensor<?x8xf32>) {
  // moe (C4)
  // expected-error @+1 {{'moe.names' must hold strings that are not empty and all different}}
  %0:2 = moe.route %s top(2) scoring(raw) tie(lower_id) {moe.names = ["a", "a"]}
    : (tensor<?x8xf32>) -> (tensor<?x2xi32>, tensor<?x2xf32>)
  return
}

// -----

func.func @names(%a: tensor<?x8xf32>) {
  // moe (C4)
  // expected-error @+1 {{'moe.names' must hold strings that are not empty and all different}}
  %0 = moe.add %a, %a {moe.names = [""]} : tensor<?x8xf32>
  return
}

// -----

func.func @names(%a: tensor<?x8xf32>) {
  // moe (C4)
  // expected-error @+1 {{'moe.names' must hold strings that are not empty and all different}}
  %0 = moe.add %a, %a {moe.names = [1]} : tensor<?x8xf32>
  return
}

// -----

// moe (C5)
// expected-error @+1 {{'moe.name' must be a string that is not empty}}
func.func private @f(%a: tensor<?x8xf32> {moe.name = ""})

// -----

// moe (C5)
// expected-error @+1 {{'moe.name' must be a string that is not empty}}
func.func private @f() -> (tensor<?x8xf32> {moe.name = 1})

// -----

// moe (C6)
// expected-error @+1 {{unknown attribute 'moe.speed'}}
module attributes {moe.speed = "high"} {}

// -----

// moe (C6)
// expected-error @+1 {{unknown attribute 'moe.speed' on an argument or result}}
func.func private @f(%a: tensor<?x8xf32> {moe.speed = "high"})

// -----

// moe (C7)
// expected-error @+1 {{'moe.values' must be an array of strings}}
func.func private @f() attributes {moe.values = "a"}

// -----

// moe (C7)
// expected-error @+1 {{'moe.values' must hold strings that are not empty and all different}}
func.func private @f() attributes {moe.values = ["a", "a"]}
