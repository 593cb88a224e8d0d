// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/session/SymbolLimits.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>

using namespace llvm;

namespace sortie {

/// Whether memory can be planned for `maxTokens` tokens.
static Error checkTokenLimit(const Program &program, int64_t maxTokens) {
  if (maxTokens < 0)
    return makeError("the limit of tokens is " + Twine(maxTokens) +
                     ", it must be positive, or 0 for the program's own");
  int64_t most = 0;
  for (const Symbol &symbol : program.symbols)
    if (!symbol.isOfSession)
      most = std::max(most, symbol.max);
  if (most == 0 || maxTokens <= most)
    return Error::success();
  return makeError(program.name + ": memory for " + Twine(maxTokens) +
                   " tokens is asked for, the program was compiled for at most " + Twine(most) +
                   "; ask for fewer, or compile it with a larger max-tokens");
}

/// The symbol of a choice, by its index.
static Expected<uint32_t> findSymbol(const Program &program, const SymbolChoice &choice) {
  std::string names;
  for (auto [index, symbol] : enumerate(program.symbols)) {
    if (symbol.name != choice.symbol) {
      names += (names.empty() ? "" : ", ") + symbol.name;
      continue;
    }
    if (choice.value >= 1 && choice.value <= symbol.max)
      return static_cast<uint32_t>(index);
    return makeError(program.name + ": symbol '" + symbol.name + "' is to be " +
                     Twine(choice.value) + ", it must be 1 to " + Twine(symbol.max));
  }
  return makeError(program.name + ": has no symbol '" + choice.symbol + "'; it has" +
                       (names.empty() ? " none" : ": " + names),
                   std::errc::no_such_file_or_directory);
}

Expected<SymbolLimits> SymbolLimits::createWithoutSession(const Program &program,
                                                          int64_t maxTokens) {
  if (Error error = checkTokenLimit(program, maxTokens))
    return error;
  SymbolLimits limits;
  for (const Symbol &symbol : program.symbols) {
    const int64_t most = maxTokens != 0 ? std::min(maxTokens, symbol.max) : symbol.max;
    limits.values.push_back(symbol.isOfSession ? 0 : most);
  }
  return limits;
}

Expected<SymbolLimits> SymbolLimits::create(const Program &program, int64_t maxTokens,
                                            ArrayRef<SymbolChoice> choices) {
  Expected<SymbolLimits> limits = createWithoutSession(program, maxTokens);
  if (!limits)
    return limits.takeError();
  BitVector chosen(program.symbols.size());
  for (const SymbolChoice &choice : choices) {
    Expected<uint32_t> symbol = findSymbol(program, choice);
    if (!symbol)
      return symbol.takeError();
    if (chosen.test(*symbol))
      return makeError(program.name + ": symbol '" + choice.symbol + "' is given twice");
    chosen.set(*symbol);
    limits->values[*symbol] = choice.value;
  }
  for (auto [index, symbol] : enumerate(program.symbols))
    if (symbol.isOfSession && !chosen.test(index))
      return makeError(program.name + ": sizes of states depend on '" + symbol.name +
                       "', which a session must be given a value for, 1 to " + Twine(symbol.max) +
                       "; say it in sortie_session_options.symbols");
  return limits;
}

} // namespace sortie
