// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Loading, cheap errors first.

#include "tools/sortie-run/LoadedModel.h"

#include "tools/sortie-run/ModelMemory.h"

#include "llvm/Support/MemoryBuffer.h"

#include <algorithm>

using namespace llvm;

namespace sortie::tool {

Expected<ModelProgram> ModelProgram::open(const Options &options) {
  Expected<ProgramPtr> program = openProgram(options.program);
  if (!program)
    return program.takeError();
  Expected<generation::ForwardFunction> forward = generation::ForwardFunction::find(program->get());
  if (!forward)
    return makeError(options.program + ": " + toString(forward.takeError()));
  return ModelProgram{std::move(*program), std::move(*forward)};
}

int64_t ModelProgram::mostPositions() const {
  return forward.most.tablePages * cache::kPagePositions;
}

Expected<int64_t> ModelProgram::contextOf(int64_t wanted) const {
  if (wanted > mostPositions())
    return makeError("--context " + Twine(wanted) + ": the program has room for " +
                     Twine(mostPositions()) +
                     " positions; give less, or import the model with a larger --context");
  return wanted != 0 ? wanted : mostPositions();
}

int64_t ModelProgram::rowsOfRun() const {
  constexpr int64_t kFloats = int64_t{1} << 26;
  return std::clamp<int64_t>(kFloats / std::max<int64_t>(forward.most.vocabulary, 1), 1, 512);
}

static Expected<WeightsPtr> loadWeights(const ModelProgram &program, const Options &options) {
  ProgressBar bar;
  const sortie_callbacks callbacks = callbacksOf(bar);
  sortie_weights_options wanted = SORTIE_INIT(sortie_weights_options);
  if (Error error = readWeightsOption(options, wanted))
    return error;
  const std::vector<size_t> functions = program.forward.functions();
  wanted.functions = functions.data();
  wanted.function_count = functions.size();
  wanted.callbacks = &callbacks;
  wanted.device = options.device.empty() ? nullptr : options.device.c_str();
  sortie_weights *created = nullptr;
  if (Error error = toError(sortie_weights_create(program.program.get(), &wanted, &created)))
    return error;
  return WeightsPtr(created);
}

/// Whether functions run on this machine's processors, whose memory the machine knows.
static Expected<bool> runsOnCpu(const ModelProgram &program) {
  sortie_function_info info = SORTIE_INIT(sortie_function_info);
  if (Error error =
          toError(sortie_program_get_function(program.program.get(), program.forward.index, &info)))
    return error;
  return StringRef(info.target) == "cpu";
}

/// Tells what memory is needed, if people ask for it. An error if the machine has less.
static Error checkMemory(const ModelProgram &program, const generation::SessionLimits &limits,
                         bool isVerbose) {
  auto needed = ModelMemory::plan(program.program.get(), program.forward, limits);
  if (!needed)
    return needed.takeError();
  const MachineMemory machine = machineMemory();
  if (isVerbose)
    errs() << "memory: " << needed->describe() << "; " << machine.origin << " allows "
           << describeBytes(machine.bytes) << '\n';
  Expected<bool> isHere = runsOnCpu(program);
  if (!isHere)
    return isHere.takeError();
  return *isHere ? needed->checkFits(machine) : Error::success();
}

Expected<LoadedModel> LoadedModel::load(const ModelProgram &program, const Options &options,
                                        const ModelRoom &room) {
  generation::SessionLimits limits;
  limits.sequences = room.sequences;
  limits.pages = room.pages;
  limits.rows = room.rows;
  limits.tokens = options.runTokens;
  limits.threads = options.threads;
  limits.device = options.device;
  limits.isa = options.isa;
  limits.isEager = options.eager;
  if (Error error = checkMemory(program, limits, options.isVerbose))
    return error;
  Expected<WeightsPtr> weights = loadWeights(program, options);
  if (!weights)
    return weights.takeError();
  auto forward = generation::SessionForward::create(program.program.get(), weights->get(), limits);
  if (!forward)
    return forward.takeError();
  std::string device = (*forward)->device().str();
  Expected<generation::LanguageModel> model =
      generation::LanguageModel::create(std::move(*forward), room.sequences, room.context);
  if (!model)
    return model.takeError();
  return LoadedModel{std::move(*model), std::move(device)};
}

Expected<ModelTokenizer> ModelTokenizer::open(const Options &options) {
  if (isRandom(options.weights))
    return makeError("--weights " + options.weights +
                     ": random weights have no tokenizer; give a model file");
  auto file = gguf::Model::open(options.weights, gguf::DataPresence::Optional);
  if (!file)
    return file.takeError();
  auto tokenizer = tokenizer::Tokenizer::create(**file);
  if (!tokenizer)
    return tokenizer.takeError();
  return ModelTokenizer{std::move(*file), std::move(*tokenizer)};
}

Expected<std::unique_ptr<MemoryBuffer>> readText(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> file =
      MemoryBuffer::getFileOrSTDIN(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return makeError(path + ": cannot read: " + file.getError().message());
  return std::move(*file);
}

} // namespace sortie::tool
