// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a weight is made of, as both dialects say it: one whole tensor of the model file is a
// string, anything else their attribute `tensors` (Tensors.td).

#ifndef SORTIE_DIALECT_COMMON_WEIGHTTENSORS_H
#define SORTIE_DIALECT_COMMON_WEIGHTTENSORS_H

#include "dialect/common/EmitError.h"
#include "runtime/numerics/encoding.h"
#include "runtime/weights/MatrixLayout.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/OpImplementation.h"

namespace sortie {

struct WeightTensors {
  /// One, or several of one shape: one for each expert.
  llvm::SmallVector<mlir::StringAttr> names;
  DimensionPart rows;
  DimensionPart columns;
  MatrixLayout layout;

  bool isWhole() const { return names.size() == 1 && !rows && !columns && !layout; }

  /// Conversions from and to the attribute of an op, `TensorsAttr` being that of its dialect.
  template <typename TensorsAttr> static WeightTensors from(mlir::Attribute attribute) {
    if (const auto name = llvm::dyn_cast<mlir::StringAttr>(attribute))
      return {{name}, {}, {}, {}};
    const auto tensors = llvm::cast<TensorsAttr>(attribute);
    return {llvm::to_vector(tensors.getNames()), tensors.getRows(), tensors.getColumns(),
            tensors.getLayout()};
  }
  template <typename TensorsAttr> mlir::Attribute to(mlir::MLIRContext *context) const {
    if (isWhole())
      return names.front();
    return TensorsAttr::get(context, names, rows, columns, layout);
  }
};

/// The constraints of the attribute `tensors`.
llvm::LogicalResult verifyTensorsAttr(EmitError emitError, llvm::ArrayRef<mlir::StringAttr> names,
                                      DimensionPart rows, DimensionPart columns,
                                      const MatrixLayout &layout);

/// Whether a weight of this shape and encoding can be made of `tensors`: printable names, the
/// number of them, the rank, that parts lie in their dimensions, and that no strip of rows is cut.
llvm::LogicalResult verifyWeightTensors(EmitError emitError, const WeightTensors &tensors,
                                        llvm::ArrayRef<int64_t> shape,
                                        const numerics::EncodingInfo &encoding);

/// `"name"` or `["name", ...]`, then `joined`, `rows(first of total)`, `columns(first of total)`,
/// `transposed` and `decoded(encoding)`, if any.
mlir::ParseResult parseWeightTensors(mlir::AsmParser &parser,
                                     llvm::SmallVector<mlir::StringAttr> &names,
                                     DimensionPart &rows, DimensionPart &columns,
                                     MatrixLayout &layout);
void printWeightTensors(mlir::AsmPrinter &printer, llvm::ArrayRef<mlir::StringAttr> names,
                        DimensionPart rows, DimensionPart columns, const MatrixLayout &layout);

/// The same for the attribute of an op, where the storage of TensorsAttr is known.
template <typename TensorsAttr>
mlir::ParseResult parseTensorsOf(mlir::OpAsmParser &parser, mlir::Attribute &attribute) {
  const llvm::SMLoc location = parser.getCurrentLocation();
  WeightTensors tensors;
  if (parseWeightTensors(parser, tensors.names, tensors.rows, tensors.columns, tensors.layout))
    return mlir::failure();
  if (tensors.isWhole())
    attribute = tensors.names.front();
  else
    attribute = parser.getChecked<TensorsAttr>(location, parser.getContext(), tensors.names,
                                               tensors.rows, tensors.columns, tensors.layout);
  return mlir::success(attribute != nullptr);
}
template <typename TensorsAttr>
void printTensorsOf(mlir::OpAsmPrinter &printer, mlir::Attribute attribute) {
  const auto tensors = WeightTensors::from<TensorsAttr>(attribute);
  printWeightTensors(printer, tensors.names, tensors.rows, tensors.columns, tensors.layout);
}

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_WEIGHTTENSORS_H
