// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "FeedForwardBuilder.h"
#include "DialectEnums.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace sortie;
using model::Network;
using model::Projection;
using model::TensorKind;
using model::TensorRole;

Value FeedForwardBuilder::buildProjection(TensorRole matrix, Value rows, Value ids,
                                          StringRef name) {
  if (!ids)
    return buildMatmul(matrix, rows, name);
  Value weights = weight({matrix});
  Value scale = optionalWeight({matrix, TensorKind::Scale});
  Value bias = optionalWeight({matrix, TensorKind::Bias});
  return named(
      moe::RoutedMatmulOp::create(builder, rows, weights, ids, scale, bias, moe::ArithmeticAttr()),
      name);
}

Value FeedForwardBuilder::buildNetwork(const NamedNetwork &names, Value rows, Value ids) {
  auto matrix = [&](Projection projection) { return roleOf(names.network, projection); };
  Value gate = buildProjection(matrix(Projection::Gate), rows, ids, names.gate);
  Value up = buildProjection(matrix(Projection::Up), rows, ids, names.up);

  const numerics::Glu &activation = config.architecture->activation;
  FloatAttr alpha, limit;
  if (activation.kind == numerics::GluKind::SwigluClamped) {
    alpha = builder.getF32FloatAttr(activation.alpha);
    limit = builder.getF32FloatAttr(activation.limit);
  }
  auto kind = moe::GluKindAttr::get(builder.getContext(), toDialect(activation.kind));
  Value act = moe::GluOp::create(builder, gate.getType(), gate, up, kind, alpha, limit);
  setNames(act.getDefiningOp(), names.activation);
  return buildProjection(matrix(Projection::Down), act, ids, names.down);
}

moe::RouteOp FeedForwardBuilder::buildRouter(Value normed) {
  Value scores = buildMatmul(TensorRole::Router, normed, "scores");
  IntegerAttr groups, groupsUsed;
  if (config.groups > 1) {
    groups = builder.getI64IntegerAttr(config.groups);
    groupsUsed = builder.getI64IntegerAttr(config.groupsUsed);
  }
  MLIRContext *context = builder.getContext();
  auto route = moe::RouteOp::create(
      builder, scores, optionalWeight({TensorRole::SelectionBias, TensorKind::Bias}),
      builder.getI64IntegerAttr(layer.selected),
      moe::ScoringAttr::get(context, toDialect(config.scoring)), groupsUsed, groups,
      moe::GroupScoreAttr::get(context, toDialect(config.groupScore)),
      config.normalize ? builder.getUnitAttr() : UnitAttr(), builder.getF32FloatAttr(config.scale),
      moe::TieRuleAttr::get(context, TieRule::LowerId));
  setNames(route, {"ids", "weights"});
  return route;
}

moe::RouteOp FeedForwardBuilder::buildSharedRouter(Value normed) {
  Value scores = buildMatmul(TensorRole::SharedScore, normed, "shared_scores");
  MLIRContext *context = builder.getContext();
  auto route = moe::RouteOp::create(
      builder, scores, /*bias=*/Value(), builder.getI64IntegerAttr(1),
      moe::ScoringAttr::get(context, Scoring::Sigmoid), /*groups_used=*/IntegerAttr(),
      /*groups=*/IntegerAttr(), moe::GroupScoreAttr::get(context, GroupScore::BestTwo),
      /*normalize=*/UnitAttr(), builder.getF32FloatAttr(1),
      moe::TieRuleAttr::get(context, TieRule::LowerId));
  setNames(route, {"shared_ids", "shared_weights"});
  return route;
}

Value FeedForwardBuilder::buildRouted(Value normed) {
  moe::RouteOp route = buildRouter(normed);
  Value rows =
      buildNetwork({Network::Experts, "gate", "up", "act", "down"}, normed, route.getIds());
  return named(moe::CombineOp::create(builder, rows, /*inverse=*/Value(), route.getWeights()),
               "routed");
}

Value FeedForwardBuilder::buildShared(Value normed) {
  if (config.architecture->shared == model::SharedExperts::Added)
    return buildNetwork(
        {Network::SharedExperts, "shared_gate", "shared_up", "shared_act", "shared"}, normed,
        /*ids=*/Value());
  moe::RouteOp route = buildSharedRouter(normed);
  Value rows = buildNetwork(
      {Network::SharedExperts, "shared_gate", "shared_up", "shared_act", "shared_down"}, normed,
      route.getIds());
  return named(moe::CombineOp::create(builder, rows, /*inverse=*/Value(), route.getWeights()),
               "shared");
}

Value FeedForwardBuilder::buildNetworks(Value normed) {
  if (layer.dense)
    return buildNetwork({Network::Dense, "gate", "up", "act", "down"}, normed,
                        /*ids=*/Value());
  Value routed = buildRouted(normed);
  if (!hasShared)
    return routed;
  return buildAdd(routed, buildShared(normed), "experts");
}

Value FeedForwardBuilder::build(Value hidden) {
  Value normed = buildNorm(config.architecture->norm, hidden, config.epsilon, "ffn_norm");
  Value scaled = buildScale(buildNetworks(normed), config.residualScale, "ffn_scaled");
  return buildAdd(scaled, hidden, "ffn_out");
}

Location sortie::layerLocation(MLIRContext *context, int64_t layer) {
  return NameLoc::get(StringAttr::get(context, model::layerName(Twine(layer))));
}

void sortie::buildFeedForwardFunction(ModuleOp module, const model::Config &config,
                                      const model::LayerTensors &tensors, int64_t layer) {
  ImplicitLocOpBuilder builder(layerLocation(module.getContext(), layer), module.getBodyRegion());
  builder.setInsertionPointToEnd(module.getBody());

  auto type = RankedTensorType::get({ShapedType::kDynamic, config.hidden}, builder.getF32Type());
  auto function = func::FuncOp::create(builder, ("blk_" + Twine(layer) + "_ffn").str(),
                                       builder.getFunctionType(type, type));
  const StringRef nameAttribute = moe::MoeDialect::kNameName;
  function.setArgAttr(0, nameAttribute, builder.getStringAttr("hidden"));
  function.setResultAttr(0, nameAttribute, builder.getStringAttr("ffn_out"));
  builder.setInsertionPointToStart(function.addEntryBlock());
  Value hidden = function.getArgument(0);
  func::ReturnOp::create(builder,
                         FeedForwardBuilder(builder, config, tensors, layer).build(hidden));
}
