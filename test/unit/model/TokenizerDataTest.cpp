// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The data of tokenizers: what is read of a file, what is refused and in which words, and that no
// damage to a file takes the reader out of bounds (run under the sanitizers).

#include "TestModel.h"

#include "runtime/model/TokenizerData.h"

#include <cmath>
#include <set>

using namespace llvm;
using namespace sortie;
using namespace sortie::model;
using sortie::gguf::ValueType;
using sortie::test::GgufWriter;
using sortie::test::TestModel;

namespace {

using Strings = std::vector<std::string>;
using Numbers = std::vector<int32_t>;

std::string key(const std::string &name) { return "tokenizer.ggml." + name; }

TestModel bytePairs() {
  return TestModel()
      .set(key("model"), std::string("gpt2"))
      .setArray(key("tokens"), Strings{"a", "b", "ab", "<|end|>"})
      .setArray(key("merges"), Strings{"a b"});
}

TestModel sentencePiece() {
  return TestModel()
      .set(key("model"), std::string("llama"))
      .setArray(key("tokens"), Strings{"<unk>", "<s>", "</s>", "<0x41>"})
      .setArray(key("token_type"), Numbers{2, 3, 3, 6})
      .setArray(key("scores"), std::vector<float>{0, 0, -INFINITY, -1.5f});
}

std::string errorOf(const TestModel &file) {
  const std::unique_ptr<gguf::Model> model = file.open();
  Expected<TokenizerData> data = readTokenizerData(*model);
  return data ? "no error" : toString(data.takeError());
}

/// What follows the file's name and the key.
std::string errorOfKey(const TestModel &file, const std::string &name) {
  const std::string error = errorOf(file);
  StringRef rest = error;
  EXPECT_TRUE(rest.consume_front("test.gguf: metadata key '" + key(name) + "' ")) << error;
  return rest.str();
}

constexpr const char *kConvertAgain =
    "; the file is damaged or was converted wrongly, so convert the model again";

} // namespace

TEST(TokenizerData, readsBytePairs) {
  const std::unique_ptr<gguf::Model> model =
      bytePairs()
          .set(key("pre"), std::string("qwen2"))
          .setArray(key("token_type"), Numbers{1, 1, 1, 3})
          .setArray(key("merges"), Strings{"a b", "  x", "ab <|end|> c"})
          .set("tokenizer.chat_template", std::string("{{ messages }}"))
          .open();
  Expected<TokenizerData> data = readTokenizerData(*model);
  ASSERT_TRUE(bool(data)) << toString(data.takeError());
  EXPECT_EQ(data->kind, TokenizerKind::BytePairs);
  EXPECT_EQ(data->preTokenizer, "qwen2");
  EXPECT_EQ(data->tokens, (std::vector<StringRef>{"a", "b", "ab", "<|end|>"}));
  EXPECT_EQ(data->types[0], TokenType::Normal);
  EXPECT_EQ(data->types[3], TokenType::Control);
  EXPECT_TRUE(data->scores.empty());
  ASSERT_EQ(data->merges.size(), 3u);
  EXPECT_EQ(data->merges[0].left, "a");
  EXPECT_EQ(data->merges[0].right, "b");
  EXPECT_EQ(data->merges[1].left, " ") << "the first character is never the one between";
  EXPECT_EQ(data->merges[1].right, "x");
  EXPECT_EQ(data->merges[2].left, "ab");
  EXPECT_EQ(data->merges[2].right, "<|end|> c");
  EXPECT_EQ(data->chatTemplate, "{{ messages }}");
}

TEST(TokenizerData, readsSentencePiece) {
  const std::unique_ptr<gguf::Model> model = sentencePiece().open();
  Expected<TokenizerData> data = readTokenizerData(*model);
  ASSERT_TRUE(bool(data)) << toString(data.takeError());
  EXPECT_EQ(data->kind, TokenizerKind::SentencePiece);
  EXPECT_EQ(data->types, (std::vector<TokenType>{TokenType::Unknown, TokenType::Control,
                                                 TokenType::Control, TokenType::Byte}));
  EXPECT_EQ(data->scores, (std::vector<float>{0, 0, -INFINITY, -1.5f}));
  EXPECT_TRUE(data->merges.empty());
}

