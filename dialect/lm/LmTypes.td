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

    A cache of latents has one head, whose keys have two parts: a latent, which is the value, too,
    and `rotated` elements that turn with the position. Elsewhere `rotated` is 0.

    (C1) `heads` is 1 to 2^20, `key` and `value` are 1 to 1024.
    (C2) `rotated` is 0 to 1024; unless it is 0, `heads` is 1, and `key` and `value` are equal.

    Examples: `!lm.cache<4 x 128 x 128>`, `!lm.cache<4 x 128 x 128, int16>`,
    `!lm.cache<latent 512 + 64>`, `!lm.cache<latent 512 + 64, int16>`
  }];
  let parameters = (ins
    "int64_t":$heads, "int64_t":$key, "int64_t":$value, "int64_t":$rotated,
    "std::optional<::sortie::IntegerWidth>":$width);
  let builders = [
    TypeBuilder<(ins "int64_t":$heads, "int64_t":$key, "int64_t":$value), [{
      return $_get($_ctxt, heads, key, value, /*rotated=*/int64_t{0}, std::nullopt);
    }]>
  ];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The same with rows of integers of this width.
    CacheType withWidth(::sortie::IntegerWidth width) const {
      return get(getContext(), getHeads(), getKey(), getValue(), getRotated(), width);
    }
    /// A cache of latents, without a width.
    static CacheType getLatent(::mlir::MLIRContext *context, int64_t latent, int64_t rotated) {
      return get(context, /*heads=*/1, latent, latent, rotated, std::nullopt);
    }
    bool isLatent() const { return getRotated() != 0; }
  }];
}

#endif // SORTIE_DIALECT_LM_TYPES
