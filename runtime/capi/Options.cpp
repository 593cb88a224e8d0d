// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of options that several calls have.

#include "runtime/capi/Options.h"

#include "runtime/capi/CStructs.h"
#include "runtime/capi/Handles.h"
#include "runtime/cpu/Processors.h"

using namespace llvm;
using namespace sortie;

Expected<int> sortie::threadCount(int wanted) {
  constexpr int kMaxThreads = 4096;
  if (wanted < 0 || wanted > kMaxThreads)
    return makeError("the number of threads is " + Twine(wanted) + ", it must be 1 to " +
                     Twine(kMaxThreads) + ", or 0 for all processors that the process may use");
  return wanted ? wanted : std::min(cpu::availableProcessors(), kMaxThreads);
}

Expected<std::vector<SymbolChoice>> sortie::symbolChoices(const sortie_session_options &options) {
  constexpr size_t kMaxSymbols = 4096;
  if (options.symbol_count != 0 && !options.symbols)
    return nullError("sortie_session_options.symbols");
  if (options.symbol_count > kMaxSymbols)
    return makeError("values of " + Twine(options.symbol_count) +
                     " symbols are given, no program has more than " + Twine(kMaxSymbols));
  std::vector<SymbolChoice> choices;
  for (size_t i = 0; i < options.symbol_count; ++i) {
    Expected<sortie_symbol_value> given = readElement(options.symbols, i);
    if (!given)
      return given.takeError();
    if (!given->name)
      return nullError("the name of symbol " + Twine(i));
    choices.push_back({given->name, given->value});
  }
  return choices;
}

Expected<std::vector<size_t>> sortie::selectedFunctions(const Program &program,
                                                        const size_t *functions, size_t count) {
  if (count != 0 && !functions)
    return nullError("the list of functions");
  if (count > program.functions.size())
    return makeError("a list of " + Twine(count) + " functions is given, " + program.name +
                     " has " + Twine(program.functions.size()) + "; name each one once");
  std::vector<size_t> selected;
  if (count == 0)
    for (size_t i = 0; i < program.functions.size(); ++i)
      selected.push_back(i);
  for (size_t i = 0; i < count; ++i) {
    if (functions[i] >= program.functions.size())
      return indexError("function", functions[i], program.functions.size());
    selected.push_back(functions[i]);
  }
  return selected;
}
