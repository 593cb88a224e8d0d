// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What modules of both dialects say about the bytes of their model: its fingerprint, and hashes of
// its tensors.

#ifndef SORTIE_DIALECT_COMMON_FINGERPRINT_H
#define SORTIE_DIALECT_COMMON_FINGERPRINT_H

#include "dialect/common/FingerprintText.h"

#include "mlir/IR/Operation.h"

namespace sortie {

/// Names of the module attributes of a dialect that this file is about.
struct ModelAttributeNames {
  llvm::StringRef fingerprint;
  llvm::StringRef keys;
  llvm::StringRef hashes;
};

/// The fingerprint is a string of that form. Keys are strings that are not empty and all different;
/// they stand with a fingerprint by rule 2, and one by rule 2 has them. Hashes are a dictionary
/// from names of tensors to strings of 32 lower-case hexadecimal digits.
llvm::LogicalResult verifyModelAttributes(mlir::Operation *op, const ModelAttributeNames &names);

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_FINGERPRINT_H
