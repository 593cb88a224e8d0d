// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds the attention half of a layer as the model defines it, in semantic ops.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_ATTENTIONBUILDER_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_ATTENTIONBUILDER_H

#include "PartBuilder.h"

#include "dialect/lm/LmOps.h"
#include "runtime/model/ModelTensors.h"

namespace sortie {

/// Where the tokens of a run are: [tokens] each, and the table of pages.
struct TokenPlaces {
  mlir::Value positions;
  mlir::Value sequences;
  mlir::Value pages;
};

class AttentionBuilder : PartBuilder {
public:
  AttentionBuilder(mlir::ImplicitLocOpBuilder &builder, const model::Config &config,
                   const model::ModelTensors &tensors, int64_t layer)
      : PartBuilder(builder, tensors.layers()[layer].attention, model::layerTensorName(layer, "")),
        config(config), attention(*config.attention), layer(attention.layers[layer]),
        frequencies(tensors.frequencies()) {}

  /// Norm, projections, attention over `cache`, residual; [tokens, hidden] to [tokens, hidden].
  /// `cache` becomes the cache with the tokens of this run.
  mlir::Value build(mlir::Value hidden, mlir::Value &cache, const TokenPlaces &places);

  /// The type of the layer's cache.
  lm::CacheType cacheType() const;

private:
  /// Heads of queries or keys, normalised if the model does so, and turned. `name` is "q" or "k".
  mlir::Value buildHeads(model::TensorRole matrix, model::TensorRole norm, int64_t heads,
                         mlir::Value normed, mlir::Value positions, llvm::StringRef name);
  mlir::Value buildHeadNorm(model::TensorRole norm, int64_t heads, mlir::Value rows,
                            llvm::StringRef name);
  mlir::Value buildRotation(int64_t heads, mlir::Value rows, mlir::Value positions,
                            llvm::StringRef name);
  mlir::Value buildAttend(mlir::Value queries, mlir::Value cache, const TokenPlaces &places);

  const model::Config &config;
  const model::AttentionConfig &attention;
  const model::LayerAttention &layer;
  llvm::ArrayRef<uint64_t> frequencies;
};

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_ATTENTIONBUILDER_H
