// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The type of caches, and the words of the dialect `lm`.

#ifndef SORTIE_DIALECT_LM_TYPES
#define SORTIE_DIALECT_LM_TYPES

include "mlir/IR/AttrTypeBase.td"
include "dialect/common/Enums.td"
include "dialect/lm/LmDialect.td"

class Lm_EnumAttr<EnumInfo info, string mnemonic> : EnumAttr<Lm_Dialect, info, mnemonic> {
  let cppNamespace = "::sortie::lm";
  let assemblyFormat = "`<` $value `>`";
}

def Lm_PairOrderAttr : Lm_EnumAttr<Sortie_PairOrder, "pairs">;
def Lm_IntegerWidthAttr : Lm_EnumAttr<Sortie_IntegerWidth, "width">;

def Lm_CacheType : TypeDef<Lm_Dialect, "Cache"> {
  let mnemonic = "cache";
  let summary = "keys and values of all sequences of a session";
  let description = [{
    For each of `heads` heads and each position of each sequence a row of `key` elements and one of
    `value` elements, in pages of 128 positions. `width` is that of the integers by which rows are
    stored; without it, `lm-choose-widths` has not run yet. How many pages there are, and how a page
    lies in memory, is no business of this level.

    (C1) `heads` is 1 to 2^20, `key` and `value` are 1 to 1024.

    Examples: `!lm.cache<4 x 128 x 128>`, `!lm.cache<4 x 128 x 128, int16>`
  }];
  let parameters = (ins
    "int64_t":$heads, "int64_t":$key, "int64_t":$value,
    "std::optional<::sortie::IntegerWidth>":$width);
  let builders = [
    TypeBuilder<(ins "int64_t":$heads, "int64_t":$key, "int64_t":$value), [{
      return $_get($_ctxt, heads, key, value, std::nullopt);
    }]>
  ];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The same with rows of integers of this width.
    CacheType withWidth(::sortie::IntegerWidth width) const {
      return get(getContext(), getHeads(), getKey(), getValue(), width);
    }
  }];
}

#endif // SORTIE_DIALECT_LM_TYPES
