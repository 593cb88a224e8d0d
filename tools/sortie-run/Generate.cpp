// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Prompts in, texts out.

#include "tools/sortie-run/Generate.h"

#include "tools/common/FileClaims.h"
#include "tools/sortie-run/Dialog.h"
#include "tools/sortie-run/LoadedModel.h"
#include "tools/sortie-run/PromptCache.h"
#include "tools/sortie-run/StandardOutput.h"
#include "tools/sortie-run/TextPrinter.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Process.h"

#include <cstdio>

using namespace llvm;

namespace sortie::tool {

namespace {

using Ids = std::vector<int32_t>;

StringRef optionOf(PromptSource source) {
  static constexpr StringLiteral kNames[] = {"--prompt", "--prompt-file", "--prompts", "--chat"};
  return kNames[static_cast<size_t>(source)];
}

Error claimFiles(const Options &options) {
  const GenerateOptions &generate = options.generate;
  FileClaims claims;
  if (Error error = claimSources(options, claims))
    return error;
  if (generate.source != PromptSource::Text)
    if (Error error = claims.claimInput(generate.prompt, optionOf(generate.source)))
      return error;
  if (!generate.promptCache.empty())
    if (Error error = claims.claimOutput(generate.promptCache, "--prompt-cache"))
      return error;
  return claims.claimOutput("-", "the text");
}

Expected<std::vector<std::string>> readPrompts(const GenerateOptions &options) {
  if (options.source == PromptSource::Text)
    return std::vector<std::string>{options.prompt};
  Expected<std::unique_ptr<MemoryBuffer>> file = readText(options.prompt);
  if (!file)
    return file.takeError();
  std::vector<std::string> prompts = promptsOf(options.source, (*file)->getBuffer());
  if (prompts.empty())
    return makeError("--prompts " + options.prompt + ": has no line with text");
  return prompts;
}

/// What a conversation begins with.
chat::Conversation beginOf(const GenerateOptions &options) {
  return {.system = options.system, .exchanges = {}, .date = options.chat.date};
}

/// The tokens of a prompt: of a text that goes on, or with a format of a conversation's first
/// message.
Expected<Ids> encodePrompt(const tokenizer::Tokenizer &tokenizer, StringRef prompt,
                           const GenerateOptions &options, const chat::ChatFormat *format) {
  if (format) {
    chat::Conversation conversation = beginOf(options);
    conversation.exchanges.push_back({prompt.str(), ""});
    return chat::encodeConversation(conversation, *format, tokenizer);
  }
  Expected<Ids> ids = tokenizer.encode(prompt);
  // What comes next continues the text.
  if (ids && tokenizer.data().addsEndOfText.value_or(false))
    ids->pop_back();
  return ids;
}

Expected<std::vector<Ids>> encode(const tokenizer::Tokenizer &tokenizer,
                                  ArrayRef<std::string> prompts, const GenerateOptions &options,
                                  const chat::ChatFormat *format) {
  std::vector<Ids> all;
  for (const auto &[index, prompt] : enumerate(prompts)) {
    Expected<Ids> ids = encodePrompt(tokenizer, prompt, options, format);
    if (!ids)
      return makeError(optionOf(options.source) + ", prompt " + Twine(index) + ": " +
                       toString(ids.takeError()));
    all.push_back(std::move(*ids));
  }
  return all;
}

/// Pages for prompts and what follows them, as far as a context of `most` positions allows. Samples
/// share the pages that the prompt fills. `context` becomes the longest one if it is shorter.
int64_t pagesFor(ArrayRef<Ids> prompts, const generation::GenerationOptions &options, int64_t most,
                 int64_t &context) {
  int64_t pages = 0;
  for (const Ids &prompt : prompts) {
    const auto length = static_cast<int64_t>(prompt.size());
    const int64_t needed = std::clamp<int64_t>(length + std::min(options.tokens, most), 1, most);
    context = std::max(context, needed);
    const int64_t shared = std::min(length, needed) / cache::kPagePositions;
    pages += shared + options.samples * (cache::CacheManager::pagesFor(needed) - shared);
  }
  return pages;
}

/// Room for the prompts that are continued at once.
Expected<ModelRoom> roomFor(const ModelProgram &program, const GenerateOptions &options,
                            ArrayRef<Ids> prompts) {
  Expected<int64_t> most = program.contextOf(options.context);
  if (!most)
    return most.takeError();
  ModelRoom room;
  room.pages = 0;
  const auto count = static_cast<int64_t>(prompts.size());
  const int64_t parallel = options.generation.parallel;
  const int64_t atOnce = parallel == 0 ? count : std::min(parallel, count);
  room.sequences = atOnce * options.generation.samples;
  room.rows = std::min(program.rowsOfRun(), room.sequences);
  for (; !prompts.empty(); prompts = prompts.drop_front(std::min<size_t>(atOnce, prompts.size())))
    room.pages = std::max(
        room.pages, pagesFor(prompts.take_front(atOnce), options.generation, *most, room.context));
  return room;
}

/// Room for a conversation of any number of prompts.
Expected<ModelRoom> roomForDialog(const ModelProgram &program, const GenerateOptions &options) {
  Expected<int64_t> most = program.contextOf(options.context);
  if (!most)
    return most.takeError();
  ModelRoom room;
  room.context = options.context != 0 ? *most : std::min(*most, kChatTokens);
  room.pages = cache::CacheManager::pagesFor(room.context);
  return room;
}

/// The next line of the standard input that has text; nothing at its end. People are asked for it.
std::optional<std::string> readLine() {
  const bool isAsked = sys::Process::StandardInIsUserInput();
  while (true) {
    if (isAsked)
      errs() << "> ";
    std::string line;
    int character = 0;
    while ((character = std::getchar()) != EOF && character != '\n')
      line += static_cast<char>(character);
    if (StringRef(line).ends_with("\r"))
      line.pop_back();
    if (!line.empty())
      return line;
    if (character == EOF)
      return std::nullopt;
  }
}

/// What the words of a call work with.
struct Source {
  ModelProgram program;
  ModelTokenizer tokenizer;
  const chat::ChatFormat *format = nullptr; ///< with --chat

