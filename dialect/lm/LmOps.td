// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the dialect `lm`.

#ifndef SORTIE_DIALECT_LM_OPS
#define SORTIE_DIALECT_LM_OPS

include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialect/lm/LmTypes.td"
include "dialect/moe/MoeAttributes.td"
include "dialect/moe/MoeInterfaces.td"
include "dialect/moe/MoeTypes.td"

class Lm_Op<string mnemonic, list<Trait> traits = []> : Op<Lm_Dialect, mnemonic, traits> {
  let hasVerifier = 1;
}

// An op that means something of the model, and has a counterpart in programs.
class Lm_ValueOp<string mnemonic, list<Trait> traits = []>
  : Lm_Op<mnemonic, [Pure, Moe_SemanticOpInterface, Moe_RuntimeOpInterface] # traits>;

defvar Lm_Rows = Moe_Tensor<[2], [F32]>;
defvar Lm_Indices = Moe_Tensor<[1], [I32]>;
defvar Lm_PageTable = Moe_Tensor<[2], [I32]>;

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

def Lm_EmbedOp : Lm_ValueOp<"embed"> {
  let summary = "rows of an embedding table";
  let description = [{
    `y[t] = table[tokens[t]]`, decoded. A token that is no row of the table is an error of the run.

    (C1) `tokens` is `[T]`, `table` `[V, K]`, the result `[T, K]`.

    Example:
    ```mlir
    %x = lm.embed %tokens, %table
      : (tensor<?xi32>, tensor<151936x2048x!moe.block<q4_K>>) -> tensor<?x2048xf32>
    ```
  }];
  let arguments = (ins Lm_Indices:$tokens, Moe_Tensor<[2], Moe_WeightElements>:$table);
  let results = (outs Lm_Rows:$result);
  let assemblyFormat = "$tokens `,` $table attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{
    moe::RuntimeOperands getRuntimeOperands() {
      return moe::RuntimeOperands().row(getTokens()).weight("table", getTable());
    }
    moe::ResultShape getResultShape(::mlir::OpResult) {
      return {{getTokens()}, moe::ResultExtent::constant(getTable().getType().getDimSize(1))};
    }
    moe::RowOrder getRowOrder() { return {moe::RowOrder::Kind::Tokens, {}}; }
  }];
}

def Lm_SelectRowsOp : Lm_ValueOp<"select_rows"> {
  let summary = "rows of a tensor, by their numbers";
  let description = [{
    `y[r] = input[rows[r]]`. A number that is no row is an error of the run.

    (C1) `input` is `[T, K]`, `rows` `[R]`, the result `[R, K]`.

    Example:
    ```mlir
    %y = lm.select_rows %x, %rows : (tensor<?x2048xf32>, tensor<?xi32>) -> tensor<?x2048xf32>
    ```
  }];
  let arguments = (ins Lm_Rows:$input, Lm_Indices:$rows);
  let results = (outs Lm_Rows:$result);
  let assemblyFormat = "$input `,` $rows attr-dict `:` functional-type(operands, results)";
  let extraClassDeclaration = [{
    moe::RuntimeOperands getRuntimeOperands() {
      return moe::RuntimeOperands().row(getInput()).row(getRows());
    }
    ::llvm::StringRef getRuntimeName() { return "read_rows"; }
    moe::ResultShape getResultShape(::mlir::OpResult) { return {{getRows()}, {getInput(), 1}}; }
    moe::RowOrder getRowOrder() { return {moe::RowOrder::Kind::Tokens, {}}; }
  }];
}

def Lm_HeadNormOp : Lm_ValueOp<"head_norm", [AllTypesMatch<["input", "result"]>]> {
  let summary = "root-mean-square normalisation of each head";
  let description = [{
    `moe.rms_norm` of each of `heads` heads of a row by itself, all with one weight.

    (C1) `input` is `[T, heads*D]`, of 1 to 2^20 heads of 1 to 1024 elements, and so is the result.
    (C2) `weight` is `[D]`.
    (C3) `eps` is finite and not negative.

    Example:
    ```mlir
    %y = lm.head_norm %q, %w heads(32) eps(1.0e-06) : tensor<?x4096xf32>, tensor<128xf32>
    ```
  }];
  let arguments = (ins Lm_Rows:$input, Moe_Tensor<[1], [F32]>:$weight, I64Attr:$heads, F32Attr:$eps);
  let results = (outs Lm_Rows:$result);
  let assemblyFormat = [{
    $input `,` $weight `heads` `(` $heads `)` `eps` `(` $eps `)` attr-dict
    `:` type($input) `,` type($weight)
  }];
  let extraClassDeclaration = [{
    moe::RuntimeOperands getRuntimeOperands() {
      return moe::RuntimeOperands().row(getInput()).weight("weight", getWeight());
    }
  }];
}

