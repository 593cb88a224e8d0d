// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interfaces of the dialect `moert`.

#ifndef SORTIE_DIALECT_MOERT_INTERFACES
#define SORTIE_DIALECT_MOERT_INTERFACES

include "mlir/IR/Interfaces.td"

def Moert_StepOpInterface : OpInterface<"StepOpInterface"> {
  let cppNamespace = "::sortie::moert";
  let description = [{
    Implemented by the operations that compute something. The CPU has a function for each of them
    (`runtime/cpu/Operations.h`); for CUDA, `moert-select-kernels` makes launches of them. Whoever
    needs to know what such an operation reads and writes asks here.
  }];
  let methods = [
    InterfaceMethod<[{
        The operands and parameters, in the order in which the CPU's function finds them.
      }],
      "::sortie::moert::StepOperands", "getStepOperands">
  ];
}

#endif // SORTIE_DIALECT_MOERT_INTERFACES
