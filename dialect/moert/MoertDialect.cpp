// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect `moert` itself: registration, and the rules of its discardable attributes.

#include "dialect/moert/MoertDialect.h"
#include "dialect/common/Fingerprint.h"
#include "dialect/common/ImportRecord.h"
#include "dialect/moert/MoertAttributes.h"
#include "dialect/moert/MoertOps.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

#include "dialect/moert/MoertDialect.cpp.inc"

void MoertDialect::initialize() {
  registerTypes();
  registerAttributes();
  registerOps();
  registerBytecode();
}

/// (C1) of the dialect.
static LogicalResult verifyProgram(ModuleOp module, Attribute value) {
  if (!isa<ProgramAttr>(value))
    return module.emitError() << "'" << MoertDialect::kProgramName << "' must be a #moert.program";
  for (Operation &op : module.getOps())
    if (!isa<SymbolOp, KernelOp, WeightOp, StateOp, FuncOp>(op))
      return op.emitError() << "a program holds moert.symbol, moert.kernel, moert.weight, "
                               "moert.state and moert.func, got '"
                            << op.getName() << "'";
  return success();
}

/// (C2) and (C4) of the dialect.
static constexpr ModelAttributeNames kModelAttributes = {MoertDialect::kWeightsFingerprintName,
                                                         MoertDialect::kFingerprintKeysName,
                                                         MoertDialect::kWeightHashesName};

LogicalResult MoertDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  const StringRef name = attribute.getName();
  const bool isOfModel = llvm::is_contained(
      {kModelAttributes.fingerprint, kModelAttributes.keys, kModelAttributes.hashes}, name);
  if (name != kProgramName && name != kImportOptionsName && !isOfModel)
    return op->emitError() << "unknown attribute '" << name << "'"; // (C3)
  auto module = dyn_cast<ModuleOp>(op);
  if (!module)
    return op->emitError() << "'" << name << "' belongs on a module";
  if (name == kImportOptionsName) // (C5)
    return import_record::verify([&] { return op->emitError(); }, name, attribute.getValue());
  return name == kProgramName ? verifyProgram(module, attribute.getValue())
                              : verifyModelAttributes(module, kModelAttributes);
}
