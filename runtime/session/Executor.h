// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Executes the steps of one function on the CPU device.

#ifndef SORTIE_RUNTIME_SESSION_EXECUTOR_H
#define SORTIE_RUNTIME_SESSION_EXECUTOR_H

#include "runtime/session/Observer.h"
#include "runtime/weights/PackedWeights.h"

#include "llvm/Support/Error.h"

namespace sortie {

class Executor {
public:
  /// `inputs` and `outputs` are the function's arguments, row-major without gaps, for the value
  /// `symbol` of its symbol; `arena` is as large as the function needs for it.
  Executor(const Program &program, const Function &function, const PackedWeights &weights,
           const cpu::Context &context, int64_t symbol, llvm::ArrayRef<std::byte *> inputs,
           llvm::ArrayRef<std::byte *> outputs, std::byte *arena);

  llvm::Error run(RunObserver &observer);

private:
  llvm::Error execute(const Step &step);
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

  void reportCheckpoint(const CheckpointStep &step, RunObserver &observer) const;
  void reportOutputs(RunObserver &observer) const;
  StepCost costOf(const Step &step) const;
  StepCost matmulCost(std::initializer_list<WeightId> weights, const GroupedRows &rows,
                      BufferId input, BufferId output) const;

  int64_t extent(BufferId buffer, size_t dimension) const {
    return function.buffers[buffer].shape[dimension].at(symbol);
  }
  /// Product of all extents but the last.
  int64_t rows(BufferId buffer) const;
  int64_t columns(BufferId buffer) const {
    return function.buffers[buffer].shape.back().at(symbol);
  }
  int64_t bytes(BufferId buffer) const {
    return buffer == kNoBuffer ? 0 : function.buffers[buffer].bytes.at(symbol);
  }
  std::byte *data(BufferId buffer) const {
    return buffer == kNoBuffer ? nullptr : addresses[buffer];
  }
  float *floats(BufferId buffer) const { return reinterpret_cast<float *>(data(buffer)); }
  int32_t *ints(BufferId buffer) const { return reinterpret_cast<int32_t *>(data(buffer)); }
  numerics::RowKind kind(BufferId buffer) const { return rowKind(function.buffers[buffer].type); }
  const float *vector(WeightId weight) const {
    return weight == kNoWeight ? nullptr : weights.vector(weight);
  }
  cpu::RowMap rowMap(const GroupedRows &rows) const {
    return {ints(rows.offsets), ints(rows.permutation), rows.slots, rows.gather};
  }

  const Program &program;
  const Function &function;
  const PackedWeights &weights;
  const cpu::Context &context;
  int64_t symbol;
  llvm::SmallVector<std::byte *> addresses;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_EXECUTOR_H
