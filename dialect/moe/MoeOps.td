// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the dialect `moe`: the semantic level, then the dispatch level.

#ifndef SORTIE_DIALECT_MOE_OPS
#define SORTIE_DIALECT_MOE_OPS

include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "dialect/moe/MoeAttributes.td"
include "dialect/moe/MoeInterfaces.td"
include "dialect/moe/MoeTypes.td"

class Moe_Op<string mnemonic, list<Trait> traits = []> : Op<Moe_Dialect, mnemonic, [Pure] # traits>;

// An op whose result types follow from its operands and attributes. A result may be written with
// fewer or more static dimensions than inferred; where both are static they must agree.
class Moe_InferringOp<string mnemonic, list<Trait> traits = []>
    : Moe_Op<mnemonic, traits # [InferTypeOpAdaptorWithIsCompatible]> {
  let extraClassDefinition = [{
    bool $cppClass::isCompatibleReturnTypes(::mlir::TypeRange inferred,
                                            ::mlir::TypeRange actual) {
      return areCompatibleTypes(inferred, actual);
    }
  }];
}

// An op whose every element follows from the same element of each operand.
def Moe_Elementwise : NativeOpTrait<"Elementwise"> {
  let cppNamespace = "::sortie::moe";
}

// An op that moe-dispatch-by-sort replaces: programs have no counterpart.
def Moe_SemanticLevelOnly : NativeOpTrait<"SemanticLevelOnly"> {
  let cppNamespace = "::sortie::moe";
}

// A product of rows with a matrix; how it is computed decides which contract it keeps.
defvar Moe_MatmulTraits = [DeclareOpInterfaceMethods<Moe_DeterminismOpInterface>];

//===----------------------------------------------------------------------===//
// Semantic level
//===----------------------------------------------------------------------===//

def Moe_WeightOp : Moe_Op<"weight"> {
  let summary = "a tensor of the model file, a part of one, or several";
  let description = [{
    The tensor that the model file stores under `source`, a part of each of its matrices, or several
    tensors of one shape, one for each expert, stacked (`#moe.tensors`). It is a constant of the program;
    its bytes stay in the model's own file. The shapes of files are compared without their
    dimensions of one, which writers leave out.

    (C1) `source` is not empty, and UTF-8 without control characters.
    (C2) The shape is static, of rank 1 to 3, and no dimension is zero.
    (C3) The innermost dimension is a multiple of the block size of the element type.
    (C4) A weight that stacks tensors has rank 2 or 3, and as many tensors as its first dimension
    says.
    (C5) Rows are parts of matrices: the weight has rank 2 or 3, 3 if it stacks tensors. Rows and
    columns lie in their totals, and columns begin and end with blocks.
    (C6) Of an encoding that stores strips of rows together, a matrix has whole strips, and so have
    rows that are a part. Of one whose rows have headers, no part of the columns is taken.
    (C7) What is transposed are matrices of floats: f32, f16 or bf16, and no columns of them. Blocks
    that are decoded are transposed; the weight is f32, and rows of the file have whole blocks.
    (C8) What is joined are the matrices of one tensor: the weight has rank 3.

    Examples:
    ```mlir
    %w = moe.weight "blk.0.ffn_gate_exps.weight" : tensor<128x768x2048x!moe.block<q4_K>>
    // The rows [512, 1024) of each expert's 1024:
    %up = moe.weight "blk.0.ffn_gate_up_exps.weight" rows(512 of 1024)
      : tensor<8x512x256x!moe.block<q4_0>>
    %b = moe.weight "blk.0.ffn_gate_up_exps.bias" columns(512 of 1024) : tensor<8x512xf32>
    %gate = moe.weight ["blk.0.ffn_gate.0.weight", "blk.0.ffn_gate.1.weight"]
      : tensor<2x512x256x!moe.block<q4_0>>
    // The file has [256, 16]:
    %router = moe.weight "router.kernel" transposed : tensor<16x256xf32>
    // The file has [16 * 256, 512], of blocks; of each head the first 128 rows:
    %keys = moe.weight "blk.0.attn_kv_b.weight" joined rows(0 of 256) transposed decoded(q4_K)
      : tensor<16x512x128xf32>
    ```
  }];
  let arguments = (ins AnyAttrOf<[StrAttr, Moe_TensorsAttr]>:$source);
  let results = (outs Moe_Tensor<[1, 2, 3], Moe_WeightElements>:$result);
  let assemblyFormat = "custom<Tensors>($source) attr-dict `:` type($result)";
  let builders = [
    // A whole tensor.
    OpBuilder<(ins "::mlir::Type":$result, "::llvm::StringRef":$source)>,
    // A part of one tensor, or several, one for each expert; parts are whole by default.
    OpBuilder<(ins "::mlir::Type":$result, "::llvm::ArrayRef<::llvm::StringRef>":$tensors,
      CArg<"DimensionPart", "{}">:$rows, CArg<"DimensionPart", "{}">:$columns,
      CArg<"const MatrixLayout &", "{}">:$layout)>,
  ];
  let extraClassDeclaration = [{
    /// What the weight is made of.
    WeightTensors getTensors() { return WeightTensors::from<TensorsAttr>(getSource()); }
  }];
  let hasVerifier = 1;
}

