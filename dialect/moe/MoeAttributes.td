// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes of the dialect `moe`.

#ifndef SORTIE_DIALECT_MOE_ATTRIBUTES
#define SORTIE_DIALECT_MOE_ATTRIBUTES

include "mlir/IR/AttrTypeBase.td"
include "dialect/common/Enums.td"
include "dialect/common/Tensors.td"
include "dialect/moe/MoeDialect.td"

class Moe_EnumAttr<EnumInfo info, string mnemonic> : EnumAttr<Moe_Dialect, info, mnemonic> {
  let cppNamespace = "::sortie::moe";
  let assemblyFormat = "`<` $value `>`";
}

def Moe_ScoringAttr : Moe_EnumAttr<Sortie_Scoring, "scoring">;
def Moe_GroupScoreAttr : Moe_EnumAttr<Sortie_GroupScore, "group_score">;
def Moe_TieRuleAttr : Moe_EnumAttr<Sortie_TieRule, "tie">;
def Moe_GluKindAttr : Moe_EnumAttr<Sortie_GluKind, "glu">;
def Moe_ArithmeticAttr : Moe_EnumAttr<Sortie_Arithmetic, "arithmetic">;

def Moe_ContractAttr : AttrDef<Moe_Dialect, "Contract"> {
  let mnemonic = "contract";
  let summary = "what may change without changing a bit of any result";
  let description = [{
    The determinism contract of a module, a set of:
    - `run`: results do not change from one run to the next, nor with the number of threads;
    - `batch`: the result of a token does not depend on the tokens that are computed with it;
    - `device`: results are the same on every device and instruction set.

    The empty set promises nothing. Passes refuse a rewrite that would break the contract, and
    `moe-verify-contract` refuses a module whose ops do not keep it.

    (C1) Members are `run`, `batch` and `device`, each at most once.
    (C2) `device` implies `batch`, `batch` implies `run`.

    Example: `module attributes {moe.contract = #moe.contract<run, batch, device>} { ... }`
  }];
  let parameters = (ins EnumParameter<Sortie_Determinism>:$members);
  let assemblyFormat = "`<` custom<DeterminismSet>($members) `>`";
  let genVerifyDecl = 1;
}

def Moe_TensorsAttr : Sortie_TensorsAttr<Moe_Dialect>;

#endif // SORTIE_DIALECT_MOE_ATTRIBUTES
