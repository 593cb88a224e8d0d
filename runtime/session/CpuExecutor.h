// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Executes the steps of one function on the CPU device.

#ifndef SORTIE_RUNTIME_SESSION_CPUEXECUTOR_H
#define SORTIE_RUNTIME_SESSION_CPUEXECUTOR_H

#include "runtime/session/Arguments.h"
#include "runtime/session/BoundFunction.h"
#include "runtime/weights/PackedWeights.h"

namespace sortie {

class CpuExecutor : public BoundFunction {
public:
  /// `arena` is as large as the function needs for the arguments' symbol.
  CpuExecutor(const Program &program, const Function &function, const PackedWeights &weights,
              const cpu::Context &context, const Arguments &arguments, std::byte *arena);

  llvm::Error run(RunObserver &observer);

private:
  llvm::Error operator()(const RmsNormStep &step);
  llvm::Error operator()(const RouteStep &step);
  llvm::Error operator()(const DispatchStep &step);
  llvm::Error operator()(const QuantizeStep &step);
  llvm::Error operator()(const GatherStep &step);
  llvm::Error operator()(const MatmulStep &step);
  llvm::Error operator()(const GluMatmulStep &step);
  llvm::Error operator()(const GluStep &step);
  llvm::Error operator()(const UnsortStep &step);
  llvm::Error operator()(const CombineStep &step);
  llvm::Error operator()(const AddStep &step);
  llvm::Error operator()(const CopyStep &step);
  llvm::Error operator()(const CheckpointStep &) { return llvm::Error::success(); }
  // The loader refuses these in a program for the CPU.
  llvm::Error operator()(const LaunchStep &) { llvm_unreachable("a launch on the CPU"); }
  llvm::Error operator()(const CheckIdsStep &) { llvm_unreachable("a check of ids on the CPU"); }
  llvm::Error operator()(const CublasMatmulStep &) { llvm_unreachable("cuBLAS on the CPU"); }

  StepCost costOf(const Step &step) const;
  StepCost matmulCost(std::initializer_list<WeightId> weights, const GroupedRows &rows,
                      BufferId input, BufferId output) const;

  std::byte *data(BufferId buffer) const {
    return buffer == kNoBuffer ? nullptr : addresses[buffer];
  }
  float *floats(BufferId buffer) const { return reinterpret_cast<float *>(data(buffer)); }
  int32_t *ints(BufferId buffer) const { return reinterpret_cast<int32_t *>(data(buffer)); }
  numerics::RowKind kind(BufferId buffer) const { return rowKind(function.buffers[buffer].type); }
  llvm::Expected<HostBytes> hostBytes(BufferId buffer) const { return HostBytes{data(buffer), {}}; }
  const float *vector(WeightId weight) const {
    return weight == kNoWeight ? nullptr : weights.vector(weight);
  }
  cpu::RowMap rowMap(const GroupedRows &rows) const {
    return {ints(rows.offsets), ints(rows.permutation), rows.slots, rows.gather};
  }

  const PackedWeights &weights;
  const cpu::Context &context;
  llvm::SmallVector<std::byte *> addresses;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_CPUEXECUTOR_H
