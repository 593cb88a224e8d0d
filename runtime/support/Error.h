// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the runtime makes errors: a message that says what is wrong, where, and what to do, and a
// code that the C API maps to its own.

#ifndef SORTIE_RUNTIME_SUPPORT_ERROR_H
#define SORTIE_RUNTIME_SUPPORT_ERROR_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

#include <system_error>

namespace sortie {

inline llvm::Error makeError(const llvm::Twine &message,
                             std::errc code = std::errc::invalid_argument) {
  return llvm::createStringError(std::make_error_code(code), message);
}

} // namespace sortie

#endif // SORTIE_RUNTIME_SUPPORT_ERROR_H
