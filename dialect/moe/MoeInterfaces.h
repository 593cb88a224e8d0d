// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interfaces of the dialect `moe`.

#ifndef SORTIE_DIALECT_MOE_MOEINTERFACES_H
#define SORTIE_DIALECT_MOE_MOEINTERFACES_H

#include "dialect/common/Enums.h"
#include "dialect/moe/RuntimeOperands.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OpDefinition.h"

namespace sortie::moe {

/// What a module promises in `moe.contract`; one that says nothing promises everything.
Determinism getPromisedContract(mlir::ModuleOp module);

/// Marks ops with one result, whose every element follows from the same element of each operand.
/// All of them have one type.
template <typename ConcreteOp>
class Elementwise : public mlir::OpTrait::TraitBase<ConcreteOp, Elementwise> {};

/// Marks ops that moe-dispatch-by-sort replaces: programs have no counterpart.
template <typename ConcreteOp>
class SemanticLevelOnly : public mlir::OpTrait::TraitBase<ConcreteOp, SemanticLevelOnly> {};

} // namespace sortie::moe

#include "dialect/moe/MoeInterfaces.h.inc"

#endif // SORTIE_DIALECT_MOE_MOEINTERFACES_H
