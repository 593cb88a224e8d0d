// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights and sessions of the CPU device.

#ifndef SORTIE_RUNTIME_SESSION_CPUSESSION_H
#define SORTIE_RUNTIME_SESSION_CPUSESSION_H

#include "runtime/session/Partition.h"

namespace sortie {

/// Packs weights of a partition for target "cpu" with the threads of `pool`. What `share`, weights
/// of the same model on the CPU, has already is used in place.
llvm::Expected<std::shared_ptr<const PartitionWeights>>
loadCpuWeights(const WantedWeights &wanted, const std::string &device, WeightSource &source,
               cpu::ThreadPool &pool, ReportProgress report,
               const PartitionWeights *share = nullptr);

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_CPUSESSION_H
