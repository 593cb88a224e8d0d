// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that appear whole or not at all.

#ifndef SORTIE_TOOLS_SORTIE_RUN_OUTPUTFILE_H
#define SORTIE_TOOLS_SORTIE_RUN_OUTPUTFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace sortie::tool {

/// Writes `pieces` one after another to a temporary file beside `path`, then renames it. What is
/// not a regular file (/dev/stdout) is written directly. On failure nothing is left behind, and a
/// file that was there before is untouched.
llvm::Error writeFile(llvm::StringRef path, llvm::ArrayRef<llvm::StringRef> pieces);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_OUTPUTFILE_H
