// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rules of text in attributes that both dialects have: names, identifiers, hashes.

#ifndef SORTIE_DIALECT_COMMON_TEXTRULES_H
#define SORTIE_DIALECT_COMMON_TEXTRULES_H

#include "mlir/IR/BuiltinAttributes.h"

namespace sortie {

/// True for `count` lower-case hexadecimal digits.
bool isHexDigits(llvm::StringRef text, size_t count);

/// True if no name is empty and all are different.
bool areDistinctNames(llvm::ArrayRef<mlir::StringAttr> names);
/// True for an array of such names, empty or not.
bool isArrayOfDistinctNames(mlir::Attribute attribute);

/// True for letters, digits and underscores that do not begin with a digit.
bool isIdentifier(llvm::StringRef text);

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_TEXTRULES_H
