// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How deeply MLIR text may be nested. MLIR's parser, verifier and printer call themselves for what
// is inside of something, and end the process when the stack does.

#ifndef SORTIE_DIALECT_COMMON_NESTING_H
#define SORTIE_DIALECT_COMMON_NESTING_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace sortie {

/// The most levels. Programs of the compiler have at most 6. A level costs the parser up to 2 KiB
/// of stack (a region in a region), so that a thread with 512 KiB has room for more than twice as
/// many.
inline constexpr unsigned kMaxNesting = 64;

/// An error with line and column if `text`, of any contents, is nested more deeply than
/// kMaxNesting. Levels are brackets (round, square, curly, angle) outside of strings and comments,
/// those inside the aliases that are used, and operators of affine expressions. Text that is parsed
/// piece by piece starts anew at each `splitMarker`.
llvm::Error checkNesting(llvm::StringRef text, llvm::StringRef splitMarker = "");

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_NESTING_H