TEST(TokenizerData, readsTheTrainedModel) {
  Expected<std::unique_ptr<gguf::Model>> model =
      gguf::Model::open(SORTIE_SOURCE "/test/models/tiny-qwen3moe/tiny-qwen3moe-q4_0.gguf");
  ASSERT_TRUE(bool(model)) << toString(model.takeError());
  Expected<TokenizerData> data = readTokenizerData(**model);
  ASSERT_TRUE(bool(data)) << toString(data.takeError());
  EXPECT_EQ(data->preTokenizer, "gpt-2");
  EXPECT_EQ(data->tokens.size(), 4096u);
  EXPECT_EQ(data->beginOfText, 0);
  EXPECT_EQ(data->endOfText, 1);
  EXPECT_EQ(data->addsBeginOfText, false);
  ASSERT_EQ(data->merges.size(), 3838u);
  const std::set<std::string> tokens(data->tokens.begin(), data->tokens.end());
  for (const Merge &merge : data->merges) {
    EXPECT_TRUE(tokens.contains(merge.left.str()) && tokens.contains(merge.right.str()));
    EXPECT_TRUE(tokens.contains((merge.left + merge.right).str()));
  }
}

TEST(TokenizerData, whatTheFileDoesNotSayIsAbsent) {
  const std::unique_ptr<gguf::Model> model = bytePairs().open();
  Expected<TokenizerData> data = readTokenizerData(*model);
  ASSERT_TRUE(bool(data)) << toString(data.takeError());
  EXPECT_EQ(data->types, std::vector<TokenType>(4, TokenType::Normal));
  for (const auto &id : {data->beginOfText, data->endOfText, data->endOfTurn, data->endOfMessage,
                         data->unknown, data->separator, data->padding})
    EXPECT_EQ(id, std::nullopt);
  for (const auto &flag : {data->addsBeginOfText, data->addsEndOfText, data->addsSpacePrefix,
                           data->removesExtraSpaces})
    EXPECT_EQ(flag, std::nullopt);
  EXPECT_EQ(data->preTokenizer, std::nullopt);
  EXPECT_EQ(data->chatTemplate, std::nullopt);
}

TEST(TokenizerData, readsIdsAndFlags) {
  TestModel file = sentencePiece();
  file.set(key("bos_token_id"), uint32_t{1}).set(key("eos_token_id"), uint32_t{2});
  file.set(key("unknown_token_id"), uint64_t{0}).set(key("padding_token_id"), int32_t{3});
  file.set(key("seperator_token_id"), uint32_t{2}).set(key("eot_token_id"), uint32_t{1});
  file.set(key("eom_token_id"), uint32_t{0});
  file.set(key("add_bos_token"), true).set(key("add_eos_token"), false);
  file.set(key("add_space_prefix"), false).set(key("remove_extra_whitespaces"), true);
  const std::unique_ptr<gguf::Model> model = file.open();
  Expected<TokenizerData> data = readTokenizerData(*model);
  ASSERT_TRUE(bool(data)) << toString(data.takeError());
  EXPECT_EQ(data->beginOfText, 1);
  EXPECT_EQ(data->endOfText, 2);
  EXPECT_EQ(data->endOfTurn, 1);
  EXPECT_EQ(data->endOfMessage, 0);
  EXPECT_EQ(data->unknown, 0);
  EXPECT_EQ(data->separator, 2);
  EXPECT_EQ(data->padding, 3);
  EXPECT_EQ(data->addsBeginOfText, true);
  EXPECT_EQ(data->addsEndOfText, false);
  EXPECT_EQ(data->addsSpacePrefix, false);
  EXPECT_EQ(data->removesExtraSpaces, true);
}

TEST(TokenizerData, stringsLieInTheFile) {
  const std::unique_ptr<gguf::Model> model =
      bytePairs().setArray(key("tokens"), Strings{"a\xff", std::string("\0b", 2), ""}).open();
  Expected<TokenizerData> data = readTokenizerData(*model);
  ASSERT_TRUE(bool(data)) << toString(data.takeError());
  EXPECT_EQ(data->tokens[0], "a\xff") << "not UTF-8";
  EXPECT_EQ(data->tokens[1], StringRef("\0b", 2));
  EXPECT_EQ(data->tokens[2], "");
  const auto liesIn = [&](StringRef string, StringRef name) {
    const StringRef encoded = model->metadata().find(name)->encoded();
    return string.begin() >= encoded.begin() && string.end() <= encoded.end();
  };
  for (const StringRef token : data->tokens)
    EXPECT_TRUE(liesIn(token, key("tokens")));
  EXPECT_TRUE(liesIn(data->merges[0].right, key("merges")));
}

