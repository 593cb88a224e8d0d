// One test or more for each constraint of each op and of the type, cited as LmOps.td and LmTypes.td
// number them.
// RUN: sortie-opt %s --split-input-file --verify-diagnostics

//===- !lm.cache -----------------------------------------------------------===//

// (C1)
// expected-error @below {{the number of heads must be 1 to 1048576, got 0}}
lm.cache @c : !lm.cache<0 x 8 x 16>

// -----

// (C1)
// expected-error @below {{heads of a cache have 1 to 1024 elements, got 0}}
lm.cache @c : !lm.cache<2 x 0 x 16>

// -----

// (C1)
// expected-error @below {{heads of a cache have 1 to 1024 elements, got 1025}}
lm.cache @c : !lm.cache<2 x 8 x 1025>

// -----

// (C1)
// expected-error @below {{the number of heads must be 1 to 1048576, got 9223372036854775807}}
lm.cache @c : !lm.cache<9223372036854775807 x 8 x 16>

// -----

// No words but the widths.
// expected-error @below {{expected one of [int8, int16] for width of quantized rows, got: int32}}
lm.cache @c : !lm.cache<2 x 8 x 16, int32>

// -----

//===- lm.embed ------------------------------------------------------------===//

func.func @f(%t: tensor<5xi32>, %w: tensor<64x32xf32>) {
  // (C1)
  // expected-error @below {{result must be [5, 32], got 'tensor<4x32xf32>'}}
  %0 = lm.embed %t, %w : (tensor<5xi32>, tensor<64x32xf32>) -> tensor<4x32xf32>
  return
}

// -----

