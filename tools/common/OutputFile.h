// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the tools write files: whole, or not at all.

#ifndef SORTIE_TOOLS_COMMON_OUTPUTFILE_H
#define SORTIE_TOOLS_COMMON_OUTPUTFILE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace sortie {

/// Writes `contents` to the file `path`, or to the standard output for `-`. The bytes go to a
/// temporary file beside it, which takes its name when all of them are on the disk, so that no
/// reader ever sees a part and a failure leaves the old file alone.
llvm::Error writeOutputFile(llvm::StringRef path, llvm::StringRef contents);

} // namespace sortie

#endif // SORTIE_TOOLS_COMMON_OUTPUTFILE_H
