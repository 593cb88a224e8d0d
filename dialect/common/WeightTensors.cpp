// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Textual form and rules of what weights are made of. Constraints are cited by the numbers that
// Tensors.td gives them.

#include "dialect/common/WeightTensors.h"

#include "dialect/common/PrintableName.h"
#include "dialect/common/TextRules.h"

#include <limits>

using namespace mlir;

namespace sortie {

//===----------------------------------------------------------------------===//
// Textual form
//===----------------------------------------------------------------------===//

/// Parses `name(first of total)` if `name` is next.
static ParseResult parseOptionalPart(AsmParser &parser, StringRef name, DimensionPart &part) {
  if (failed(parser.parseOptionalKeyword(name)))
    return success();
  const SMLoc location = parser.getCurrentLocation();
  if (parser.parseLParen() || parser.parseInteger(part.first) || parser.parseKeyword("of") ||
      parser.parseInteger(part.total) || parser.parseRParen())
    return failure();
  if (part.total == 0)
    return parser.emitError(location) << name << " of 0 hold nothing";
  return success();
}

/// Parses `decoded(encoding)` if it is next.
static ParseResult parseOptionalStored(AsmParser &parser, MatrixLayout &layout) {
  if (failed(parser.parseOptionalKeyword("decoded")))
    return success();
  StringRef name;
  SMLoc location;
  if (parser.parseLParen() || parser.getCurrentLocation(&location) || parser.parseKeyword(&name))
    return failure();
  const numerics::EncodingInfo *info = numerics::findEncoding(name.data(), name.size());
  if (!info)
    return parser.emitError(location) << "unknown weight format '" << name << "'";
  layout.stored = info->encoding;
  return parser.parseRParen();
}

ParseResult parseWeightTensors(AsmParser &parser, SmallVector<StringAttr> &names,
                               DimensionPart &rows, DimensionPart &columns, MatrixLayout &layout) {
  auto parseName = [&]() -> ParseResult {
    std::string name;
    if (parser.parseString(&name))
      return failure();
    names.push_back(StringAttr::get(parser.getContext(), name));
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::OptionalSquare, parseName) ||
      (names.empty() && parseName()))
    return failure();
  layout.isJoined = succeeded(parser.parseOptionalKeyword("joined"));
  if (parseOptionalPart(parser, "rows", rows) || parseOptionalPart(parser, "columns", columns))
    return failure();
  layout.isTransposed = succeeded(parser.parseOptionalKeyword("transposed"));
  return parseOptionalStored(parser, layout);
}

static void printPart(AsmPrinter &printer, StringRef name, DimensionPart part) {
  if (part)
    printer << ' ' << name << '(' << part.first << " of " << part.total << ')';
}

