// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Conversations as text and as tokens. That the formats are those of real templates is judged by
// Jinja (test/e2e/test_chat.py); here is what tokens and answers become.

#include "test/unit/tokenizer/TestVocabulary.h"

#include "runtime/chat/Conversation.h"

#include "llvm/ADT/STLExtras.h"

#include <gmock/gmock.h>

using namespace sortie;
using namespace sortie::chat;
using namespace sortie::test;
using ::testing::HasSubstr;

namespace {

/// Bytes, and the tokens <s> and </s> and those of ChatML.
TestVocabulary chatVocabulary(const std::string &preTokenizer = "gpt-2") {
  TestVocabulary vocabulary = byteVocabulary(preTokenizer);
  const int32_t begin = vocabulary.add("<s>", model::TokenType::Control);
  const int32_t end = vocabulary.add("</s>", model::TokenType::Control);
  vocabulary.file.set(key("bos_token_id"), begin).set(key("eos_token_id"), end);
  vocabulary.add("<|im_start|>", model::TokenType::Control);
  vocabulary.add("<|im_end|>", model::TokenType::Control);
  vocabulary.add("<|end|>", model::TokenType::Control);
  return vocabulary;
}

struct Chat {
  OpenTokenizer tokenizer = OpenTokenizer(chatVocabulary());

  const ChatFormat &format(llvm::StringRef name) const { return *findChatFormat(name); }

  std::string write(llvm::StringRef name, const Conversation &conversation) const {
    std::string text;
    for (const Piece &piece :
         llvm::cantFail(writeConversation(conversation, format(name), (*tokenizer).data())))
      text += piece.text;
    return text;
  }
  Ids encode(llvm::StringRef name, const Conversation &conversation) const {
    return llvm::cantFail(encodeConversation(conversation, format(name), *tokenizer));
  }
  std::string show(const Ids &ids) const { return tokenizer.decode(ids, {.showsSpecial = true}); }
};

Conversation oneAnswer(const std::string &answer) {
  return {.system = std::nullopt, .exchanges = {{"a", answer}, {"b", ""}}, .date = {}};
}

} // namespace

TEST(Conversation, NamesOfTokensInMessagesAreText) {
  const Chat chat;
  const Conversation conversation = {
      .system = "<|im_start|>", .exchanges = {{"<|im_end|>\n", "</s>"}, {"b", ""}}, .date = {}};
  const Ids ids = chat.encode("chatml", conversation);
  EXPECT_EQ(chat.show(ids), chat.write("chatml", conversation));
  EXPECT_EQ(llvm::count(ids, 258), 5) << "<|im_start|>";
  EXPECT_EQ(llvm::count(ids, 259), 4) << "<|im_end|>";
  EXPECT_EQ(llvm::count(ids, 257), 0) << "</s>";
}

TEST(Conversation, WordsGoAcrossPartsOfTheText) {
  TestVocabulary vocabulary = chatVocabulary("qwen2");
  const std::string line = tokenizer::characterOfByte('\n').str();
  const int32_t lines = vocabulary.addMerge(line, line);
  const int32_t own = vocabulary.add("x\ny", model::TokenType::UserDefined);
  const OpenTokenizer tokenizer(std::move(vocabulary));
  const auto encode = [&](const std::string &first, const std::string &second) {
    return llvm::cantFail((*tokenizer).encodeParts({{first, true}, {second, false}}));
  };
  EXPECT_EQ(encode("<s>a\n", "\nb"), Ids({256, 'a', lines, 'b'}));
  EXPECT_EQ(encode("x\n", "y<s>"), Ids({own, '<', 's', '>'}));
  EXPECT_EQ(encode("<s", ">"), Ids({'<', 's', '>'})) << "no name of two hands";
  EXPECT_EQ(encode("", "").size(), 0u);
  EXPECT_THAT(llvm::toString((*tokenizer).encodeParts({{"\xff", false}}).takeError()),
              HasSubstr("is not UTF-8"));
}

TEST(Conversation, AnswersKeepTheirTokens) {
  const Chat chat;
  Conversation conversation = oneAnswer("hi");
  conversation.exchanges[0].tokens = {'h', 300, 'i'};
  const auto has300 = [&](llvm::StringRef name) {
    return llvm::is_contained(chat.encode(name, conversation), 300);
  };
  EXPECT_TRUE(has300("chatml"));
  EXPECT_TRUE(has300("mistral-v0"));
  EXPECT_FALSE(has300("mistral-v1")) << "the answer begins otherwise than the model was asked to";
  EXPECT_FALSE(has300("qwen3-thinking"));
  conversation.exchanges[0].answer = "hi\n";
  EXPECT_TRUE(has300("chatml"));
  EXPECT_FALSE(has300("llama-3")) << "it loses its end";
}

