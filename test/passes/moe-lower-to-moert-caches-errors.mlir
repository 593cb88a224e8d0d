// What a program cannot do with a cache, which lies in one place and is appended to there; and errors of the
// operations that read caches.
// RUN: sortie-opt %s --moe-lower-to-moert --split-input-file --verify-diagnostics

// expected-error @below {{'lm.cache' op has no width yet; run lm-choose-widths first}}
lm.cache @c : !lm.cache<1 x 8 x 8>

// -----

// Appended to twice.
lm.cache @c : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  // expected-error @below {{'lm.append' op appends to a value of a cache that another op appends to; caches are updated in place, so append to what the other one gives}}
  %1 = lm.append %0, %q, %q at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8, int16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  %2 = lm.append %0, %q, %q at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8, int16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  lm.write_cache %2, @c : !lm.cache<1 x 8 x 8, int16>
  return %q : tensor<?x8xf32>
}

// -----

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  %1 = lm.append %0, %q, %q at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8, int16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  // expected-error @below {{'lm.attend' op uses a value of a cache after something has been appended to it; caches are updated in place, so use it before}}
  %2 = lm.attend %q, %0 at(%p, %s, %g) heads(1) scale(0.5) query_width(int16)
    : (tensor<?x8xf32>, !lm.cache<1 x 8 x 8, int16>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x8xf32>
  lm.write_cache %1, @c : !lm.cache<1 x 8 x 8, int16>
  return %2 : tensor<?x8xf32>
}

// -----

// The value after the first append is old after the second.
lm.cache @c : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  %1 = lm.append %0, %q, %q at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8, int16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  %2 = lm.append %1, %q, %q at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8, int16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  lm.write_cache %2, @c : !lm.cache<1 x 8 x 8, int16>
  // expected-error @below {{'lm.attend' op uses a value of a cache after something has been appended to it}}
  %3 = lm.attend %q, %1 at(%p, %s, %g) heads(1) scale(0.5) query_width(int16)
    : (tensor<?x8xf32>, !lm.cache<1 x 8 x 8, int16>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x8xf32>
  return %3 : tensor<?x8xf32>
}

// -----

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  %1 = lm.append %0, %q, %q at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8, int16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  // expected-error @below {{'lm.write_cache' op uses a value of a cache after something has been appended to it}}
  lm.write_cache %0, @c : !lm.cache<1 x 8 x 8, int16>
  return %q : tensor<?x8xf32>
}

// -----

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  // expected-error @below {{'lm.write_cache' op keeps a value of a cache that something is appended to; keep the last one}}
  lm.write_cache %0, @c : !lm.cache<1 x 8 x 8, int16>
  %1 = lm.append %0, %q, %q at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8, int16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  return %q : tensor<?x8xf32>
}

// -----

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  // expected-error @below {{'lm.append' op makes the last value of cache @c, which no lm.write_cache keeps}}
  %1 = lm.append %0, %q, %q at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8, int16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  %2 = lm.attend %q, %1 at(%p, %s, %g) heads(1) scale(0.5) query_width(int16)
    : (tensor<?x8xf32>, !lm.cache<1 x 8 x 8, int16>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<?x8xf32>
  return %2 : tensor<?x8xf32>
}

// -----

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
lm.cache @d : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  %1 = lm.append %0, %q, %q at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8, int16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  // expected-error @below {{'lm.write_cache' op writes what was read from @c; a cache cannot become another one}}
  lm.write_cache %1, @d : !lm.cache<1 x 8 x 8, int16>
  return %q : tensor<?x8xf32>
}

// -----

// Nothing is appended, and still another cache would be written.
lm.cache @c : !lm.cache<1 x 8 x 8, int16>
lm.cache @d : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  // expected-error @below {{'lm.write_cache' op writes what was read from @c; a cache cannot become another one}}
  lm.write_cache %0, @d : !lm.cache<1 x 8 x 8, int16>
  return %q : tensor<?x8xf32>
}

// -----

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  // expected-error @below {{'lm.read_cache' op reads cache @c, which the function has read already}}
  %1 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  return %q : tensor<?x8xf32>
}

// -----

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
// expected-error @below {{argument 4 is a cache; lm.read_cache gives the session's}}
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>, %c: !lm.cache<1 x 8 x 8, int16>) -> tensor<?x8xf32> {
  lm.write_cache %c, @c : !lm.cache<1 x 8 x 8, int16>
  return %q : tensor<?x8xf32>
}

