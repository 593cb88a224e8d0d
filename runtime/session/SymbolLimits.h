// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is decided about the symbols of a program before its memory is planned.

#ifndef SORTIE_RUNTIME_SESSION_SYMBOLLIMITS_H
#define SORTIE_RUNTIME_SESSION_SYMBOLLIMITS_H

#include "runtime/program/Program.h"

#include "llvm/Support/Error.h"

namespace sortie {

/// A symbol by its name: of one of the session its value, of another the most that a run may have.
struct SymbolChoice {
  std::string symbol;
  int64_t value;
};

class SymbolLimits {
public:
  /// Symbols without a choice are at most `maxTokens` (0: their bounds in the program). An error if
  /// a choice names no symbol, or one twice, or is out of its bounds, and if a symbol of the
  /// session has none.
  static llvm::Expected<SymbolLimits> create(const Program &program, int64_t maxTokens,
                                             llvm::ArrayRef<SymbolChoice> choices);
  /// The same where no session is at hand: its symbols count as zero.
  static llvm::Expected<SymbolLimits> createWithoutSession(const Program &program,
                                                           int64_t maxTokens);

  /// By the index of the symbol in the program.
  int64_t operator[](uint32_t symbol) const { return values[symbol]; }
  operator llvm::ArrayRef<int64_t>() const { return values; }

private:
  SymbolValues values;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_SYMBOLLIMITS_H
