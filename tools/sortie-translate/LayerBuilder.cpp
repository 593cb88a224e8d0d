// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "LayerBuilder.h"
#include "DialectEnums.h"

using namespace mlir;
using namespace sortie;
using model::Network;
using model::Projection;
using model::TensorKind;
using model::TensorName;
using model::TensorRole;

Value LayerBuilder::weight(ImplicitLocOpBuilder &builder, TensorName name) {
  const model::Weight &weight = tensors.get(name);
  Type element = moe::getWeightElementType(builder.getContext(), weight.encoding);
  const auto names = llvm::map_to_vector(
      weight.tensors, [](const gguf::Tensor *tensor) -> StringRef { return tensor->name; });
  return moe::WeightOp::create(builder, RankedTensorType::get(weight.shape, element), names,
                               weight.rows, weight.columns);
}

Value LayerBuilder::optionalWeight(ImplicitLocOpBuilder &builder, TensorName name) {
  return tensors.has(name) ? weight(builder, name) : Value();
}

void LayerBuilder::setNames(Operation *op, ArrayRef<StringRef> names) {
  Builder builder(op->getContext());
  SmallVector<Attribute> full;
  for (StringRef name : names)
    full.push_back(builder.getStringAttr(model::layerTensorName(layer, name)));
  op->setAttr(moe::MoeDialect::kNamesName, builder.getArrayAttr(full));
}

Value LayerBuilder::buildMatmul(ImplicitLocOpBuilder &builder, TensorRole matrix, Value rows,
                                Value ids) {
  Value weights = weight(builder, {matrix});
  Value bias = optionalWeight(builder, {matrix, TensorKind::Bias});
  if (ids)
    return moe::RoutedMatmulOp::create(builder, rows, weights, ids,
                                       optionalWeight(builder, {matrix, TensorKind::Scale}), bias,
                                       moe::ArithmeticAttr());
  return moe::MatmulOp::create(builder, rows, weights, bias, moe::ArithmeticAttr());
}

Value LayerBuilder::buildNetwork(ImplicitLocOpBuilder &builder, const NamedNetwork &named,
                                 Value rows, Value ids) {
  auto matrix = [&](Projection projection) { return roleOf(named.network, projection); };
  Value gate = buildMatmul(builder, matrix(Projection::Gate), rows, ids);
  setNames(gate.getDefiningOp(), named.gate);
  Value up = buildMatmul(builder, matrix(Projection::Up), rows, ids);
  setNames(up.getDefiningOp(), named.up);

  const numerics::Glu &activation = config.architecture->activation;
  FloatAttr alpha, limit;
  if (activation.kind == numerics::GluKind::SwigluClamped) {
    alpha = builder.getF32FloatAttr(activation.alpha);
    limit = builder.getF32FloatAttr(activation.limit);
  }
  auto kind = moe::GluKindAttr::get(builder.getContext(), toDialect(activation.kind));
  Value act = moe::GluOp::create(builder, gate.getType(), gate, up, kind, alpha, limit);
  setNames(act.getDefiningOp(), named.activation);
  Value down = buildMatmul(builder, matrix(Projection::Down), act, ids);
  setNames(down.getDefiningOp(), named.down);
  return down;
}

moe::RouteOp LayerBuilder::buildRouter(ImplicitLocOpBuilder &builder, Value normed) {
  Value scores = buildMatmul(builder, TensorRole::Router, normed, /*ids=*/Value());
  setNames(scores.getDefiningOp(), {"scores"});
  IntegerAttr groups, groupsUsed;
  if (config.groups > 1) {
    groups = builder.getI64IntegerAttr(config.groups);
    groupsUsed = builder.getI64IntegerAttr(config.groupsUsed);
  }
  MLIRContext *context = builder.getContext();
  auto route = moe::RouteOp::create(
      builder, scores, optionalWeight(builder, {TensorRole::SelectionBias, TensorKind::Bias}),
      builder.getI64IntegerAttr(config.layers[layer].selected),
      moe::ScoringAttr::get(context, toDialect(config.scoring)), groupsUsed, groups,
      moe::GroupScoreAttr::get(context, toDialect(config.groupScore)),
      config.normalize ? builder.getUnitAttr() : UnitAttr(), builder.getF32FloatAttr(config.scale),
      moe::TieRuleAttr::get(context, TieRule::LowerId));
  setNames(route, {"ids", "weights"});
  return route;
}

