// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the metadata of a model file says about its layers.

#ifndef SORTIE_RUNTIME_MODEL_CONFIG_H
#define SORTIE_RUNTIME_MODEL_CONFIG_H

#include "runtime/model/Architecture.h"
#include "runtime/model/Attention.h"
#include "runtime/model/ConfigKeys.h"
#include "runtime/model/MetadataReader.h"
#include "runtime/model/NameFilter.h"

#include "runtime/gguf/Model.h"

namespace sortie::model {

/// Where a user departs from what the file says. Messages call them by the importer's options,
/// `--gating`, `--experts-used` and `--context`.
struct ConfigOverrides {
  /// The scoring where the file does not say which.
  std::optional<numerics::Scoring> gating;
  /// The number of experts per token, whatever the file says.
  std::optional<int64_t> expertsUsed;
  /// The longest sequence of a whole model, whatever the file says.
  std::optional<int64_t> context = std::nullopt;
};

/// A layer. Widths that the file does not state are absent: the tensors have them.
struct LayerConfig {
  /// A dense layer has one feed-forward network and no router; nothing but `denseWidth` counts.
  bool dense = false;
  std::optional<int64_t> denseWidth;

  int64_t experts = 0;
  int64_t selected = 0;
  /// The file says `selected`, too, not an option alone.
  bool selectedIsStated = true;
  std::optional<int64_t> expertWidth;
  /// Where the file does not say whether the layer has shared experts, it has them if it has their
  /// tensors.
  std::optional<bool> hasShared;
  /// The width of all shared experts together, which are stored as one.
  std::optional<int64_t> sharedWidth;
};

/// What the file says of all layers.
struct Config {
  const Architecture *architecture;
  /// The layers of the model itself. Layers that predict further tokens come after them in the
  /// file.
  std::vector<LayerConfig> layers;
  int64_t predictionLayers = 0;
  /// Width of the residual stream.
  int64_t hidden;
  float epsilon;

  numerics::Scoring scoring;
  /// The file or an option says which scoring, or all models of the architecture have this one.
  bool scoringIsStated = false;
  bool normalize;
  float scale = 1.0f;
  /// 1 where the selection has no groups.
  int64_t groups = 1;
  int64_t groupsUsed = 1;
  numerics::GroupScore groupScore = numerics::GroupScore::BestTwo;

  /// What the output of each half of a layer is multiplied by before its input is added.
  float residualScale = 1.0f;
  /// Of a whole model: what embeddings are multiplied by, and what logits are divided by.
  float embeddingScale = 1.0f;
  float logitDivisor = 1.0f;

  /// Of a whole model.
  std::optional<AttentionConfig> attention;
};

/// Reads the configuration of what `scope` says of `model`, leaving out the keys that `ignoredKeys`
/// matches. `metadata` is the model's, and remembers what has been looked up. Errors name the file
/// and the key: an unknown architecture, one whose attention is not known where the whole model is
/// read, a model without experts where their halves are, a key that is missing, of the wrong type
/// or out of bounds, routing or attention that Sortie does not have, or a key that is not
/// understood.
llvm::Expected<Config> readConfig(const gguf::Model &model, MetadataReader &metadata, Scope scope,
                                  const ConfigOverrides &overrides, NameFilter &ignoredKeys);

/// The key of the scoring, with its prefix, for messages.
std::string gatingKey(const Architecture &architecture);

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_CONFIG_H
