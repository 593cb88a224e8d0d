// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the dialect `lm`.

#ifndef SORTIE_DIALECT_LM_LMOPS_H
#define SORTIE_DIALECT_LM_LMOPS_H

#include "dialect/lm/LmDialect.h"
#include "dialect/moe/MoeAttributes.h"
#include "dialect/moe/MoeInterfaces.h"
#include "dialect/moe/MoeTypes.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#define GET_OP_CLASSES
#include "dialect/lm/LmOps.h.inc"

#endif // SORTIE_DIALECT_LM_LMOPS_H
