// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which format a model's template means.

#include "test/unit/tokenizer/TestVocabulary.h"

#include "runtime/chat/Conversation.h"

#include <gmock/gmock.h>

using namespace sortie;
using namespace sortie::chat;
using namespace sortie::test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

/// Of the test models of this project.
constexpr llvm::StringLiteral kOwn =
    "{%- for message in messages -%}\n<|im_start|>{{ message.role }}\n{{ message.content "
    "}}<|im_end|>\n{% endfor -%}\n{{ '<|im_start|>assistant\\n' }}";

model::TokenizerData withTemplate(llvm::StringRef text) {
  model::TokenizerData data;
  data.chatTemplate = text;
  return data;
}

std::string refusal(const model::TokenizerData &data) {
  return llvm::toString(formatOf(data).takeError());
}

} // namespace

TEST(ChatTemplate, IsKnownByItsHash) {
  EXPECT_EQ(llvm::cantFail(formatOf(withTemplate(kOwn)))->name, "chatml");
  EXPECT_EQ(llvm::cantFail(formatOf(withTemplate((kOwn + " \n").str())))->name, "chatml")
      << "white space at its end does not count";
  EXPECT_EQ(hashOfTemplate(kOwn).size(), 32u);
}

TEST(ChatTemplate, AnotherIsAnErrorThatSaysWhatItIs) {
  const std::string message = refusal(withTemplate((" " + kOwn).str()));
  EXPECT_THAT(message, HasSubstr("of 141 bytes with the hash " + hashOfTemplate(" " + kOwn.str())));
  EXPECT_THAT(message, HasSubstr("its marks are those of chatml, chatml-bos, qwen1.5"));
  EXPECT_THAT(message, HasSubstr("Name the one that it means with --chat-format, or write the "
                                 "conversation as the model reads it, and pass it with --prompt "
                                 "instead of --chat"));
  EXPECT_THAT(refusal(withTemplate("{{ messages }}")),
              HasSubstr("its marks are those of no format that Sortie has (chatml, "));
  EXPECT_THAT(refusal(model::TokenizerData()),
              HasSubstr("has no chat template (tokenizer.chat_template); name its "
                        "format with --chat-format"));
}

TEST(ChatFormats, HaveNamesOfTheirOwn) {
  for (const ChatFormat &format : chatFormats())
    EXPECT_EQ(findChatFormat(format.name), &format) << format.name.str();
  EXPECT_EQ(findChatFormat("none"), nullptr);
  EXPECT_THAT(formatsLike("x [INST] y"),
              ElementsAre("llama-2", "mistral-v0", "mistral-v0-spaced", "mistral-v1", "mistral-v3",
                          "mistral-v3-tekken", "mistral-v7"));
}
