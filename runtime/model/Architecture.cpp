// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of architectures.

#include "runtime/model/Architecture.h"

#include "runtime/model/TensorNames.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::model;
using llvm::StringLiteral;
using llvm::StringRef;

/// What the attention half of any architecture may consist of.
static constexpr StringLiteral kCommonAttention[] = {
    "attn_norm",   "attn_q",      "attn_k",      "attn_v",        "attn_qkv",
    "attn_output", "attn_q_norm", "attn_k_norm", "attn_rot_embd", "rope_freqs",
};

/// Multi-head latent attention.
static constexpr StringLiteral kLatentAttention[] = {
    "attn_q_a",       "attn_q_b",  "attn_q_a_norm", "attn_kv_a_mqa",
    "attn_kv_a_norm", "attn_kv_b", "attn_k_b",      "attn_v_b",
};

static constexpr StringLiteral kSinks[] = {"attn_sinks"};

/// What follows the name of a tensor: `scale` and `input_scale` come with NVFP4.
static constexpr StringLiteral kSuffixes[] = {tensor_names::kWeight, tensor_names::kBias,
                                              tensor_names::kScale, ".input_scale"};

static const Architecture kArchitectures[] = {
    {.name = "qwen3moe", .normalize = true},
    // Qwen1.5-MoE and Qwen2-57B-A14B.
    {.name = "qwen2moe", .shared = SharedExperts::Gated},
    {.name = "olmoe", .expertWidthIsCommon = true},
    // Mixtral. Softmax over all experts, normalised over the selected ones, is what the model's
    // softmax over the selected logits gives.
    {.name = "llama", .expertWidthIsCommon = true, .normalize = true},
    // V2, V2-Lite, V3 and R1 differ by their keys. Files from before `expert_gating_func` are V2.
    {.name = "deepseek2",
     .selectionBias = true,
     .shared = SharedExperts::Added,
     .attention = kLatentAttention},
    {.name = "gpt-oss",
     .normTensor = "post_attention_norm.weight",
     .scoring = numerics::Scoring::SoftmaxAfterTopK,
     .fixedRouting = true,
     .activation = {numerics::GluKind::SwigluClamped, /*alpha=*/1.702f, /*limit=*/7.0f},
     .biases = true,
     .attention = kSinks},
};

const Architecture *model::findArchitecture(StringRef name) {
  const auto *found =
      llvm::find_if(kArchitectures, [&](const Architecture &row) { return row.name == name; });
  return found == std::end(kArchitectures) ? nullptr : found;
}

std::string model::listArchitectures() {
  return llvm::join(
      llvm::map_range(kArchitectures, [](const Architecture &row) { return row.name; }), ", ");
}

bool model::isAttentionTensor(const Architecture &architecture, StringRef name) {
  for (const StringRef suffix : kSuffixes)
    if (name.consume_back(suffix))
      break;
  return llvm::is_contained(kCommonAttention, name) ||
         llvm::is_contained(architecture.attention, name);
}