def Lm_RotateOp : Lm_ValueOp<"rotate", [AllTypesMatch<["input", "result"]>]> {
  let summary = "turns pairs of each head by the position";
  let description = [{
    Rotary embedding: pair `j` of each head of row `t` turns by `positions[t]` times frequency `j`,
    in the order of operations of docs/numerics-models.md. `frequencies` are in 2^-64 of a turn for
    each position. With n frequencies the first `2*n` elements of a head turn, and others stay:
    `halves` pairs element `j` with `j + n`, `neighbours` pairs `2*j` with `2*j + 1`. `factor`
    multiplies sine and cosine.

    (C1) `input` is `[T, heads*D]`, of 1 to 2^20 heads of 1 to 1024 elements, and so is the result;
    `positions` is `[T]`.
    (C2) There is at least one frequency, and `2*n` is at most `D`.
    (C3) `factor` is finite.

    Example:
    ```mlir
    %y = lm.rotate %q, %positions heads(4) pairs(halves) frequencies [2935890503282001226, 92840]
      : tensor<?x16xf32>, tensor<?xi32>
    ```
  }];
  let arguments = (ins
    Lm_Rows:$input, Lm_Indices:$positions, I64Attr:$heads, Lm_PairOrderAttr:$pairs,
    DenseI64ArrayAttr:$frequencies, DefaultValuedAttr<F32Attr, "1.0f">:$factor);
  let results = (outs Lm_Rows:$result);
  let assemblyFormat = [{
    $input `,` $positions `heads` `(` $heads `)` `pairs` `(` custom<Word>($pairs) `)`
    `frequencies` $frequencies (`factor` `(` $factor^ `)`)? attr-dict
    `:` type($input) `,` type($positions)
  }];
  let extraClassDeclaration = [{
    moe::RuntimeOperands getRuntimeOperands() {
      return moe::RuntimeOperands().row(getInput()).row(getPositions());
    }
  }];
}

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

def Lm_SliceHeadsOp : Lm_ValueOp<"slice_heads"> {
  let summary = "some elements of each head";
  let description = [{
    Of each of `heads` heads of a row, the elements from `first` on, as many as heads of the result
    have.

    (C1) `input` is `[T, heads*D]`, the result `[T, heads*N]`; their heads have 1 to 1024 elements.
    (C2) `first` is at least 0, and `first + N` at most `D`.

    Example:
    ```mlir
    %y = lm.slice_heads %q heads(16) first(128) : tensor<?x3072xf32> -> tensor<?x1024xf32>
    ```
  }];
  let arguments = (ins Lm_Rows:$input, I64Attr:$heads, I64Attr:$first);
  let results = (outs Lm_Rows:$result);
  let assemblyFormat = [{
    $input `heads` `(` $heads `)` `first` `(` $first `)` attr-dict `:` type($input) `->` type($result)
  }];
  let extraClassDeclaration = [{
    moe::RuntimeOperands getRuntimeOperands() { return moe::RuntimeOperands().row(getInput()); }
    moe::ResultShape getResultShape(::mlir::OpResult) {
      return {{getInput()}, moe::ResultExtent::constant(getType().getDimSize(1))};
    }
  }];
}

