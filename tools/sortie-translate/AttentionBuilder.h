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
  /// What heads see of normalised tokens, before they are projected. `cache` is appended to.
  mlir::Value mix(mlir::Value normed, mlir::Value &cache, const TokenPlaces &places);
  /// The same of keys and values that are made of latents.
  mlir::Value mixLatents(const model::LatentSizes &latent, mlir::Value normed, mlir::Value &cache,
                         const TokenPlaces &places);

  /// Heads of queries or keys, normalised if the model does so, and turned. `name` is "q" or "k".
  mlir::Value buildHeads(model::TensorRole matrix, model::TensorRole norm, int64_t heads,
                         mlir::Value normed, mlir::Value positions, llvm::StringRef name);
  /// The rows themselves if the layer has no such norm.
  mlir::Value buildHeadNorm(model::TensorRole norm, int64_t heads, mlir::Value rows,
                            llvm::StringRef name);
  mlir::Value buildRotation(int64_t heads, mlir::Value rows, mlir::Value positions,
                            llvm::StringRef name);
  mlir::Value buildAttend(mlir::Value queries, mlir::Value cache, const TokenPlaces &places);

  mlir::Value buildLatentQueries(const model::LatentSizes &latent, mlir::Value normed);
  /// Of each head the elements from `first` on.
  mlir::Value buildSlice(int64_t heads, mlir::Value rows, int64_t first, int64_t elements,
                         llvm::StringRef name);
  /// The product of each head with a matrix of its own.
  mlir::Value buildHeadMatmul(model::TensorRole matrices, mlir::Value rows, llvm::StringRef name);

  /// Rows of heads of this many elements.
  mlir::RankedTensorType headsType(int64_t heads, int64_t elements) {
    return mlir::RankedTensorType::get({mlir::ShapedType::kDynamic, heads * elements},
                                       builder.getF32Type());
  }

  const model::Config &config;
  const model::AttentionConfig &attention;
  const model::LayerAttention &layer;
  llvm::ArrayRef<uint64_t> frequencies;
};

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_ATTENTIONBUILDER_H