void printWeightTensors(AsmPrinter &printer, ArrayRef<StringAttr> names, DimensionPart rows,
                        DimensionPart columns, const MatrixLayout &layout) {
  auto printName = [&](StringAttr name) { printer.printString(name.getValue()); };
  if (names.size() == 1) {
    printName(names.front());
  } else {
    printer << '[';
    llvm::interleaveComma(names, printer, printName);
    printer << ']';
  }
  if (layout.isJoined)
    printer << " joined";
  printPart(printer, "rows", rows);
  printPart(printer, "columns", columns);
  if (layout.isTransposed)
    printer << " transposed";
  if (layout.stored)
    printer << " decoded(" << numerics::encodingInfo(*layout.stored).name << ')';
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

static LogicalResult verifyPart(EmitError emitError, StringRef name, DimensionPart part) {
  if (!part && part.first == 0)
    return success();
  if (part.first < 0 || part.first >= part.total ||
      part.total > std::numeric_limits<int32_t>::max())
    return emitError() << name
                       << " must begin at 0 or later and before their total, at most "
                          "2^31 - 1, got "
                       << part.first << " of " << part.total; // (C2)
  return success();
}

LogicalResult verifyTensorsAttr(EmitError emitError, ArrayRef<StringAttr> names, DimensionPart rows,
                                DimensionPart columns, const MatrixLayout &layout) {
  if (!areDistinctNames(names))
    return emitError() << "names of tensors must not be empty and all different"; // (C1)
  if (failed(verifyPart(emitError, "rows", rows)) ||
      failed(verifyPart(emitError, "columns", columns)))
    return failure();
  if (names.empty() || (names.size() == 1 && !rows && !columns && !layout))
    return emitError() << "a whole tensor is named by a string alone; 'tensors' has at least two "
                          "names, or rows, or columns, or it is joined or transposed"; // (C3)
  return success();
}

/// The weight's `extent` indices lie in the part's dimension, at ends of blocks.
static LogicalResult verifyPartHolds(EmitError emitError, StringRef name, DimensionPart part,
                                     int64_t extent, int64_t blockSize) {
  if (!part)
    return success();
  if (extent > part.total - part.first)
    return emitError() << name << ' ' << part.first << " to " << part.first + extent - 1
                       << " do not lie in " << part.total;
  if (part.first % blockSize != 0 || part.total % blockSize != 0)
    return emitError() << name << " must begin and end with blocks of " << blockSize
                       << " elements, got " << part.first << " of " << part.total;
  return success();
}

/// Strips of rows that are stored together are whole, and so are rows with a header. Of each matrix
/// of the file, the weight has `rows` rows.
static LogicalResult verifyStrips(EmitError emitError, const WeightTensors &tensors, int64_t rows,
                                  const numerics::EncodingInfo &encoding) {
  const int64_t together = encoding.stripRows;
  if (rows % together != 0 || tensors.rows.first % together != 0 ||
      tensors.rows.total % together != 0)
    return emitError() << encoding.name << " stores rows in strips of " << together
                       << "; a weight is made of whole strips, and of matrices of them";
  if (tensors.columns && encoding.headerBytes != 0)
    return emitError() << "rows of " << encoding.name
                       << " have a header; columns can be parts of rows without one";
  return success();
}

/// What is transposed are matrices of floats, or of blocks that are decoded.
static LogicalResult verifyTransposed(EmitError emitError, const WeightTensors &tensors,
                                      ArrayRef<int64_t> shape,
                                      const numerics::EncodingInfo &encoding) {
  const std::optional<numerics::Encoding> stored = tensors.layout.stored;
  if (!tensors.layout.isTransposed)
    return stored ? emitError() << "only what is transposed is decoded" : success();
  if (numerics::isQuantized(encoding))
    return emitError() << "blocks of " << encoding.name
                       << " run along rows; only tensors of floats can be transposed, and blocks "
                          "that are decoded to f32";
  if (shape.size() < (tensors.names.size() > 1 ? 3 : 2))
    return emitError() << "only matrices can be transposed";
  if (tensors.columns)
    return emitError() << "of rows that are transposed no part is taken; leave columns out";
  if (!stored)
    return success();
  const numerics::EncodingInfo blocks = numerics::encodingInfo(*stored);
  if (encoding.encoding != numerics::Encoding::F32 || !numerics::isQuantized(blocks))
    return emitError() << "blocks are decoded to f32, got " << blocks.name << " as "
                       << encoding.name;
  if (const int64_t columns = shape[shape.size() - 2]; columns % blocks.elements != 0)
    return emitError() << "rows of " << columns << " elements are not made of blocks of "
                       << blocks.elements << ", as those of " << blocks.name << " are";
  return verifyStrips(emitError, tensors, shape.back(), blocks);
}

/// What is joined are the matrices of one tensor.
static LogicalResult verifyJoined(EmitError emitError, const WeightTensors &tensors,
                                  ArrayRef<int64_t> shape) {
  if (!tensors.layout.isJoined || (shape.size() == 3 && tensors.names.size() == 1))
    return success();
  return emitError() << "joined are the matrices of a weight of 3 dimensions, in one tensor";
}

/// The rows and columns that a weight is a part of are in the file.
static LogicalResult verifyParts(EmitError emitError, const WeightTensors &tensors,
                                 ArrayRef<int64_t> shape, const numerics::EncodingInfo &encoding) {
  if (tensors.rows && shape.size() < (tensors.names.size() > 1 ? 3 : 2))
    return emitError() << "rows are of matrices; take columns for a part of each row";
  if (tensors.rows) {
    const int64_t rows = tensors.layout.isTransposed ? shape.back() : shape[shape.size() - 2];
    if (failed(verifyPartHolds(emitError, "rows", tensors.rows, rows, /*blockSize=*/1)))
      return failure();
  }
  return verifyPartHolds(emitError, "columns", tensors.columns, shape.back(), encoding.elements);
}

LogicalResult verifyWeightTensors(EmitError emitError, const WeightTensors &tensors,
                                  ArrayRef<int64_t> shape, const numerics::EncodingInfo &encoding) {
  for (const StringAttr name : tensors.names)
    if (!isPrintableName(name))
      return emitError() << "the name " << name << " of a tensor " << kPrintableNameRule;
  const bool isStacked = tensors.names.size() > 1;
  if (isStacked &&
      (shape.size() < 2 || shape.front() != static_cast<int64_t>(tensors.names.size())))
    return emitError() << "a weight that stacks " << tensors.names.size()
                       << " tensors has 2 or 3 dimensions, of which the first is "
                       << tensors.names.size();
  if (failed(verifyJoined(emitError, tensors, shape)) ||
      failed(verifyParts(emitError, tensors, shape, encoding)) ||
      failed(verifyTransposed(emitError, tensors, shape, encoding)))
    return failure();
  const int64_t rows = shape.size() < (isStacked ? 3 : 2) ? 1 : shape[shape.size() - 2];
  return verifyStrips(emitError, tensors, rows, encoding);
}

} // namespace sortie
