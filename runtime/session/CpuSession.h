// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Weights and sessions of the CPU device.

#ifndef SORTIE_RUNTIME_SESSION_CPUSESSION_H
#define SORTIE_RUNTIME_SESSION_CPUSESSION_H

#include "runtime/session/Session.h"

namespace sortie {

/// Packs weights of a program for target=cpu with the threads of `pool`. What `share`, weights of
/// the same model on the CPU, has already is used in place.
llvm::Expected<std::shared_ptr<const LoadedWeights>>
loadCpuWeights(std::shared_ptr<const Program> program, const llvm::BitVector &wanted,
               const std::string &device, WeightSource &source, cpu::ThreadPool &pool,
               ReportProgress report, const LoadedWeights *share = nullptr);

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_CPUSESSION_H
