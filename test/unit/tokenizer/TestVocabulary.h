// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Model files with small vocabularies.

#ifndef SORTIE_TEST_UNIT_TOKENIZER_TESTVOCABULARY_H
#define SORTIE_TEST_UNIT_TOKENIZER_TESTVOCABULARY_H

#include "test/unit/model/TestModel.h"

#include "runtime/tokenizer/ByteAlphabet.h"
#include "runtime/tokenizer/Detokenizer.h"

namespace sortie::test {

using Ids = std::vector<int32_t>;

inline std::string key(const std::string &name) { return "tokenizer.ggml." + name; }

/// A vocabulary, to which tests add.
struct TestVocabulary {
  TestModel file;
  std::vector<std::string> tokens;
  std::vector<int32_t> types;
  std::vector<float> scores;
  std::vector<std::string> merges;

  /// Adds a token, and gives its id.
  int32_t add(const std::string &text, model::TokenType type = model::TokenType::Normal,
              float score = 0) {
    tokens.push_back(text);
    types.push_back(static_cast<int32_t>(type));
    scores.push_back(score);
    return static_cast<int32_t>(tokens.size()) - 1;
  }

  /// Adds a merge of the last rank, and the token that it makes.
  int32_t addMerge(const std::string &left, const std::string &right) {
    merges.push_back(left + " " + right);
    return add(left + right);
  }

  std::unique_ptr<gguf::Model> open() {
    file.setArray(key("tokens"), tokens).setArray(key("token_type"), types);
    file.setArray(key("scores"), scores).setArray(key("merges"), merges);
    return file.open();
  }
};

/// All bytes as tokens 0 to 255.
inline TestVocabulary byteVocabulary(const std::string &preTokenizer = "gpt-2") {
  TestVocabulary vocabulary;
  vocabulary.file.set(key("model"), std::string("gpt2")).set(key("pre"), preTokenizer);
  for (int byte = 0; byte < 256; ++byte)
    vocabulary.add(tokenizer::characterOfByte(static_cast<uint8_t>(byte)).str());
  return vocabulary;
}

/// <unk>, <s>, </s> as tokens 0 to 2, and those of all bytes after them if `hasBytes`.
inline TestVocabulary sentencePieceVocabulary(bool hasBytes) {
  TestVocabulary vocabulary;
  vocabulary.file.set(key("model"), std::string("llama")).set(key("unknown_token_id"), 0);
  vocabulary.file.set(key("bos_token_id"), 1).set(key("eos_token_id"), 2);
  vocabulary.add("<unk>", model::TokenType::Unknown);
  vocabulary.add("<s>", model::TokenType::Control);
  vocabulary.add("</s>", model::TokenType::Control);
  for (int byte = 0; hasBytes && byte < 256; ++byte) {
    constexpr const char *kDigits = "0123456789ABCDEF";
    vocabulary.add(std::string("<0x") + kDigits[byte / 16] + kDigits[byte % 16] + ">",
                   model::TokenType::Byte);
  }
  return vocabulary;
}

/// The tokenizer of a vocabulary, with the file that it needs.
class OpenTokenizer {
public:
  explicit OpenTokenizer(TestVocabulary vocabulary)
      : model(vocabulary.open()), tokenizer(llvm::cantFail(tokenizer::Tokenizer::create(*model))) {}

  const tokenizer::Tokenizer &operator*() const { return *tokenizer; }

  /// Without tokens for the beginning and the end.
  Ids encode(llvm::StringRef text, bool parsesSpecial = true) const {
    return llvm::cantFail(tokenizer->encode(text, {false, parsesSpecial}));
  }
  std::string decode(const Ids &ids, const tokenizer::DecodeOptions &options = {}) const {
    return llvm::cantFail(tokenizer::decode(*tokenizer, ids, options));
  }
  std::string errorOf(llvm::StringRef text) const {
    llvm::Expected<Ids> ids = tokenizer->encode(text);
    return ids ? "no error" : llvm::toString(ids.takeError());
  }

private:
  std::unique_ptr<gguf::Model> model;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;
};

/// Why a vocabulary has no tokenizer.
inline std::string errorOf(TestVocabulary vocabulary) {
  const std::unique_ptr<gguf::Model> model = vocabulary.open();
  auto tokenizer = tokenizer::Tokenizer::create(*model);
  return tokenizer ? "no error" : llvm::toString(tokenizer.takeError());
}

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_TOKENIZER_TESTVOCABULARY_H
