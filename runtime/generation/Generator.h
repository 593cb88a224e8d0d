// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Continuing of texts, several at once.

#ifndef SORTIE_RUNTIME_GENERATION_GENERATOR_H
#define SORTIE_RUNTIME_GENERATION_GENERATOR_H

#include "runtime/generation/LanguageModel.h"
#include "runtime/generation/Sampler.h"
#include "runtime/generation/StopStrings.h"
#include "runtime/tokenizer/Detokenizer.h"

namespace sortie::generation {

struct GenerationOptions {
  int64_t tokens = 128; ///< that are generated of each text, at most; at least 1
  SamplingOptions sampling = {};
  /// Strings at which a text ends.
  std::vector<std::string> stops = {}; // NOLINT(readability-redundant-member-init)
  bool ignoresEnd = false;             ///< end tokens are never chosen
  bool wantsLogProbabilities = false;
};

/// Why a text ended.
enum class EndReason { Tokens, EndToken, StopString, Context };

struct GeneratedToken {
  int32_t id;
  float logProbability; ///< NaN unless it was asked for
};

struct GeneratedText {
  std::string text;                   ///< without the prompt, end token and stop string
  std::vector<GeneratedToken> tokens; ///< with an end token
  EndReason end = EndReason::Tokens;
};

/// How long the parts took.
struct GenerationTimes {
  uint64_t promptTokens = 0;
  double promptSeconds = 0;
  uint64_t generatedTokens = 0; ///< those that were run: all but the last of each text
  double generationSeconds = 0;
};

/// Takes text of prompt number `prompt` as it becomes certain; never part of a character.
using TextSink = llvm::function_ref<llvm::Error(size_t prompt, llvm::StringRef text)>;

class Generator {
public:
  /// All must outlive it.
  Generator(LanguageModel &model, const tokenizer::Tokenizer &tokenizer, GenerationOptions options)
      : model(model), tokenizer(tokenizer), options(std::move(options)) {}

  /// Continues each prompt. A random number depends on the number of its prompt, its position and
  /// the seed, so that a text does not depend on the others. An error if a prompt has no tokens, or
  /// if it leaves no room in the context; and those of Sampler and LanguageModel.
  llvm::Expected<std::vector<GeneratedText>> generate(llvm::ArrayRef<std::vector<int32_t>> prompts,
                                                      TextSink sink);

  const GenerationTimes &times() const { return spent; }

private:
  /// A text in the making.
  struct Stream {
    std::optional<uint32_t> sequence; ///< of the model; nothing: the text is ended
    std::vector<int32_t> history;     ///< the prompt, and what was generated
    tokenizer::Detokenizer detokenizer;
    StopStrings stops;
    GeneratedText result;
  };

  llvm::Error checkPrompts(llvm::ArrayRef<std::vector<int32_t>> prompts) const;
  llvm::Error begin(llvm::ArrayRef<std::vector<int32_t>> prompts);
  llvm::Error addStream(const std::vector<int32_t> &prompt, const StopStrings &stops);
  llvm::Error runAll(TextSink sink);
  /// Runs these tokens of each stream that goes on, and takes a next one.
  llvm::Error step(TextSink sink, bool isPrompt);
  llvm::Error takeToken(size_t prompt, llvm::ArrayRef<float> logits, TextSink sink);
  llvm::Error addText(size_t prompt, const GeneratedToken &token, TextSink sink);
  llvm::Error end(size_t prompt, EndReason reason, TextSink sink);
  llvm::Error emit(size_t prompt, llvm::StringRef text, TextSink sink);
  llvm::Error removeSequence(Stream &stream);

  LanguageModel &model;
  const tokenizer::Tokenizer &tokenizer;
  GenerationOptions options;
  std::vector<int32_t> ends;
  std::optional<Sampler> sampler;
  std::vector<Stream> streams;
  GenerationTimes spent;
};

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_GENERATOR_H