  static Expected<Source> open(const Options &options);
  generation::GenerationOptions generationOptions(const GenerateOptions &options) const;
};

Expected<Source> Source::open(const Options &options) {
  Expected<ModelProgram> program = ModelProgram::open(options);
  if (!program)
    return program.takeError();
  Expected<ModelTokenizer> tokenizer = ModelTokenizer::open(options);
  if (!tokenizer)
    return tokenizer.takeError();
  Source source = {std::move(*program), std::move(*tokenizer)};
  if (!options.generate.isChat)
    return source;
  auto format = options.generate.chat.formatFor(source.tokenizer.tokenizer->data());
  if (!format)
    return makeError(options.weights + ": " + toString(format.takeError()));
  source.format = *format;
  return source;
}

generation::GenerationOptions Source::generationOptions(const GenerateOptions &options) const {
  generation::GenerationOptions result = options.generation;
  if (format) {
    result.ends = chat::endsOfAnswers(*format, tokenizer.tokenizer->data());
    result.showsSpecial = format->showsSpecial;
  }
  return result;
}

/// What was said in a dialog.
struct Turns {
  std::vector<std::string> prompts;
  std::vector<Ids> ids;
  std::vector<generation::GeneratedText> texts;
  generation::GenerationTimes times;

  void add(std::string prompt, Turn turn, const generation::GenerationTimes &spent) {
    prompts.push_back(std::move(prompt));
    ids.push_back(std::move(turn.prompt));
    texts.push_back(std::move(turn.text));
    times += spent;
  }
};

/// Answers each line of the standard input.
Error answerLines(Dialog &dialog, generation::Generator &generator,
                  generation::LanguageModel &model, bool streams, Turns &turns,
                  raw_fd_ostream &out) {
  while (std::optional<std::string> line = readLine()) {
    Expected<Turn> turn = dialog.answer(*line, [&](ArrayRef<Ids> prompt) {
      return generateStreaming(generator, model, prompt, streams, out);
    });
    if (!turn)
      return makeError("--chat, prompt " + Twine(turns.prompts.size()) + ": " +
                       toString(turn.takeError()));
    turns.add(std::move(*line), std::move(*turn), generator.times());
    if (streams)
      out << '\n';
    if (Error error = flushOutput(out))
      return error;
  }
  return Error::success();
}

Error holdDialog(const Options &options, const Source &source, raw_fd_ostream &out) {
  const GenerateOptions &generate = options.generate;
  const tokenizer::Tokenizer &tokenizer = *source.tokenizer.tokenizer;
  Expected<ModelRoom> room = roomForDialog(source.program, generate);
  if (!room)
    return room.takeError();
  Expected<LoadedModel> loaded = LoadedModel::load(source.program, options, *room);
  if (!loaded)
    return loaded.takeError();
  generation::GenerationOptions generation = source.generationOptions(generate);
  generation.keepsSequences = true;
  generation::Generator generator(loaded->model, tokenizer, generation);
  Dialog dialog(loaded->model, generator, tokenizer, *source.format, beginOf(generate));
  const bool streams = generate.format == TextFormat::Text;
  Turns turns;
  if (Error error = answerLines(dialog, generator, loaded->model, streams, turns, out))
    return error;
  if (!streams)
    printJson(turns.prompts, turns.ids, turns.texts, out);
  printEnds(turns.texts, loaded->model.context(), turns.times);
  return Error::success();
}

/// What each text continues.
template <typename T> std::vector<T> repeat(const std::vector<T> &prompts, int64_t samples) {
  std::vector<T> all;
  for (int64_t sample = 0; sample < samples; ++sample)
    append_range(all, prompts);
  return all;
}

} // namespace

std::vector<std::string> promptsOf(PromptSource source, StringRef contents) {
  if (source != PromptSource::Lines)
    return {contents.str()};
  std::vector<std::string> prompts;
  for (StringRef line : split(contents, '\n')) {
    line.consume_back("\r");
    if (!line.empty())
      prompts.push_back(line.str());
  }
  return prompts;
}

/// Continues what the prompts are, each by itself.
static Error continuePrompts(const Options &options, const Source &source, raw_fd_ostream &out) {
  const GenerateOptions &generate = options.generate;
  const tokenizer::Tokenizer &tokenizer = *source.tokenizer.tokenizer;
  Expected<std::vector<std::string>> prompts = readPrompts(generate);
  if (!prompts)
    return prompts.takeError();
  Expected<std::vector<Ids>> ids = encode(tokenizer, *prompts, generate, source.format);
  if (!ids)
    return ids.takeError();
  Expected<ModelRoom> room = roomFor(source.program, generate, *ids);
  if (!room)
    return room.takeError();
  std::optional<PromptCache> cache;
  if (!generate.promptCache.empty()) {
    auto opened = PromptCache::open(generate.promptCache, source.program.forward, ids->front());
    if (!opened)
      return opened.takeError();
    cache = std::move(*opened);
  }
  Expected<LoadedModel> loaded = LoadedModel::load(source.program, options, *room);
  if (!loaded)
    return loaded.takeError();

  generation::Generator generator(loaded->model, tokenizer, source.generationOptions(generate));
  if (cache)
    if (Error error = cache->attach(loaded->model, generator))
      return error;
  const int64_t samples = generate.generation.samples;
  const bool isOneText = prompts->size() == 1 && samples == 1;
  const bool streams = isOneText && generate.format == TextFormat::Text;
  auto texts = generateStreaming(generator, loaded->model, *ids, streams, out);
  if (!texts)
    return texts.takeError();
  prompts = repeat(*prompts, samples);
  if (generate.format == TextFormat::Json)
    printJson(*prompts, repeat(*ids, samples), *texts, out);
  else if (streams)
    out << '\n';
  else
    printTexts(*prompts, *texts, out);
  if (Error error = flushOutput(out))
    return error;
  printEnds(*texts, loaded->model.context(), generator.times());
  return Error::success();
}

Error generateTexts(const Options &options, raw_fd_ostream &out) {
  if (Error error = claimFiles(options))
    return error;
  Expected<Source> source = Source::open(options);
  if (!source)
    return source.takeError();
  return options.generate.source == PromptSource::Dialog ? holdDialog(options, *source, out)
                                                         : continuePrompts(options, *source, out);
}

} // namespace sortie::tool
