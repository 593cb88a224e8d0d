// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors of the standard output, which streams only remember.

#ifndef SORTIE_TOOLS_SORTIE_RUN_STANDARDOUTPUT_H
#define SORTIE_TOOLS_SORTIE_RUN_STANDARDOUTPUT_H

#include "runtime/support/Error.h"

#include "llvm/Support/raw_ostream.h"

namespace sortie::tool {

/// Whether everything printed has arrived. An error is told once.
inline llvm::Error flushOutput(llvm::raw_fd_ostream &out) {
  out.flush();
  if (!out.has_error())
    return llvm::Error::success();
  const std::error_code code = out.error();
  out.clear_error();
  return makeError("cannot write to standard output: " + code.message());
}

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_STANDARDOUTPUT_H
