// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/JoinedKernel.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>

using namespace llvm;

namespace sortie::codegen {

/// Adds what `from` needs of a multiprocessor to what `to` does.
static void addNeeds(const KernelCode &from, KernelCode &to) {
  for (const std::string &header : from.headers)
    if (!is_contained(to.headers, header))
      to.headers.push_back(header);
  if (!StringRef(to.definitions).contains(from.definitions))
    to.definitions += from.definitions;
  to.shared = std::max(to.shared, from.shared);
  to.blocks = std::min(to.blocks, from.blocks);
  if (!from.schedule.empty() && !StringRef(to.schedule).contains(from.schedule))
    to.schedule += (to.schedule.empty() ? "" : "; ") + from.schedule;
}

/// What the kernel declares is in a namespace of its own: two may use one name.
static std::string defineCall(const KernelCode &code, StringRef name) {
  return formatv(
      "namespace {0} {{\n{1}template <typename Begin>\n"
      "SORTIE_DEVICE void run(const Begin &begin, {2}) {{\n  {3};\n}\n} // namespace {0}\n\n",
      name, code.declarations, join(code.parameters, ", "), code.call);
}

/// The calls of a part, each a statement; blocks meet between them.
static std::string writePart(const JoinedPart &part, size_t number, KernelCode &joined) {
  std::string text;
  for (auto [place, call] : enumerate(part.calls)) {
    const std::string name = formatv("part_{0}_{1}", number, place);
    addNeeds(call.code, joined);
    joined.declarations += defineCall(call.code, name);
    if (place != 0)
      text += "sortie::hw::syncBlock();\n    ";
    text += formatv("{0}::run(begin, {1});\n    ", name, join(call.arguments, ", "));
  }
  return StringRef(text).rtrim().str();
}

/// The condition under which a thread block does a part of several, or of fewer blocks than the
/// grid has.
static std::string conditionOf(const JoinedPart &part, size_t number, bool isAlone) {
  std::vector<std::string> conditions;
  if (!isAlone)
    conditions.push_back(formatv("sortie::hw::blockIndexZ() == {0}", number));
  if (part.columnBlocks != 0)
    conditions.push_back(formatv("sortie::hw::blockIndexX() < {0}", part.columnBlocks));
  return conditions.empty() ? "true" : join(conditions, " && ");
}

KernelCode joinedKernel(std::vector<std::string> parameters, ArrayRef<JoinedPart> parts,
                        int threads) {
  const KernelCode &first = parts.front().calls.front().code;
  KernelCode joined;
  joined.kind = "joined";
  for (const JoinedCall &call : parts.front().calls)
    joined.kind += "_" + call.code.kind;
  joined.parameters = std::move(parameters);
  joined.beginsItself = first.beginsItself;
  joined.threads = threads;
  joined.blocks = first.blocks;
  for (auto [number, part] : enumerate(parts)) {
    const std::string condition = conditionOf(part, number, parts.size() == 1);
    const std::string text = writePart(part, number, joined);
    joined.call +=
        formatv("{0}if ({1}) {{\n    {2}\n  }", number == 0 ? "" : " else ", condition, text);
  }
  return joined;
}

} // namespace sortie::codegen
