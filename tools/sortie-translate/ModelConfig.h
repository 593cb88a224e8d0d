// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the metadata of a model file says about its feed-forward halves.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_MODELCONFIG_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_MODELCONFIG_H

#include "Architecture.h"
#include "ImportOptions.h"
#include "MetadataReader.h"
#include "NameFilter.h"

#include "runtime/gguf/Model.h"

namespace sortie {

/// One layer. Widths that the file does not state are absent: the tensors have them.
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
  /// Of all shared experts together, which are stored as one.
  std::optional<int64_t> sharedWidth;
};

struct ModelConfig {
  const Architecture *architecture;
  /// Of the model itself. Layers that predict further tokens come after them in the file.
  std::vector<LayerConfig> layers;
  int64_t predictionLayers = 0;
  /// Width of the residual stream.
  int64_t hidden;
  float epsilon;

  Scoring scoring;
  /// The file or an option says which scoring, not the architecture alone.
  bool scoringIsStated = false;
  bool normalize;
  float scale = 1.0f;
  /// 1 where the selection has no groups.
  int64_t groups = 1;
  int64_t groupsUsed = 1;
  GroupScore groupScore = GroupScore::BestTwo;
};

/// Reads the configuration of `model`, leaving out the keys that `ignoredKeys` matches. `metadata`
/// is the model's, and remembers what has been looked up. Errors name
/// the file and the key: an unknown architecture, a model without experts, a key that is missing,
/// of the wrong type or out of bounds, routing that Sortie does not have, or a key about routing
/// that is not understood.
llvm::Expected<ModelConfig> readModelConfig(const gguf::Model &model, MetadataReader &metadata,
                                            const ImportOptions &options, NameFilter &ignoredKeys);

/// The key of the scoring, with its prefix, for messages.
std::string gatingKey(const Architecture &architecture);

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_MODELCONFIG_H