// -----

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> !lm.cache<1 x 8 x 8, int16> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  %1 = lm.append %0, %q, %q at(%p, %s, %g)
    : !lm.cache<1 x 8 x 8, int16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  lm.write_cache %1, @c : !lm.cache<1 x 8 x 8, int16>
  // expected-error @below {{'func.return' op result 0 is a cache; lm.write_cache keeps it for the next run}}
  return %1 : !lm.cache<1 x 8 x 8, int16>
}

// -----

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  // expected-error @below {{'lm.append' op has a name for a cache; only tensors can be audited}}
  %1 = lm.append %0, %q, %q at(%p, %s, %g) {moe.names = ["cache"]}
    : !lm.cache<1 x 8 x 8, int16>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>
  lm.write_cache %1, @c : !lm.cache<1 x 8 x 8, int16>
  return %q : tensor<?x8xf32>
}

// -----

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) -> tensor<?x8xf32> {
  // expected-error @below {{'lm.read_cache' op has a name for a cache; only tensors can be audited}}
  %0 = lm.read_cache @c {moe.names = ["cache"]} : !lm.cache<1 x 8 x 8, int16>
  return %q : tensor<?x8xf32>
}

// -----

// What is written is what was read: nothing comes of it.
lm.cache @c : !lm.cache<1 x 8 x 8, int16>
// expected-error @below {{has no output and writes no state: nothing comes of it}}
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>) {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  lm.write_cache %0, @c : !lm.cache<1 x 8 x 8, int16>
  return
}

// -----

lm.cache @c : !lm.cache<1 x 8 x 8, int16>
func.func @f(%q: tensor<?x8xf32>, %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x4xi32>, %z: tensor<1xf32>) -> tensor<?x8xf32> {
  %0 = lm.read_cache @c : !lm.cache<1 x 8 x 8, int16>
  // expected-error @below {{has a weight that is computed; it must be a moe.weight}}
  %1 = lm.attend %q, %0 at(%p, %s, %g) sinks(%z) heads(1) scale(0.5) query_width(int16)
    : (tensor<?x8xf32>, !lm.cache<1 x 8 x 8, int16>, tensor<?xi32>, tensor<?xi32>, tensor<?x4xi32>, tensor<1xf32>) -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// -----

// Tables are weights.
func.func @f(%t: tensor<?xi32>, %w: tensor<64x32xf32>) -> tensor<?x32xf32> {
  // expected-error @below {{'lm.embed' op has a weight that is computed; it must be a moe.weight}}
  %0 = lm.embed %t, %w : (tensor<?xi32>, tensor<64x32xf32>) -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

func.func @f(%r: tensor<?xi32>) -> tensor<?x32xf32> {
  %w = moe.weight "w" : tensor<64x32xf32>
  // expected-error @below {{'lm.select_rows' op reads a weight where only rows of tokens can be lowered}}
  %0 = lm.select_rows %w, %r : (tensor<64x32xf32>, tensor<?xi32>) -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

// Rows of different symbols are different rows, whatever the types of tensors leave open.
func.func @f(%x: tensor<?x32xf32>, %p: tensor<?xi32> {moe.symbol = "positions"}) -> tensor<?x32xf32> {
  // expected-error @below {{'moert.rotate' op positions must be [tokens], got '!moert.buffer<positions x i32>'}}
  %0 = lm.rotate %x, %p heads(4) pairs(halves) frequencies [1] : tensor<?x32xf32>, tensor<?xi32>
  return %0 : tensor<?x32xf32>
}

// -----

// The number of pages is the session's.
// expected-error @below {{argument 0 asks for the symbol 'pages', by which programs call the number of pages of their caches; give it another name}}
func.func @f(%x: tensor<?x32xf32> {moe.symbol = "pages"}) -> tensor<?x32xf32> {
  %0 = moe.add %x, %x : tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// -----

// The arithmetic of language models came with version 2 of the contract.
// expected-error @below {{asks for version 1 of the numerics contract, its ops of the dialect lm are of version 2}}
module attributes {moe.numerics = 1} {
  func.func @f(%x: tensor<?x32xf32>, %p: tensor<?xi32>) -> tensor<?x32xf32> {
    %0 = lm.rotate %x, %p heads(4) pairs(halves) frequencies [1] : tensor<?x32xf32>, tensor<?xi32>
    return %0 : tensor<?x32xf32>
  }
}
