// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes of the dialect `moert`.

#ifndef SORTIE_DIALECT_MOERT_ATTRIBUTES
#define SORTIE_DIALECT_MOERT_ATTRIBUTES

include "mlir/IR/AttrTypeBase.td"
include "dialect/common/Enums.td"
include "dialect/moert/MoertDialect.td"

class Moert_EnumAttr<EnumInfo info, string mnemonic> : EnumAttr<Moert_Dialect, info, mnemonic> {
  let cppNamespace = "::sortie::moert";
  let assemblyFormat = "`<` $value `>`";
}

def Moert_ScoringAttr : Moert_EnumAttr<Sortie_Scoring, "scoring">;
def Moert_TieRuleAttr : Moert_EnumAttr<Sortie_TieRule, "tie">;
def Moert_GluKindAttr : Moert_EnumAttr<Sortie_GluKind, "glu">;
def Moert_ArithmeticAttr : Moert_EnumAttr<Sortie_Arithmetic, "arithmetic">;

class Moert_Attr<string name, string attrMnemonic> : AttrDef<Moert_Dialect, name> {
  let mnemonic = attrMnemonic;
  let genVerifyDecl = 1;
}

def Moert_ExtentAttr : Moert_Attr<"Extent", "extent"> {
  let summary = "a number that is affine in one bounded symbol";
  let description = [{
    `scale * symbol + constant`, or a constant: a dimension of a buffer, an offset in bytes, the
    size of an arena. Inside of types and ops it is written without its name: `8*tokens+64`,
    `tokens`, `2048`.

    (C1) `scale` and `constant` are 0 to 2^48.
    (C2) `symbol` is an identifier of letters, digits and underscores, and empty exactly if `scale`
    is 0.

    Example: `#moert.extent<8*tokens+64>`
  }];
  let parameters = (ins "int64_t":$scale, StringRefParameter<"name of a moert.symbol">:$symbol,
    "int64_t":$constant);
  let assemblyFormat = "`<` custom<ExtentParameters>($scale, $symbol, $constant) `>`";
  let builders = [
    AttrBuilderWithInferredContext<(ins "::mlir::MLIRContext *":$context, "int64_t":$constant), [{
      return $_get(context, 0, "", constant);
    }]>,
  ];
  let extraClassDeclaration = [{
    /// Largest scale and constant: sums and products with a bounded symbol then fit 128 bits.
    static constexpr int64_t kLimit = int64_t(1) << 48;

    bool isConstant() const { return getScale() == 0; }

    /// The value where the symbol is `symbolValue`; empty if 64 bits cannot hold it.
    std::optional<int64_t> evaluate(int64_t symbolValue) const;

    /// This extent times `factor`; null if it exceeds the limits.
    ExtentAttr multiply(int64_t factor) const;
  }];
}

def Moert_ProgramAttr : Moert_Attr<"Program", "program"> {
  let summary = "what a compiled program is and needs";
  let description = [{
    - `abi`: version of the interface between program and runtime;
    - `numerics`: version of the numerics contract;
    - `target`: the device that the program was compiled for;
    - `contract`: the determinism contract that it keeps;
    - `features`: features by name that the runtime must have, empty ones left out;
    - `producer`: the compiler and its version.

    (C1) `abi` and `numerics` are not negative.
    (C2) `target` and `producer` are not empty.
    (C3) `contract` is a set as in `#moe.contract`.
    (C4) Names of `features` are not empty and all different.

    Whether the runtime knows the versions, the target and the features is for the loader to say.

    Example:
    ```mlir
    module attributes {moert.program = #moert.program<abi = 1, numerics = 1, target = "cpu",
        contract = [run, batch, device], features = [], producer = "sortie 0.1.0">} { ... }
    ```
  }];
  let parameters = (ins
    "int64_t":$abi,
    "int64_t":$numerics,
    StringRefParameter<"device">:$target,
    EnumParameter<Sortie_Determinism>:$contract,
    ArrayRefParameter<"::mlir::StringAttr", "required features">:$features,
    StringRefParameter<"compiler">:$producer);
  let assemblyFormat = [{
    `<` `abi` `=` $abi `,` `numerics` `=` $numerics `,` `target` `=` $target `,`
    `contract` `=` `[` custom<DeterminismSet>($contract) `]` `,`
    `features` `=` `[` custom<Features>($features) `]` `,` `producer` `=` $producer `>`
  }];
}

#endif // SORTIE_DIALECT_MOERT_ATTRIBUTES