// An op over f32 rows `[T, K]` that weighs each column after it has made the row's size one.
class Moe_NormOp<string mnemonic>
    : Moe_Op<mnemonic, [Moe_SemanticOpInterface, Moe_RuntimeOpInterface,
                        AllTypesMatch<["input", "result"]>]> {
  let arguments = (ins Moe_Tensor<[2], [F32]>:$input, Moe_Tensor<[1], [F32]>:$weight, F32Attr:$eps);
  let results = (outs Moe_Tensor<[2], [F32]>:$result);
  let assemblyFormat = [{
    $input `,` $weight `eps` `(` $eps `)` attr-dict `:` type($input) `,` type($weight)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() {
      return RuntimeOperands().row(getInput()).weight("weight", getWeight());
    }
  }];
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() {
      return verifyNorm(*this, getInput(), getWeight(), getEps());
    }
  }];
}

def Moe_RmsNormOp : Moe_NormOp<"rms_norm"> {
  let summary = "root-mean-square normalisation of rows";
  let description = [{
    `y = x / sqrt(mean(x * x) + eps) * weight` for each row `[K]` of `input` `[T, K]`, in the order
    of operations of `docs/numerics.md`.

    (C1) `weight` is `[K]`.
    (C2) `eps` is finite and not negative.
    (C3) The result has the type of `input`.

    Example:
    ```mlir
    %y = moe.rms_norm %x, %w eps(1.0e-06) : tensor<?x2048xf32>, tensor<2048xf32>
    ```
  }];
}

