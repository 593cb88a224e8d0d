// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a name may be made of: of a tensor, a function, an argument, a value of the audit.

#ifndef SORTIE_DIALECT_COMMON_PRINTABLENAME_H
#define SORTIE_DIALECT_COMMON_PRINTABLENAME_H

#include "llvm/ADT/StringRef.h"

namespace sortie {

/// True for UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F), empty or not.
/// Names stand in lines of reports and in messages, which such characters would break.
bool isPrintableName(llvm::StringRef name);

/// The end of a message about a name that is not printable.
inline constexpr llvm::StringLiteral kPrintableNameRule =
    "must be UTF-8 without control characters";

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_PRINTABLENAME_H
