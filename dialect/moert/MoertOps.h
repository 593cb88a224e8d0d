// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the dialect `moert`.

#ifndef SORTIE_DIALECT_MOERT_MOERTOPS_H
#define SORTIE_DIALECT_MOERT_MOERTOPS_H

#include "dialect/moert/MoertAttributes.h"
#include "dialect/moert/MoertDialect.h"
#include "dialect/moert/MoertTypes.h"
#include "dialect/moert/NumericParameters.h"
#include "dialect/moert/StepOperands.h"
#include "runtime/numerics/encoding.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace sortie::moert {

/// What the audit records.
struct AuditResource : public mlir::SideEffects::Resource::Base<AuditResource> {
  llvm::StringRef getName() final { return "moert.audit"; }
};

/// Whether a run fails.
struct FailureResource : public mlir::SideEffects::Resource::Base<FailureResource> {
  llvm::StringRef getName() final { return "moert.failure"; }
};

/// Verifies that all buffers of `op` lie on one device in one memory space.
llvm::LogicalResult verifySamePlacement(mlir::Operation *op);

/// Verifies that `arithmetic` keeps what the program promises, if `op` is in one.
llvm::LogicalResult verifyKeepsContract(mlir::Operation *op, Arithmetic arithmetic);

template <typename ConcreteOp>
class SamePlacement : public mlir::OpTrait::TraitBase<ConcreteOp, SamePlacement> {
public:
  static llvm::LogicalResult verifyTrait(mlir::Operation *op) { return verifySamePlacement(op); }
};

/// The buffers that an operation of a body reads or writes, in operand order.
llvm::SmallVector<mlir::Value> getReadBuffers(mlir::Operation *op);
llvm::SmallVector<mlir::Value> getWrittenBuffers(mlir::Operation *op);

} // namespace sortie::moert

#include "dialect/moert/MoertInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialect/moert/MoertOps.h.inc"

namespace sortie::moert {

/// What route attributes mean to runtime/numerics. The number of experts is that of the scores,
/// which must be constant.
numerics::RouteParams getRouteParams(RouteOp op);

/// The launches that a launch in the place of `op` may overlap, the nearest first: the one before
/// it, and, as long as those can have no thread blocks, the ones before that.
llvm::SmallVector<LaunchOp> getLaunchesBefore(mlir::Operation *op);

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_MOERTOPS_H
