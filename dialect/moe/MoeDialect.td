// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect `moe`.

#ifndef SORTIE_DIALECT_MOE_DIALECT
#define SORTIE_DIALECT_MOE_DIALECT

include "mlir/IR/OpBase.td"

def Moe_Dialect : Dialect {
  let name = "moe";
  let cppNamespace = "::sortie::moe";
  let summary = "Mixture-of-Experts layers on tensors";
  let description = [{
    `moe` describes the feed-forward half of a Mixture-of-Experts model on tensors, at two levels.
    The *semantic* level says what the model means: scores, routing, the product of each token with
    the matrices of its experts, the weighted sum. The *dispatch* level says how it is computed:
    slots sorted by expert, products over groups of sorted rows, activations quantized once. Both
    levels are value semantics, so that common-subexpression elimination and dead-code elimination
    are right without knowing the ops.

    Shapes are written with `T` tokens (usually dynamic), `k` experts selected a token, `E`
    experts, `K` the contraction dimension, `N` output features, and `R` sorted rows (`T*k`). *Slot*
    `t*k + j` is the `j`-th selected expert of token `t`. Every op states its constraints as
    (C1), (C2)…; verifiers and tests refer to them by these names.

    Attributes of the dialect:

    | attribute | on | meaning |
    |---|---|---|
    | `moe.contract` | module | the determinism contract, `#moe.contract<run, batch, device>` |
    | `moe.numerics` | module | version of the numerics contract, an `i64` of 0 or more |
    | `moe.weights_fingerprint` | module | fingerprint of the model file: 16 hexadecimal digits, or `2:` and as many |
    | `moe.fingerprint_keys` | module | the metadata keys that a fingerprint of the second kind covers |
    | `moe.weight_hashes` | module | hashes of tensors by their names in the model file, 32 hexadecimal digits each |
    | `moe.import_options` | module | where the module is not what the model file says |
    | `moe.names` | any op | names of its results for the audit, a string for each result |
    | `moe.values` | functions | names of all values that the audit prints, in order |
    | `moe.name` | function arguments and results | name of an input or output of the program |
    | `moe.symbol` | function arguments | what the program calls the number that is the first dimension, if that is dynamic; `tokens` if nothing is said |

    The rules of these attributes:
    (C1) `moe.contract` is a `#moe.contract` and stands on a module.
    (C2) `moe.numerics` is an `i64` of at least 0 and stands on a module.
    (C3) `moe.weights_fingerprint` is a string of 16 lower-case hexadecimal digits, with `2:` in
    front if and only if there are `moe.fingerprint_keys`, which is an array of non-empty strings,
    all different. Both stand on a module.
    (C4) `moe.names` is an array of non-empty strings, one for each result of its op, all different.
    (C5) `moe.name` is a non-empty string. It and the strings of `moe.names` and `moe.values` are
    UTF-8 without control characters.
    (C6) No other discardable attribute begins with `moe.`.
    (C7) `moe.values` is an array of non-empty strings, all different. It may hold names that no op
    has any more: of values that passes fused away.
    (C8) `moe.weight_hashes` is a dictionary of strings of 32 lower-case hexadecimal digits and
    stands on a module.
    (C9) `moe.import_options` is a dictionary and stands on a module. It may hold `ignored_tensors`
    and `ignored_keys`, arrays of non-empty strings, all different; `gating`, a string; and
    `experts_used` and `context`, each an `i64` of at least 1.
    (C10) `moe.symbol` is an identifier of letters, digits and underscores, and stands on an argument.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let hasRegionResultAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Names of the discardable attributes of the dialect.
    static constexpr ::llvm::StringLiteral kContractName = "moe.contract";
    static constexpr ::llvm::StringLiteral kNumericsName = "moe.numerics";
    static constexpr ::llvm::StringLiteral kWeightsFingerprintName = "moe.weights_fingerprint";
    static constexpr ::llvm::StringLiteral kFingerprintKeysName = "moe.fingerprint_keys";
    static constexpr ::llvm::StringLiteral kWeightHashesName = "moe.weight_hashes";
    static constexpr ::llvm::StringLiteral kImportOptionsName = "moe.import_options";
    static constexpr ::llvm::StringLiteral kNamesName = "moe.names";
    static constexpr ::llvm::StringLiteral kValuesName = "moe.values";
    static constexpr ::llvm::StringLiteral kNameName = "moe.name";
    static constexpr ::llvm::StringLiteral kSymbolName = "moe.symbol";

    void registerTypes();
    void registerAttributes();
    void registerOps();
  }];
}

#endif // SORTIE_DIALECT_MOE_DIALECT
