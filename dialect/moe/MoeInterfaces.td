// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interfaces of the dialect `moe`.

#ifndef SORTIE_DIALECT_MOE_INTERFACES
#define SORTIE_DIALECT_MOE_INTERFACES

include "mlir/IR/Interfaces.td"

def Moe_DeterminismOpInterface : OpInterface<"DeterminismOpInterface"> {
  let cppNamespace = "::sortie::moe";
  let description = [{
    Implemented by ops whose determinism depends on how they are configured. Every other op of the
    dialect keeps the whole contract however it is compiled.
  }];
  let methods = [
    InterfaceMethod<[{
        The members of the determinism contract that the op keeps as it is configured. While its
        arithmetic has not been chosen it keeps all: there is a choice that does.
      }],
      "::sortie::Determinism", "getKeptContract", (ins), /*methodBody=*/"",
      /*defaultImplementation=*/[{
        return getContractOfArithmetic($_op.getArithmetic());
      }]>
  ];
}

#endif // SORTIE_DIALECT_MOE_INTERFACES