TEST(TokenizerData, refusesFilesWithoutATokenizerOrWithAnother) {
  EXPECT_EQ(errorOf(TestModel()),
            "test.gguf: metadata key 'tokenizer.ggml.model' is missing, so the file has no "
            "tokenizer; convert the model again, with its tokenizer");
  EXPECT_EQ(errorOfKey(bytePairs().set(key("model"), std::string("bert")), "model"),
            "is 'bert'; this version knows 'gpt2' (byte pairs) and 'llama' (SentencePiece)");
  EXPECT_EQ(errorOfKey(bytePairs().set(key("model"), uint32_t{1}), "model"),
            "is u32, a string is needed");
}

TEST(TokenizerData, refusesMissingArrays) {
  EXPECT_EQ(errorOfKey(bytePairs().remove(key("tokens")), "tokens"),
            "is missing; an array of strings is needed. Convert the model again, with its "
            "tokenizer");
  EXPECT_EQ(errorOfKey(bytePairs().remove(key("merges")), "merges"),
            "is missing; an array of strings is needed. Convert the model again, with its "
            "tokenizer");
  EXPECT_EQ(errorOfKey(sentencePiece().remove(key("scores")), "scores"),
            "is missing; a SentencePiece tokenizer joins tokens by their scores. Convert the model "
            "again, with its tokenizer");
  EXPECT_EQ(errorOfKey(bytePairs().setArray(key("tokens"), Strings{}), "tokens"),
            "has no elements" + std::string(kConvertAgain));
  EXPECT_EQ(errorOf(bytePairs().setArray(key("merges"), Strings{})), "no error")
      << "a vocabulary of bytes";
}

TEST(TokenizerData, refusesOtherTypes) {
  EXPECT_EQ(errorOfKey(bytePairs().set(key("tokens"), std::string("a")), "tokens"),
            "is string, an array of strings is needed");
  EXPECT_EQ(errorOfKey(bytePairs().setArray(key("tokens"), Numbers{1, 2}), "tokens"),
            "is array of 2 i32, an array of strings is needed");
  EXPECT_EQ(errorOfKey(bytePairs().setArray(key("merges"), std::vector<float>{1}), "merges"),
            "is array of 1 f32, an array of strings is needed");
  EXPECT_EQ(
      errorOfKey(sentencePiece().setArray(key("token_type"), std::vector<float>(4)), "token_type"),
      "is array of 4 f32, an array of integers is needed");
  EXPECT_EQ(errorOfKey(sentencePiece().setArray(key("scores"), Numbers(4)), "scores"),
            "is array of 4 i32, an array of floating-point numbers is needed");
  EXPECT_EQ(errorOfKey(bytePairs().set(key("bos_token_id"), std::string("<s>")), "bos_token_id"),
            "is string, an integer of at least 0 is needed");
  EXPECT_EQ(errorOfKey(bytePairs().set(key("add_bos_token"), uint32_t{1}), "add_bos_token"),
            "is u32, a bool is needed");
  EXPECT_EQ(errorOfKey(bytePairs().set(key("pre"), true), "pre"), "is bool, a string is needed");
  EXPECT_EQ(errorOf(bytePairs().set("tokenizer.chat_template", uint32_t{0})),
            "test.gguf: metadata key 'tokenizer.chat_template' is u32, a string is needed");
}

TEST(TokenizerData, numbersMayHaveAnyWidth) {
  TestModel file = sentencePiece().setArray(key("scores"), std::vector<double>{1, 2, 3, 0.25});
  file.setArray(key("token_type"), std::vector<uint64_t>{1, 2, 3, 4});
  const std::unique_ptr<gguf::Model> model = file.open();
  Expected<TokenizerData> data = readTokenizerData(*model);
  ASSERT_TRUE(bool(data)) << toString(data.takeError());
  EXPECT_EQ(data->types[3], TokenType::UserDefined);
  EXPECT_EQ(data->scores[3], 0.25f);
}

TEST(TokenizerData, refusesArraysOfDifferentLengths) {
  for (const size_t count : {0, 3, 5}) {
    const std::string expected = "has " + std::to_string(count) +
                                 " elements, one for each of the 4 tokens is needed" +
                                 kConvertAgain;
    EXPECT_EQ(
        errorOfKey(sentencePiece().setArray(key("token_type"), Numbers(count, 1)), "token_type"),
        expected);
    EXPECT_EQ(
        errorOfKey(sentencePiece().setArray(key("scores"), std::vector<float>(count)), "scores"),
        expected);
  }
}

