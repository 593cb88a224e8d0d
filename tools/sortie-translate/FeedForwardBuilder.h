// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds the feed-forward half of a layer as the model defines it, in semantic ops.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_FEEDFORWARDBUILDER_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_FEEDFORWARDBUILDER_H

#include "PartBuilder.h"

#include "runtime/model/LayerTensors.h"

#include "mlir/IR/BuiltinOps.h"

namespace sortie {

class FeedForwardBuilder : PartBuilder {
public:
  FeedForwardBuilder(mlir::ImplicitLocOpBuilder &builder, const model::Config &config,
                     const model::LayerTensors &tensors, int64_t layer)
      : PartBuilder(builder, tensors, model::layerTensorName(layer, "")), config(config),
        layer(config.layers[layer]), hasShared(tensors.hasShared()) {}

  /// Norm, feed-forward network, residual; [tokens, hidden] to [tokens, hidden].
  mlir::Value build(mlir::Value hidden);

private:
  /// A gated network and the names of its values.
  struct NamedNetwork {
    model::Network network;
    llvm::StringRef gate, up, activation, down;
  };

  mlir::Value buildNetworks(mlir::Value normed);
  mlir::Value buildRouted(mlir::Value normed);
  mlir::Value buildShared(mlir::Value normed);
  moe::RouteOp buildRouter(mlir::Value normed);
  /// The score of the shared experts as routing to the only one of them, with its sigmoid as
  /// weight.
  moe::RouteOp buildSharedRouter(mlir::Value normed);
  /// down(glu(gate(x), up(x))). With `ids`, of the selected experts; without, dense.
  mlir::Value buildNetwork(const NamedNetwork &named, mlir::Value rows, mlir::Value ids);
  mlir::Value buildProjection(model::TensorRole matrix, mlir::Value rows, mlir::Value ids,
                              llvm::StringRef name);

  const model::Config &config;
  const model::LayerConfig &layer;
  bool hasShared;
};

/// "blk.<layer>", the location of all ops of a layer.
mlir::Location layerLocation(mlir::MLIRContext *context, int64_t layer);

/// Adds `func.func @blk_<layer>_ffn` to the end of `module`: the feed-forward half of one layer.
void buildFeedForwardFunction(mlir::ModuleOp module, const model::Config &config,
                              const model::LayerTensors &tensors, int64_t layer);

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_FEEDFORWARDBUILDER_H
