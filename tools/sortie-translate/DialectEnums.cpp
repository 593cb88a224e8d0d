// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "DialectEnums.h"

#include "llvm/Support/ErrorHandling.h"

using namespace sortie;

Scoring sortie::toDialect(numerics::Scoring scoring) {
  switch (scoring) {
  case numerics::Scoring::Softmax:
    return Scoring::Softmax;
  case numerics::Scoring::Sigmoid:
    return Scoring::Sigmoid;
  case numerics::Scoring::SoftmaxAfterTopK:
    return Scoring::SoftmaxAfterTopK;
  case numerics::Scoring::Raw:
    return Scoring::Raw;
  }
  llvm_unreachable("all scorings are handled");
}

GroupScore sortie::toDialect(numerics::GroupScore score) {
  switch (score) {
  case numerics::GroupScore::BestTwo:
    return GroupScore::BestTwo;
  case numerics::GroupScore::Best:
    return GroupScore::Best;
  }
  llvm_unreachable("all scores of groups are handled");
}

GluKind sortie::toDialect(numerics::GluKind kind) {
  switch (kind) {
  case numerics::GluKind::Swiglu:
    return GluKind::Swiglu;
  case numerics::GluKind::SwigluClamped:
    return GluKind::SwigluClamped;
  }
  llvm_unreachable("all gated activations are handled");
}

PairOrder sortie::toDialect(model::RotaryPairs pairs) {
  switch (pairs) {
  case model::RotaryPairs::Neighbours:
    return PairOrder::Neighbours;
  case model::RotaryPairs::Halves:
    return PairOrder::Halves;
  }
  llvm_unreachable("all orders of pairs are handled");
}
