// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the tools write files: whole, or not at all.

#ifndef SORTIE_TOOLS_COMMON_OUTPUTFILE_H
#define SORTIE_TOOLS_COMMON_OUTPUTFILE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace sortie {

/// Writes `contents` to the file `path`, or to the standard output for `-`. Symbolic links are
/// followed; a file that exists keeps its mode, owner and group, a new one gets the umask's mode.
/// The bytes go to a temporary file beside the target, which takes its name when all of them are
/// written, so that no reader sees a part and a failure leaves the old file alone. Where that
/// cannot be (no file can be made in the folder or take the old one's owner, or the file is a mount
/// point), the old file is overwritten, after room for all bytes has been reserved. A file that may
/// not be written is an error, whatever its folder allows.
llvm::Error writeOutputFile(llvm::StringRef path, llvm::StringRef contents);

} // namespace sortie

#endif // SORTIE_TOOLS_COMMON_OUTPUTFILE_H
