// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What partitions of all targets have in common.

#include "runtime/session/Partition.h"

#include "runtime/support/Error.h"

using namespace llvm;

namespace sortie {

PartitionWeights::~PartitionWeights() = default;
StartedRun::~StartedRun() = default;
PartitionSession::~PartitionSession() = default;

std::optional<WeightId> PartitionWeights::missing(const Function &function) const {
  for (const unsigned id : function.weights.set_bits())
    if (!loaded.weights.test(id))
      return id;
  return std::nullopt;
}

uint64_t PartitionWeights::arenaBytes(const SymbolLimits &limits) const {
  uint64_t bytes = 0;
  for (const Function &function : program()->functions)
    if (serves(function))
      bytes = std::max(bytes, program()->arenaBytes(function, limits));
  return bytes;
}

Error PartitionSession::explain(const Function &function, Error error) {
  if (!error)
    return Error::success();
  if (!deviceFailure.empty()) {
    consumeError(std::move(error));
    return makeError("function '" + function.name +
                         "': not run, because a run before it failed: " + deviceFailure,
                     std::errc::state_not_recoverable);
  }
  return handleErrors(explainMemory(std::move(error)), [&](std::unique_ptr<ErrorInfoBase> info) {
    // A launch that was refused has that code, too.
    if (info->convertToErrorCode() == std::errc::state_not_recoverable && isDeviceLost())
      deviceFailure = info->message();
    return Error(std::move(info));
  });
}

} // namespace sortie
