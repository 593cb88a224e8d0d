// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Prompts in, texts out.

#include "tools/sortie-run/Generate.h"

#include "tools/common/FileClaims.h"
#include "tools/sortie-run/LoadedModel.h"
#include "tools/sortie-run/PromptCache.h"
#include "tools/sortie-run/StandardOutput.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace sortie::tool {

namespace {

using Ids = std::vector<int32_t>;

StringRef optionOf(PromptSource source) {
  static constexpr StringLiteral kNames[] = {"--prompt", "--prompt-file", "--prompts"};
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

Expected<std::vector<Ids>> encode(const tokenizer::Tokenizer &tokenizer,
                                  ArrayRef<std::string> prompts, PromptSource source) {
  std::vector<Ids> all;
  for (const auto &[index, prompt] : enumerate(prompts)) {
    Expected<Ids> ids = tokenizer.encode(prompt);
    if (!ids)
      return makeError(optionOf(source) + ", prompt " + Twine(index) + ": " +
                       toString(ids.takeError()));
    // What comes next continues the text.
    if (tokenizer.data().addsEndOfText.value_or(false))
      ids->pop_back();
    all.push_back(std::move(*ids));
  }
  return all;
}

/// Room for each prompt and what follows it, as far as the context allows. Samples share the pages
/// that the prompt fills.
Expected<ModelRoom> roomFor(const ModelProgram &program, const GenerateOptions &options,
                            ArrayRef<Ids> prompts) {
  Expected<int64_t> most = program.contextOf(options.context);
  if (!most)
    return most.takeError();
  ModelRoom room;
  const int64_t samples = options.generation.samples;
  room.sequences = static_cast<int64_t>(prompts.size()) * samples;
  room.rows = std::min(program.rowsOfRun(), room.sequences);
  room.pages = 0;
  for (const Ids &prompt : prompts) {
    const auto length = static_cast<int64_t>(prompt.size());
    const int64_t needed = length + std::min(options.generation.tokens, *most);
    const int64_t context = std::clamp<int64_t>(needed, 1, *most);
    room.context = std::max(room.context, context);
    const int64_t shared = std::min(length, context) / cache::kPagePositions;
    room.pages += shared + samples * (cache::CacheManager::pagesFor(context) - shared);
  }
  return room;
}

StringRef nameOf(generation::EndReason reason) {
  static constexpr StringLiteral kNames[] = {"tokens", "end-token", "stop-string", "context"};
  return kNames[static_cast<size_t>(reason)];
}

void printJson(ArrayRef<std::string> prompts, ArrayRef<Ids> ids,
               ArrayRef<generation::GeneratedText> texts, raw_ostream &out) {
  json::OStream json(out, 2);
  json.array([&] {
    for (const auto &[prompt, promptIds, text] : zip_equal(prompts, ids, texts))
      json.object([&, &prompt = prompt, &promptIds = promptIds, &text = text] {
        json.attribute("prompt", prompt);
        json.attribute("prompt_tokens", json::Array(promptIds));
        json.attribute("text", text.text);
        json.attribute("end", nameOf(text.end));
        json.attributeArray("tokens", [&] {
          for (const generation::GeneratedToken &token : text.tokens)
            json.object([&] {
              json.attribute("id", token.id);
              json.attribute("log_probability", token.logProbability);
            });
        });
      });
  });
  out << '\n';
}

void printTexts(ArrayRef<std::string> prompts, ArrayRef<generation::GeneratedText> texts,
                raw_ostream &out) {
  for (const auto &[index, prompt, text] : enumerate(prompts, texts))
    out << (index == 0 ? "" : "\n") << "== " << prompt << '\n' << text.text << '\n';
}

/// What each text continues.
template <typename T> std::vector<T> repeat(const std::vector<T> &prompts, int64_t samples) {
  std::vector<T> all;
  for (int64_t sample = 0; sample < samples; ++sample)
    append_range(all, prompts);
  return all;
}

void printSpeed(StringRef what, uint64_t tokens, double seconds) {
  errs() << what << ": " << tokens << " tokens in " << format("%.2f s", seconds);
  if (seconds > 0)
    errs() << format(", %.2f tokens/s", static_cast<double>(tokens) / seconds);
  errs() << '\n';
}

void printEnds(ArrayRef<generation::GeneratedText> texts, int64_t context,
               const generation::GenerationTimes &times) {
  for (const auto &[index, text] : enumerate(texts))
    if (text.end == generation::EndReason::Context)
      errs() << "text " << index << ": stopped after " << text.tokens.size()
             << " tokens, because the context of " << context
             << " positions is full; give a larger --context\n";
  printSpeed("prompt", times.promptTokens, times.promptSeconds);
  printSpeed("generation", times.generatedTokens, times.generationSeconds);
}

/// Generates with a progress bar for prompts; a single text is printed as it comes.
Expected<std::vector<generation::GeneratedText>>
generateStreaming(generation::Generator &generator, generation::LanguageModel &model,
                  ArrayRef<Ids> prompts, bool streams, raw_fd_ostream &out) {
  std::optional<ProgressBar> bar(std::in_place);
  model.progress = [&](uint64_t done, uint64_t total) {
    if (bar)
      bar->update("prompt", done, total);
  };
  const auto print = [&](size_t, StringRef text) -> Error {
    bar.reset(); // the text begins where it was
    if (!streams)
      return Error::success();
    out << text;
    return flushOutput(out);
  };
  auto texts = generator.generate(prompts, print);
  model.progress = nullptr;
  return texts;
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

Error generateTexts(const Options &options, raw_fd_ostream &out) {
  const GenerateOptions &generate = options.generate;
  if (Error error = claimFiles(options))
    return error;
  Expected<ModelProgram> program = ModelProgram::open(options);
  if (!program)
    return program.takeError();
  Expected<ModelTokenizer> source = ModelTokenizer::open(options);
  if (!source)
    return source.takeError();
  Expected<std::vector<std::string>> prompts = readPrompts(generate);
  if (!prompts)
    return prompts.takeError();
  Expected<std::vector<Ids>> ids = encode(*source->tokenizer, *prompts, generate.source);
  if (!ids)
    return ids.takeError();
  Expected<ModelRoom> room = roomFor(*program, generate, *ids);
  if (!room)
    return room.takeError();
  std::optional<PromptCache> cache;
  if (!generate.promptCache.empty()) {
    auto opened = PromptCache::open(generate.promptCache, program->forward, ids->front());
    if (!opened)
      return opened.takeError();
    cache = std::move(*opened);
  }
  Expected<LoadedModel> loaded = LoadedModel::load(*program, options, *room);
  if (!loaded)
    return loaded.takeError();

  generation::Generator generator(loaded->model, *source->tokenizer, generate.generation);
  if (cache)
    if (Error error = cache->attach(loaded->model, generator))
      return error;
  const bool streams = room->sequences == 1 && generate.format == TextFormat::Text;
  auto texts = generateStreaming(generator, loaded->model, *ids, streams, out);
  if (!texts)
    return texts.takeError();
  const int64_t samples = generate.generation.samples;
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

} // namespace sortie::tool