def Moe_MatmulOp : Moe_InferringOp<"matmul", [Moe_SemanticOpInterface, Moe_SemanticLevelOnly] # Moe_MatmulTraits> {
  let summary = "dense matrix product";
  let description = [{
    `y[t, n] = sum over c of x[t, c] * w[n, c]`, then `+ bias[n]`: routers and shared experts.
    `arithmetic` says how the dot products are rounded; without it, `moe-choose-arithmetic` has not
    run yet.

    (C1) `input` is `[T, K]`, `weights` `[N, K]`, the result `[T, N]`.
    (C2) `bias` is `[N]`.
    (C3) `arithmetic` suits the weights: `exact` needs a block format, `float` f32, f16 or bf16.

    Example:
    ```mlir
    %y = moe.matmul %x, %w bias(%b) arithmetic(float)
      : (tensor<?x2048xf32>, tensor<128x2048xf32>, tensor<128xf32>) -> tensor<?x128xf32>
    ```
  }];
  let arguments = (ins
    Moe_Tensor<[2], [F32]>:$input,
    Moe_Tensor<[2], Moe_WeightElements>:$weights,
    Optional<Moe_Tensor<[1], [F32]>>:$bias,
    OptionalAttr<Moe_ArithmeticAttr>:$arithmetic);
  let results = (outs Moe_Tensor<[2], [F32]>:$result);
  let assemblyFormat = [{
    $input `,` $weights (`bias` `(` $bias^ `)`)? (`arithmetic` `(` custom<Word>($arithmetic)^ `)`)?
    attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Moe_RouteOp : Moe_InferringOp<"route", [Moe_SemanticOpInterface, Moe_RuntimeOpInterface]> {
  let summary = "selects the experts of each token and their weights";
  let description = [{
    From the router's logits `scores` `[T, E]` selects `top` experts per token, best first: `ids`
    `[T, k]` and `weights` `[T, k]`.

    1. Each logit becomes a score: `softmax` over all experts, `sigmoid`, or as it is (`raw`,
       `softmax_after_topk`).
    2. `bias` `[E]` is added for the selection alone.
    3. With `groups`, experts are split into equal consecutive groups, and only the best
       `groups_used` groups remain. A group's score is the sum of its two best selection scores
       (`best_two`, DeepSeek-V3) or its best one (`best`, DeepSeek-V2).
    4. The best `top` experts are selected by descending selection score. NaN comes after every
       number, and `tie(lower_id)`, which must be written, selects the lower id first among equals.
    5. The weight of a slot is the expert's score without bias (`softmax_after_topk`: the softmax
       over the selected logits); `normalize` divides the weights of a token by their sum, then they
       are multiplied by `scale`.

    (C1) `1 <= E <= 1024`, `1 <= top <= min(32, E)`.
    (C2) `bias` is `[E]`.
    (C3) `groups` and `groups_used` come together; `1 <= groups <= 64` divides `E`,
    `1 <= groups_used <= groups`. `group_score(best)` needs them.
    (C4) The groups used hold at least `top` experts.
    (C5) `scale` is finite.
    (C6) The results are `[T, top]`.

    Canonicalization drops groups when all of them are used.

    Example:
    ```mlir
    %ids, %weights = moe.route %scores bias(%b) top(8) scoring(sigmoid) groups(4 of 8) normalize
      scale(2.5) tie(lower_id)
      : (tensor<?x256xf32>, tensor<256xf32>) -> (tensor<?x8xi32>, tensor<?x8xf32>)
    ```
  }];
  let arguments = (ins
    Moe_Tensor<[2], [F32]>:$scores,
    Optional<Moe_Tensor<[1], [F32]>>:$bias,
    I64Attr:$top,
    Moe_ScoringAttr:$scoring,
    OptionalAttr<I64Attr>:$groups_used,
    OptionalAttr<I64Attr>:$groups,
    DefaultValuedAttr<Moe_GroupScoreAttr, "::sortie::GroupScore::BestTwo">:$group_score,
    UnitAttr:$normalize,
    DefaultValuedAttr<F32Attr, "1.0f">:$scale,
    Moe_TieRuleAttr:$tie);
  let results = (outs Moe_Tensor<[2], [I32]>:$ids, Moe_Tensor<[2], [F32]>:$weights);
  let assemblyFormat = [{
    $scores (`bias` `(` $bias^ `)`)? `top` `(` $top `)` `scoring` `(` custom<Word>($scoring) `)`
    (`groups` `(` $groups_used^ `of` $groups `)`)?
    (`group_score` `(` custom<Word>($group_score)^ `)`)? (`normalize` $normalize^)?
    (`scale` `(` $scale^ `)`)? `tie` `(` custom<Word>($tie) `)` attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() {
      return RuntimeOperands().row(getScores()).weight("bias", getBias());
    }
    ResultShape getResultShape(::mlir::OpResult) {
      return {{getScores()}, ResultExtent::constant(static_cast<int64_t>(getTop()))};
    }
    RowOrder getRowOrder() { return {RowOrder::Kind::Tokens, {}}; }
    ::llvm::SmallVector<::llvm::StringRef> getValueNames() { return {"ids", "weights"}; }
  }];
}

def Moe_RoutedMatmulOp
    : Moe_InferringOp<"routed_matmul", [Moe_SemanticOpInterface, Moe_SemanticLevelOnly] # [AttrSizedOperandSegments] # Moe_MatmulTraits> {
  let summary = "product of each slot with the matrix of its expert";
  let description = [{
    `y[t, j, n] = sum over c of x[t, c] * w[ids[t, j], n, c]`, then `* expert_scale[ids[t, j]]`, then
    `+ bias[ids[t, j], n]`; each step is rounded. With `input` `[T, k, K]` each slot has a row of its
    own, `x[t, j, c]`. `expert_scale` is a factor of each expert's matrix, as model files have it
    beside the matrices (`.scale`); routing weights are another thing.

    (C1) `input` is `[T, K]` or `[T, k, K]`, `weights` `[E, N, K]`, `ids` `[T, k]`, the result
    `[T, k, N]`.
    (C2) `bias` is `[E, N]`.
    (C3) `arithmetic` suits the weights, as in `moe.matmul`.
    (C4) `expert_scale` is `[E]`.

    An id outside of `[0, E)` is an error at run time.

    Example:
    ```mlir
    %y = moe.routed_matmul %x, %w, %ids
      : (tensor<?x2048xf32>, tensor<128x768x2048x!moe.block<q4_K>>, tensor<?x8xi32>)
      -> tensor<?x8x768xf32>
    ```
  }];
  let arguments = (ins
    Moe_Tensor<[2, 3], [F32]>:$input,
    Moe_Tensor<[3], Moe_WeightElements>:$weights,
    Moe_Tensor<[2], [I32]>:$ids,
    Optional<Moe_Tensor<[1], [F32]>>:$expert_scale,
    Optional<Moe_Tensor<[2], [F32]>>:$bias,
    OptionalAttr<Moe_ArithmeticAttr>:$arithmetic);
  let results = (outs Moe_Tensor<[3], [F32]>:$result);
  let assemblyFormat = [{
    $input `,` $weights `,` $ids (`expert_scale` `(` $expert_scale^ `)`)? (`bias` `(` $bias^ `)`)?
    (`arithmetic` `(` custom<Word>($arithmetic)^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
}

def Moe_GluOp : Moe_Op<"glu", [Moe_Elementwise, Moe_SemanticOpInterface, Moe_RuntimeOpInterface] # [AllTypesMatch<["gate", "up", "result"]>]> {
  let summary = "gated activation";
  let description = [{
    Element by element, `swiglu` is `silu(gate) * up`. `swiglu_clamped` is
    `(clamp(up, -limit, limit) + 1) * g * sigmoid(alpha * g)` with `g = min(gate, limit)`.

    (C1) `gate`, `up` and the result have one type.
    (C2) `alpha` and `limit` are given for `swiglu_clamped` and for nothing else; both are finite,
    and `limit` is positive.

    Example:
    ```mlir
    %act = moe.glu %gate, %up kind(swiglu_clamped) alpha(1.702) limit(7.0) : tensor<?x4x2880xf32>
    ```
  }];
  let arguments = (ins
    Moe_Tensor<[2, 3], [F32]>:$gate,
    Moe_Tensor<[2, 3], [F32]>:$up,
    Moe_GluKindAttr:$kind,
    OptionalAttr<F32Attr>:$alpha,
    OptionalAttr<F32Attr>:$limit);
  let results = (outs Moe_Tensor<[2, 3], [F32]>:$result);
  let assemblyFormat = [{
    $gate `,` $up `kind` `(` custom<Word>($kind) `)` (`alpha` `(` $alpha^ `)`)?
    (`limit` `(` $limit^ `)`)? attr-dict `:` type($gate)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() {
      return RuntimeOperands().row(getGate()).row(getUp());
    }
  }];
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() {
      return verifyGlu([&] { return emitOpError(); }, getKind(), getAlpha(), getLimit()); // (C2)
    }
  }];
}

