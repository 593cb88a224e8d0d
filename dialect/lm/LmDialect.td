// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect `lm`.

#ifndef SORTIE_DIALECT_LM_DIALECT
#define SORTIE_DIALECT_LM_DIALECT

include "mlir/IR/OpBase.td"

def Lm_Dialect : Dialect {
  let name = "lm";
  let cppNamespace = "::sortie::lm";
  let summary = "What a language model has beyond experts";
  let description = [{
    `lm` describes embeddings, rotation and attention over a cache, on tensors. Projections, norms,
    additions and the feed-forward halves of layers are ops of `moe`.

    Shapes are written with `T` tokens of a run, `H` heads of queries and `G` of keys and values,
    `D` elements of a head of queries or keys and `Dv` of values, `S` sequences, and `P` pages of a
    sequence; a page holds 128 positions. Every op states its constraints as (C1), (C2)…; verifiers
    and tests refer to them by these names.

    A cache is a *value*: `lm.append` takes one and gives the next, so the order of writes and reads
    is the order of uses. A function reads each cache once at its start (`lm.read_cache`) and says
    with `lm.write_cache` what stays for the next run. In between values form one chain: none is
    appended to twice, and none is read after it has been appended to, so that a program can append
    in place; lowering refuses what breaks this.
  }];
  let dependentDialects = ["::sortie::moe::MoeDialect"];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let extraClassDeclaration = [{
    void registerTypes();
    void registerAttributes();
    void registerOps();
  }];
}

#endif // SORTIE_DIALECT_LM_DIALECT
