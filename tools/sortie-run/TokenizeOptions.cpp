// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The options of `sortie-run tokenize`, which has none of those of a run.

#include "tools/sortie-run/TokenizeOptions.h"

#include "runtime/support/Error.h"

#include "llvm/Support/CommandLine.h"

using namespace llvm;

namespace sortie::tool {

namespace {

cl::SubCommand command("tokenize",
                       "Text to token ids and back, by a model's tokenizer; takes no program");
cl::OptionCategory category("sortie-run tokenize options");

cl::opt<std::string> model(cl::Positional, cl::desc("<model.gguf>"), cl::sub(command),
                           cl::cat(category));

cl::opt<std::string> fileOption("file", cl::value_desc("text.txt"), cl::sub(command),
                                cl::cat(category),
                                cl::desc("Print the ids of the text of this file"));

cl::opt<std::string> promptOption("prompt", cl::value_desc("text"), cl::sub(command),
                                  cl::cat(category), cl::desc("Print the ids of this text"));

cl::opt<std::string> idsOption("ids", cl::value_desc("\"1 2 3\""), cl::sub(command),
                               cl::cat(category),
                               cl::desc("Print the text of these tokens, exactly, with no newline "
                                        "after it"));

cl::opt<std::string>
    conversationOption("conversation", cl::value_desc("messages.json"), cl::sub(command),
                       cl::cat(category),
                       cl::desc("Print the ids of this conversation up to the model's answer: an "
                                "array of objects with \"role\" and \"content\""));

cl::opt<std::string> chatFormat("chat-format", cl::value_desc("name"), cl::sub(command),
                                cl::cat(category),
                                cl::desc("With --conversation: its format, instead of what the "
                                         "model's chat template means"));

cl::opt<std::string> dateOption("date", cl::value_desc("YYYY-MM-DD"), cl::sub(command),
                                cl::cat(category),
                                cl::desc("With --conversation: what a template that names the day "
                                         "says; default: 2024-07-26"));

cl::opt<bool> noAddSpecial("no-add-special", cl::sub(command), cl::cat(category),
                           cl::desc("Leave out the tokens for the beginning and the end of a text, "
                                    "which are added where the model says so"));

cl::opt<bool> noParseSpecial("no-parse-special", cl::sub(command), cl::cat(category),
                             cl::desc("Treat the names of control tokens as text like any other"));

cl::opt<bool> showSpecial("show-special", cl::sub(command), cl::cat(category),
                          cl::desc("With --ids: print control tokens by their names, which are "
                                   "otherwise left out"));

Error checkOptionsOf(TokenizeInput input) {
  const bool isText = input != TokenizeInput::Ids;
  for (const cl::opt<bool> *option : {&noAddSpecial, &noParseSpecial}) {
    if (*option && !isText)
      return makeError("--" + option->ArgStr + " is for text, and --ids has none; leave it out");
    if (*option && input == TokenizeInput::Conversation)
      return makeError("--" + option->ArgStr +
                       " is for text; of a conversation the format says which control tokens it "
                       "has. Leave it out");
  }
  for (const cl::opt<std::string> *option : {&chatFormat, &dateOption})
    if (option->getNumOccurrences() != 0 && input != TokenizeInput::Conversation)
      return makeError("--" + option->ArgStr + " is for --conversation, which is not given");
  if (showSpecial && isText)
    return makeError("--show-special is for --ids, which is not given; leave it out");
  return Error::success();
}

} // namespace

void hideUnrelatedTokenizeOptions() { cl::HideUnrelatedOptions(category, command); }

bool isTokenizeCommand() { return static_cast<bool>(command); }

Expected<TokenizeOptions> getTokenizeOptions() {
  if (model.empty())
    return makeError("tokenize: no model is given; see sortie-run tokenize --help");
  TokenizeOptions options;
  size_t given = 0;
  const std::pair<const cl::opt<std::string> *, TokenizeInput> inputs[] = {
      {&fileOption, TokenizeInput::File},
      {&promptOption, TokenizeInput::Prompt},
      {&idsOption, TokenizeInput::Ids},
      {&conversationOption, TokenizeInput::Conversation}};
  for (const auto &[option, input] : inputs) {
    if (option->getNumOccurrences() == 0)
      continue;
    options.input = input;
    options.value = *option;
    ++given;
  }
  if (given != 1)
    return makeError(
        "tokenize: give one of --file text.txt, --prompt \"text\", --ids \"1 2 3\" and "
        "--conversation messages.json");
  if (Error error = checkOptionsOf(options.input))
    return error;
  Expected<ChatChoice> choice = ChatChoice::create(chatFormat, dateOption);
  if (!choice)
    return choice.takeError();
  options.chat = std::move(*choice);
  options.model = model;
  options.encode.addsSpecial = !noAddSpecial;
  options.encode.parsesSpecial = !noParseSpecial;
  options.decode.showsSpecial = showSpecial;
  return options;
}

} // namespace sortie::tool