def Moe_CombineOp : Moe_InferringOp<"combine", [Moe_SemanticOpInterface, Moe_RuntimeOpInterface] # [AttrSizedOperandSegments]> {
  let summary = "weighted sum of the slots of each token";
  let description = [{
    `y[t] = sum over j of weights[t, j] * row(t, j)`, in ascending `j`; each product is rounded
    before it is added. Row `(t, j)` is `rows[t, j]` of `[T, k, N]`, or with `inverse`
    `rows[inverse[t, j]]` of sorted rows `[R, N]`. Without `weights` the rows are added as they are,
    for they have been scaled already.

    (C1) With `inverse`, `rows` is `[R, N]` and `inverse` `[T, k]`; without, `rows` is `[T, k, N]`.
    (C2) `weights` is `[T, k]`.
    (C3) The result is `[T, N]`.

    Examples:
    ```mlir
    %y = moe.combine %rows weights(%w)
      : (tensor<?x8x2048xf32>, tensor<?x8xf32>) -> tensor<?x2048xf32>
    %z = moe.combine %sorted inverse(%inverse)
      : (tensor<?x2048xf32>, tensor<?x8xi32>) -> tensor<?x2048xf32>
    ```
  }];
  let arguments = (ins
    Moe_Tensor<[2, 3], [F32]>:$rows,
    Optional<Moe_Tensor<[2], [I32]>>:$inverse,
    Optional<Moe_Tensor<[2], [F32]>>:$weights);
  let results = (outs Moe_Tensor<[2], [F32]>:$result);
  let assemblyFormat = [{
    $rows (`inverse` `(` $inverse^ `)`)? (`weights` `(` $weights^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() {
      return RuntimeOperands().row(getRows()).row(getInverse()).row(getWeights());
    }
    ResultShape getResultShape(::mlir::OpResult) {
      const unsigned last = static_cast<unsigned>(getRows().getType().getRank()) - 1;
      return {{getInverse() ? ::mlir::Value(getInverse()) : getRows()}, {getRows(), last}};
    }
    RowOrder getRowOrder() { return {RowOrder::Kind::Tokens, {}}; }
  }];
}

