// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The record of an import that departed from what the model file says, which modules of both
// dialects carry: a dictionary of the entries below, each of them there if it has something to say.

#ifndef SORTIE_DIALECT_COMMON_IMPORTRECORD_H
#define SORTIE_DIALECT_COMMON_IMPORTRECORD_H

#include "dialect/common/EmitError.h"

namespace sortie::import_record {

/// Names of tensors and of metadata keys that were left out: arrays of strings.
inline constexpr llvm::StringLiteral kIgnoredTensors = "ignored_tensors";
inline constexpr llvm::StringLiteral kIgnoredKeys = "ignored_keys";
/// The scoring where the file does not say which: a string.
inline constexpr llvm::StringLiteral kGating = "gating";
/// The number of experts per token, where the file says another or none: an i64.
inline constexpr llvm::StringLiteral kExpertsUsed = "experts_used";
/// The longest sequence, where the file says that the model is made for shorter ones: an i64.
inline constexpr llvm::StringLiteral kContext = "context";

/// Checks that `value`, of the attribute `name`, is such a dictionary.
llvm::LogicalResult verify(EmitError emitError, llvm::StringRef name, mlir::Attribute value);

} // namespace sortie::import_record

#endif // SORTIE_DIALECT_COMMON_IMPORTRECORD_H