TEST(TokenizerData, refusesNumbersOutOfBounds) {
  for (const int32_t type : {0, 7, INT32_MAX})
    EXPECT_EQ(errorOfKey(sentencePiece().setArray(key("token_type"), Numbers{2, 3, type, 6}),
                         "token_type"),
              "is " + std::to_string(type) + " for token 2, expected 1 (normal) to 6 (byte)" +
                  kConvertAgain);
  EXPECT_EQ(
      errorOfKey(sentencePiece().setArray(key("token_type"), Numbers{-1, 3, 3, 6}), "token_type"),
      "is negative for token 0, expected 1 (normal) to 6 (byte)" + std::string(kConvertAgain));
  EXPECT_EQ(errorOfKey(sentencePiece().setArray(key("scores"), std::vector<float>{0, NAN, 0, 0}),
                       "scores"),
            "is NaN for token 1" + std::string(kConvertAgain));
  for (const char *name : {"bos_token_id", "eos_token_id", "eot_token_id", "eom_token_id",
                           "unknown_token_id", "seperator_token_id", "padding_token_id"}) {
    EXPECT_EQ(errorOfKey(bytePairs().set(key(name), uint32_t{4}), name),
              "is 4, the tokens are 0 to 3" + std::string(kConvertAgain));
    EXPECT_EQ(errorOfKey(bytePairs().set(key(name), UINT64_MAX), name),
              "is 18446744073709551615, the tokens are 0 to 3" + std::string(kConvertAgain));
    EXPECT_EQ(errorOfKey(bytePairs().set(key(name), int32_t{-1}), name),
              "is i32, an integer of at least 0 is needed");
  }
}

TEST(TokenizerData, refusesMergesThatAreNoPairs) {
  for (const char *merge : {"", " ", "ab", "ab ", " b"})
    EXPECT_EQ(errorOfKey(bytePairs().setArray(key("merges"), Strings{"a b", merge}), "merges"),
              "has in merge 1 no two strings with a space between them" +
                  std::string(kConvertAgain))
        << "'" << merge << "'";
}

TEST(TokenizerData, refusesWhatIsTooLong) {
  const std::string longest(kMaxTokenBytes, 'a');
  EXPECT_EQ(errorOf(bytePairs().setArray(key("tokens"), Strings{longest, "b"})), "no error");
  EXPECT_EQ(errorOfKey(bytePairs().setArray(key("tokens"), Strings{"b", longest + "a"}), "tokens"),
            "has 65537 bytes in string 1, at most 65536 are supported");
  EXPECT_EQ(errorOf(bytePairs().setArray(key("merges"), Strings{longest + " " + longest})),
            "no error");
  EXPECT_EQ(
      errorOfKey(bytePairs().setArray(key("merges"), Strings{longest + "  " + longest}), "merges"),
      "has 131074 bytes in string 0, at most 131073 are supported");

  // A byte each, so that the file is small; the file itself must have as many.
  constexpr uint64_t kTooMany = kMaxTokens + 1;
  EXPECT_EQ(errorOfKey(sentencePiece().setRaw(
                           key("token_type"), ValueType::Array,
                           GgufWriter::number(static_cast<uint32_t>(ValueType::UInt8)) +
                               GgufWriter::number(kTooMany) + std::string(kTooMany, '\1')),
                       "token_type"),
            "has 4194305 elements, at most 4194304 are supported");
}

TEST(TokenizerData, everyFlippedBitIsReadOrRefused) {
  const std::string file = sentencePiece()
                               .setArray(key("merges"), Strings{"a b"})
                               .set(key("bos_token_id"), uint32_t{1})
                               .set(key("add_bos_token"), true)
                               .finish();
  size_t refused = 0;
  for (size_t bit = 0; bit < 8 * file.size(); ++bit) {
    std::string damaged = file;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
    std::vector<std::unique_ptr<MemoryBuffer>> parts;
    parts.push_back(test::asBuffer(damaged));
    Expected<std::unique_ptr<gguf::Model>> model = gguf::Model::fromBuffers(std::move(parts));
    if (!model) {
      consumeError(model.takeError());
      continue;
    }
    Expected<TokenizerData> data = readTokenizerData(**model);
    if (data) {
      EXPECT_EQ(data->types.size(), data->tokens.size());
      continue;
    }
    EXPECT_FALSE(toString(data.takeError()).empty());
    ++refused;
  }
  EXPECT_GT(refused, 500u);
}
