// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Options that several calls of the C API have.

#ifndef SORTIE_RUNTIME_CAPI_OPTIONS_H
#define SORTIE_RUNTIME_CAPI_OPTIONS_H

#include "runtime/include/sortie/sortie.h"
#include "runtime/session/SymbolLimits.h"

#include "llvm/Support/Error.h"

#include <cstring>
#include <string>
#include <vector>

namespace sortie {

/// The text, or "" for NULL.
inline std::string stringOf(const char *text) { return text ? text : ""; }

/// The threads asked for; 0 means all processors that the process may use.
llvm::Expected<int> threadCount(int wanted);

/// The choices of symbols of a session's options.
llvm::Expected<std::vector<SymbolChoice>> symbolChoices(const sortie_session_options &options);

/// The functions of a list of `count`, all for an empty one.
llvm::Expected<std::vector<size_t>> selectedFunctions(const Program &program,
                                                      const size_t *functions, size_t count);

/// An enumerator of C, which may have any value, as a number.
template <typename Enum> int numberOf(const Enum &value) {
  static_assert(sizeof(Enum) == sizeof(int));
  int number;
  std::memcpy(&number, &value, sizeof(number));
  return number;
}

} // namespace sortie

#endif // SORTIE_RUNTIME_CAPI_OPTIONS_H
