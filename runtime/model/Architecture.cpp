// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of architectures.

#include "runtime/model/Architecture.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::model;
using llvm::StringRef;

/// What the attention half of any architecture may consist of.
static constexpr TensorRole kCommonAttention[] = {
    TensorRole::AttentionNorm,   TensorRole::Query,         TensorRole::Key,
    TensorRole::Value,           TensorRole::QueryKeyValue, TensorRole::AttentionOutput,
    TensorRole::QueryNorm,       TensorRole::KeyNorm,       TensorRole::RotatedEmbedding,
    TensorRole::RotationFactors,
};

/// Multi-head latent attention.
static constexpr TensorRole kLatentAttention[] = {
    TensorRole::QueryDown,    TensorRole::QueryUp,          TensorRole::QueryDownNorm,
    TensorRole::KeyValueDown, TensorRole::KeyValueDownNorm, TensorRole::KeyValueUp,
    TensorRole::LatentKeyUp,  TensorRole::LatentValueUp,
};

static constexpr TensorRole kSinks[] = {TensorRole::Sinks};

static const Architecture kArchitectures[] = {
    {.name = "qwen3moe",
     .normalize = true,
     .attentionForm = AttentionForm{.norm = QueryKeyNorm::EachHead}},
    // Qwen1.5-MoE and Qwen2-57B-A14B.
    {.name = "qwen2moe",
     .shared = SharedExperts::Gated,
     .attentionForm = AttentionForm{.biases = NeededBiases::QueryKeyValue}},
    {.name = "olmoe",
     .expertWidthIsCommon = true,
     .attentionForm = AttentionForm{.norm = QueryKeyNorm::AllHeads}},
    // Mixtral, and the dense models. Softmax over all experts, normalised over the selected ones,
    // is what the model's softmax over the selected logits gives.
    {.name = "llama",
     .experts = Experts::Optional,
     .expertWidthIsCommon = true,
     .normalize = true,
     .attentionForm = AttentionForm{.pairs = RotaryPairs::Neighbours}},
    // V2, V2-Lite, V3 and R1 differ by their keys. Files from before `expert_gating_func` are V2.
    {.name = "deepseek2",
     .selectionBias = true,
     .shared = SharedExperts::Added,
     .attention = kLatentAttention,
     .attentionForm = AttentionForm{.pairs = RotaryPairs::Neighbours, .isLatent = true}},
    {.name = "gpt-oss",
     .norm = TensorRole::PostAttentionNorm,
     .scoring = numerics::Scoring::SoftmaxAfterTopK,
     .fixedRouting = true,
     .activation = {numerics::GluKind::SwigluClamped, /*alpha=*/1.702f, /*limit=*/7.0f},
     .biases = true,
     .attention = kSinks,
     .attentionForm = AttentionForm{.biases = NeededBiases::All,
                                    .sinks = true,
                                    .alternatingWindow = true,
                                    .yarnHasWholeEnds = false}},
    // Qwen2 and Qwen2.5.
    {.name = "qwen2",
     .experts = Experts::Never,
     .attentionForm = AttentionForm{.biases = NeededBiases::QueryKeyValue}},
    {.name = "qwen3",
     .experts = Experts::Never,
     .attentionForm = AttentionForm{.norm = QueryKeyNorm::EachHead}},
    // DeepSeekMoE, before latent attention.
    {.name = "deepseek",
     .shared = SharedExperts::Added,
     .attentionForm = AttentionForm{.pairs = RotaryPairs::Neighbours}},
    // GLM-4.5 and later. The Air models have no norm of queries and keys.
    {.name = "glm4moe",
     .norm = TensorRole::PostAttentionNorm,
     .scoring = numerics::Scoring::Sigmoid,
     .scoringIsCertain = true,
     .selectionBias = true,
     .shared = SharedExperts::Added,
     .attentionForm = AttentionForm{.norm = QueryKeyNorm::EachHead, .normIsOptional = true}},
    {.name = "dots1",
     .scoring = numerics::Scoring::Sigmoid,
     .selectionBias = true,
     .shared = SharedExperts::Added,
     .attentionForm = AttentionForm{.norm = QueryKeyNorm::EachHead}},
    {.name = "minimax-m2",
     .scoring = numerics::Scoring::Sigmoid,
     .normalize = true,
     .selectionBias = true,
     .attentionForm = AttentionForm{.norm = QueryKeyNorm::AllHeads}},
    {.name = "hunyuan-moe",
     .normalize = true,
     .shared = SharedExperts::Added,
     .attentionForm = AttentionForm{.norm = QueryKeyNorm::EachHead, .normFollowsRotation = true}},
    // Softmax with a bias for the selection, of which no key tells.
    {.name = "ernie4_5-moe",
     .expertsInterleave = true,
     .normalize = true,
     .scoringIsCertain = true,
     .selectionBias = true,
     .shared = SharedExperts::Added,
     .attentionForm = AttentionForm{.pairs = RotaryPairs::Neighbours}},
    // Ling 2.0, Ring 2.0 and their kin.
    {.name = "bailingmoe2",
     .scoring = numerics::Scoring::Sigmoid,
     .selectionBias = true,
     .shared = SharedExperts::Added,
     .attentionForm = AttentionForm{.norm = QueryKeyNorm::EachHead}},
    {.name = "granite",
     .experts = Experts::Never,
     .scales = true,
     .attentionForm = AttentionForm{.pairs = RotaryPairs::Neighbours, .rotationIsOptional = true}},
    // The model's softmax over the selected logits, as for Mixtral.
    {.name = "granitemoe",
     .expertWidthIsCommon = true,
     .normalize = true,
     .shared = SharedExperts::Added,
     .scales = true,
     .attentionForm = AttentionForm{.pairs = RotaryPairs::Neighbours, .rotationIsOptional = true}},
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
  const std::optional<TensorName> known = parseTensorName(name);
  return known && (llvm::is_contained(kCommonAttention, known->role) ||
                   llvm::is_contained(architecture.attention, known->role));
}