func.func @f(%t: tensor<?xi32>, %w: tensor<64x32xf32>) {
  // (C1)
  // expected-error @below {{result must be [?, 32], got 'tensor<?x16xf32>'}}
  %0 = lm.embed %t, %w : (tensor<?xi32>, tensor<64x32xf32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @f(%t: tensor<?x2xi32>, %w: tensor<64x32xf32>) {
  // (C1)
  // expected-error @below {{operand #0 must be}}
  %0 = lm.embed %t, %w : (tensor<?x2xi32>, tensor<64x32xf32>) -> tensor<?x32xf32>
  return
}

// -----

func.func @f(%t: tensor<?xi32>, %w: tensor<2x64x32xf32>) {
  // (C1)
  // expected-error @below {{operand #1 must be}}
  %0 = lm.embed %t, %w : (tensor<?xi32>, tensor<2x64x32xf32>) -> tensor<?x32xf32>
  return
}

// -----

//===- lm.select_rows ------------------------------------------------------===//

func.func @f(%x: tensor<?x32xf32>, %r: tensor<3xi32>) {
  // (C1)
  // expected-error @below {{result must be [3, 32], got 'tensor<?x16xf32>'}}
  %0 = lm.select_rows %x, %r : (tensor<?x32xf32>, tensor<3xi32>) -> tensor<?x16xf32>
  return
}

// -----

func.func @f(%x: tensor<?x32xf32>, %r: tensor<3xi32>) {
  // (C1)
  // expected-error @below {{result must be [3, 32], got 'tensor<4x32xf32>'}}
  %0 = lm.select_rows %x, %r : (tensor<?x32xf32>, tensor<3xi32>) -> tensor<4x32xf32>
  return
}

// -----

//===- lm.head_norm --------------------------------------------------------===//

func.func @f(%x: tensor<?x32xf32>, %w: tensor<8xf32>) {
  // (C1)
  // expected-error @below {{the number of heads must be 1 to 1048576, got 0}}
  %0 = lm.head_norm %x, %w heads(0) eps(0.0) : tensor<?x32xf32>, tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x32xf32>, %w: tensor<8xf32>) {
  // (C1)
  // expected-error @below {{the number of heads must be 1 to 1048576, got -4}}
  %0 = lm.head_norm %x, %w heads(-4) eps(0.0) : tensor<?x32xf32>, tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x?xf32>, %w: tensor<8xf32>) {
  // (C1), of which dynamic widths say nothing.
  // expected-error @below {{the number of heads must be 1 to 1048576, got 0}}
  %0 = lm.head_norm %x, %w heads(0) eps(0.0) : tensor<?x?xf32>, tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x32xf32>, %w: tensor<8xf32>) {
  // (C1)
  // expected-error @below {{input has 32 columns, which are not 5 equal heads}}
  %0 = lm.head_norm %x, %w heads(5) eps(0.0) : tensor<?x32xf32>, tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x2050xf32>, %w: tensor<1025xf32>) {
  // (C1)
  // expected-error @below {{input has heads of 1025 elements, expected 1 to 1024}}
  %0 = lm.head_norm %x, %w heads(2) eps(0.0) : tensor<?x2050xf32>, tensor<1025xf32>
  return
}

// -----

func.func @f(%x: tensor<?x0xf32>, %w: tensor<8xf32>) {
  // (C1)
  // expected-error @below {{input has heads of 0 elements, expected 1 to 1024}}
  %0 = lm.head_norm %x, %w heads(4) eps(0.0) : tensor<?x0xf32>, tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x32xf32>, %w: tensor<32xf32>) {
  // (C2)
  // expected-error @below {{weight must be [8], got 'tensor<32xf32>'}}
  %0 = lm.head_norm %x, %w heads(4) eps(0.0) : tensor<?x32xf32>, tensor<32xf32>
  return
}

// -----

func.func @f(%x: tensor<?x32xf32>, %w: tensor<8xf32>) {
  // (C3)
  // expected-error @below {{eps must be finite and not negative}}
  %0 = lm.head_norm %x, %w heads(4) eps(-1.0) : tensor<?x32xf32>, tensor<8xf32>
  return
}

// -----

func.func @f(%x: tensor<?x32xf32>, %w: tensor<8xf32>) {
  // (C3)
  // expected-error @below {{eps must be finite and not negative}}
  %0 = lm.head_norm %x, %w heads(4) eps(0x7F800000) : tensor<?x32xf32>, tensor<8xf32>
  return
}

// -----

//===- lm.rotate -----------------------------------------------------------===//

func.func @f(%x: tensor<?x32xf32>, %p: tensor<?xi32>) {
  // (C1)
  // expected-error @below {{input has 32 columns, which are not 3 equal heads}}
  %0 = lm.rotate %x, %p heads(3) pairs(halves) frequencies [1] : tensor<?x32xf32>, tensor<?xi32>
  return
}

// -----

func.func @f(%x: tensor<?x?xf32>, %p: tensor<?xi32>) {
  // (C1), of which dynamic widths say nothing.
  // expected-error @below {{the number of heads must be 1 to 1048576, got 0}}
  %0 = lm.rotate %x, %p heads(0) pairs(halves) frequencies [1] : tensor<?x?xf32>, tensor<?xi32>
  return
}

// -----

func.func @f(%x: tensor<5x32xf32>, %p: tensor<4xi32>) {
  // (C1)
  // expected-error @below {{positions must be [5], got 'tensor<4xi32>'}}
  %0 = lm.rotate %x, %p heads(4) pairs(halves) frequencies [1] : tensor<5x32xf32>, tensor<4xi32>
  return
}

// -----

func.func @f(%x: tensor<?x32xf32>, %p: tensor<?xi32>) {
  // (C2)
  // expected-error @below {{there are no frequencies; at least one is needed}}
  %0 = lm.rotate %x, %p heads(4) pairs(halves) frequencies [] : tensor<?x32xf32>, tensor<?xi32>
  return
}

// -----

func.func @f(%x: tensor<?x?xf32>, %p: tensor<?xi32>) {
  // (C2), of which dynamic widths say nothing.
  // expected-error @below {{there are no frequencies; at least one is needed}}
  %0 = lm.rotate %x, %p heads(4) pairs(halves) frequencies [] : tensor<?x?xf32>, tensor<?xi32>
  return
}

// -----

func.func @f(%x: tensor<?x32xf32>, %p: tensor<?xi32>) {
  // (C2)
  // expected-error @below {{there are 5 frequencies for heads of 8 elements; each turns two of them}}
  %0 = lm.rotate %x, %p heads(4) pairs(halves) frequencies [1, 2, 3, 4, 5] : tensor<?x32xf32>, tensor<?xi32>
  return
}

// -----

func.func @f(%x: tensor<?x32xf32>, %p: tensor<?xi32>) {
  // (C3)
  // expected-error @below {{factor must be finite}}
  %0 = lm.rotate %x, %p heads(4) pairs(halves) frequencies [1] factor(0x7F800000) : tensor<?x32xf32>, tensor<?xi32>
  return
}

// -----

// No words but the orders of pairs.
func.func @f(%x: tensor<?x32xf32>, %p: tensor<?xi32>) {
  // expected-error @below {{expected one of [halves, neighbours] for which elements of a head turn together, got: thirds}}
  %0 = lm.rotate %x, %p heads(4) pairs(thirds) frequencies [1] : tensor<?x32xf32>, tensor<?xi32>
  return
}

// -----

//===- lm.cache ------------------------------------------------------------===//

// (C1)
// expected-error @below {{must have a name that is not empty}}
lm.cache @"" : !lm.cache<2 x 8 x 16>

// -----

// (C1)
// expected-error @below {{its name must be UTF-8 without control characters}}
lm.cache @"a\0Ab" : !lm.cache<2 x 8 x 16>

// -----

// It stands in a module.
func.func @f() {
  // expected-error @below {{'lm.cache' op expects parent op 'builtin.module'}}
  lm.cache @c : !lm.cache<2 x 8 x 16>
  return
}

// -----

//===- lm.read_cache -------------------------------------------------------===//

func.func @f() {
  // (C1)
  // expected-error @below {{there is no lm.cache @c}}
  %0 = lm.read_cache @c : !lm.cache<2 x 8 x 16>
  return
}

// -----

// (C1)
// A function is no cache.
func.func @f() {
  // expected-error @below {{there is no lm.cache @f}}
  %0 = lm.read_cache @f : !lm.cache<2 x 8 x 16>
  return
}

// -----

lm.cache @c : !lm.cache<2 x 8 x 16>
func.func @f() {
  // (C1)
  // expected-error @below {{cache @c is '!lm.cache<2 x 8 x 16>', got '!lm.cache<2 x 8 x 16, int8>'}}
  %0 = lm.read_cache @c : !lm.cache<2 x 8 x 16, int8>
  return
}

// -----

//===- lm.write_cache ------------------------------------------------------===//

func.func @f(%c: !lm.cache<2 x 8 x 16>) {
  // (C1)
  // expected-error @below {{there is no lm.cache @c}}
  lm.write_cache %c, @c : !lm.cache<2 x 8 x 16>
  return
}

// -----

lm.cache @c : !lm.cache<2 x 8 x 8>
func.func @f(%c: !lm.cache<2 x 8 x 16>) {
  // (C1)
  // expected-error @below {{cache @c is '!lm.cache<2 x 8 x 8>', got '!lm.cache<2 x 8 x 16>'}}
  lm.write_cache %c, @c : !lm.cache<2 x 8 x 16>
  return
}

// -----

//===- lm.append -----------------------------------------------------------===//

func.func @f(%c: !lm.cache<2 x 8 x 16>, %k: tensor<5x32xf32>, %v: tensor<5x32xf32>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{keys must be [5, 16], got 'tensor<5x32xf32>'}}
  %0 = lm.append %c, %k, %v at(%p, %s, %g)
    : !lm.cache<2 x 8 x 16>, tensor<5x32xf32>, tensor<5x32xf32>, tensor<5xi32>, tensor<5xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%c: !lm.cache<2 x 8 x 16>, %k: tensor<5x16xf32>, %v: tensor<5x16xf32>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{values must be [5, 32], got 'tensor<5x16xf32>'}}
  %0 = lm.append %c, %k, %v at(%p, %s, %g)
    : !lm.cache<2 x 8 x 16>, tensor<5x16xf32>, tensor<5x16xf32>, tensor<5xi32>, tensor<5xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%c: !lm.cache<2 x 8 x 16>, %k: tensor<5x16xf32>, %v: tensor<4x32xf32>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{values must be [5, 32], got 'tensor<4x32xf32>'}}
  %0 = lm.append %c, %k, %v at(%p, %s, %g)
    : !lm.cache<2 x 8 x 16>, tensor<5x16xf32>, tensor<4x32xf32>, tensor<5xi32>, tensor<5xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%c: !lm.cache<2 x 8 x 16>, %k: tensor<5x16xf32>, %v: tensor<5x32xf32>,
    %p: tensor<4xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C2)
  // expected-error @below {{positions must be [5], got 'tensor<4xi32>'}}
  %0 = lm.append %c, %k, %v at(%p, %s, %g)
    : !lm.cache<2 x 8 x 16>, tensor<5x16xf32>, tensor<5x32xf32>, tensor<4xi32>, tensor<5xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%c: !lm.cache<2 x 8 x 16>, %k: tensor<5x16xf32>, %v: tensor<5x32xf32>,
    %p: tensor<5xi32>, %s: tensor<4xi32>, %g: tensor<?x4xi32>) {
  // (C2)
  // expected-error @below {{sequences must be [5], got 'tensor<4xi32>'}}
  %0 = lm.append %c, %k, %v at(%p, %s, %g)
    : !lm.cache<2 x 8 x 16>, tensor<5x16xf32>, tensor<5x32xf32>, tensor<5xi32>, tensor<4xi32>, tensor<?x4xi32>
  return
}