def Moe_AddOp : Moe_Op<"add", [Moe_Elementwise, Moe_SemanticOpInterface, Moe_RuntimeOpInterface] # [Commutative, AllTypesMatch<["lhs", "rhs", "result"]>]> {
  let summary = "sum of two tensors";
  let description = [{
    `y = lhs + rhs`, element by element: the residual, the sum of routed and shared experts.

    (C1) Both operands and the result have one type.

    Example:
    ```mlir
    %y = moe.add %a, %b : tensor<?x2048xf32>
    ```
  }];
  let arguments = (ins Moe_Tensor<[2, 3], [F32]>:$lhs, Moe_Tensor<[2, 3], [F32]>:$rhs);
  let results = (outs Moe_Tensor<[2, 3], [F32]>:$result);
  let assemblyFormat = "$lhs `,` $rhs attr-dict `:` type($lhs)";
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() {
      return RuntimeOperands().row(getLhs()).row(getRhs());
    }
  }];
}

def Moe_ScaleOp
    : Moe_Op<"scale", [Moe_Elementwise, Moe_SemanticOpInterface, Moe_RuntimeOpInterface,
                       AllTypesMatch<["input", "result"]>]> {
  let summary = "a tensor times a constant";
  let description = [{
    `y = factor * input`, element by element: models that scale embeddings, residuals or logits.

    (C1) `factor` is finite.
    (C2) The result has the type of `input`.

    Example:
    ```mlir
    %y = moe.scale %x by(0.22) : tensor<?x2048xf32>
    ```
  }];
  let arguments = (ins Moe_Tensor<[2, 3], [F32]>:$input, F32Attr:$factor);
  let results = (outs Moe_Tensor<[2, 3], [F32]>:$result);
  let assemblyFormat = "$input `by` `(` $factor `)` attr-dict `:` type($input)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() { return RuntimeOperands().row(getInput()); }
  }];
  let extraClassDefinition = [{
    ::llvm::LogicalResult $cppClass::verify() {
      return getFactor().isFinite() ? success() : emitOpError("factor must be finite"); // (C1)
    }
  }];
}

//===----------------------------------------------------------------------===//
// Dispatch level
//===----------------------------------------------------------------------===//

