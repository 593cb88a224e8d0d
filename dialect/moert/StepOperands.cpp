// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Operations with many parameters, as steps.

#include "dialect/moert/MoertOps.h"
#include "runtime/numerics/convert.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

#include "dialect/moert/MoertInterfaces.cpp.inc"

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

StepOperands RouteOp::getStepOperands() {
  const numerics::RouteParams params = getRouteParams(*this);
  return StepOperands()
      .read(getScores())
      .vector(getBiasAttr())
      .write(getIds())
      .write(getWeights())
      .parameter(int64_t{params.selected})
      .parameter(int64_t{params.groups})
      .parameter(int64_t{params.groupsUsed})
      .parameter(static_cast<int64_t>(params.groupScore))
      .parameter(static_cast<int64_t>(params.scoring))
      .parameter(int64_t{params.normalize})
      .parameter(params.scale);
}

/// The slots of a token that a product gathers rows for; 0 where it reads them in their order.
template <typename ProductOp> static int64_t gatheredSlots(ProductOp op) {
  return static_cast<int64_t>(op.getSlots().value_or(0));
}

StepOperands MatmulOp::getStepOperands() {
  return StepOperands()
      .read(getInput())
      .readOffsets(getOffsets())
      .readPermutation(getPermutation())
      .read(getScale())
      .matrix(getWeightsAttr())
      .vector(getExpertScaleAttr())
      .vector(getBiasAttr())
      .write(getOutput())
      .parameter(gatheredSlots(*this))
      .parameter(int64_t{getArithmetic() == Arithmetic::Bf16});
}

/// The kind of a buffer of floats.
static int64_t floatKindOf(Value buffer) {
  switch (cast<BufferType>(buffer.getType()).getKind()) {
  case ElementKind::F16:
    return static_cast<int64_t>(numerics::FloatKind::F16);
  case ElementKind::BF16:
    return static_cast<int64_t>(numerics::FloatKind::BF16);
  default:
    return static_cast<int64_t>(numerics::FloatKind::F32);
  }
}

StepOperands ConvertOp::getStepOperands() {
  return StepOperands()
      .read(getInput())
      .write(getOutput())
      .parameter(floatKindOf(getInput()))
      .parameter(floatKindOf(getOutput()));
}

/// The bytes of a row, whose number of elements is constant.
static int64_t rowBytes(Value buffer) {
  const auto type = cast<BufferType>(buffer.getType());
  return getRowBytes(type.getKind(), type.getShape().back().getConstant());
}

StepOperands ReadRowsOp::getStepOperands() {
  return StepOperands()
      .read(getTable())
      .read(getIndex())
      .write(getOutput())
      .parameter(rowBytes(getTable()));
}

StepOperands WriteRowsOp::getStepOperands() {
  return StepOperands()
      .read(getRows())
      .read(getIndex())
      .write(getTable())
      .parameter(rowBytes(getTable()));
}

StepOperands GluMatmulOp::getStepOperands() {
  const numerics::Glu glu = getGluParams(*this);
  return StepOperands()
      .read(getInput())
      .readOffsets(getOffsets())
      .readPermutation(getPermutation())
      .matrix(getGateAttr())
      .matrix(getUpAttr())
      .vector(getGateScaleAttr())
      .vector(getUpScaleAttr())
      .vector(getGateBiasAttr())
      .vector(getUpBiasAttr())
      .write(getOutput())
      .parameter(gatheredSlots(*this))
      .parameter(int64_t{getArithmetic() == Arithmetic::Bf16})
      .parameter(static_cast<int64_t>(glu.kind))
      .parameter(glu.alpha)
      .parameter(glu.limit);
}
