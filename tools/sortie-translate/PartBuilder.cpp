// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "PartBuilder.h"

using namespace mlir;
using namespace sortie;
using model::TensorKind;
using model::TensorName;
using model::TensorRole;

Value PartBuilder::weight(TensorName name) {
  const model::Weight &weight = weights.get(name);
  Type element = moe::getWeightElementType(builder.getContext(), weight.encoding);
  const auto names = llvm::map_to_vector(
      weight.tensors, [](const gguf::Tensor *tensor) -> StringRef { return tensor->name; });
  return moe::WeightOp::create(builder, RankedTensorType::get(weight.shape, element), names,
                               weight.rows, weight.columns, weight.layout);
}

Value PartBuilder::optionalWeight(TensorName name) {
  return hasWeight(name) ? weight(name) : Value();
}

void PartBuilder::setNames(Operation *op, ArrayRef<StringRef> names) {
  SmallVector<Attribute> full;
  for (StringRef name : names)
    full.push_back(builder.getStringAttr(prefix + name));
  op->setAttr(moe::MoeDialect::kNamesName, builder.getArrayAttr(full));
}

Value PartBuilder::named(Value value, StringRef name) {
  setNames(value.getDefiningOp(), name);
  return value;
}

Value PartBuilder::buildMatmul(TensorRole matrix, Value rows, StringRef name) {
  Value weights = weight({matrix});
  Value bias = optionalWeight({matrix, TensorKind::Bias});
  return named(moe::MatmulOp::create(builder, rows, weights, bias, moe::ArithmeticAttr()), name);
}

Value PartBuilder::buildNorm(TensorRole norm, Value rows, float epsilon, StringRef name) {
  return named(
      moe::RmsNormOp::create(builder, rows, weight({norm}), builder.getF32FloatAttr(epsilon)),
      name);
}

Value PartBuilder::buildAdd(Value lhs, Value rhs, StringRef name) {
  return named(moe::AddOp::create(builder, lhs, rhs), name);
}

Value PartBuilder::buildScale(Value rows, float factor, StringRef name) {
  if (factor == 1.0f)
    return rows;
  return named(moe::ScaleOp::create(builder, rows, builder.getF32FloatAttr(factor)), name);
}