def Moe_DispatchOp : Moe_InferringOp<"dispatch", [Moe_RuntimeOpInterface]> {
  let summary = "stable sort of the slots by expert";
  let description = [{
    Sorts the slots of `ids` `[T, k]` by expert id; slots of one expert keep their order. Results:
    - `permutation` `[R]`: the slot `t*k + j` of each sorted row;
    - `inverse` `[T, k]`: the sorted row of each slot, -1 where the slot's expert lies outside of
      `range`;
    - `offsets` `[count + 1]`: the first sorted row of each expert of the range, then the number of
      sorted rows.

    `range = [first, count]` keeps the experts `first` to `first + count - 1`: the share of one
    device. Without it, every expert is kept, and `R = T*k`. With it, `permutation` still has `T*k`
    elements in memory; those past `offsets[count]` mean nothing.

    (C1) `1 <= experts <= 1024`.
    (C2) `range` is `[first, count]` with `0 <= first`, `1 <= count`, `first + count <= experts`.
    (C3) `permutation` is `[T*k]`, `inverse` `[T, k]`, `offsets` `[count + 1]`.

    Canonicalization drops a range that has all experts.

    Example:
    ```mlir
    %permutation, %inverse, %offsets = moe.dispatch %ids experts(128)
      : (tensor<?x8xi32>) -> (tensor<?xi32>, tensor<?x8xi32>, tensor<129xi32>)
    ```
  }];
  let arguments = (ins
    Moe_Tensor<[2], [I32]>:$ids, I64Attr:$experts, OptionalAttr<DenseI64ArrayAttr>:$range);
  let results = (outs
    Moe_Tensor<[1], [I32]>:$permutation,
    Moe_Tensor<[2], [I32]>:$inverse,
    Moe_Tensor<[1], [I32]>:$offsets);
  let assemblyFormat = [{
    $ids `experts` `(` $experts `)` (`range` $range^)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let hasCanonicalizeMethod = 1;
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() {
      return RuntimeOperands().row(getIds());
    }
    ResultShape getResultShape(::mlir::OpResult result);
    RowOrder getRowOrder() { return {RowOrder::Kind::Tokens, {}}; }
  }];
}

