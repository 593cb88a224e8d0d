// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A state says how many words a page has; what they are, the steps say that write them.

#include "runtime/program/CacheShape.h"

using namespace llvm;

namespace sortie {

/// moert.append reads keys and values [T, heads * elements], moert.append_latent both parts of
/// keys. The last parameter is whether elements have 16 bits, the first of moert.append the heads
/// (runtime/cpu/AttentionOperations.cpp).
static CacheShape shapeOfAppend(const Function &function, const Step &step) {
  const auto columns = [&](BufferId rows) { return function.buffers[rows].shape[1].constant; };
  const int64_t first = columns(step.reads[0]), second = columns(step.reads[1]);
  const int bits = step.parameters.back().integer == 0 ? 8 : 16;
  if (step.operation == "moert.append_latent")
    return {1, first, first, second, bits};
  const int64_t heads = step.parameters[0].integer;
  return {heads, first / heads, second / heads, 0, bits};
}

std::optional<CacheShape> cacheShapeOf(const Program &program, uint32_t state) {
  for (const Function &function : program.functions)
    for (const Step &step : function.steps) {
      if (step.operation != "moert.append" && step.operation != "moert.append_latent")
        continue;
      const Buffer &cache = function.buffers[step.writes[0]];
      if (cache.place == Buffer::Place::State && cache.argument == state)
        return shapeOfAppend(function, step);
    }
  return std::nullopt;
}

} // namespace sortie
