// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the rows of a weight lie in the model file, and what messages call it.

#include "runtime/weights/WeightSpec.h"

#include "llvm/ADT/Twine.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace llvm;

namespace sortie {

//===- Layout ------------------------------------------------------------===//

SmallVector<int64_t, 3> WeightSpec::tensorShape() const {
  return tensorShapeOf(ArrayRef(shape).drop_front(isStacked() ? 1 : 0), rowPart, columnPart,
                       layout);
}

uint64_t WeightSpec::storedBytes() const {
  if (!layout.isTransposed)
    return bytes();
  return experts() * columns() * numerics::rowBytes(storedInfo(), rowsOfExpert());
}

int64_t WeightSpec::rowsTogether(int64_t firstRow, int64_t rowCount) const {
  if (layout.isTransposed)
    return std::min(rowCount, rowsOfExpert() - firstRow % rowsOfExpert());
  return piece(firstRow, rowCount).rows;
}

TensorPiece WeightSpec::matrixPiece(int64_t matrix) const {
  const int64_t matrixRows = rowPart ? rowPart.total : columns();
  const int64_t firstRow = (isStacked() ? 0 : matrix * matrixRows) + rowPart.first;
  const uint64_t storedRowBytes = numerics::rowBytes(storedInfo(), rowsOfExpert());
  return {tensors[isStacked() ? matrix : 0], firstRow * storedRowBytes, columns() * storedRowBytes,
          columns()};
}

TensorPiece WeightSpec::columnPiece(int64_t firstRow, int64_t rowCount, int64_t column) const {
  const TensorPiece matrix = matrixPiece(firstRow / rowsOfExpert());
  const uint64_t elementBytes = info().bytes;
  const int64_t element = column * rowsOfExpert() + firstRow % rowsOfExpert();
  return {matrix.tensor, matrix.offset + element * elementBytes, rowCount * elementBytes, rowCount};
}

TensorPiece WeightSpec::piece(int64_t firstRow, int64_t rowCount) const {
  const SmallVector<int64_t, 3> whole = tensorShape();
  const uint64_t wholeRowBytes = numerics::rowBytes(info(), whole.back());
  const uint64_t firstColumnBytes =
      info().stripRows * numerics::blocksBytes(info(), columnPart.first);
  // Rows lie together within a matrix of a tensor; all of them where the weight is the tensor.
  const bool hasMatrices = shape.size() == 3 || isStacked();
  const int64_t matrixRows = hasMatrices ? rows() / shape.front() : rows();
  const int64_t wholeMatrixRows = rowPart ? rowPart.total : matrixRows;
  const int64_t matrix = firstRow / matrixRows;
  const int64_t rowOfMatrix = firstRow % matrixRows;
  const int64_t firstOfMatrix = isStacked() ? 0 : matrix * wholeMatrixRows;
  int64_t together = rowCount;
  if (whole.back() != columns())
    together = std::min<int64_t>(rowCount, info().stripRows);
  else if (wholeMatrixRows != matrixRows || isStacked())
    together = std::min(rowCount, matrixRows - rowOfMatrix);
  return {tensors[isStacked() ? matrix : 0],
          (firstOfMatrix + rowPart.first + rowOfMatrix) * wholeRowBytes + firstColumnBytes,
          together * rowBytes(), together};
}

std::string WeightSpec::identity() const {
  std::string text;
  raw_string_ostream out(text);
  out << info().name;
  for (const int64_t extent : shape)
    out << ' ' << extent;
  for (const DimensionPart &part : {rowPart, columnPart})
    out << " (" << part.first << " of " << part.total << ')';
  if (layout.isJoined)
    out << " joined";
  if (layout.isTransposed)
    out << " transposed";
  if (layout.stored)
    out << " of " << storedInfo().name;
  for (const std::string &tensor : tensors)
    out << ' ' << tensor.size() << ':' << tensor; // no name can look like two
  return text;
}

//===- Messages ----------------------------------------------------------===//

/// "rows 512 to 1023", or nothing for a whole dimension.
static std::string describePart(StringRef name, DimensionPart part, int64_t extent) {
  if (!part)
    return "";
  return (name + " " + Twine(part.first) + " to " + Twine(part.first + extent - 1)).str();
}

/// "rows 512 to 1023 and columns 0 to 31".
static std::string describeParts(const WeightSpec &spec) {
  const int64_t ownRows = spec.shape.size() < 2 ? 1 : spec.shape[spec.shape.size() - 2];
  const int64_t matrixRows = spec.layout.isTransposed ? spec.columns() : ownRows;
  std::string rows = describePart("rows", spec.rowPart, matrixRows);
  if (spec.rowPart && spec.layout.isJoined)
    rows += (" of each " + Twine(spec.rowPart.total)).str();
  const std::string columns = describePart("columns", spec.columnPart, spec.columns());
  return rows + (rows.empty() || columns.empty() ? "" : " and ") + columns;
}

/// " (f32, 8x64)".
static std::string describeType(const WeightSpec &spec) {
  std::string extents;
  for (const int64_t extent : spec.tensorShape())
    extents += (Twine(extents.empty() ? "" : "x") + Twine(extent)).str();
  return " (" + std::string(spec.storedInfo().name) + ", " + extents + ")";
}

std::string WeightSpec::describeTensor(StringRef name) const {
  return ("tensor '" + name + "'" + describeType(*this)).str();
}

std::string WeightSpec::describe() const {
  const std::string parts = describeParts(*this);
  const std::string prefix =
      (layout.isTransposed ? "the transpose of " : "") + parts + (parts.empty() ? "" : " of ");
  if (!isStacked())
    return prefix + describeTensor(tensors.front());
  return prefix + "tensors '" + tensors.front() + "' to '" + tensors.back() + "'" +
         describeType(*this);
}

std::string WeightSpec::label() const {
  const std::string parts = describeParts(*this);
  return tensors.front() + (isStacked() ? " to " + tensors.back() : "") +
         (parts.empty() ? "" : " " + parts) + (layout.isTransposed ? " transposed" : "");
}

} // namespace sortie