def Moe_GatherOp : Moe_InferringOp<"gather", [Moe_RuntimeOpInterface]> {
  let summary = "rows of tokens in sorted order";
  let description = [{
    `y[r] = x[permutation[r] / slots]`: row `r` belongs to token `permutation[r] / slots`. With
    `slots(1)` the input has a row for each slot.

    (C1) `slots >= 1`.
    (C2) The result is `[R, K]`, its elements are those of `input`.

    Example:
    ```mlir
    %sorted = moe.gather %x, %permutation slots(8)
      : (tensor<?x2048xf32>, tensor<?xi32>) -> tensor<?x2048xf32>
    ```
  }];
  let arguments = (ins
    Moe_Tensor<[2], Moe_ActivationElements>:$input, Moe_Tensor<[1], [I32]>:$permutation,
    I64Attr:$slots);
  let results = (outs Moe_Tensor<[2], Moe_ActivationElements>:$result);
  let assemblyFormat = [{
    $input `,` $permutation `slots` `(` $slots `)` attr-dict `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() {
      return RuntimeOperands().row(getInput()).row(getPermutation());
    }
    ResultShape getResultShape(::mlir::OpResult) { return {{getPermutation()}, {getInput(), 1}}; }
    RowOrder getRowOrder() { return {RowOrder::Kind::Sorted, getPermutation()}; }
  }];
}

def Moe_UnsortOp : Moe_InferringOp<"unsort", [Moe_RuntimeOpInterface]> {
  let summary = "sorted rows back in slot order";
  let description = [{
    `y[t, j] = rows[inverse[t, j]]`, or zeros where the inverse is -1.

    (C1) `rows` is `[R, N]`, `inverse` `[T, k]`, the result `[T, k, N]`.

    Example:
    ```mlir
    %y = moe.unsort %rows, %inverse
      : (tensor<?x768xf32>, tensor<?x8xi32>) -> tensor<?x8x768xf32>
    ```
  }];
  let arguments = (ins Moe_Tensor<[2], [F32]>:$rows, Moe_Tensor<[2], [I32]>:$inverse);
  let results = (outs Moe_Tensor<[3], [F32]>:$result);
  let assemblyFormat = [{
    $rows `,` $inverse attr-dict `:` functional-type(operands, results)
  }];
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() {
      return RuntimeOperands().row(getRows()).row(getInverse());
    }
    ResultShape getResultShape(::mlir::OpResult) {
      return {{getInverse(), 0}, {getInverse(), 1}, {getRows(), 1}};
    }
    RowOrder getRowOrder() { return {RowOrder::Kind::Tokens, {}}; }
  }];
}

def Moe_QuantizeOp : Moe_Op<"quantize", [Moe_RuntimeOpInterface]> {
  let summary = "quantizes rows of activations";
  let description = [{
    Quantizes each row of `input` `[T, K]` in blocks of 128 along `K`, as `docs/numerics.md`
    defines. A row is quantized by itself, so this keeps the `batch` contract.

    (C1) The result has the shape of `input`.

    Example:
    ```mlir
    %q = moe.quantize %x : tensor<?x2048xf32> -> tensor<?x2048x!moe.activation<int16>>
    ```
  }];
  let arguments = (ins Moe_Tensor<[2], [F32]>:$input);
  let results = (outs Moe_Tensor<[2], [Moe_ActivationType]>:$result);
  let assemblyFormat = "$input attr-dict `:` type($input) `->` type($result)";
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() {
      return RuntimeOperands().row(getInput());
    }
  }];
}

def Moe_GroupedMatmulOp
    : Moe_InferringOp<"grouped_matmul", [Moe_RuntimeOpInterface] # [AttrSizedOperandSegments] # Moe_MatmulTraits> {
  let summary = "matrix product over rows grouped by expert";
  let description = [{
    `y[r, n] = sum over c of x[row(r), c] * w[e(r), n, c]`, then `* expert_scale[e(r)]`, then
    `+ bias[e(r), n]`, then `* scale[permutation[r]]`; each step is rounded.
    - With `offsets` `[E + 1]`, `e(r)` is the expert with `offsets[e] <= r < offsets[e + 1]`.
      Without, all rows are one group and `weights` is `[N, K]`.
    - With `slots`, the gather is part of the product: `row(r) = permutation[r] / slots`, and
      `input` has a row for each token (with `slots(1)` for each slot). Otherwise `row(r) = r`.
    - `scale` `[T, k]`, the routing weights, is indexed by slot.

    (C1) With `offsets`, `weights` is `[E, N, K]` and `offsets` `[E + 1]`; without, `weights` is
    `[N, K]`.
    (C2) `input` is `[R, K]`, with `slots` `[T, K]`; the result `[R, N]`.
    (C3) `bias` is `[E, N]` with `offsets`, otherwise `[N]`.
    (C4) `permutation` `[R]` is given exactly if `slots` or `scale` is.
    (C5) `slots >= 1`.
    (C6) `arithmetic` suits the weights, as in `moe.matmul`.
    (C7) Quantized input needs block weights and no other `arithmetic` than `exact`.
    (C8) `expert_scale` is `[E]`, and needs `offsets`.

    Example:
    ```mlir
    %y = moe.grouped_matmul %x, %w offsets(%offsets) permutation(%permutation) slots(8)
      arithmetic(exact)
      : (tensor<?x2048x!moe.activation<int16>>, tensor<128x768x2048x!moe.block<q4_K>>,
         tensor<129xi32>, tensor<?xi32>) -> tensor<?x768xf32>
    ```
  }];
  let arguments = (ins
    Moe_Tensor<[2], Moe_ActivationElements>:$input,
    Moe_Tensor<[2, 3], Moe_WeightElements>:$weights,
    Optional<Moe_Tensor<[1], [I32]>>:$offsets,
    Optional<Moe_Tensor<[1], [I32]>>:$permutation,
    Optional<Moe_Tensor<[1], [F32]>>:$expert_scale,
    Optional<Moe_Tensor<[1, 2], [F32]>>:$bias,
    Optional<Moe_Tensor<[2], [F32]>>:$scale,
    OptionalAttr<I64Attr>:$slots,
    OptionalAttr<Moe_ArithmeticAttr>:$arithmetic);
  let results = (outs Moe_Tensor<[2], [F32]>:$result);
  let assemblyFormat = [{
    $input `,` $weights (`offsets` `(` $offsets^ `)`)? (`permutation` `(` $permutation^ `)`)?
    (`slots` `(` $slots^ `)`)? (`expert_scale` `(` $expert_scale^ `)`)? (`bias` `(` $bias^ `)`)?
    (`scale` `(` $scale^ `)`)?
    (`arithmetic` `(` custom<Word>($arithmetic)^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() {
      return RuntimeOperands()
          .row(getInput())
          .row(getOffsets())
          .row(getPermutation())
          .row(getScale())
          .weight("weights", getWeights())
          .weight("expert_scale", getExpertScale())
          .weight("bias", getBias());
    }
    ::llvm::StringRef getRuntimeName() { return "matmul"; }
    ResultShape getResultShape(::mlir::OpResult);
    RowOrder getRowOrder();
  }];
}

def Moe_GroupedGluOp : Moe_Op<"grouped_glu", [Moe_RuntimeOpInterface] # [AttrSizedOperandSegments] # Moe_MatmulTraits> {
  let summary = "gate and up products with their activation, over rows grouped by expert";
  let description = [{
    `y = glu(gate product * gate_scale + gate_bias, up product * up_scale + up_bias)`, each product
    as in `moe.grouped_matmul`, the scales by expert, the activation as in `moe.glu`. A result of quantized activations is what
    `moe.quantize` makes of the f32 result.

    (C1) With `offsets`, `gate` and `up` are `[E, N, K]` and `offsets` `[E + 1]`; without, both are
    `[N, K]`. Their formats may differ.
    (C2) `input` is `[R, K]`, with `slots` `[T, K]`; the result `[R, N]`.
    (C3) `gate_bias` and `up_bias` are `[E, N]` with `offsets`, otherwise `[N]`.
    (C4) `permutation` `[R]` is given exactly if `slots` is.
    (C5) `slots >= 1`.
    (C6) `arithmetic` suits both weights, as in `moe.matmul`.
    (C7) Quantized input needs block weights and no other `arithmetic` than `exact`.
    (C8) `alpha` and `limit` are as in `moe.glu`.
    (C9) `gate_scale` and `up_scale` are `[E]`, and need `offsets`.

    Example:
    ```mlir
    %act = moe.grouped_glu %x, %gate, %up offsets(%offsets) permutation(%permutation) slots(8)
      kind(swiglu) arithmetic(exact)
      : (tensor<?x2048x!moe.activation<int16>>, tensor<128x768x2048x!moe.block<q4_K>>,
         tensor<128x768x2048x!moe.block<q4_K>>, tensor<129xi32>, tensor<?xi32>)
      -> tensor<?x768x!moe.activation<int16>>
    ```
  }];
  let arguments = (ins
    Moe_Tensor<[2], Moe_ActivationElements>:$input,
    Moe_Tensor<[2, 3], Moe_WeightElements>:$gate,
    Moe_Tensor<[2, 3], Moe_WeightElements>:$up,
    Optional<Moe_Tensor<[1], [I32]>>:$offsets,
    Optional<Moe_Tensor<[1], [I32]>>:$permutation,
    Optional<Moe_Tensor<[1], [F32]>>:$gate_scale,
    Optional<Moe_Tensor<[1], [F32]>>:$up_scale,
    Optional<Moe_Tensor<[1, 2], [F32]>>:$gate_bias,
    Optional<Moe_Tensor<[1, 2], [F32]>>:$up_bias,
    OptionalAttr<I64Attr>:$slots,
    Moe_GluKindAttr:$kind,
    OptionalAttr<F32Attr>:$alpha,
    OptionalAttr<F32Attr>:$limit,
    OptionalAttr<Moe_ArithmeticAttr>:$arithmetic);
  let results = (outs Moe_Tensor<[2], Moe_ActivationElements>:$result);
  let assemblyFormat = [{
    $input `,` $gate `,` $up (`offsets` `(` $offsets^ `)`)? (`permutation` `(` $permutation^ `)`)?
    (`slots` `(` $slots^ `)`)?
    (`gate_scale` `(` $gate_scale^ `)`)? (`up_scale` `(` $up_scale^ `)`)?
    (`gate_bias` `(` $gate_bias^ `)`)? (`up_bias` `(` $up_bias^ `)`)?
    `kind` `(` custom<Word>($kind) `)` (`alpha` `(` $alpha^ `)`)? (`limit` `(` $limit^ `)`)?
    (`arithmetic` `(` custom<Word>($arithmetic)^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    RuntimeOperands getRuntimeOperands() {
      return RuntimeOperands()
          .row(getInput())
          .row(getOffsets())
          .row(getPermutation())
          .weight("gate", getGate())
          .weight("up", getUp())
          .weight("gate_scale", getGateScale())
          .weight("up_scale", getUpScale())
          .weight("gate_bias", getGateBias())
          .weight("up_bias", getUpBias());
    }
    ::llvm::StringRef getRuntimeName() { return "glu_matmul"; }
    ResultShape getResultShape(::mlir::OpResult);
    RowOrder getRowOrder();
  }];
}

#endif // SORTIE_DIALECT_MOE_OPS
