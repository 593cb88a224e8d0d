// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the metadata of a model file says about its tokenizer: the vocabulary and the rules by which
// text becomes tokens of it. How they are applied is not said here. The keys are those of
// llama.cpp's gguf package (gguf/constants.py).

#ifndef SORTIE_RUNTIME_MODEL_TOKENIZERDATA_H
#define SORTIE_RUNTIME_MODEL_TOKENIZERDATA_H

#include "runtime/gguf/Model.h"

#include <optional>
#include <vector>

namespace sortie::model {

/// What is accepted of a file. Public vocabularies are far below both.
inline constexpr uint64_t kMaxTokens = uint64_t{1} << 22;
inline constexpr uint64_t kMaxTokenBytes = uint64_t{1} << 16;

/// How tokens are made of text (`tokenizer.ggml.model`).
enum class TokenizerKind : uint8_t {
  /// "gpt2": bytes are joined by the list of merges, the first in the list before the others.
  BytePairs,
  /// "llama": characters are joined by the scores of the tokens, the highest first.
  SentencePiece,
};

/// What a token is for, by its number in `tokenizer.ggml.token_type`.
enum class TokenType : uint8_t {
  Normal = 1,
  /// Stands for text that no token has.
  Unknown = 2,
  /// Has a meaning for the model and no text, such as the end of a text.
  Control = 3,
  /// Added to a trained vocabulary: its text is never split.
  UserDefined = 4,
  Unused = 5,
  /// A single byte.
  Byte = 6,
};

/// Two strings that become one.
struct Merge {
  llvm::StringRef left;
  llvm::StringRef right;
};

/// The tokenizer of a model. All strings lie in the model's mapped file and end with it; they are
/// as the file has them, not always UTF-8. Ids are less than the number of tokens. What the file
/// does not say is absent, for what it means then depends on `kind` and `preTokenizer`.
struct TokenizerData {
  TokenizerKind kind = TokenizerKind::BytePairs;
  /// The rules by which text is split before any merge (`tokenizer.ggml.pre`), such as "llama-bpe".
  std::optional<llvm::StringRef> preTokenizer;

  /// The text of each token, by its id; 1 to kMaxTokens of them.
  std::vector<llvm::StringRef> tokens;
  /// The type of each token. All are normal where the file has no types.
  std::vector<TokenType> types;
  /// The score of each token, none of them NaN; empty where the file has none, which SentencePiece
  /// needs.
  std::vector<float> scores;
  /// In the order of their ranks, no half empty; BytePairs needs the key.
  std::vector<Merge> merges;

  std::optional<int32_t> beginOfText;
  std::optional<int32_t> endOfText;
  std::optional<int32_t> endOfTurn;
  std::optional<int32_t> endOfMessage;
  std::optional<int32_t> unknown;
  std::optional<int32_t> separator;
  std::optional<int32_t> padding;

  /// Whether every text begins with `beginOfText` and ends with `endOfText`.
  std::optional<bool> addsBeginOfText;
  std::optional<bool> addsEndOfText;
  /// Whether a space is put before the text.
  std::optional<bool> addsSpacePrefix;
  /// Whether spaces at both ends go, and several in a row become one.
  std::optional<bool> removesExtraSpaces;

  /// A Jinja template that makes one text of a conversation.
  std::optional<llvm::StringRef> chatTemplate;
};

/// Reads the tokenizer of `model`. Errors name the file and the key: no tokenizer or one of another
/// kind, a key that is missing or of the wrong type, arrays of different lengths, numbers out of
/// bounds.
llvm::Expected<TokenizerData> readTokenizerData(const gguf::Model &model);

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_TOKENIZERDATA_H
