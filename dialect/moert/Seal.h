// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The seal of bytecode, of compiled programs above all: a hash over all of a file, stored in its
// producer string `sortie:<32 hexadecimal digits>`. It guards against corruption, not malice.
// MLIR's bytecode has no integrity check of its own, and its reader shows the producer string in
// every diagnostic.

#ifndef SORTIE_DIALECT_MOERT_SEAL_H
#define SORTIE_DIALECT_MOERT_SEAL_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace sortie::moert {

/// The producer string to write bytecode with so that it can be sealed.
inline constexpr llvm::StringLiteral kUnsealedProducer = "sortie:00000000000000000000000000000000";

/// True if `bytes` begin like MLIR bytecode.
bool isBytecode(llvm::StringRef bytes);

/// True if the header of `bytecode` says that it is sealed. Whether it is damaged, checkSeal says.
bool hasSeal(llvm::StringRef bytecode);

/// Writes the seal into bytecode whose producer is kUnsealedProducer (or a seal already). The hash
/// is BLAKE3, 128 bits, of all bytes with the digits of the seal as zeros.
llvm::Error sealBytecode(std::string &bytecode);

/// Success if `bytecode` is sealed and no byte has changed since.
llvm::Error checkSeal(llvm::StringRef bytecode);

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_SEAL_H
