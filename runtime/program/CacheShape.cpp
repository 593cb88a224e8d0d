// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A state says how many words a page has; what they are, the steps say that write them.

#include "runtime/program/CacheShape.h"

using namespace llvm;

namespace sortie {

/// moert.append reads keys and values [T, heads * elements], and has as parameters the heads and
/// whether elements have 16 bits (dialect/moert/LanguageModelOps.cpp).
static CacheShape shapeOfAppend(const Function &function, const Step &step) {
  const int64_t heads = step.parameters[0].integer;
  const auto headOf = [&](BufferId rows) {
    return function.buffers[rows].shape[1].constant / heads;
  };
  return {heads, headOf(step.reads[0]), headOf(step.reads[1]),
          step.parameters[1].integer == 0 ? 8 : 16};
}

std::optional<CacheShape> cacheShapeOf(const Program &program, uint32_t state) {
  for (const Function &function : program.functions)
    for (const Step &step : function.steps) {
      if (step.operation != "moert.append")
        continue;
      const Buffer &cache = function.buffers[step.writes[0]];
      if (cache.place == Buffer::Place::State && cache.argument == state)
        return shapeOfAppend(function, step);
    }
  return std::nullopt;
}

} // namespace sortie
