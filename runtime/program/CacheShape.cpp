// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A state says how many words a page has; what they are, the steps say that write them.

#include "runtime/program/CacheShape.h"

#include "runtime/numerics/cache.h"

using namespace llvm;

namespace sortie {

static CacheShape shapeOf(StringRef operation, int64_t heads, int64_t first, int64_t second,
                          int bits) {
  if (operation == "moert.append_latent")
    return {1, first, first, second, bits};
  return {heads, first / heads, second / heads, 0, bits};
}

static int64_t wordsOfPage(const CacheShape &shape) {
  const auto width =
      shape.bits == 16 ? numerics::ActivationWidth::Int16 : numerics::ActivationWidth::Int8;
  return numerics::cachePageWords(width, shape.heads, shape.key, shape.value, shape.rotated);
}

/// A launch does not say heads and bits: they are those with which a page has as many words as the
/// state's. Each head has its scales, and bits are one number or twice that, so only heads of a few
/// elements leave a choice; of these nothing is said.
static std::optional<CacheShape> shapeOfLaunch(StringRef operation, int64_t first, int64_t second,
                                               int64_t words) {
  std::optional<CacheShape> found;
  const int64_t mostHeads = operation == "moert.append" ? std::min(first, second) : 1;
  for (int64_t heads = 1; heads <= mostHeads; ++heads) {
    if (operation == "moert.append" && (first % heads != 0 || second % heads != 0))
      continue;
    for (const int bits : {8, 16}) {
      const CacheShape shape = shapeOf(operation, heads, first, second, bits);
      if (wordsOfPage(shape) != words)
        continue;
      if (found)
        return std::nullopt;
      found = shape;
    }
  }
  return found;
}

/// moert.append reads keys and values [T, heads * elements], moert.append_latent both parts of
/// keys. The last parameter is whether elements have 16 bits, the first of moert.append the heads
/// (runtime/cpu/AttentionOperations.cpp).
static std::optional<CacheShape> shapeOfAppend(const Function &function, const Step &step) {
  const auto columns = [&](BufferId rows) { return function.buffers[rows].shape[1].constant; };
  const int64_t first = columns(step.reads[0]), second = columns(step.reads[1]);
  if (std::holds_alternative<KernelLaunch>(step.action))
    return shapeOfLaunch(step.operation, first, second, columns(step.writes[0]));
  const int bits = step.parameters.back().integer == 0 ? 8 : 16;
  return shapeOf(step.operation, step.parameters[0].integer, first, second, bits);
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