// -----

func.func @f(%c: !lm.cache<2 x 8 x 16>, %k: tensor<5x16xf32>, %v: tensor<5x32xf32>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<4xi32>) {
  // (C2)
  // expected-error @below {{operand #5 must be}}
  %0 = lm.append %c, %k, %v at(%p, %s, %g)
    : !lm.cache<2 x 8 x 16>, tensor<5x16xf32>, tensor<5x32xf32>, tensor<5xi32>, tensor<5xi32>, tensor<4xi32>
  return
}

// -----

//===- lm.attend -----------------------------------------------------------===//

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{3 heads of queries must be a multiple of 2 heads of keys}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(3) scale(0.35)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{the number of heads must be 1 to 1048576, got 0}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(0) scale(0.35)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{the number of heads must be 1 to 1048576, got 4611686018427387904}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4611686018427387904) scale(0.35)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x64xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{queries must be [5, 32], got 'tensor<5x64xf32>'}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0.35)
    : (tensor<5x64xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{result must be [5, 64], got 'tensor<5x32xf32>'}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0.35)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x32xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C1)
  // expected-error @below {{result must be [5, 64], got 'tensor<4x64xf32>'}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0.35)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<4x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<4xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C2)
  // expected-error @below {{positions must be [5], got 'tensor<4xi32>'}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0.35)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<4xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<4xi32>, %g: tensor<?x4xi32>) {
  // (C2)
  // expected-error @below {{sequences must be [5], got 'tensor<4xi32>'}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0.35)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<4xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<4xi32>) {
  // (C2)
  // expected-error @below {{operand #4 must be}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0.35)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>, %z: tensor<2xf32>) {
  // (C3)
  // expected-error @below {{sinks must be [4], got 'tensor<2xf32>'}}
  %0 = lm.attend %q, %c at(%p, %s, %g) sinks(%z) heads(4) scale(0.35)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>, tensor<2xf32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C4)
  // expected-error @below {{scale must be finite and positive}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0.0)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C4)
  // expected-error @below {{scale must be finite and positive}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(-1.0)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C4)
  // expected-error @below {{scale must be finite and positive}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0x7FF0000000000000)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C4)
  // expected-error @below {{window must be 0 to 2^31 - 1, got -1}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0.35) window(-1)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C4)
  // expected-error @below {{window must be 0 to 2^31 - 1, got 2147483648}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0.35) window(2147483648)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C5)
  // expected-error @below {{query_width must be given if and only if the cache has a width}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0.35) query_width(int16)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}

// -----

func.func @f(%q: tensor<5x32xf32>, %c: !lm.cache<2 x 8 x 16, int16>,
    %p: tensor<5xi32>, %s: tensor<5xi32>, %g: tensor<?x4xi32>) {
  // (C5)
  // expected-error @below {{query_width must be given if and only if the cache has a width}}
  %0 = lm.attend %q, %c at(%p, %s, %g) heads(4) scale(0.35)
    : (tensor<5x32xf32>, !lm.cache<2 x 8 x 16, int16>, tensor<5xi32>, tensor<5xi32>,
       tensor<?x4xi32>) -> tensor<5x64xf32>
  return
}
