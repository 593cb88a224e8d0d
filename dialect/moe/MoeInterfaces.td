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

def Moe_SemanticOpInterface : OpInterface<"SemanticOpInterface"> {
  let cppNamespace = "::sortie::moe";
  let description = [{
    Implemented by ops whose results the model means, in contrast to how they are computed: an audit
    can hash them.
  }];
  let methods = [
    InterfaceMethod<[{
        What a generated name calls each result, after the name of the function.
      }],
      "::llvm::SmallVector<::llvm::StringRef>", "getValueNames", (ins), /*methodBody=*/"",
      /*defaultImplementation=*/[{
        return {$_op->getName().stripDialect()};
      }]>
  ];
}

def Moe_RuntimeOpInterface : OpInterface<"RuntimeOpInterface"> {
  let cppNamespace = "::sortie::moe";
  let description = [{
    Implemented by the ops that have a counterpart in the dialect `moert`: it has the same attributes,
    the operands of `getRuntimeOperands`, then a buffer for each result.
  }];
  let methods = [
    InterfaceMethod<"The operands by what they become.",
      "::sortie::moe::RuntimeOperands", "getRuntimeOperands">,
    InterfaceMethod<"The counterpart's name, without the dialect.",
      "::llvm::StringRef", "getRuntimeName", (ins), /*methodBody=*/"",
      /*defaultImplementation=*/[{
        return $_op->getName().stripDialect();
      }]>,
    InterfaceMethod<"The shape of a result. By default that of the first operand.",
      "::sortie::moe::ResultShape", "getResultShape", (ins "::mlir::OpResult":$result),
      /*methodBody=*/"", /*defaultImplementation=*/[{
        return ::sortie::moe::shapeLike($_op->getOperand(0));
      }]>,
    InterfaceMethod<"The operand whose memory the result has: it is updated in place. Null: none.",
      "::mlir::Value", "getInPlaceOperand", (ins), /*methodBody=*/"",
      /*defaultImplementation=*/[{ return {}; }]>,
    InterfaceMethod<"The order of the rows of the first result. By default that of the first operand.",
      "::sortie::moe::RowOrder", "getRowOrder", (ins), /*methodBody=*/"",
      /*defaultImplementation=*/[{
        return ::sortie::moe::RowOrder{RowOrder::Kind::AsOperand, $_op->getOperand(0)};
      }]>
  ];
}

#endif // SORTIE_DIALECT_MOE_INTERFACES
