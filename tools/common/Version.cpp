// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/common/Version.h"

#include "llvm/Config/llvm-config.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/raw_ostream.h"

namespace sortie {

llvm::StringRef getVersion() { return SORTIE_VERSION ", with LLVM " LLVM_VERSION_STRING; }

void setVersionOf(llvm::StringRef tool) {
  llvm::cl::SetVersionPrinter(
      [tool](llvm::raw_ostream &out) { out << tool << ' ' << getVersion() << '\n'; });
}

} // namespace sortie
