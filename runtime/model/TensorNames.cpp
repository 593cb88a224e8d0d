// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of tensor names.

#include "runtime/model/TensorNames.h"

#include "llvm/ADT/STLExtras.h"

using namespace sortie;
using namespace sortie::model;
using llvm::StringLiteral;
using llvm::StringRef;
using llvm::Twine;

namespace {

struct RoleName {
  TensorRole role;
  StringLiteral name;
};

struct KindSuffix {
  TensorKind kind;
  StringLiteral suffix;
};

} // namespace

/// In the order of TensorRole.
static constexpr RoleName kRoles[] = {
    {TensorRole::FeedForwardNorm, "ffn_norm"},
    {TensorRole::PostAttentionNorm, "post_attention_norm"},
    {TensorRole::Router, "ffn_gate_inp"},
    {TensorRole::SelectionBias, "exp_probs_b"},
    {TensorRole::DenseGate, "ffn_gate"},
    {TensorRole::DenseUp, "ffn_up"},
    {TensorRole::DenseDown, "ffn_down"},
    {TensorRole::ExpertsGate, "ffn_gate_exps"},
    {TensorRole::ExpertsUp, "ffn_up_exps"},
    {TensorRole::ExpertsDown, "ffn_down_exps"},
    {TensorRole::ExpertsGateUp, "ffn_gate_up_exps"},
    {TensorRole::SharedGate, "ffn_gate_shexp"},
    {TensorRole::SharedUp, "ffn_up_shexp"},
    {TensorRole::SharedDown, "ffn_down_shexp"},
    {TensorRole::SharedScore, "ffn_gate_inp_shexp"},
    {TensorRole::AttentionNorm, "attn_norm"},
    {TensorRole::Query, "attn_q"},
    {TensorRole::Key, "attn_k"},
    {TensorRole::Value, "attn_v"},
    {TensorRole::QueryKeyValue, "attn_qkv"},
    {TensorRole::AttentionOutput, "attn_output"},
    {TensorRole::QueryNorm, "attn_q_norm"},
    {TensorRole::KeyNorm, "attn_k_norm"},
    {TensorRole::RotatedEmbedding, "attn_rot_embd"},
    {TensorRole::RotationFactors, "rope_freqs"},
    {TensorRole::Sinks, "attn_sinks"},
    {TensorRole::QueryDown, "attn_q_a"},
    {TensorRole::QueryUp, "attn_q_b"},
    {TensorRole::QueryDownNorm, "attn_q_a_norm"},
    {TensorRole::KeyValueDown, "attn_kv_a_mqa"},
    {TensorRole::KeyValueDownNorm, "attn_kv_a_norm"},
    {TensorRole::KeyValueUp, "attn_kv_b"},
    {TensorRole::LatentKeyUp, "attn_k_b"},
    {TensorRole::LatentValueUp, "attn_v_b"},
    {TensorRole::TokenEmbedding, "token_embd"},
    {TensorRole::OutputNorm, "output_norm"},
    {TensorRole::Output, "output"},
};

static constexpr bool isInOrder() {
  for (size_t i = 0; i < std::size(kRoles); ++i)
    if (kRoles[i].role != static_cast<TensorRole>(i))
      return false;
  return kRoles[std::size(kRoles) - 1].role == TensorRole::Output;
}
static_assert(isInOrder(), "the table has a row for each role, in the order of the enum");

/// In the order of TensorKind, without Bare.
static constexpr KindSuffix kKinds[] = {
    {TensorKind::Weight, ".weight"},
    {TensorKind::Bias, ".bias"},
    {TensorKind::Scale, ".scale"},
    {TensorKind::InputScale, ".input_scale"},
};

static constexpr StringLiteral kLayerPrefix = "blk.";

static StringRef nameOf(TensorRole role) { return kRoles[static_cast<size_t>(role)].name; }

static StringRef suffixOf(TensorKind kind) {
  return kind == TensorKind::Bare ? StringLiteral("") : kKinds[static_cast<size_t>(kind)].suffix;
}

std::string TensorName::str() const { return (nameOf(role) + suffixOf(kind)).str(); }

TensorKind model::consumeKind(StringRef &name) {
  for (const KindSuffix &row : kKinds)
    if (name.consume_back(row.suffix))
      return row.kind;
  return TensorKind::Bare;
}

std::optional<TensorName> model::parseTensorName(StringRef name) {
  const TensorKind kind = consumeKind(name);
  const auto *found = llvm::find_if(kRoles, [&](const RoleName &row) { return row.name == name; });
  if (found == std::end(kRoles))
    return std::nullopt;
  return TensorName{found->role, kind};
}

std::string model::layerName(const Twine &layer) { return (kLayerPrefix + layer).str(); }

std::string model::layerTensorName(int64_t layer, const Twine &name) {
  return (layerName(Twine(layer)) + "." + name).str();
}

std::optional<NameInLayer> model::parseLayerTensorName(StringRef name) {
  int64_t layer = 0;
  if (!name.consume_front(kLayerPrefix) || name.consumeInteger(10, layer) ||
      !name.consume_front("."))
    return std::nullopt;
  return NameInLayer{layer, name};
}

StringRef model::projectionName(Projection projection) {
  static constexpr StringLiteral kNames[] = {"gate", "up", "down"};
  return kNames[static_cast<size_t>(projection)];
}

TensorRole model::roleOf(Network network, Projection projection) {
  static constexpr TensorRole kMatrices[][std::size(kProjections)] = {
      {TensorRole::DenseGate, TensorRole::DenseUp, TensorRole::DenseDown},
      {TensorRole::ExpertsGate, TensorRole::ExpertsUp, TensorRole::ExpertsDown},
      {TensorRole::SharedGate, TensorRole::SharedUp, TensorRole::SharedDown},
  };
  return kMatrices[static_cast<size_t>(network)][static_cast<size_t>(projection)];
}

std::string model::expertTensorPrefix(Projection projection) {
  return (nameOf(roleOf(Network::Dense, projection)) + ".").str();
}

std::string model::expertTensorName(Projection projection, int64_t expert) {
  return (expertTensorPrefix(projection) + Twine(expert) + suffixOf(TensorKind::Weight)).str();
}
