// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The rules of the attributes that identify a model.

#include "dialect/common/Fingerprint.h"

#include "dialect/common/TextRules.h"
#include "runtime/weights/TensorHash.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;

namespace sortie {

static LogicalResult verifyKeys(Operation *op, StringRef name, Attribute value) {
  if (isArrayOfDistinctNames(value))
    return success();
  return op->emitError() << "'" << name
                         << "' must be an array of strings that are not empty and all different";
}

static LogicalResult verifyFingerprint(Operation *op, const ModelAttributeNames &names) {
  Attribute keys = op->getDiscardableAttr(names.keys);
  std::optional<FingerprintText> fingerprint;
  if (Attribute value = op->getDiscardableAttr(names.fingerprint)) {
    auto text = dyn_cast<StringAttr>(value);
    fingerprint = text ? parseFingerprint(text.getValue()) : std::nullopt;
    if (!fingerprint)
      return op->emitError() << "'" << names.fingerprint << "' must be a string of "
                             << kFingerprintDigits
                             << " lower-case hexadecimal digits, behind '2:' or nothing";
  }
  if ((fingerprint && fingerprint->rule == kFingerprintOfNamedKeys) != (keys != nullptr))
    return op->emitError() << "'" << names.keys << "' and a '" << names.fingerprint
                           << "' that begins with '2:' must be given together";
  return keys ? verifyKeys(op, names.keys, keys) : success();
}

static LogicalResult verifyHashes(Operation *op, StringRef name) {
  Attribute value = op->getDiscardableAttr(name);
  if (!value)
    return success();
  auto hashes = dyn_cast<DictionaryAttr>(value);
  const bool isValid = hashes && llvm::all_of(hashes, [](NamedAttribute hash) {
                         auto digits = dyn_cast<StringAttr>(hash.getValue());
                         return digits && isHexDigits(digits.getValue(), kHashDigits);
                       });
  if (isValid)
    return success();
  return op->emitError() << "'" << name
                         << "' must be a dictionary from names of tensors to strings of "
                         << kHashDigits << " lower-case hexadecimal digits";
}

LogicalResult verifyModelAttributes(Operation *op, const ModelAttributeNames &names) {
  return success(succeeded(verifyFingerprint(op, names)) &&
                 succeeded(verifyHashes(op, names.hashes)));
}

} // namespace sortie
