// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The attribute `tensors`, which both dialects have: what a weight is made of, where that is not one
// whole tensor of the model file.

#ifndef SORTIE_DIALECT_COMMON_TENSORS
#define SORTIE_DIALECT_COMMON_TENSORS

include "mlir/IR/AttrTypeBase.td"

class Sortie_TensorsAttr<Dialect dialect> : AttrDef<dialect, "Tensors"> {
  let mnemonic = "tensors";
  let summary = "a part of a tensor of the model file, or several tensors";
  let description = [{
    What the bytes of a weight are, where they are not those of one whole tensor:
    - `names`: the tensor, or several of one shape and format, which the weight stacks along its
      first dimension: one for each expert;
    - `joined`: the file has the matrices one below the other, in one matrix;
    - `rows(first of total)`: each matrix of the file has `total` rows, and those of the weight are
      the ones from `first` on;
    - `columns(first of total)`: the same for the elements of each row;
    - `transposed`: each matrix of the file is [K, N], and that of the weight [N, K]. Rows are those
      of the file, hence columns of the weight;
    - `decoded(encoding)`: the file has blocks of this encoding, which cannot be transposed, and the
      weight the numbers that they decode to (docs/numerics-models.md).

    Inside of ops it is written without its name, as is the string that names one whole tensor.

    (C1) Names are not empty and all different.
    (C2) `first` is not negative and less than `total`, which is at most 2^31 - 1.
    (C3) There are at least two names, or rows, or columns, or it is joined or transposed.

    Examples: `"blk.0.ffn_gate_up_exps.weight" rows(512 of 1024)`,
    `["blk.0.ffn_up.0.weight", "blk.0.ffn_up.1.weight"]`,
    `"blk.0.ffn_gate_up_exps.bias" columns(512 of 1024)`, `"router" transposed`,
    `"blk.0.attn_kv_b.weight" joined rows(0 of 256) transposed decoded(q4_K)`
  }];
  let parameters = (ins
    ArrayRefParameter<"::mlir::StringAttr", "tensors of the model file">:$names,
    "::sortie::DimensionPart":$rows, "::sortie::DimensionPart":$columns,
    "::sortie::MatrixLayout":$layout);
  let assemblyFormat = "`<` custom<WeightTensors>($names, $rows, $columns, $layout) `>`";
  let genVerifyDecl = 1;
}

#endif // SORTIE_DIALECT_COMMON_TENSORS
