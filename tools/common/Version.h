// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The version of the tools.

#ifndef SORTIE_TOOLS_COMMON_VERSION_H
#define SORTIE_TOOLS_COMMON_VERSION_H

#include "llvm/ADT/StringRef.h"

namespace sortie {

/// "0.1.0, with LLVM 22.1.8".
llvm::StringRef getVersion();

/// Makes `--version` print "<tool> 0.1.0, with LLVM 22.1.8". It is called before the command line
/// is parsed.
void setVersionOf(llvm::StringRef tool);

} // namespace sortie

#endif // SORTIE_TOOLS_COMMON_VERSION_H
