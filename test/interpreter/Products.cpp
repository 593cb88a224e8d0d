// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/Products.h"

#include "llvm/Support/FormatVariadic.h"

#include <cmath>

using namespace mlir;
using namespace sortie;
using namespace sortie::interpreter;

void Product::relate(Value input, Value result, Relations &relations) const {
  const Dimension features = lastDimension(weights, /*before=*/1);
  relations.equal(lastDimension(input), lastDimension(weights));
  relations.equal(lastDimension(result), features);
  relations.equal(lastDimension(bias), features);
  if (cast<RankedTensorType>(weights.getType()).getRank() < 3)
    return;
  relations.equal({bias, 0}, {weights, 0});
  relations.equal({expertScale, 0}, {weights, 0});
}

void Product::multiply(ArrayRef<double> input, int64_t expert, const Frame &frame,
                       MutableArrayRef<double> result) const {
  const Tensor &matrices = frame[weights];
  const Tensor *scales = frame.find(expertScale), *biases = frame.find(bias);
  for (auto [feature, y] : llvm::enumerate(result)) {
    y = 0;
    const ArrayRef<double> row = matrices.row(expert * std::ssize(result) + feature);
    for (auto [x, w] : llvm::zip_equal(input, row))
      y += x * w;
    if (scales)
      y *= scales->elements[expert];
    if (biases)
      y += biases->row(expert)[feature];
  }
}

double sortie::interpreter::sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

double sortie::interpreter::activate(GluKind kind, const std::optional<llvm::APFloat> &alpha,
                                     const std::optional<llvm::APFloat> &limit, double gate,
                                     double up) {
  switch (kind) {
  case GluKind::Swiglu:
    return gate * sigmoid(gate) * up;
  case GluKind::SwigluClamped: {
    // In this order of arguments, std::min and std::max keep a NaN.
    const double bound = limit->convertToDouble();
    const double g = std::min(gate, bound), u = std::max(std::min(up, bound), -bound);
    return (u + 1) * g * sigmoid(alpha->convertToDouble() * g);
  }
  }
  llvm_unreachable("unknown kind of gated activation");
}

FailureOr<int64_t> sortie::interpreter::checkIndex(Operation *op, StringRef what, double index,
                                                   int64_t limit) {
  if (index >= 0 && index < static_cast<double>(limit))
    return static_cast<int64_t>(index);
  return op->emitOpError() << what << " has " << llvm::formatv("{0:f0}", index).str()
                           << ", which is none of " << limit;
}
