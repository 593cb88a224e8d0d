// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the name of an output stands for.

#ifndef SORTIE_TOOLS_COMMON_OUTPUTTARGET_H
#define SORTIE_TOOLS_COMMON_OUTPUTTARGET_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace sortie {

/// Where an output goes: to an open file of this process, or to a path.
struct OutputTarget {
  /// The number of the open file: 1 for `-`, N for `/dev/fd/N` and what leads there
  /// (`/dev/stdout`).
  std::optional<int> descriptor;
  /// Otherwise: the path with symbolic links followed, so that its last part is none. It need not
  /// exist, its folder does.
  std::string path;
};

/// Follows `path`, as open() does: a link whose target is absent stands for the target. Errors are
/// those of the system, for a loop of links or an absent folder, without the name.
llvm::Expected<OutputTarget> resolveOutput(llvm::StringRef path);

/// An error of the system if this process may not write to the file `path`, or if it is a folder.
llvm::Error checkWriteAccess(const std::string &path);

/// The error of an output that cannot be written: "cannot write '<path>': <reason>".
llvm::Error makeOutputError(llvm::StringRef path, llvm::Error reason);

} // namespace sortie

#endif // SORTIE_TOOLS_COMMON_OUTPUTTARGET_H