moe::RouteOp LayerBuilder::buildSharedRouter(ImplicitLocOpBuilder &builder, Value normed) {
  Value scores = moe::MatmulOp::create(builder, normed, weight(builder, {TensorRole::SharedScore}),
                                       /*bias=*/Value(), moe::ArithmeticAttr());
  setNames(scores.getDefiningOp(), {"shared_scores"});
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

Value LayerBuilder::buildRouted(ImplicitLocOpBuilder &builder, Value normed) {
  moe::RouteOp route = buildRouter(builder, normed);
  Value rows = buildNetwork(builder, {Network::Experts, "gate", "up", "act", "down"}, normed,
                            route.getIds());
  Value routed = moe::CombineOp::create(builder, rows, /*inverse=*/Value(), route.getWeights());
  setNames(routed.getDefiningOp(), {"routed"});
  return routed;
}

Value LayerBuilder::buildShared(ImplicitLocOpBuilder &builder, Value normed) {
  if (config.architecture->shared == model::SharedExperts::Added)
    return buildNetwork(
        builder, {Network::SharedExperts, "shared_gate", "shared_up", "shared_act", "shared"},
        normed, /*ids=*/Value());
  moe::RouteOp route = buildSharedRouter(builder, normed);
  Value rows = buildNetwork(
      builder, {Network::SharedExperts, "shared_gate", "shared_up", "shared_act", "shared_down"},
      normed, route.getIds());
  Value shared = moe::CombineOp::create(builder, rows, /*inverse=*/Value(), route.getWeights());
  setNames(shared.getDefiningOp(), {"shared"});
  return shared;
}

Value LayerBuilder::buildFeedForward(ImplicitLocOpBuilder &builder, Value normed) {
  if (config.layers[layer].dense)
    return buildNetwork(builder, {Network::Dense, "gate", "up", "act", "down"}, normed,
                        /*ids=*/Value());
  Value routed = buildRouted(builder, normed);
  if (!tensors.hasShared())
    return routed;
  Value experts = moe::AddOp::create(builder, routed, buildShared(builder, normed));
  setNames(experts.getDefiningOp(), {"experts"});
  return experts;
}

void LayerBuilder::build(ModuleOp module) {
  auto location =
      NameLoc::get(StringAttr::get(module.getContext(), model::layerName(Twine(layer))));
  ImplicitLocOpBuilder builder(location, module.getBodyRegion());
  builder.setInsertionPointToEnd(module.getBody());

  auto type = RankedTensorType::get({ShapedType::kDynamic, config.hidden}, builder.getF32Type());
  auto function = func::FuncOp::create(builder, ("blk_" + Twine(layer) + "_ffn").str(),
                                       builder.getFunctionType(type, type));
  const StringRef nameAttribute = moe::MoeDialect::kNameName;
  function.setArgAttr(0, nameAttribute, builder.getStringAttr("hidden"));
  function.setResultAttr(0, nameAttribute, builder.getStringAttr("ffn_out"));
  builder.setInsertionPointToStart(function.addEntryBlock());

  Value hidden = function.getArgument(0);
  Value normed =
      moe::RmsNormOp::create(builder, hidden, weight(builder, {config.architecture->norm}),
                             builder.getF32FloatAttr(config.epsilon));
  setNames(normed.getDefiningOp(), {"ffn_norm"});
  Value contribution = buildFeedForward(builder, normed);
  Value result = moe::AddOp::create(builder, contribution, hidden);
  setNames(result.getDefiningOp(), {"ffn_out"});
  func::ReturnOp::create(builder, result);
}
