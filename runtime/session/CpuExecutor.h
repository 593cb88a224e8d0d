// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Executes the steps of one function on the CPU device.

#ifndef SORTIE_RUNTIME_SESSION_CPUEXECUTOR_H
#define SORTIE_RUNTIME_SESSION_CPUEXECUTOR_H

#include "runtime/cpu/Operations.h"
#include "runtime/cpu/PackedWeights.h"
#include "runtime/session/Arguments.h"
#include "runtime/session/BoundFunction.h"

namespace sortie {

/// What of a session the steps of a function use.
struct CpuMemory {
  std::byte *arena;                      ///< as large as the function needs
  std::byte *states;                     ///< the block that holds all of them
  llvm::ArrayRef<uint64_t> stateOffsets; ///< of each state of the program, in the block
};

class CpuExecutor : public BoundFunction {
public:
  CpuExecutor(const Program &program, const Function &function, const PackedWeights &weights,
              const cpu::Context &context, const Arguments &arguments, const CpuMemory &memory);

  llvm::Error run(RunObserver &observer);

private:
  llvm::Error runStep(const Step &step);
  llvm::Error compute(const Step &step, uint32_t operation);
  /// The operands of a step in memory.
  cpu::Operands operandsOf(const Step &step) const;
  cpu::Rows rowsOf(BufferId buffer) const;

  StepCost costOf(const Step &step) const;
  StepCost productCost(const Step &step) const;

  std::byte *data(BufferId buffer) const {
    return buffer == kNoBuffer ? nullptr : addresses[buffer];
  }
  llvm::Expected<HostBytes> hostBytes(BufferId buffer) const { return HostBytes{data(buffer), {}}; }
  const PackedWeights &weights;
  const cpu::Context &context;
  llvm::SmallVector<std::byte *> addresses;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_CPUEXECUTOR_H
