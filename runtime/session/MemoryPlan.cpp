// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums of sizes.

#include "runtime/session/MemoryPlan.h"

#include "runtime/cpu/PackedWeights.h"
#include "runtime/cuda/Cublas.h"
#include "runtime/cuda/WeightPlan.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <iterator>

using namespace llvm;

namespace sortie {

std::string MemoryPlan::describe() const {
  return "weights " + cuda::formatBytes(weights) + ", intermediate values " +
         cuda::formatBytes(arena) + ", inputs and outputs " + cuda::formatBytes(arguments) +
         (states ? ", states " + cuda::formatBytes(states) : "") +
         (library ? ", cuBLAS " + cuda::formatBytes(library) : "");
}

StateLayout layoutStates(const Program &program, uint32_t partition, const SymbolLimits &limits) {
  constexpr uint64_t kAlignment = 256;
  StateLayout layout;
  for (const State &state : program.states) {
    const bool isHere = state.partition == partition;
    layout.offsets.push_back(isHere ? layout.bytes : 0);
    if (isHere)
      layout.bytes = alignTo(layout.bytes + state.bytes.at(limits), kAlignment);
  }
  return layout;
}

Error checkStates(const Program &program, const SymbolLimits &limits) {
  constexpr uint64_t kMostBytes = uint64_t{1} << 48;
  SmallVector<uint64_t> sums(program.partitions.size());
  for (const State &state : program.states) {
    uint64_t &sum = sums[state.partition];
    sum = SaturatingAdd(sum, static_cast<uint64_t>(state.bytes.at(limits)));
    if (sum > kMostBytes)
      return makeError(program.name + ": its states take more than 2^48 bytes");
  }
  return Error::success();
}

/// Those of the functions that are of a partition.
static std::vector<size_t> functionsOf(const Program &program, uint32_t partition,
                                       ArrayRef<size_t> functions) {
  std::vector<size_t> own;
  copy_if(functions, std::back_inserter(own),
          [&](size_t index) { return program.functions[index].partition == partition; });
  return own;
}

BitVector weightsOf(const Program &program, ArrayRef<size_t> functions) {
  BitVector wanted(program.weights.size());
  for (const size_t index : functions)
    wanted |= program.functions[index].weights;
  return wanted;
}

BitVector weightsOf(const Program &program, uint32_t partition, ArrayRef<size_t> functions) {
  return weightsOf(program, functionsOf(program, partition, functions));
}

SmallVector<uint32_t> partitionsOf(const Program &program, ArrayRef<size_t> functions) {
  SmallVector<uint32_t> partitions;
  for (const size_t index : functions)
    partitions.push_back(program.functions[index].partition);
  sort(partitions);
  partitions.erase(llvm::unique(partitions), partitions.end());
  return partitions;
}

static uint64_t bytesOfWeights(const Program &program, const Partition &partition,
                               const BitVector &wanted) {
  if (partition.isCuda())
    return cuda::WeightPlan(program, wanted).bytes();
  uint64_t bytes = 0;
  for (const unsigned id : wanted.set_bits())
    bytes += cpu::packedBytes(program.weights[id]);
  return bytes;
}

uint64_t weightBytes(const Program &program, WeightId weight) {
  BitVector wanted(program.weights.size());
  wanted.set(weight);
  const auto reads = [&](const Function &function) { return function.weights.test(weight); };
  BitVector counted(program.partitions.size());
  uint64_t bytes = 0;
  for (const Function &function : make_filter_range(program.functions, reads)) {
    if (!counted.test(function.partition))
      bytes += bytesOfWeights(program, program.partitionOf(function), wanted);
    counted.set(function.partition);
  }
  return bytes;
}

ArgumentLayout layoutArguments(const Program &program, const Function &function,
                               const SymbolLimits &limits) {
  constexpr uint64_t kAlignment = 256;
  const SymbolValues bounds = Program::symbolsOf(function, limits);
  ArgumentLayout layout;
  auto add = [&](const std::vector<Argument> &arguments, SmallVector<uint64_t> &offsets) {
    for (const Argument &argument : arguments) {
      offsets.push_back(layout.bytes);
      const Buffer &buffer = function.buffers[argument.buffer];
      const uint64_t bytes = buffer.isOnHost ? 0 : buffer.bytes.at(bounds);
      layout.bytes = alignTo(layout.bytes + bytes, kAlignment);
    }
  };
  add(function.inputs, layout.inputs);
  add(function.outputs, layout.outputs);
  return layout;
}

MemoryPlan planPartition(const Program &program, uint32_t index, ArrayRef<size_t> functions,
                         const SymbolLimits &limits) {
  const Partition &partition = program.partitions[index];
  MemoryPlan plan;
  plan.weights = bytesOfWeights(program, partition, weightsOf(program, index, functions));
  plan.states = layoutStates(program, index, limits).bytes;
  for (const size_t number : functionsOf(program, index, functions)) {
    const Function &function = program.functions[number];
    plan.arena = std::max(plan.arena, program.arenaBytes(function, limits));
    if (function.usesCublas)
      plan.library = cuda::CublasHandle::kWorkspaceBytes;
    if (partition.isCuda())
      plan.arguments = std::max(plan.arguments, layoutArguments(program, function, limits).bytes);
  }
  return plan;
}

MemoryPlan planMemory(const Program &program, ArrayRef<size_t> functions,
                      const SymbolLimits &limits) {
  MemoryPlan sum;
  for (const uint32_t partition : partitionsOf(program, functions)) {
    const MemoryPlan plan = planPartition(program, partition, functions, limits);
    sum.weights += plan.weights;
    sum.arena += plan.arena;
    sum.arguments += plan.arguments;
    sum.states += plan.states;
    sum.library += plan.library;
  }
  return sum;
}

} // namespace sortie
