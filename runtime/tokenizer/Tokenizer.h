// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tokenizer of a model: text to token ids. Detokenizer.h is the way back. docs/tokenizers.md
// defines both.

#ifndef SORTIE_RUNTIME_TOKENIZER_TOKENIZER_H
#define SORTIE_RUNTIME_TOKENIZER_TOKENIZER_H

#include "runtime/tokenizer/Encoder.h"
#include "runtime/tokenizer/SpecialTokens.h"

namespace sortie::tokenizer {

/// The longest text that is encoded, in bytes. Longer ones are many times the context of any model.
inline constexpr size_t kMaxTextBytes = size_t{1} << 30;

struct EncodeOptions {
  /// Whether the tokens for the beginning and the end of a text are added, where the file says so.
  bool addsSpecial = true;
  /// Whether the text of a control token, such as "<|im_end|>", becomes that token; otherwise it is
  /// text like any other. User-defined tokens are found in any case.
  bool parsesSpecial = true;
};

/// Part of a text that comes from several hands.
struct TextPart {
  llvm::StringRef text;
  /// As in EncodeOptions, of control tokens whose names lie in this part alone.
  bool parsesSpecial;
};

/// Any number of threads may use it at once.
class Tokenizer {
public:
  /// Reads the tokenizer of `model`, which must stay open. Errors name the file and the key: what
  /// readTokenizerData() finds, an unknown pre-tokenizer, merges of what is no token, a flag that
  /// asks for a token which the file does not name.
  static llvm::Expected<std::unique_ptr<Tokenizer>> create(const gguf::Model &model);

  /// The same of data that was read before; its strings must stay, and messages name `file`.
  static llvm::Expected<std::unique_ptr<Tokenizer>> create(model::TokenizerData data,
                                                           llvm::StringRef file);

  /// The ids of `text`. An error if it is not UTF-8 or too long, or if the vocabulary has no token
  /// for something in it.
  llvm::Expected<std::vector<int32_t>> encode(llvm::StringRef text,
                                              const EncodeOptions &options = {}) const;

  /// The ids of the parts as one text, without tokens for its beginning and end: words and
  /// user-defined tokens may lie across parts. Errors are those of encode().
  llvm::Expected<std::vector<int32_t>> encodeParts(llvm::ArrayRef<TextPart> parts) const;

  const model::TokenizerData &data() const { return source; }
  /// How many tokens there are; ids are less.
  size_t tokenCount() const { return source.tokens.size(); }
  /// The token that encoding puts before a text, if the model has it so.
  std::optional<int32_t> beginOfText() const {
    return addsBeginOfText ? source.beginOfText : std::nullopt;
  }
  /// Whether a space is put before text that begins, or follows a special token.
  bool addsSpacePrefix() const;
  /// The bytes that a token stands for in a text, whatever its type; for a control token those of
  /// its name. Not always whole characters.
  std::string bytesOf(int32_t id) const;

private:
  Tokenizer(model::TokenizerData data, std::unique_ptr<Encoder> encoder, bool addsBeginOfText);

  llvm::Error checkFlags(llvm::StringRef file) const;
  /// Control tokens of those parts that may have some, and user-defined ones between them.
  std::vector<SpecialToken> findTokens(llvm::StringRef text, llvm::ArrayRef<TextPart> parts) const;
  /// Encodes what lies between the tokens that were found in `text`.
  llvm::Error encodeFragments(llvm::StringRef text, llvm::ArrayRef<SpecialToken> found,
                              std::vector<int32_t> &ids) const;

  model::TokenizerData source;
  std::unique_ptr<Encoder> encoder;
  SpecialTokens special;
  SpecialTokens userDefined;
  bool addsBeginOfText;
};

} // namespace sortie::tokenizer

#endif // SORTIE_RUNTIME_TOKENIZER_TOKENIZER_H