def Lm_QuantizeHeadsOp : Lm_Op<"quantize_heads", [Pure, Moe_RuntimeOpInterface]> {
  let summary = "quantizes each head of rows";
  let description = [{
    `moe.quantize` of each head of a row by itself: blocks never cross heads.

    (C1) `input` is `[T, H*K]`, the result `[T, H, K]`.

    Example:
    ```mlir
    %q = lm.quantize_heads %x : tensor<?x2048xf32> -> tensor<?x16x128x!moe.activation<int16>>
    ```
  }];
  let arguments = (ins Lm_Rows:$input);
  let results = (outs Moe_Tensor<[3], [Moe_ActivationType]>:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let extraClassDeclaration = [{
    moe::RuntimeOperands getRuntimeOperands() { return moe::RuntimeOperands().row(getInput()); }
    moe::ResultShape getResultShape(::mlir::OpResult);
  }];
}

def Lm_HeadMatmulOp : Lm_ValueOp<"head_matmul", [Moe_DeterminismOpInterface]> {
  let summary = "product of each head with a matrix of its own";
  let description = [{
    `y[t, h, n] = sum over c of x[t, h, c] * w[h, n, c]` for each head `h`. `arithmetic` says how the
    dot products are rounded; without it, `moe-choose-arithmetic` has not run yet.

    (C1) `weights` is `[H, N, K]`, `input` f32 `[T, H*K]` or quantized `[T, H, K]`, the result
    `[T, H*N]`.
    (C2) `arithmetic` suits the weights: `exact` needs a block format, `float` and `bf16` f32, f16 or
    bf16. Quantized input needs block weights.

    Example:
    ```mlir
    %y = lm.head_matmul %x, %w
      : (tensor<?x2048xf32>, tensor<16x512x128x!moe.block<q8_0>>) -> tensor<?x8192xf32>
    ```
  }];
  let arguments = (ins
    Moe_Tensor<[2, 3], Moe_ActivationElements>:$input, Moe_Tensor<[3], Moe_WeightElements>:$weights,
    OptionalAttr<Moe_ArithmeticAttr>:$arithmetic);
  let results = (outs Lm_Rows:$result);
  let assemblyFormat = [{
    $input `,` $weights (`arithmetic` `(` custom<Word>($arithmetic)^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    moe::RuntimeOperands getRuntimeOperands();
    moe::ResultShape getResultShape(::mlir::OpResult);
    /// Whether weights are stored in blocks, which are multiplied exactly.
    bool hasBlockWeights() {
      return ::llvm::isa<moe::BlockType>(getWeights().getType().getElementType());
    }
  }];
}

//===----------------------------------------------------------------------===//
// The cache
//===----------------------------------------------------------------------===//

def Lm_CacheOp : Lm_Op<"cache", [Symbol, HasParent<"::mlir::ModuleOp">]> {
  let summary = "a cache of the session";
  let description = [{
    Memory of a session for the keys and values of one layer, which stays from run to run. Before
    anything is appended it holds nothing that may be read.

    (C1) The name is not empty, and UTF-8 without control characters.

    Example:
    ```mlir
    lm.cache @blk.0.cache : !lm.cache<4 x 128 x 128>
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<Lm_CacheType>:$cache_type);
  let assemblyFormat = "$sym_name attr-dict `:` $cache_type";
  let extraClassDeclaration = [{
    CacheType getCache() { return ::llvm::cast<CacheType>(getCacheType()); }
  }];
}

def Lm_ReadCacheOp : Lm_Op<"read_cache", [
    Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "a cache as the last run left it";
  let description = [{
    (C1) `cache` is a `lm.cache` of the result's type.

    Example:
    ```mlir
    %c = lm.read_cache @blk.0.cache : !lm.cache<4 x 128 x 128>
    ```
  }];
  let arguments = (ins FlatSymbolRefAttr:$cache);
  let results = (outs Lm_CacheType:$result);
  let assemblyFormat = "$cache attr-dict `:` type($result)";
  let hasVerifier = 0;
}

def Lm_WriteCacheOp : Lm_Op<"write_cache", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "what stays in a cache for the next run";
  let description = [{
    (C1) `cache` is a `lm.cache` of the value's type.

    Example:
    ```mlir
    lm.write_cache %c, @blk.0.cache : !lm.cache<4 x 128 x 128>
    ```
  }];
  let arguments = (ins Lm_CacheType:$value, FlatSymbolRefAttr:$cache);
  let assemblyFormat = "$value `,` $cache attr-dict `:` type($value)";
  let hasVerifier = 0;
}

def Lm_AppendOp : Lm_Op<"append", [
    Pure, Moe_RuntimeOpInterface, AllTypesMatch<["cache", "result"]>]> {
  let summary = "a cache with further positions";
  let description = [{
    The cache in which position `positions[t]` of sequence `sequences[t]` holds row `t` of `keys`
    and `values`. `pages[s, i]` is the page of positions `128*i` to `128*i + 127` of sequence `s`,
    -1 where there is none. Two tokens with one place are an error of the run.

    (C1) `cache` is `!lm.cache<G x D x Dv>`, `keys` `[T, G*D]`, `values` `[T, G*Dv]`.
    (C2) `positions` and `sequences` are `[T]`, `pages` is `[S, P]`.

    Example:
    ```mlir
    %c1 = lm.append %c0, %k, %v at(%positions, %sequences, %pages)
      : !lm.cache<4 x 128 x 128>, tensor<?x512xf32>, tensor<?x512xf32>, tensor<?xi32>,
        tensor<?xi32>, tensor<?x320xi32>
    ```
  }];
  let arguments = (ins
    Lm_CacheType:$cache, Lm_Rows:$keys, Lm_Rows:$values, Lm_Indices:$positions,
    Lm_Indices:$sequences, Lm_PageTable:$pages);
  let results = (outs Lm_CacheType:$result);
  let assemblyFormat = [{
    $cache `,` $keys `,` $values `at` `(` $positions `,` $sequences `,` $pages `)` attr-dict
    `:` type($cache) `,` type($keys) `,` type($values) `,` type($positions) `,` type($sequences) `,`
    type($pages)
  }];
  let extraClassDeclaration = [{
    moe::RuntimeOperands getRuntimeOperands();
    ::mlir::Value getInPlaceOperand() { return getCache(); }
  }];
}

def Lm_AppendLatentOp : Lm_Op<"append_latent", [
    Pure, Moe_RuntimeOpInterface, AllTypesMatch<["cache", "result"]>]> {
  let summary = "a cache of latents with further positions";
  let description = [{
    As `lm.append`, of a cache whose keys have two parts: row `t` of `latents`, which is the value,
    too, and row `t` of `rotated`.

    (C1) `cache` is `!lm.cache<latent L + R>`, `latents` `[T, L]`, `rotated` `[T, R]`.
    (C2) `positions` and `sequences` are `[T]`, `pages` is `[S, P]`.

    Example:
    ```mlir
    %c1 = lm.append_latent %c0, %latent, %k at(%positions, %sequences, %pages)
      : !lm.cache<latent 512 + 64>, tensor<?x512xf32>, tensor<?x64xf32>, tensor<?xi32>,
        tensor<?xi32>, tensor<?x320xi32>
    ```
  }];
  let arguments = (ins
    Lm_CacheType:$cache, Lm_Rows:$latents, Lm_Rows:$rotated, Lm_Indices:$positions,
    Lm_Indices:$sequences, Lm_PageTable:$pages);
  let results = (outs Lm_CacheType:$result);
  let assemblyFormat = [{
    $cache `,` $latents `,` $rotated `at` `(` $positions `,` $sequences `,` $pages `)` attr-dict
    `:` type($cache) `,` type($latents) `,` type($rotated) `,` type($positions) `,`
    type($sequences) `,` type($pages)
  }];
  let extraClassDeclaration = [{
    moe::RuntimeOperands getRuntimeOperands();
    ::mlir::Value getInPlaceOperand() { return getCache(); }
  }];
}

def Lm_AttendOp : Lm_ValueOp<"attend"> {
  let summary = "attention of each token over the cache of its sequence";
  let description = [{
    Head `h` of token `t` attends to the positions of its sequence up to its own, of which it sees
    the last `window` if there is one, with the keys and values of head `h / (H / G)`:
    `softmax(scale * q . k)` weighs the values. `sinks[h]` is a further score without a value.

    `query_width` is that of the integers by which queries are multiplied with the cache's rows;
    without it, `lm-choose-widths` has not run yet.

    (C1) `cache` is `!lm.cache<G x D x Dv>`, `queries` `[T, H*D]`, the result `[T, H*Dv]`; `H` is
    `heads`, a multiple of `G` and at most 2^20.
    (C2) `positions` and `sequences` are `[T]`, `pages` is `[S, P]`.
    (C3) `sinks` is `[H]`.
    (C4) `scale` is finite and positive, `window` 0 (all positions) or more, below 2^31.
    (C5) `query_width` is given if and only if the cache has a width.

    Example:
    ```mlir
    %y = lm.attend %q, %c1 at(%positions, %sequences, %pages) heads(32) scale(8.838835e-02)
      : (tensor<?x4096xf32>, !lm.cache<4 x 128 x 128>, tensor<?xi32>, tensor<?xi32>,
         tensor<?x320xi32>) -> tensor<?x4096xf32>
    ```
  }];
  let arguments = (ins
    Lm_Rows:$queries, Lm_CacheType:$cache, Lm_Indices:$positions, Lm_Indices:$sequences,
    Lm_PageTable:$pages, Optional<Moe_Tensor<[1], [F32]>>:$sinks, I64Attr:$heads, F64Attr:$scale,
    DefaultValuedAttr<I64Attr, "0">:$window, OptionalAttr<Lm_IntegerWidthAttr>:$query_width);
  let results = (outs Lm_Rows:$result);
  let assemblyFormat = [{
    $queries `,` $cache `at` `(` $positions `,` $sequences `,` $pages `)`
    (`sinks` `(` $sinks^ `)`)? `heads` `(` $heads `)` `scale` `(` $scale `)`
    (`window` `(` $window^ `)`)? (`query_width` `(` custom<Word>($query_width)^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    moe::RuntimeOperands getRuntimeOperands();
    moe::ResultShape getResultShape(::mlir::OpResult);
    moe::RowOrder getRowOrder() { return {moe::RowOrder::Kind::Tokens, {}}; }
  }];
}

def Lm_AttendLatentOp : Lm_ValueOp<"attend_latent"> {
  let summary = "attention of each token over the latents of its sequence";
  let description = [{
    Head `h` of token `t` attends to the positions of its sequence up to its own, all heads with the
    same keys: `softmax(scale * (q . latent + q_rotated . rotated))` weighs the latents. `queries`
    are multiplied with what makes a head's keys of latents already, and what makes its values of
    them follows: keys and values are never made (docs/numerics-models.md).

    `query_width` is that of the integers by which queries are multiplied with the cache's rows;
    without it, `lm-choose-widths` has not run yet.

    (C1) `cache` is `!lm.cache<latent L + R>`, `queries` `[T, H*L]`, `rotated` `[T, H*R]`, the result
    `[T, H*L]`; `H` is `heads`, 1 to 2^20.
    (C2) `positions` and `sequences` are `[T]`, `pages` is `[S, P]`.
    (C3) `scale` is finite and positive.
    (C4) `query_width` is given if and only if the cache has a width.

    Example:
    ```mlir
    %y = lm.attend_latent %q, %r, %c1 at(%positions, %sequences, %pages) heads(16)
      scale(7.216878e-02)
      : (tensor<?x8192xf32>, tensor<?x1024xf32>, !lm.cache<latent 512 + 64>, tensor<?xi32>,
         tensor<?xi32>, tensor<?x320xi32>) -> tensor<?x8192xf32>
    ```
  }];
  let arguments = (ins
    Lm_Rows:$queries, Lm_Rows:$rotated, Lm_CacheType:$cache, Lm_Indices:$positions,
    Lm_Indices:$sequences, Lm_PageTable:$pages, I64Attr:$heads, F64Attr:$scale,
    OptionalAttr<Lm_IntegerWidthAttr>:$query_width);
  let results = (outs Lm_Rows:$result);
  let assemblyFormat = [{
    $queries `,` $rotated `,` $cache `at` `(` $positions `,` $sequences `,` $pages `)`
    `heads` `(` $heads `)` `scale` `(` $scale `)`
    (`query_width` `(` custom<Word>($query_width)^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    moe::RuntimeOperands getRuntimeOperands();
    moe::RowOrder getRowOrder() { return {moe::RowOrder::Kind::Tokens, {}}; }
  }];
}

#endif // SORTIE_DIALECT_LM_OPS
