// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The well-known names.

#include "runtime/generation/EndTokens.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace sortie::generation {

std::vector<int32_t> endTokens(const model::TokenizerData &data) {
  static constexpr StringLiteral kNames[] = {
      "<|im_end|>",    // ChatML: Qwen, Kimi and others
      "<|endoftext|>", // GPT-2 and its heirs
      "<|end_of_text|>",
      "<|eot_id|>", // Llama 3
      "<|eom_id|>",
      "<end_of_turn>", // Gemma
      "<|return|>",    // gpt-oss, whose <|end|> ends a message but not its answer
      "<|call|>",
      "<|user|>", // GLM: the turn is the user's
      "<|observation|>",
  };
  std::vector<int32_t> ends;
  for (const std::optional<int32_t> id : {data.endOfText, data.endOfTurn, data.endOfMessage})
    if (id)
      ends.push_back(*id);
  for (const auto &[id, name] : enumerate(data.tokens))
    if (data.types[id] == model::TokenType::Control && is_contained(kNames, name))
      ends.push_back(static_cast<int32_t>(id));
  llvm::sort(ends);
  ends.erase(llvm::unique(ends), ends.end());
  return ends;
}

} // namespace sortie::generation
