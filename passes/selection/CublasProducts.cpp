// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products that cuBLAS computes: their operands are rounded to bf16, rows once for all products
// that read them, weights when they are loaded.

#include "passes/selection/CublasProducts.h"

#include "dialect/moert/NumericParameters.h"
#include "passes/selection/RowKernels.h"

using namespace mlir;

namespace sortie::selection {

bool isForCublas(Arithmetic arithmetic, const codegen::Product &product) {
  return arithmetic == Arithmetic::Bf16 && !product.isGrouped && !product.hasPermutation &&
         !product.hasFirstBias && !product.hasSecondBias &&
         product.output == numerics::RowKind::F32;
}

/// Rows of floats in bf16, rounded once. Null, with an error on `op`, if they are too many.
static Value roundToBf16(FunctionSelection &selection, Operation *op, Value rows) {
  Value &result = selection.rounded[rows];
  if (result)
    return result;
  const int64_t columns = selection.columnsOf(op, rows);
  const Value made =
      selection.makeBuffer(op->getLoc(), typeOf(rows).getShape(), moert::ElementKind::BF16);
  if (columns < 0 || failed(selection.launch(
                         op, LaunchBuilder(op).grid(rowsOf(rows)).read(rows).write(made),
                         [&](const codegen::Chip &) { return codegen::roundBf16Kernel(columns); })))
    return {};
  return result = made;
}

static void multiply(FunctionSelection &selection, Operation *op, Value input,
                     FlatSymbolRefAttr matrix, Value output) {
  selection.kernels.packAsBf16(selection.kernels.lookUpWeight(matrix));
  moert::CublasMatmulOp::create(selection.builder, op->getLoc(), input, matrix, output);
  ++selection.numLibraryCalls;
}

LogicalResult selectCublas(FunctionSelection &selection, moert::MatmulOp op) {
  const Value input = roundToBf16(selection, op, op.getInput());
  if (!input)
    return failure();
  multiply(selection, op, input, op.getWeightsAttr(), op.getOutput());
  return success();
}

LogicalResult selectCublas(FunctionSelection &selection, moert::GluMatmulOp op) {
  const Value input = roundToBf16(selection, op, op.getInput());
  if (!input)
    return failure();
  const auto product = [&](FlatSymbolRefAttr matrix) {
    const Value result = selection.makeBuffer(op.getLoc(), typeOf(op.getOutput()).getShape(),
                                              moert::ElementKind::F32);
    multiply(selection, op, input, matrix, result);
    return result;
  };
  const Value gate = product(op.getGateAttr());
  const Value up = product(op.getUpAttr());
  return launchGlu(selection, op, moert::getGluParams(op), gate, up, op.getOutput());
}

} // namespace sortie::selection