TEST(Conversation, ThinkingIsForgotten) {
  const Chat chat;
  const auto past = [&](llvm::StringRef name, const std::string &answer) {
    const std::string text = chat.write(name, oneAnswer(answer));
    const ChatFormat &format = chat.format(name);
    const llvm::StringRef before = format.answer.before;
    const size_t begin = text.find(before.str()) + before.size();
    const std::string after = format.answer.after.empty() ? "<|user|>" : format.answer.after.str();
    return text.substr(begin, text.find(after, begin) - begin);
  };
  const std::string thought = "<think>\nx</think>y</think>\n\n c \n";
  EXPECT_EQ(past("chatml", thought), thought);
  EXPECT_EQ(past("qwen3", thought), " c \n");
  EXPECT_EQ(past("qwen3", "\n c"), "\n c");
  EXPECT_EQ(past("deepseek-r1", thought), "\n\n c \n");
  EXPECT_EQ(past("glm-4.6", thought), "c");
  EXPECT_EQ(past("glm-4.6", " c "), "c");
  EXPECT_EQ(past("gpt-oss", "<|channel|>analysis<|message|>x<|end|><|start|>assistant"
                            "<|channel|>final<|message|>c"),
            "c");
}

TEST(Conversation, SystemMessagesHaveTheirPlaces) {
  const Chat chat;
  Conversation conversation = {
      .system = " s ", .exchanges = {{" a ", "x"}, {" b ", ""}}, .date = {}};
  EXPECT_EQ(chat.write("gemma-3", conversation),
            "<s><start_of_turn>user\n s \n\na<end_of_turn>\n<start_of_turn>model\nx<end_of_turn>\n"
            "<start_of_turn>user\nb<end_of_turn>\n<start_of_turn>model\n");
  EXPECT_EQ(chat.write("llama-2", conversation),
            "<s>[INST] <<SYS>>\n s \n<</SYS>>\n\n a [/INST] x </s><s>[INST] b [/INST]");
  EXPECT_EQ(chat.write("mistral-v3", conversation),
            "<s>[INST]  a [/INST] x</s>[INST]  s \n\n b [/INST]");
  auto refused = writeConversation(conversation, chat.format("gemma"), (*chat.tokenizer).data());
  EXPECT_EQ(llvm::toString(refused.takeError()),
            "the chat format 'gemma' has no place for a system message; put its text into the "
            "prompt");
  conversation.system.reset();
  EXPECT_THAT(chat.write("qwen2", conversation),
              HasSubstr("<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"));
}

TEST(Conversation, DatesAreThoseOfTheCalendar) {
  const Chat chat;
  Conversation conversation = oneAnswer("");
  EXPECT_THAT(chat.write("llama-3.1", conversation), HasSubstr("Today Date: 26 Jul 2024\n"));
  conversation.date = llvm::cantFail(Date::parse("2028-02-29"));
  EXPECT_THAT(chat.write("llama-3.1", conversation), HasSubstr("Today Date: 29 Feb 2028\n"));
  EXPECT_THAT(chat.write("gpt-oss", conversation), HasSubstr("Current date: 2028-02-29\n"));
  for (const char *text : {"", "today", "2024-7-26", "2023-02-29", "2024-13-01", "2024-00-10",
                           "24-07-26", "2024-07-26-1", "0024-07-26", "-024-07-26"})
    EXPECT_EQ(llvm::toString(Date::parse(text).takeError()),
              "'" + std::string(text) + "' is no day; give one as 2024-07-26");
}

TEST(Conversation, FormatsNameTokensThatEndAnswers) {
  const Chat chat;
  EXPECT_EQ(endsOfAnswers(chat.format("phi-3"), (*chat.tokenizer).data()), Ids({260}));
  EXPECT_EQ(endsOfAnswers(chat.format("chatml"), (*chat.tokenizer).data()), Ids());
}

TEST(Conversation, TokensThatTheFileDoesNotNameAreNoText) {
  const OpenTokenizer tokenizer(byteVocabulary());
  const Ids ids = llvm::cantFail(
      encodeConversation({.system = std::nullopt, .exchanges = {{"a", ""}}, .date = {}},
                         *findChatFormat("olmo"), *tokenizer));
  EXPECT_EQ(tokenizer.decode(ids), "<|user|>\na\n<|assistant|>\n");
}
