// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/moert/NumericParameters.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

static numerics::Scoring toNumerics(Scoring scoring) {
  switch (scoring) {
  case Scoring::Softmax:
    return numerics::Scoring::Softmax;
  case Scoring::Sigmoid:
    return numerics::Scoring::Sigmoid;
  case Scoring::SoftmaxAfterTopK:
    return numerics::Scoring::SoftmaxAfterTopK;
  case Scoring::Raw:
    return numerics::Scoring::Raw;
  }
  llvm_unreachable("unknown scoring");
}

static numerics::GroupScore toNumerics(GroupScore score) {
  switch (score) {
  case GroupScore::BestTwo:
    return numerics::GroupScore::BestTwo;
  case GroupScore::Best:
    return numerics::GroupScore::Best;
  }
  llvm_unreachable("unknown score of groups");
}

numerics::RouteParams moert::getRouteParams(RouteOp op) {
  const auto scores = cast<BufferType>(op.getScores().getType());
  numerics::RouteParams params{};
  params.experts = static_cast<int>(scores.getDim(1).getConstant());
  params.selected = static_cast<int>(op.getTop());
  params.groups = static_cast<int>(op.getGroups().value_or(1));
  params.groupsUsed = static_cast<int>(op.getGroupsUsed().value_or(1));
  params.groupScore = toNumerics(op.getGroupScore());
  params.scoring = toNumerics(op.getScoring());
  params.normalize = op.getNormalize();
  params.scale = op.getScale().convertToFloat();
  return params;
}

/// The verifiers see to it that the clamped kind alone has `alpha` and `limit`, and has both.
template <typename Op> static numerics::Glu gluOf(Op op) {
  numerics::Glu glu;
  if (op.getKind() == GluKind::SwigluClamped) {
    glu.kind = numerics::GluKind::SwigluClamped;
    glu.alpha = op.getAlpha()->convertToFloat();
    glu.limit = op.getLimit()->convertToFloat();
  }
  return glu;
}

numerics::Glu moert::getGluParams(GluOp op) { return gluOf(op); }
numerics::Glu moert::getGluParams(GluMatmulOp op) { return gluOf(op); }
