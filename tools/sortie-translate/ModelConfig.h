// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the metadata of a model file says about its feed-forward halves.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_MODELCONFIG_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_MODELCONFIG_H

#include "Architecture.h"
#include "MetadataReader.h"

#include "runtime/gguf/Model.h"

namespace sortie {

struct ModelConfig {
  const Architecture *architecture;
  int64_t layers;
  /// Width of the residual stream.
  int64_t hidden;
  float epsilon;

  /// Layers [0, denseLayers) have one feed-forward network of this width and no router.
  int64_t denseLayers = 0;
  int64_t denseWidth = 0;

  int64_t experts;
  int64_t selected;
  int64_t expertWidth;
  /// Of all shared experts together, which are stored as one; 0 without.
  int64_t sharedWidth = 0;

  Scoring scoring;
  bool normalize;
  float scale = 1.0f;
  /// 1 where the selection has no groups.
  int64_t groups = 1;
  int64_t groupsUsed = 1;

  bool isDense(int64_t layer) const { return layer < denseLayers; }
};

/// Reads the configuration of `model`. Errors name the file and the key: an unknown architecture, a
/// key that is missing, of the wrong type or out of bounds, or routing that Sortie does not have.
/// `metadata` is the model's, and remembers what has been looked up.
llvm::Expected<ModelConfig> readModelConfig(const gguf::Model &model, MetadataReader &metadata);

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_MODELCONFIG_H
