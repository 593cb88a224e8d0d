// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds the function of one layer: the feed-forward half as the model defines it, in semantic ops.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_LAYERBUILDER_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_LAYERBUILDER_H

#include "dialect/moe/MoeOps.h"
#include "runtime/model/LayerTensors.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace sortie {

class LayerBuilder {
public:
  LayerBuilder(const model::Config &config, const model::LayerTensors &tensors, int64_t layer)
      : config(config), tensors(tensors), layer(layer) {}

  /// Adds `func.func @blk_<layer>_ffn` to the end of `module`: norm, feed-forward network,
  /// residual; [tokens, hidden] to [tokens, hidden]. Its tensors have been checked, so it cannot
  /// fail.
  void build(mlir::ModuleOp module);

private:
  /// A gated network and the names of its values.
  struct NamedNetwork {
    model::Network network;
    llvm::StringRef gate, up, activation, down;
  };

  mlir::Value buildFeedForward(mlir::ImplicitLocOpBuilder &builder, mlir::Value normed);
  mlir::Value buildRouted(mlir::ImplicitLocOpBuilder &builder, mlir::Value normed);
  mlir::Value buildShared(mlir::ImplicitLocOpBuilder &builder, mlir::Value normed);
  moe::RouteOp buildRouter(mlir::ImplicitLocOpBuilder &builder, mlir::Value normed);
  /// The score of the shared experts as routing to the only one of them, with its sigmoid as
  /// weight.
  moe::RouteOp buildSharedRouter(mlir::ImplicitLocOpBuilder &builder, mlir::Value normed);
  /// down(glu(gate(x), up(x))). With `ids`, of the selected experts; without, dense.
  mlir::Value buildNetwork(mlir::ImplicitLocOpBuilder &builder, const NamedNetwork &named,
                           mlir::Value rows, mlir::Value ids);
  mlir::Value buildMatmul(mlir::ImplicitLocOpBuilder &builder, model::TensorRole matrix,
                          mlir::Value rows, mlir::Value ids);

  /// A weight of the layer.
  mlir::Value weight(mlir::ImplicitLocOpBuilder &builder, model::TensorName name);
  /// The same, or null if the layer has no such weight.
  mlir::Value optionalWeight(mlir::ImplicitLocOpBuilder &builder, model::TensorName name);
  /// Names the results of `op` for the audit: `blk.<layer>.<name>`.
  void setNames(mlir::Operation *op, llvm::ArrayRef<llvm::StringRef> names);

  const model::Config &config;
  const model::LayerTensors &tensors;
  int64_t layer;
};

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_LAYERBUILDER_H
