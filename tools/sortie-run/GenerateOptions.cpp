// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The options of `sortie-run generate`.

#include "tools/sortie-run/ModelWords.h"

#include "runtime/support/Error.h"

using namespace llvm;

namespace sortie::tool {

namespace {

#define SORTIE_GENERATE cl::sub(generateCommand()), cl::cat(modelCategory())

cl::opt<std::string> promptOption("prompt", cl::value_desc("text"), SORTIE_GENERATE,
                                  cl::desc("The text to continue"));

cl::opt<std::string> promptFile("prompt-file", cl::value_desc("text.txt"), SORTIE_GENERATE,
                                cl::desc("The file of the text to continue; - is the standard "
                                         "input"));

cl::opt<std::string> promptsFile("prompts", cl::value_desc("lines.txt"), SORTIE_GENERATE,
                                 cl::desc("A file of prompts, one a line, which are continued "
                                          "together; - is the standard input"));

cl::opt<std::string>
    promptCache("prompt-cache", cl::value_desc("file"), SORTIE_GENERATE,
                cl::desc("Go on with the prompt that was saved in this file, if this one begins "
                         "with it, and save this one there when it has been read"));

cl::opt<bool> chatOption("chat", SORTIE_GENERATE,
                         cl::desc("The prompt is a message of a conversation, written as the "
                                  "model's chat template has it. Without a prompt, each line of "
                                  "the standard input is one, and the conversation goes on"));

cl::opt<std::string> systemOption("system", cl::value_desc("text"), SORTIE_GENERATE,
                                  cl::desc("With --chat: the system message"));

cl::opt<std::string> chatFormat("chat-format", cl::value_desc("name"), SORTIE_GENERATE,
                                cl::desc("With --chat: the format of conversations, instead of "
                                         "what the model's chat template means"));

cl::opt<std::string> dateOption("date", cl::value_desc("YYYY-MM-DD"), SORTIE_GENERATE,
                                cl::desc("With --chat: what a template that names the day says; "
                                         "default: 2024-07-26, so that texts stay the same"));

cl::opt<int64_t> tokensOption("n", cl::value_desc("number"), cl::init(128), SORTIE_GENERATE,
                              cl::desc("Tokens to generate at most; default: 128, and with --chat "
                                       "8192, as far as the program has positions"));

cl::opt<int64_t> samples("samples", cl::value_desc("number"), cl::init(1), SORTIE_GENERATE,
                         cl::desc("With --temp: so many texts that continue one prompt, which is "
                                  "read once; default: 1"));

cl::opt<int64_t> parallel("parallel", cl::value_desc("number"), cl::init(0), SORTIE_GENERATE,
                          cl::desc("With --prompts: continue so many at once, which takes memory "
                                   "for so many; texts are the same; default: all"));

cl::opt<float> temperature("temp", cl::value_desc("number"), cl::init(0), SORTIE_GENERATE,
                           cl::desc("Draw tokens by their probabilities at this temperature; "
                                    "default: 0, which always takes the likeliest"));

cl::opt<uint64_t> seed("seed", cl::value_desc("number"), cl::init(0), SORTIE_GENERATE,
                       cl::desc("With --temp: another number draws other tokens; default: 0"));

cl::opt<int32_t> topK("top-k", cl::value_desc("number"), cl::init(0), SORTIE_GENERATE,
                      cl::desc("With --temp: only so many of the likeliest tokens, up to 1024; "
                               "default: 0, all"));

cl::opt<float> topP("top-p", cl::value_desc("number"), cl::init(1), SORTIE_GENERATE,
                    cl::desc("With --temp: only the likeliest tokens that together have this "
                             "probability, at most 1024; default: 1, all"));

cl::opt<float> minP("min-p", cl::value_desc("number"), cl::init(0), SORTIE_GENERATE,
                    cl::desc("With --temp: only tokens at least this likely compared with the "
                             "likeliest, at most 1024; default: 0, all"));

cl::opt<float>
    repeatPenalty("repeat-penalty", cl::value_desc("number"), cl::init(1), SORTIE_GENERATE,
                  cl::desc("More than 1: the last 64 tokens become less likely; default: "
                           "1, as likely as they are"));

cl::list<std::string>
    stops("stop", cl::value_desc("text"), SORTIE_GENERATE,
          cl::desc("Stop where this text comes, which is not printed; may be given "
                   "several times"));

cl::opt<bool> ignoreEnd("ignore-eos", SORTIE_GENERATE,
                        cl::desc("Never choose a token that ends the text"));

cl::opt<int64_t> contextOption("context", cl::value_desc("number"), cl::init(0), SORTIE_GENERATE,
                               cl::desc("The most positions of a text, with its prompt; default: "
                                        "what prompt and -n need, as far as the program has them"));

cl::opt<TextFormat>
    format("o", cl::init(TextFormat::Text), SORTIE_GENERATE, cl::desc("How the texts are printed"),
           cl::values(clEnumValN(TextFormat::Text, "text",
                                 "as they come, several one after another (default)"),
                      clEnumValN(TextFormat::Json, "json",
                                 "with tokens and the logarithms of their "
                                 "probabilities")));

#undef SORTIE_GENERATE

Error getPrompt(GenerateOptions &options) {
  size_t given = 0;
  const std::pair<const cl::opt<std::string> *, PromptSource> sources[] = {
      {&promptOption, PromptSource::Text},
      {&promptFile, PromptSource::File},
      {&promptsFile, PromptSource::Lines}};
  for (const auto &[option, source] : sources) {
    if (option->getNumOccurrences() == 0)
      continue;
    options.source = source;
    options.prompt = *option;
    ++given;
  }
  if (given == 0 && chatOption) {
    options.source = PromptSource::Dialog;
    options.prompt.assign(1, '-');
    return Error::success();
  }
  if (given != 1)
    return makeError(
        "give one of --prompt \"text\", --prompt-file text.txt and --prompts lines.txt");
  return Error::success();
}

Error getChat(GenerateOptions &options) {
  options.isChat = chatOption;
  const cl::Option *others[] = {&systemOption, &chatFormat, &dateOption};
  for (const cl::Option *option : others)
    if (!chatOption && option->getNumOccurrences() != 0)
      return makeError("--" + option->ArgStr + " is for --chat, which is not given");
  if (systemOption.getNumOccurrences() != 0)
    options.system = systemOption;
  Expected<ChatChoice> choice = ChatChoice::create(chatFormat, dateOption);
  if (!choice)
    return choice.takeError();
  options.chat = std::move(*choice);
  return Error::success();
}

/// An error if an option is given that says how tokens are drawn, while none are.
Error checkDrawing() {
  const cl::Option *options[] = {&seed, &topK, &topP, &minP, &samples};
  for (const cl::Option *option : options)
    if (temperature == 0 && option->getNumOccurrences() != 0)
      return makeError(
          "--" + option->ArgStr +
          " says how tokens are drawn, and without --temp the likeliest is taken; give "
          "--temp, such as --temp 0.8");
  return Error::success();
}

/// An error if there is more than one prompt, and something is for one.
Error checkOnePrompt(StringRef option, PromptSource source) {
  if (source == PromptSource::Lines)
    return makeError(option + " is for one prompt, and --prompts has one a line; give the prompt "
                              "with --prompt or --prompt-file");
  if (source == PromptSource::Dialog)
    return makeError(option + " is for one prompt, and the standard input may have several; give "
                              "the prompt with --prompt or --prompt-file");
  return Error::success();
}

Error checkSamples(PromptSource source) {
  if (samples < 1)
    return makeError("--samples " + Twine(samples) + ": give at least 1");
  return samples > 1 ? checkOnePrompt("--samples", source) : Error::success();
}

Error checkParallel(PromptSource source) {
  if (parallel.getNumOccurrences() == 0)
    return Error::success();
  if (parallel < 1)
    return makeError("--parallel " + Twine(parallel) + ": give at least 1");
  if (source != PromptSource::Lines)
    return makeError("--parallel is for several prompts, and there is one; give them with "
                     "--prompts, one a line");
  return Error::success();
}

Error checkPromptCache(PromptSource source) {
  if (promptCache.getNumOccurrences() == 0)
    return Error::success();
  if (promptCache.empty() || promptCache == "-")
    return makeError("--prompt-cache '" + promptCache + "': give the name of a file");
  return checkOnePrompt("--prompt-cache", source);
}

} // namespace

Error getGenerateOptions(GenerateOptions &options) {
  if (Error error = getPrompt(options))
    return error;
  if (Error error = getChat(options))
    return error;
  if (Error error = checkDrawing())
    return error;
  if (Error error = checkSamples(options.source))
    return error;
  if (Error error = checkParallel(options.source))
    return error;
  if (Error error = checkPromptCache(options.source))
    return error;
  if (tokensOption < 1)
    return makeError("-n " + Twine(tokensOption) + ": give at least 1");
  if (Error error = checkContext(contextOption))
    return error;
  generation::GenerationOptions &generation = options.generation;
  const bool isStated = tokensOption.getNumOccurrences() != 0;
  generation.tokens = chatOption && !isStated ? kChatTokens : int64_t{tokensOption};
  generation.samples = samples;
  generation.parallel = parallel;
  generation.stops = stops;
  generation.ignoresEnd = ignoreEnd;
  generation.sampling.temperature = temperature;
  generation.sampling.seed = seed;
  generation.sampling.topK = topK;
  generation.sampling.topP = topP;
  generation.sampling.minP = minP;
  generation.sampling.repeatPenalty = repeatPenalty;
  generation.wantsLogProbabilities = format == TextFormat::Json;
  options.context = contextOption;
  options.promptCache = promptCache;
  options.format = format;
  if (Error error = generation::Sampler::create(generation.sampling).takeError())
    return error;
  return generation::StopStrings::create(generation.stops).takeError();
}

} // namespace sortie::tool
