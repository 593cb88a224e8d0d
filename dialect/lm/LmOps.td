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
    -1 where there is none.

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

#endif // SORTIE_DIALECT_LM_OPS
