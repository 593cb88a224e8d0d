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

Error checkTokenLimit(const Program &program, int64_t maxTokens) {
  if (maxTokens < 0)
    return makeError("the limit of tokens is " + Twine(maxTokens) +
                     ", it must be positive, or 0 for the program's own");
  int64_t most = 0;
  for (const Symbol &symbol : program.symbols)
    most = std::max(most, symbol.max);
  if (program.symbols.empty() || maxTokens <= most)
    return Error::success();
  return makeError(program.name + ": memory for " + Twine(maxTokens) +
                   " tokens is asked for, the program was compiled for at most " + Twine(most) +
                   "; ask for fewer, or compile it with a larger max-tokens");
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
                               int64_t maxTokens) {
  constexpr uint64_t kAlignment = 256;
  const SymbolValues bounds = program.symbolBounds(function, maxTokens);
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
                         int64_t maxTokens) {
  const Partition &partition = program.partitions[index];
  MemoryPlan plan;
  plan.weights = bytesOfWeights(program, partition, weightsOf(program, index, functions));
  plan.states = partition.stateBytes;
  for (const size_t number : functionsOf(program, index, functions)) {
    const Function &function = program.functions[number];
    plan.arena = std::max(plan.arena, program.arenaBytes(function, maxTokens));
    if (function.usesCublas)
      plan.library = cuda::CublasHandle::kWorkspaceBytes;
    if (partition.isCuda())
      plan.arguments =
          std::max(plan.arguments, layoutArguments(program, function, maxTokens).bytes);
  }
  return plan;
}

MemoryPlan planMemory(const Program &program, ArrayRef<size_t> functions, int64_t maxTokens) {
  MemoryPlan sum;
  for (const uint32_t partition : partitionsOf(program, functions)) {
    const MemoryPlan plan = planPartition(program, partition, functions, maxTokens);
    sum.weights += plan.weights;
    sum.arena += plan.arena;
    sum.arguments += plan.arguments;
    sum.states += plan.states;
    sum.library += plan.library;
  }
  return sum;
}

} // namespace sortie
