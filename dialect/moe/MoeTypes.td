// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Element types of the dialect `moe`, and the tensor constraints of its ops.

#ifndef SORTIE_DIALECT_MOE_TYPES
#define SORTIE_DIALECT_MOE_TYPES

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/CommonTypeConstraints.td"
include "dialect/moe/MoeDialect.td"

class Moe_Type<string name, string typeMnemonic> : TypeDef<Moe_Dialect, name> {
  let mnemonic = typeMnemonic;
}

def Moe_BlockType : Moe_Type<"Block", "block"> {
  let summary = "element of a block-quantized weight";
  let description = [{
    One weight of a tensor that is stored in blocks of small integers and scales, as GGUF files
    have them. The parameter is a name of the table of encodings in `runtime/numerics/encoding.h`,
    which also says how many elements and bytes a block has. Blocks run along the innermost
    dimension.

    (C1) The name is a block encoding of the table. `f32`, `f16` and `bf16` are builtin types.

    Example: `tensor<128x768x2048x!moe.block<q4_K>>`
  }];
  let parameters = (ins TypeParameter<"::sortie::numerics::Encoding", "encoding of the blocks">:$encoding);
  let assemblyFormat = "`<` custom<Encoding>($encoding) `>`";
  let genVerifyDecl = 1;
}

def Moe_ActivationType : Moe_Type<"Activation", "activation"> {
  let summary = "element of a quantized activation row";
  let description = [{
    One element of a row of activations quantized along the innermost dimension in blocks of 128,
    each with one fp32 scale, as `docs/numerics.md` defines for both widths. How a row lies in
    memory is the device's business.

    Example: `tensor<?x2048x!moe.activation<int16>>`
  }];
  let parameters = (ins
    TypeParameter<"::sortie::numerics::ActivationWidth", "width of the integers">:$width);
  let assemblyFormat = "`<` custom<ActivationWidth>($width) `>`";
}

// Tensors by rank and element. Every op takes ranked tensors, whose dimensions may be dynamic.
class Moe_Tensor<list<int> ranks, list<Type> elements>
  : RankedTensorOf<elements, [HasAnyRankOfPred<ranks>],
      !interleave(!foreach(rank, ranks, rank # "D"), " or ") # " tensor">;

defvar Moe_ActivationElements = [F32, Moe_ActivationType];
defvar Moe_WeightElements = [F32, F16, BF16, Moe_BlockType];

#endif // SORTIE_DIALECT_MOE_TYPES
