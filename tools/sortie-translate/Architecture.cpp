// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Architecture.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;

static const Architecture kArchitectures[] = {
    {.name = "qwen3moe", .normalize = true},
    {.name = "olmoe", .expertWidthKey = "feed_forward_length"},
    // Mixtral. Softmax over all experts, normalised over the selected ones, is what the model's
    // softmax over the selected logits gives.
    {.name = "llama", .expertWidthKey = "feed_forward_length", .normalize = true},
    // V2, V2-Lite, V3 and R1 differ by their keys. Files from before `expert_gating_func` are V2.
    {.name = "deepseek2", .describesRouting = true, .denseAndShared = true},
    {.name = "gpt-oss",
     .normTensor = "post_attention_norm.weight",
     .scoring = Scoring::SoftmaxAfterTopK,
     .activation = {GluKind::SwigluClamped, /*alpha=*/1.702f, /*limit=*/7.0f},
     .biases = true},
};

const Architecture *sortie::findArchitecture(llvm::StringRef name) {
  const auto *found =
      llvm::find_if(kArchitectures, [&](const Architecture &row) { return row.name == name; });
  return found == std::end(kArchitectures) ? nullptr : found;
}

std::string sortie::listArchitectures() {
  return llvm::join(
      llvm::map_range(kArchitectures, [](const Architecture &row) { return row.name; }), ", ");
}
