// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/moert/NumericParameters.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

numerics::Scoring moert::toNumerics(Scoring scoring) {
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

numerics::GroupScore moert::toNumerics(GroupScore score) {
  switch (score) {
  case GroupScore::BestTwo:
    return numerics::GroupScore::BestTwo;
  case GroupScore::Best:
    return numerics::GroupScore::Best;
  }
  llvm_unreachable("unknown score of groups");
}

numerics::Glu moert::getGluParams(GluKind kind, const std::optional<llvm::APFloat> &alpha,
                                  const std::optional<llvm::APFloat> &limit) {
  numerics::Glu glu;
  if (kind == GluKind::SwigluClamped) {
    glu.kind = numerics::GluKind::SwigluClamped;
    glu.alpha = alpha->convertToFloat();
    glu.limit = limit->convertToFloat();
  }
  return glu;
}
