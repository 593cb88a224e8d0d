// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/sortie-run/TextPrinter.h"

#include "tools/common/ProgressBar.h"
#include "tools/sortie-run/StandardOutput.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

using namespace llvm;

namespace sortie::tool {

static StringRef nameOf(generation::EndReason reason) {
  static constexpr StringLiteral kNames[] = {"tokens", "end-token", "stop-string", "context"};
  return kNames[static_cast<size_t>(reason)];
}

void printJson(ArrayRef<std::string> prompts, ArrayRef<std::vector<int32_t>> ids,
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

static void printSpeed(StringRef what, uint64_t tokens, double seconds) {
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

Expected<std::vector<generation::GeneratedText>>
generateStreaming(generation::Generator &generator, generation::LanguageModel &model,
                  ArrayRef<std::vector<int32_t>> prompts, bool streams, raw_fd_ostream &out) {
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

} // namespace sortie::tool
