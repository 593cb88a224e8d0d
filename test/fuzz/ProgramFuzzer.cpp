// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Feeds arbitrary bytes to the program loader, and runs what it accepts on two tokens: with weights
// from the generator and small bounds, a program that loads must run without leaving its memory.
// Bytecode is taken as it comes, so that damage must end at the seal: it is not sealed anew,
// because MLIR's reader, behind the seal, ends the process on hostile numbers. Text has no seal,
// and goes through parser, verifiers and lowering.

#include "runtime/cpu/Isa.h"
#include "runtime/cpu/PackedWeights.h"
#include "runtime/program/Loader.h"
#include "runtime/session/Session.h"

#include <algorithm>

using namespace llvm;
using namespace sortie;

namespace {

constexpr int64_t kTokens = 2;
/// Larger programs are loaded, but not run.
constexpr uint64_t kMostBytes = uint64_t{1} << 24;

/// A small value for each symbol of the session.
std::vector<SymbolChoice> choicesFor(const Program &program) {
  std::vector<SymbolChoice> choices;
  for (const Symbol &symbol : program.symbols)
    if (symbol.isOfSession)
      choices.push_back({symbol.name, std::min(kTokens, symbol.max)});
  return choices;
}

uint64_t bytesNeeded(const Program &program, const Function &function, const SymbolLimits &limits) {
  uint64_t bytes = program.arenaBytes(function, limits);
  for (const unsigned id : function.weights.set_bits())
    bytes += program.weights[id].bytes() + cpu::packedBytes(program.weights[id]);
  for (const Buffer &buffer : function.buffers)
    bytes += buffer.bytes.at(Program::symbolsOf(function, limits));
  return bytes;
}

/// Zeros for the arguments of a function.
struct ZeroArguments {
  std::vector<TensorView> tensors;
  std::vector<std::vector<std::byte>> memory;

  ZeroArguments(const Function &function, const std::vector<Argument> &arguments,
                ArrayRef<int64_t> symbols) {
    for (const Argument &argument : arguments) {
      const Buffer &buffer = function.buffers[argument.buffer];
      memory.emplace_back(buffer.bytes.at(symbols));
      TensorView tensor{argument.name,
                        buffer.type == ElementType::I32 ? HostType::I32 : HostType::F32,
                        memory.back().data(),
                        {},
                        {}};
      for (const Affine &extent : buffer.shape)
        tensor.shape.push_back(extent.at(symbols));
      tensor.strides = contiguousStrides(tensor.shape, hostTypeBytes(tensor.type));
      tensors.push_back(std::move(tensor));
    }
  }
};

void runFunction(const std::shared_ptr<const Program> &program, uint32_t index) {
  const Function &function = program->functions[index];
  const std::vector<SymbolChoice> choices = choicesFor(*program);
  Expected<SymbolLimits> limits = SymbolLimits::create(*program, kTokens, choices);
  if (!limits)
    return consumeError(limits.takeError());
  if (program->partitionOf(function).isCuda() ||
      bytesNeeded(*program, function, *limits) > kMostBytes)
    return;
  WeightsOptions weightsOptions;
  weightsOptions.functions = {index};
  Expected<std::shared_ptr<const LoadedWeights>> weights = LoadedWeights::create(
      program, weightsOptions, *makeRandomSource(1), [](uint64_t, uint64_t) { return true; });
  if (!weights)
    return consumeError(weights.takeError());
  const SymbolValues symbols = Program::symbolsOf(function, *limits);
  SessionOptions options;
  options.isa = cpu::bestIsa();
  options.maxTokens = kTokens;
  options.symbols = choices;
  Expected<std::unique_ptr<Session>> session = (*weights)->createSession(options);
  if (!session)
    return consumeError(session.takeError());
  const ZeroArguments inputs(function, function.inputs, symbols);
  const ZeroArguments outputs(function, function.outputs, symbols);
  RunObserver observer;
  consumeError((*session)->run(index, inputs.tensors, outputs.tensors, observer));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const StringRef bytes(reinterpret_cast<const char *>(data), size);
  Expected<std::shared_ptr<const Program>> program = loadProgram({bytes, "fuzz"});
  if (!program) {
    consumeError(program.takeError());
    return 0;
  }
  for (uint32_t i = 0; i < (*program)->functions.size(); ++i)
    runFunction(*program, i);
  return 0;
}
