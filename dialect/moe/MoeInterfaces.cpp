// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interfaces of the dialect `moe`.

#include "dialect/moe/MoeInterfaces.h"

#include "dialect/moe/MoeAttributes.h"
#include "dialect/moe/MoeDialect.h"

using namespace sortie;

#include "dialect/moe/MoeInterfaces.cpp.inc"

Determinism moe::getPromisedContract(mlir::ModuleOp module) {
  auto contract = module->getAttrOfType<ContractAttr>(MoeDialect::kContractName);
  return contract ? contract.getMembers() : kFullDeterminism;
}
