// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The seal of bytecode that the compiler reads and writes.

#ifndef SORTIE_TOOLS_SORTIEOPT_SEALEDBYTECODE_H
#define SORTIE_TOOLS_SORTIEOPT_SEALEDBYTECODE_H

#include "mlir/IR/DialectRegistry.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace sortie {

/// How bytecode is read and written.
struct BytecodeOptions {
  /// Dialects that bytecode may use.
  const mlir::DialectRegistry &dialects;
  bool allowUnregisteredDialects = false;
  /// The version of the format to write; the newest if there is none.
  std::optional<int64_t> version = std::nullopt;
  /// Keeps the locations of a compiled program's operations, which name the folders and lines of
  /// its source.
  bool keepLocations = false;
};

/// Success unless `input` is bytecode that a seal shows to be damaged, or a compiled program in
/// bytecode without a seal. MLIR's reader does not notice most changed bits. Text has no seal.
llvm::Error checkInputSeal(llvm::StringRef input, const BytecodeOptions &options);

/// Seals bytecode that was written without errors. It is read and written again with the producer
/// string that a seal needs: MLIR's driver has no way to ask for one, and a longer string put in
/// afterwards would break the alignment of everything behind it.
llvm::Error sealOutput(std::string &bytecode, const BytecodeOptions &options);

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIEOPT_SEALEDBYTECODE_H
