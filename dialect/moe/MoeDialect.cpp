// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect `moe` itself: registration, and the rules of its discardable attributes.

#include "dialect/moe/MoeDialect.h"
#include "dialect/common/Fingerprint.h"
#include "dialect/common/ImportRecord.h"
#include "dialect/common/PrintableName.h"
#include "dialect/common/TextRules.h"
#include "dialect/moe/MoeAttributes.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Operation.h"
#include "mlir/Transforms/InliningUtils.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moe;

#include "dialect/moe/MoeDialect.cpp.inc"

namespace {

/// Ops of the dialect have no side effects and no regions: all may be inlined anywhere.
struct MoeInlinerInterface : DialectInlinerInterface {
  using DialectInlinerInterface::DialectInlinerInterface;

  bool isLegalToInline(Operation *, Region *, bool, IRMapping &) const final { return true; }
};

} // namespace

void MoeDialect::initialize() {
  addInterfaces<MoeInlinerInterface>();
  registerTypes();
  registerAttributes();
  registerOps();
}

static LogicalResult verifyContract(Operation *op, Attribute value) {
  if (!isa<ContractAttr>(value))
    return op->emitError() << "'" << MoeDialect::kContractName << "' must be a #moe.contract";
  return success();
}

static LogicalResult verifyNumerics(Operation *op, Attribute value) {
  auto version = dyn_cast<IntegerAttr>(value);
  if (!version || !version.getType().isSignlessInteger(64) || version.getInt() < 0)
    return op->emitError() << "'" << MoeDialect::kNumericsName << "' must be an i64 of at least 0";
  return success();
}

/// (C3) and (C8).
static LogicalResult verifyModel(Operation *op, Attribute) {
  return verifyModelAttributes(op,
                               {MoeDialect::kWeightsFingerprintName,
                                MoeDialect::kFingerprintKeysName, MoeDialect::kWeightHashesName});
}

static LogicalResult verifyImportOptions(Operation *op, Attribute value) {
  return import_record::verify([&] { return op->emitError(); }, MoeDialect::kImportOptionsName,
                               value);
}

/// An array of printable strings, none of them empty, no two the same.
static LogicalResult verifyDistinctNames(Operation *op, StringRef attribute, ArrayAttr names) {
  if (!isArrayOfDistinctNames(names))
    return op->emitError() << "'" << attribute
                           << "' must hold strings that are not empty and all different";
  for (StringAttr name : names.getAsRange<StringAttr>())
    if (!isPrintableName(name))
      return op->emitError() << "'" << attribute << "': a name " << kPrintableNameRule;
  return success();
}

static LogicalResult verifyNames(Operation *op, Attribute value) {
  auto names = dyn_cast<ArrayAttr>(value);
  if (!names || names.size() != op->getNumResults())
    return op->emitError() << "'" << MoeDialect::kNamesName << "' must be an array of "
                           << op->getNumResults() << " strings, one for each result";
  return verifyDistinctNames(op, MoeDialect::kNamesName, names);
}

static LogicalResult verifyValues(Operation *op, Attribute value) {
  auto names = dyn_cast<ArrayAttr>(value);
  if (!names)
    return op->emitError() << "'" << MoeDialect::kValuesName << "' must be an array of strings";
  return verifyDistinctNames(op, MoeDialect::kValuesName, names);
}

static LogicalResult verifyName(Operation *op, NamedAttribute attribute) {
  if (attribute.getName() == MoeDialect::kSymbolName)
    return op->emitError() << "'" << MoeDialect::kSymbolName << "' belongs on an argument"; // (C10)
  if (attribute.getName() != MoeDialect::kNameName)
    return op->emitError() << "unknown attribute '" << attribute.getName().getValue()
                           << "' on an argument or result"; // (C6)
  auto name = dyn_cast<StringAttr>(attribute.getValue());
  if (!name || name.empty())
    return op->emitError() << "'" << MoeDialect::kNameName
                           << "' must be a string that is not empty"; // (C5)
  if (!isPrintableName(name))
    return op->emitError() << "'" << MoeDialect::kNameName << "' " << kPrintableNameRule; // (C5)
  return success();
}

LogicalResult MoeDialect::verifyOperationAttribute(Operation *op, NamedAttribute attribute) {
  const StringRef name = attribute.getName();
  if (name == kNamesName)
    return verifyNames(op, attribute.getValue()); // (C4)
  if (name == kValuesName)
    return verifyValues(op, attribute.getValue()); // (C7)
  using Verifier = LogicalResult (*)(Operation *, Attribute);
  const Verifier verifier =
      llvm::StringSwitch<Verifier>(name)
          .Case(kContractName, verifyContract) // (C1)
          .Case(kNumericsName, verifyNumerics) // (C2)
          .Cases({kWeightsFingerprintName, kFingerprintKeysName, kWeightHashesName}, verifyModel)
          .Case(kImportOptionsName, verifyImportOptions) // (C9)
          .Default(nullptr);
  if (!verifier)
    return op->emitError() << "unknown attribute '" << name << "'"; // (C6)
  if (!isa<ModuleOp>(op))
    return op->emitError() << "'" << name << "' belongs on a module";
  return verifier(op, attribute.getValue());
}

/// (C10).
static LogicalResult verifySymbol(Operation *op, Attribute value) {
  auto name = dyn_cast<StringAttr>(value);
  if (!name || !isIdentifier(name))
    return op->emitError() << "'" << MoeDialect::kSymbolName
                           << "' must be an identifier of letters, digits and underscores";
  return success();
}

LogicalResult MoeDialect::verifyRegionArgAttribute(Operation *op, unsigned regionIndex,
                                                   unsigned argIndex, NamedAttribute attribute) {
  if (attribute.getName() == kSymbolName)
    return verifySymbol(op, attribute.getValue());
  return verifyName(op, attribute);
}

LogicalResult MoeDialect::verifyRegionResultAttribute(Operation *op, unsigned regionIndex,
                                                      unsigned resultIndex,
                                                      NamedAttribute attribute) {
  return verifyName(op, attribute);
}
