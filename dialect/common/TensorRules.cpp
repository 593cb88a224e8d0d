// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/common/TensorRules.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;

LogicalResult sortie::verifyShape(Operation *op, StringRef what, Value value,
                                  ArrayRef<int64_t> shape) {
  if (!value ||
      succeeded(verifyCompatibleShape(cast<RankedTensorType>(value.getType()).getShape(), shape)))
    return success();
  InFlightDiagnostic diagnostic = op->emitOpError() << what << " must be [";
  llvm::interleaveComma(shape, diagnostic, [&](int64_t dim) {
    if (ShapedType::isDynamic(dim))
      diagnostic << "?";
    else
      diagnostic << dim;
  });
  return diagnostic << "], got " << value.getType();
}
