// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sums of sizes.

#include "runtime/session/MemoryPlan.h"

#include "runtime/cpu/PackedWeights.h"
#include "runtime/cuda/Cublas.h"
#include "runtime/cuda/WeightPlan.h"
#include "runtime/support/Error.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

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

BitVector weightsOf(const Program &program, ArrayRef<size_t> functions) {
  BitVector wanted(program.weights.size());
  for (const size_t index : functions)
    wanted |= program.functions[index].weights;
  return wanted;
}

static uint64_t bytesOfWeights(const Program &program, const BitVector &wanted) {
  if (program.target == kCudaTarget)
    return cuda::WeightPlan(program, wanted).bytes();
  uint64_t bytes = 0;
  for (const unsigned id : wanted.set_bits())
    bytes += cpu::packedBytes(program.weights[id]);
  return bytes;
}

uint64_t weightBytes(const Program &program, WeightId weight) {
  BitVector wanted(program.weights.size());
  wanted.set(weight);
  return bytesOfWeights(program, wanted);
}

ArgumentLayout layoutArguments(const Program &program, const Function &function,
                               int64_t maxTokens) {
  constexpr uint64_t kAlignment = 256;
  const SymbolValues bounds = program.symbolBounds(function, maxTokens);
  ArgumentLayout layout;
  auto add = [&](const std::vector<Argument> &arguments, SmallVector<uint64_t> &offsets) {
    for (const Argument &argument : arguments) {
      offsets.push_back(layout.bytes);
      const uint64_t bytes = function.buffers[argument.buffer].bytes.at(bounds);
      layout.bytes = alignTo(layout.bytes + bytes, kAlignment);
    }
  };
  add(function.inputs, layout.inputs);
  add(function.outputs, layout.outputs);
  return layout;
}

MemoryPlan planMemory(const Program &program, ArrayRef<size_t> functions, int64_t maxTokens) {
  MemoryPlan plan;
  plan.weights = bytesOfWeights(program, weightsOf(program, functions));
  plan.states = program.stateBytes;
  for (const size_t index : functions) {
    const Function &function = program.functions[index];
    plan.arena = std::max(plan.arena, program.arenaBytes(function, maxTokens));
    if (function.usesCublas)
      plan.library = cuda::CublasHandle::kWorkspaceBytes;
    if (program.target == kCudaTarget)
      plan.arguments =
          std::max(plan.arguments, layoutArguments(program, function, maxTokens).bytes);
  }
  return plan;
}

} // namespace sortie
