// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sessions: what they reserve, and how a run is bound to memory.

#include "runtime/session/Session.h"

#include "runtime/session/Arguments.h"
#include "runtime/session/Executor.h"
#include "runtime/support/Error.h"

#include <algorithm>

using namespace llvm;

namespace sortie {

/// The first weight of a function that has not been loaded.
static std::optional<WeightId> missingWeight(const Function &function,
                                             const PackedWeights &weights) {
  for (const unsigned id : function.weights.set_bits())
    if (!weights.has(id))
      return id;
  return std::nullopt;
}

Expected<std::unique_ptr<Session>> Session::create(std::shared_ptr<const Program> program,
                                                   std::shared_ptr<const PackedWeights> weights,
                                                   const SessionOptions &options) {
  if (program->target != kCpuTarget)
    return makeError(program->name + ": is compiled for target '" + program->target +
                     "', sessions of this runtime run 'cpu'; compile it for that");
  if (options.maxTokens < 0)
    return makeError("the session's limit of tokens is " + Twine(options.maxTokens) +
                     ", it must be positive, or 0 for the program's own");
  for (const Symbol &symbol : program->symbols)
    if (options.maxTokens > symbol.max)
      return makeError(program->name + ": the session is to hold " + Twine(options.maxTokens) +
                       " tokens, the program was compiled for at most " + Twine(symbol.max) +
                       "; compile it with a larger max-tokens");
  uint64_t arenaBytes = 0;
  for (const Function &function : program->functions)
    if (!missingWeight(function, *weights))
      arenaBytes = std::max(arenaBytes, program->arenaBytes(function, options.maxTokens));

  std::unique_ptr<Session> session(new Session());
  Expected<AlignedBytes> arena = AlignedBytes::allocate(arenaBytes, "intermediate values");
  if (!arena)
    return arena.takeError();
  Expected<std::unique_ptr<cpu::ThreadPool>> pool = cpu::ThreadPool::create(options.threads);
  if (!pool)
    return pool.takeError();
  session->program = std::move(program);
  session->weights = std::move(weights);
  session->pool = std::move(*pool);
  session->isa = options.isa;
  session->maxTokens = options.maxTokens;
  session->arena = std::move(*arena);
  return session;
}

Error Session::run(uint32_t index, ArrayRef<HostTensor> inputs, ArrayRef<HostTensor> outputs,
                   RunObserver &observer) {
  const Function &function = program->functions[index];
  if (const std::optional<WeightId> missing = missingWeight(function, *weights))
    return makeError("function '" + function.name + "': " + program->weights[*missing].describe() +
                     " has not been loaded; name the function when the weights are created");
  Expected<Arguments> arguments = Arguments::bind(*program, function, maxTokens, inputs, outputs);
  if (!arguments)
    return arguments.takeError();
  const cpu::Context context{isa, *pool};
  Executor executor(*program, function, *weights, context, arguments->symbol(), arguments->inputs(),
                    arguments->outputs(), arena.data());
  if (Error error = executor.run(observer))
    return error;
  arguments->finish();
  return Error::success();
}

} // namespace sortie
