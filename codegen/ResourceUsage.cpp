// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reads lines such as
//   ptxas info    : Compiling entry function 'name' for 'sm_80'
//   ptxas info    : Function properties for name
//       0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
//   ptxas info    : Used 32 registers, used 1 barriers, 16 bytes smem, 400 bytes cmem[0]

#include "codegen/ResourceUsage.h"

#include "llvm/ADT/Twine.h"

using namespace llvm;

namespace sortie::codegen {

/// The number in front of the words `what` of `text`; 0 where they are missing.
static int numberBefore(StringRef text, StringRef what) {
  const StringRef before = text.take_front(text.find(what)).rtrim();
  if (before.size() == text.rtrim().size())
    return 0;
  int number = 0;
  const StringRef word = before.substr(before.find_last_not_of("0123456789") + 1);
  return word.getAsInteger(10, number) ? 0 : number;
}

std::optional<ResourceUsage> parseResourceUsage(StringRef log, StringRef kernel) {
  const std::string heading = ("Compiling entry function '" + Twine(kernel) + "'").str();
  const size_t start = log.find(heading);
  if (start == StringRef::npos)
    return std::nullopt;
  StringRef text = log.substr(start + heading.size());
  text = text.take_front(text.find("Compiling entry function"));
  if (!text.contains(" registers"))
    return std::nullopt;
  ResourceUsage usage;
  usage.registers = numberBefore(text, " registers");
  usage.stack = numberBefore(text, " bytes stack frame");
  usage.spillStores = numberBefore(text, " bytes spill stores");
  usage.spillLoads = numberBefore(text, " bytes spill loads");
  usage.staticShared = numberBefore(text, " bytes smem");
  return usage;
}

} // namespace sortie::codegen
