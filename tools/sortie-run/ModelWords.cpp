// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The options that all words of whole models have.

#include "tools/sortie-run/ModelWords.h"

#include "runtime/support/Error.h"

using namespace llvm;

namespace sortie::tool {

cl::SubCommand &logitsCommand() {
  static cl::SubCommand command("logits", "The logits of a whole model after given tokens");
  return command;
}

cl::SubCommand &generateCommand() {
  static cl::SubCommand command("generate", "Continues a text, or several at once");
  return command;
}

cl::SubCommand &perplexityCommand() {
  static cl::SubCommand command(
      "perplexity", "How well a model predicts a text, as llama-perplexity measures it");
  return command;
}

cl::SubCommand &benchCommand() {
  static cl::SubCommand command("bench", "How fast a model is, as llama-bench measures it");
  return command;
}

cl::OptionCategory &modelCategory() {
  static cl::OptionCategory category("Options of whole models");
  return category;
}

namespace {

struct Word {
  Mode mode;
  cl::SubCommand &command;
};

ArrayRef<Word> allWords() {
  static const Word kWords[] = {{Mode::Logits, logitsCommand()},
                                {Mode::Generate, generateCommand()},
                                {Mode::Perplexity, perplexityCommand()},
                                {Mode::Bench, benchCommand()}};
  return kWords;
}

#define SORTIE_ALL_WORDS                                                                           \
  cl::sub(logitsCommand()), cl::sub(generateCommand()), cl::sub(perplexityCommand()),              \
      cl::sub(benchCommand()), cl::cat(modelCategory())

cl::opt<std::string> program(cl::Positional, cl::desc("<program.mlirbc>"), SORTIE_ALL_WORDS);

cl::opt<std::string> weights("weights", cl::value_desc("model.gguf"), SORTIE_ALL_WORDS,
                             cl::desc("The model: a GGUF file, the first part of a split one, or, "
                                      "where no text is read, random:seed=N"));

cl::opt<std::string> device("device", cl::value_desc("name"), SORTIE_ALL_WORDS,
                            cl::desc("The device to run on: cpu, cuda, or cuda:N for GPU number N; "
                                     "default: what the program is compiled for"));

cl::opt<int> threads("threads", cl::value_desc("number"), cl::init(0), SORTIE_ALL_WORDS,
                     cl::desc("Threads; default: all processors that the process may use. Changes "
                              "no bit of a result"));

cl::opt<std::string> isa("cpu-isa", cl::value_desc("name"), SORTIE_ALL_WORDS,
                         cl::desc("Force an instruction set, as for a run; default: the best that "
                                  "this machine has. Changes no bit of a result"));

cl::opt<bool> eager("eager", SORTIE_ALL_WORDS,
                    cl::desc("GPU: launch kernels one by one instead of as a CUDA graph. Changes "
                             "no bit of a result"));

cl::opt<int64_t> runTokens("run-tokens", cl::value_desc("number"), cl::init(512), SORTIE_ALL_WORDS,
                           cl::desc("The most tokens of a run, as far as the program has room; "
                                    "default: 512. Changes no bit of a result"));

cl::opt<bool> verbose("verbose", SORTIE_ALL_WORDS,
                      cl::desc("Say on the standard error what memory is needed before it is "
                               "allocated"));

#undef SORTIE_ALL_WORDS

Error getOptionsOf(Mode mode, Options &options) {
  switch (mode) {
  case Mode::Logits:
    return getLogitsOptions(options.logits);
  case Mode::Generate:
    return getGenerateOptions(options.generate);
  case Mode::Perplexity:
    return getPerplexityOptions(options.perplexity);
  default:
    return getBenchOptions(options.bench);
  }
}

} // namespace

void hideUnrelatedModelOptions() {
  for (const Word &word : allWords())
    cl::HideUnrelatedOptions(modelCategory(), word.command);
}

std::optional<Mode> givenModelWord() {
  for (const Word &word : allWords())
    if (word.command)
      return word.mode;
  return std::nullopt;
}

StringRef wordOf(Mode mode) {
  return find_if(allWords(), [&](const Word &word) { return word.mode == mode; })
      ->command.getName();
}

Error checkContext(const cl::opt<int64_t> &context) {
  if (context.getNumOccurrences() == 0 || context > 0)
    return Error::success();
  return makeError("--context " + Twine(context) + ": give at least 1");
}

Error getModelOptions(Mode mode, Options &options) {
  if (program.empty())
    return makeError(wordOf(mode) + ": no program is given; see sortie-run " + wordOf(mode) +
                     " --help");
  if (weights.empty())
    return makeError(wordOf(mode) + ": give the model with --weights model.gguf");
  if (threads < 0)
    return makeError(wordOf(mode) + ": --threads " + Twine(threads) + ": give at least 1");
  if (runTokens < 1)
    return makeError(wordOf(mode) + ": --run-tokens " + Twine(runTokens) + ": give at least 1");
  options.mode = mode;
  options.program = program;
  options.weights = weights;
  options.device = device;
  options.threads = threads;
  options.isa = isa;
  options.eager = eager;
  options.runTokens = runTokens;
  options.isVerbose = verbose;
  if (Error error = getOptionsOf(mode, options))
    return makeError(wordOf(mode) + ": " + toString(std::move(error)));
  return Error::success();
}

} // namespace sortie::tool
