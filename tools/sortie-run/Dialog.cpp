// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/sortie-run/Dialog.h"

#include <algorithm>

using namespace llvm;

namespace sortie::tool {

Error Dialog::goOn(ArrayRef<int32_t> prompt) {
  if (!sequence)
    return Error::success();
  Expected<ArrayRef<int32_t>> read = model.tokens(*sequence);
  if (!read)
    return read.takeError();
  const auto difference = std::mismatch(read->begin(), read->end(), prompt.begin(), prompt.end());
  if (Error error = model.truncate(*sequence, difference.first - read->begin()))
    return error;
  generator.beginWith(*std::exchange(sequence, std::nullopt));
  return Error::success();
}

/// Makes the text part of the conversation.
void Dialog::keep(const generation::GeneratedText &text) {
  sequence = text.sequence;
  chat::Exchange &exchange = conversation.exchanges.back();
  exchange.answer = text.text;
  // The tokens of a stop string are no part of the text.
  if (text.end == generation::EndReason::StopString)
    return;
  for (const generation::GeneratedToken &token : text.tokens)
    exchange.tokens.push_back(token.id);
  if (text.end == generation::EndReason::EndToken)
    exchange.tokens.pop_back();
}

Expected<Turn> Dialog::answer(StringRef prompt, Generate generate) {
  conversation.exchanges.push_back({prompt.str(), ""});
  auto ids = chat::encodeConversation(conversation, format, tokenizer);
  if (!ids)
    return ids.takeError();
  const auto length = static_cast<int64_t>(ids->size());
  if (length > model.context())
    return makeError("the conversation has " + Twine(length) +
                     " tokens with this prompt, and the "
                     "context is " +
                     Twine(model.context()) +
                     "; give a larger --context, or begin another conversation");
  if (Error error = goOn(*ids))
    return error;
  auto texts = generate(*ids);
  if (!texts)
    return texts.takeError();
  keep(texts->front());
  return Turn{std::move(*ids), std::move(texts->front())};
}

} // namespace sortie::tool
