// Names are UTF-8 without control characters.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

func.func @weight() -> tensor<4xf32> {
  // expected-error @+1 {{the name "a\00b" of a tensor must be UTF-8 without control characters}}
  %w = moe.weight "a\00b" : tensor<4xf32>
  return %w : tensor<4xf32>
}

// -----

func.func @names(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
  // expected-error @+1 {{'moe.names': a name must be UTF-8 without control characters}}
  %0 = moe.add %x, %x {moe.names = ["a\0A"]} : tensor<?x4xf32>
  return %0 : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{'moe.values': a name must be UTF-8 without control characters}}
func.func @values(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {moe.values = ["a\0D"]} {
  return %x : tensor<?x4xf32>
}

// -----

// expected-error @+1 {{'moe.name' must be UTF-8 without control characters}}
func.func @name(%x: tensor<?x4xf32> {moe.name = "x\1B[2J"}) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

// moe (C10)
// expected-error @+1 {{'moe.symbol' must be an identifier of letters, digits and underscores}}
func.func @symbol(%x: tensor<?x4xf32> {moe.symbol = "a b"}) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

// (C10)
// expected-error @+1 {{'moe.symbol' must be an identifier of letters, digits and underscores}}
func.func @symbol(%x: tensor<?x4xf32> {moe.symbol = ""}) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

// (C10)
// expected-error @+1 {{'moe.symbol' must be an identifier of letters, digits and underscores}}
func.func @symbol(%x: tensor<?x4xf32> {moe.symbol = 3 : i64}) -> tensor<?x4xf32> {
  return %x : tensor<?x4xf32>
}

// -----

// (C10)
// expected-error @+1 {{'moe.symbol' belongs on an argument}}
func.func @symbol(%x: tensor<?x4xf32>) -> (tensor<?x4xf32> {moe.symbol = "a"}) {
  return %x : tensor<?x4xf32>
}

// -----

// (C10)
// expected-error @+1 {{unknown attribute 'moe.symbol'}}
func.func @symbol(%x: tensor<?x4xf32>) -> tensor<?x4xf32> attributes {moe.symbol = "a"} {
  return %x : tensor<?x4xf32>
}
