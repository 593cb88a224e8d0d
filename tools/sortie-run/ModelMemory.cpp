// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/sortie-run/ModelMemory.h"

#include "runtime/cache/CacheManager.h"

using namespace llvm;

namespace sortie::tool {

Expected<ModelMemory> ModelMemory::plan(const sortie_program *program,
                                        const generation::ForwardFunction &forward,
                                        const generation::SessionLimits &limits) {
  Expected<sortie_memory_info> info = generation::SessionForward::planMemory(program, limits);
  if (!info)
    return info.takeError();
  ModelMemory memory;
  memory.weights = info->weight_bytes;
  memory.caches = info->state_bytes;
  memory.positions = static_cast<uint64_t>(limits.pages * cache::kPagePositions);
  memory.scratch = info->arena_bytes + info->scratch_bytes + info->argument_bytes;
  memory.logits = static_cast<uint64_t>(limits.rows * forward.most.vocabulary) * sizeof(float);
  return memory;
}

std::string ModelMemory::describe() const {
  return ("weights " + describeBytes(weights) + ", caches of " + Twine(positions) + " positions " +
          describeBytes(caches) + ", scratch " + describeBytes(scratch) + ", logits " +
          describeBytes(logits))
      .str();
}

Error ModelMemory::checkFits(const MachineMemory &machine) const {
  if (machine.bytes == 0 || total() <= machine.bytes)
    return Error::success();
  const StringRef advice = caches > weights
                               ? "take fewer sequences or a smaller context, or compile the model "
                                 "with kv=int8"
                               : "take a model of smaller types, or a smaller context";
  return makeError("the model needs " + describeBytes(total()) + " of memory (" + describe() +
                   "), and " + machine.origin + " allows " + describeBytes(machine.bytes) + "; " +
                   advice);
}

} // namespace sortie::tool
