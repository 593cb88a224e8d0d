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
  int64_t samples = 1;  ///< texts that continue each prompt; at least 1
  int64_t parallel = 0; ///< prompts that are continued at once; 0: all
  SamplingOptions sampling = {};
  /// Strings at which a text ends.
  std::vector<std::string> stops = {}; // NOLINT(readability-redundant-member-init)
  /// Tokens that end a text, beside those of endTokens().
  std::vector<int32_t> ends = {}; // NOLINT(readability-redundant-member-init)
  bool ignoresEnd = false;        ///< end tokens are never chosen
  bool showsSpecial = false;      ///< control tokens are text by their names
  bool keepsSequences = false;    ///< those of texts that have ended are the caller's
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
  /// With keepsSequences: that of the model with the prompt and all tokens but the last.
  std::optional<uint32_t> sequence = std::nullopt;
};

/// How long the parts took.
struct GenerationTimes {
  uint64_t promptTokens = 0;
  double promptSeconds = 0;
  uint64_t generatedTokens = 0; ///< those that were run: all but the last of each text
  double generationSeconds = 0;

  GenerationTimes &operator+=(const GenerationTimes &other) {
    promptTokens += other.promptTokens;
    promptSeconds += other.promptSeconds;
    generatedTokens += other.generatedTokens;
    generationSeconds += other.generationSeconds;
    return *this;
  }
};

/// Takes more of text number `text` as it becomes certain; never part of a character.
using TextSink = llvm::function_ref<llvm::Error(size_t text, llvm::StringRef more)>;

class Generator {
public:
  /// All must outlive it.
  Generator(LanguageModel &model, const tokenizer::Tokenizer &tokenizer, GenerationOptions options)
      : model(model), tokenizer(tokenizer), options(std::move(options)) {}

  /// Continues each prompt. With several samples, the texts of all prompts that are continued at
  /// once are followed by the second ones of all, and so on; prompts are read once. A random number
  /// depends on the number of its text, its position and the seed, so that a text does not depend
  /// on the others. An error if a prompt has no tokens, or if it leaves no room in the context; and
  /// those of Sampler and LanguageModel.
  llvm::Expected<std::vector<GeneratedText>> generate(llvm::ArrayRef<std::vector<int32_t>> prompts,
                                                      TextSink sink);

  const GenerationTimes &times() const { return spent; }

  /// Takes over a sequence of the model, whose tokens are the first ones of the first prompt of the
  /// next generate().
  void beginWith(uint32_t sequence) { begun = sequence; }
  /// Is told the sequence of each prompt that has been read, before it goes on.
  std::function<llvm::Error(size_t prompt, uint32_t sequence)> promptRead;

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
  /// What all texts have in common.
  llvm::Error prepare();
  /// Continues prompts at once, and adds their texts to `results`.
  llvm::Error generateAtOnce(llvm::ArrayRef<std::vector<int32_t>> prompts, TextSink sink,
                             std::vector<GeneratedText> &results);
  llvm::Error begin(llvm::ArrayRef<std::vector<int32_t>> prompts);
  llvm::Expected<uint32_t> takeSequence(const std::vector<int32_t> &prompt);
  llvm::Error addStream(const std::vector<int32_t> &prompt, const StopStrings &stops);
  llvm::Error runAll(TextSink sink);
  /// Adds the tokens of the pieces to `tokens`, and gives the logits after the last one of each.
  llvm::Expected<std::vector<std::vector<float>>> run(llvm::ArrayRef<Piece> pieces,
                                                      uint64_t &tokens);
  llvm::Expected<std::vector<std::vector<float>>> readPrompts();
  /// Makes as many streams of each prompt as there are samples.
  llvm::Error forkStreams();
  /// Runs the last token of each stream that goes on, and takes a next one.
  llvm::Error step(TextSink sink);
  llvm::Error takeToken(size_t index, llvm::ArrayRef<float> logits, TextSink sink);
  llvm::Error addText(size_t index, const GeneratedToken &token, TextSink sink);
  llvm::Error end(size_t index, EndReason reason, TextSink sink);
  llvm::Error emit(size_t index, llvm::StringRef text, TextSink sink);
  llvm::Error releaseSequence(Stream &stream);
  /// Removes what a call that has failed would leave.
  llvm::Error removeSequences();
  llvm::Error tellPromptsRead();

  LanguageModel &model;
  const tokenizer::Tokenizer &tokenizer;
  GenerationOptions options;
  std::vector<int32_t> ends;
  std::optional<Sampler> sampler;
  size_t firstText = 0; ///< the number of the first stream's text
  std::vector<Stream> streams;
  GenerationTimes spent;
  std::optional<uint32_t> begun;
};

} // namespace sortie::generation

#endif // SORTIE_RUNTIME_GENERATION_GENERATOR_H
