// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Ops of the dialect `moert` but moert.func: verification and textual forms. Constraints are cited
// by the numbers that MoertOps.td gives them.

#include "dialect/moert/MoertOps.h"
#include "dialect/moert/OpRules.h"

#include "dialect/common/PrintableName.h"

#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

//===----------------------------------------------------------------------===//
// Textual forms
//===----------------------------------------------------------------------===//

static void printExtent(OpAsmPrinter &printer, Operation *, ExtentAttr extent) {
  printer << toString(extent);
}

/// `128x768x2048xq4_K`: the shape and format of a weight.
static ParseResult parseWeightShape(OpAsmParser &parser, DenseI64ArrayAttr &shape,
                                    StringAttr &format) {
  SmallVector<int64_t> dims;
  StringRef word;
  if (parser.parseDimensionList(dims, /*allowDynamic=*/false) || parser.parseKeyword(&word))
    return failure();
  shape = parser.getBuilder().getDenseI64ArrayAttr(dims);
  format = parser.getBuilder().getStringAttr(word);
  return success();
}

static void printWeightShape(OpAsmPrinter &printer, Operation *, DenseI64ArrayAttr shape,
                             StringAttr format) {
  for (int64_t dim : shape.asArrayRef())
    printer << dim << 'x';
  printer << format.getValue();
}

/// Parses `element, element, ...`, each by a function of the form of parseExtent.
template <typename Attr, typename Parse>
static ParseResult parseArray(OpAsmParser &parser, ArrayAttr &array, Parse parseElement) {
  SmallVector<Attribute> elements;
  auto parse = [&]() -> ParseResult {
    Attr element;
    if (parseElement(parser, element))
      return failure();
    elements.push_back(element);
    return success();
  };
  if (parser.parseCommaSeparatedList(parse))
    return failure();
  array = parser.getBuilder().getArrayAttr(elements);
  return success();
}

static ParseResult parseWeightForms(OpAsmParser &parser, ArrayAttr &forms) {
  return parseArray<WeightFormAttr>(parser, forms, &parseWord<WeightFormAttr>);
}

static void printWeightForms(OpAsmPrinter &printer, Operation *, ArrayAttr forms) {
  llvm::interleaveComma(forms.getAsRange<WeightFormAttr>(), printer, [&](WeightFormAttr form) {
    printer << stringifyWeightForm(form.getValue());
  });
}

static ParseResult parseWeights(OpAsmParser &parser, ArrayAttr &weights) {
  return parseArray<FlatSymbolRefAttr>(
      parser, weights,
      [](OpAsmParser &p, FlatSymbolRefAttr &weight) { return p.parseAttribute(weight); });
}

static void printWeights(OpAsmPrinter &printer, Operation *, ArrayAttr weights) {
  llvm::interleaveComma(weights, printer);
}

static ParseResult parseGridDims(OpAsmParser &parser, ArrayAttr &grid) {
  return parseArray<GridAttr>(parser, grid, &parseGrid);
}

static void printGridDims(OpAsmPrinter &printer, Operation *, ArrayAttr grid) {
  llvm::interleaveComma(grid.getAsRange<GridAttr>(), printer,
                        [&](GridAttr dim) { printGrid(printer, dim); });
}

static ParseResult parseExtents(OpAsmParser &parser, ArrayAttr &extents) {
  return parseArray<ExtentAttr>(parser, extents, &parseExtent);
}

static void printExtents(OpAsmPrinter &printer, Operation *, ArrayAttr extents) {
  llvm::interleaveComma(extents.getAsRange<ExtentAttr>(), printer,
                        [&](ExtentAttr extent) { printer << toString(extent); });
}

//===----------------------------------------------------------------------===//
// Helpers: verifiers that MoertOps.td names
//===----------------------------------------------------------------------===//

/// (C1) and (C3) of norms.
static LogicalResult verifyNorm(Operation *op, Value input, Value output, const APFloat &eps) {
  if (failed(verifyRank(op, "input", input, 2)) ||
      failed(verifySameShape(op, input, {{"output", output}})) ||
      failed(getColumns(op, "input", input)))
    return failure();
  return verifyEps([op] { return op->emitOpError(); }, eps);
}

#define GET_OP_CLASSES
#include "dialect/moert/MoertOps.cpp.inc"

void MoertDialect::registerOps() {
  addOperations<
#define GET_OP_LIST
#include "dialect/moert/MoertOps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Effects and placement
//===----------------------------------------------------------------------===//

template <typename Effect> static SmallVector<Value> getBuffersWithEffect(Operation *op) {
  SmallVector<MemoryEffects::EffectInstance> effects;
  if (auto interface = dyn_cast<MemoryEffectOpInterface>(op))
    interface.getEffects(effects);
  SmallVector<Value> buffers;
  for (const MemoryEffects::EffectInstance &effect : effects)
    if (isa<Effect>(effect.getEffect()) && effect.getValue())
      buffers.push_back(effect.getValue());
  return buffers;
}

SmallVector<Value> sortie::moert::getReadBuffers(Operation *op) {
  return getBuffersWithEffect<MemoryEffects::Read>(op);
}

SmallVector<Value> sortie::moert::getWrittenBuffers(Operation *op) {
  return getBuffersWithEffect<MemoryEffects::Write>(op);
}

LogicalResult sortie::moert::verifySamePlacement(Operation *op) {
  BufferType first;
  for (Type type : op->getOperandTypes()) {
    auto buffer = dyn_cast<BufferType>(type);
    if (!buffer)
      continue; // The operand's own constraint says so.
    if (!first)
      first = buffer;
    if (buffer.getDevice() != first.getDevice() || buffer.getSpace() != first.getSpace())
      return op->emitOpError() << "buffers must lie on one device in one space, got " << first
                               << " and " << buffer;
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Modules
//===----------------------------------------------------------------------===//

LogicalResult SymbolOp::verify() {
  const int64_t max = getMax();
  if (max < 1 || max > std::numeric_limits<int32_t>::max())
    return emitOpError() << "max must be 1 to 2^31 - 1, got " << max; // (C1)
  if (!isIdentifier(getSymName()))
    return emitOpError() << "the name must be an identifier of letters, digits and underscores, "
                            "got '"
                         << getSymName() << "'"; // (C2)
  return success();
}

const numerics::EncodingInfo &moert::WeightOp::getEncodingInfo() {
  return *numerics::findEncoding(getFormat().data(), getFormat().size());
}

/// Bytes of an array, or nothing where the limit of extents is exceeded.
static std::optional<int64_t> getWeightBytes(ArrayRef<int64_t> shape,
                                             const numerics::EncodingInfo &info) {
  int64_t bytes = numerics::rowBytes(info, shape.back());
  for (int64_t dim : shape.drop_back())
    if (llvm::MulOverflow(bytes, dim, bytes) || bytes > ExtentAttr::kLimit)
      return std::nullopt;
  return bytes;
}

LogicalResult WeightOp::verify() {
  const WeightTensors tensors = getTensors();
  if (tensors.names.front().empty())
    return emitOpError("the tensor's name must not be empty"); // (C1)
  const numerics::EncodingInfo *info =
      numerics::findEncoding(getFormat().data(), getFormat().size());
  if (!info)
    return emitOpError() << "unknown weight format '" << getFormat() << "'"; // (C2)
  const ArrayRef<int64_t> shape = getShape();
  if (shape.empty() || shape.size() > 3)
    return emitOpError() << "a weight has 1 to 3 dimensions, got " << shape.size(); // (C3)
  for (int64_t dim : shape)
    if (dim < 1 || dim > std::numeric_limits<int32_t>::max())
      return emitOpError() << "dimensions must be 1 to 2^31 - 1, got " << dim; // (C3)
  if (shape.back() % info->elements != 0)
    return emitOpError() << "the last dimension " << shape.back()
                         << " is no multiple of the block size " << info->elements << " of "
                         << info->name; // (C4)
  if (failed(verifyWeightTensors([&] { return emitOpError(); }, tensors, shape, *info)))
    return failure(); // (C7)
  if (!getWeightBytes(tensorShapeOf(shape, tensors.rows, tensors.columns, tensors.layout), *info))
    return emitOpError("the weight is larger than 2^48 bytes"); // (C3), (C7)
  return verifyPacks();
}

LogicalResult moert::WeightOp::verifyPacks() {
  if (getPacksAttr() && !getPackAttr())
    return emitOpError("packs for architectures stand beside a pack for all others"); // (C8)
  llvm::StringSet<> seen;
  if (getPacks())
    for (const auto variant : getPacks()->getAsRange<PackVariantAttr>())
      if (!seen.insert(variant.getArch()).second)
        return emitOpError() << "there are two packs for " << variant.getArch(); // (C8)
  for (const PackAttr pack : getAllPacks()) {
    int64_t bytes;
    if (getShape().size() < 2)
      return emitOpError("a weight that is packed has 2 or 3 dimensions"); // (C5)
    if (llvm::MulOverflow(getPanels(pack.getRows()), pack.getBytes(), bytes) ||
        bytes > ExtentAttr::kLimit)
      return emitOpError("the packed weight is larger than 2^48 bytes"); // (C5)
  }
  return success();
}

int64_t moert::WeightOp::getPanels(int64_t rows) {
  const ArrayRef<int64_t> shape = getShape();
  const int64_t experts = shape.size() == 3 ? shape.front() : 1;
  return experts * llvm::divideCeil(shape[shape.size() - 2], rows);
}

//===----------------------------------------------------------------------===//
// Bodies
//===----------------------------------------------------------------------===//

LogicalResult BufferOp::verify() {
  const ExtentAttr offset = getOffsetAttr();
  if (offset && (offset.getScale() % kAlignment != 0 || offset.getConstant() % kAlignment != 0))
    return emitOpError() << "scale and constant of the offset must be multiples of " << kAlignment
                         << ", got " << toString(offset); // (C1)
  if (getType().getSpace() != BufferType::kGlobalSpace)
    return emitOpError() << "the arena is in space \"" << BufferType::kGlobalSpace << "\", got "
                         << getType(); // (C2)
  return success();
}

LogicalResult StateOp::verify() {
  const BufferType type = getBufferType();
  if (getSymName().empty())
    return emitOpError("must have a name that is not empty"); // (C1)
  if (!isPrintableName(getSymName()))
    return emitOpError("its name ") << kPrintableNameRule; // (C1)
  if (type.isQuantized())
    return emitOpError() << "must hold f32, i32, bf16 or f16, got " << type; // (C3)
  if (type.getSpace() != BufferType::kGlobalSpace)
    return emitOpError() << "states are in space \"" << BufferType::kGlobalSpace << "\", got "
                         << type; // (C4)
  return success();
}

/// (C2): the symbol of a state's shape, and the size at its bound.
static LogicalResult verifySessionSymbol(StateOp op, SymbolTableCollection &symbols) {
  const ExtentAttr size = op.getBufferType().getByteSize();
  if (size.isConstant())
    return success();
  auto name = FlatSymbolRefAttr::get(op.getContext(), size.getSymbol());
  auto symbol = symbols.lookupNearestSymbolFrom<SymbolOp>(op, name);
  if (!symbol)
    return op.emitOpError() << "there is no moert.symbol " << name << ", which "
                            << op.getBufferType() << " uses";
  if (!size.evaluate(symbol.getMax()))
    return op.emitOpError() << toString(size) << " bytes exceed 2^63 at the bound of " << name;
  return success();
}

/// (C2), (C5). That the devices are the same follows from the types of the buffers.
LogicalResult StateOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifySessionSymbol(*this, symbols)))
    return failure();
  moert::FuncOp first;
  for (auto func : (*this)->getParentOfType<ModuleOp>().getOps<moert::FuncOp>()) {
    const auto isThis = [&](StateBufferOp buffer) { return buffer.getState() == getSymName(); };
    if (llvm::none_of(func.getBody().getOps<StateBufferOp>(), isThis))
      continue;
    if (!first)
      first = func;
    if (func.getTargetOrProgram() != first.getTargetOrProgram())
      return emitOpError() << "is used by " << first.getSymNameAttr() << ", which runs on \""
                           << first.getTargetOrProgram() << "\", and by " << func.getSymNameAttr()
                           << ", which runs on \"" << func.getTargetOrProgram()
                           << "\"; a state lies on one device";
  }
  return success();
}

LogicalResult StateBufferOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto state = symbols.lookupNearestSymbolFrom<StateOp>(*this, getStateAttr());
  if (!state)
    return emitOpError() << "there is no moert.state " << getStateAttr(); // (C1)
  if (state.getBufferType() != getType())
    return emitOpError() << "state " << getStateAttr() << " is " << state.getBufferType()
                         << ", got " << getType(); // (C1)
  return success();
}

LogicalResult RouteOp::verify() {
  if (failed(verifyRank(*this, "scores", getScores(), 2)))
    return failure(); // (C1)
  FailureOr<int64_t> experts = getColumns(*this, "scores", getScores());
  if (failed(experts))
    return failure(); // (C1)
  const int64_t columns = *experts;
  const Routing routing = {.experts = columns,
                           .selected = static_cast<int64_t>(getTop()),
                           .groups = getGroups(),
                           .groupsUsed = getGroupsUsed(),
                           .groupScore = getGroupScore(),
                           .scale = getScale()};
  if (failed(verifyRouting([&] { return emitOpError(); }, routing)))
    return failure(); // (C2)
  const ExtentAttr shape[] = {getDim(getScores(), 0), getConstant(*this, routing.selected)};
  if (failed(verifyShape(*this, "ids", getIds(), shape)))
    return failure();                                        // (C1)
  return verifyShape(*this, "weights", getWeights(), shape); // (C1)
}

LogicalResult RouteOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return verifyVector(*this, symbols, getBiasAttr(), getDim(getScores(), 1).getConstant()); // (C3)
}

LogicalResult DispatchOp::verify() {
  if (failed(verifyDispatch([&] { return emitOpError(); }, getExperts(), getRange())))
    return failure(); // (C2)
  if (failed(verifyRank(*this, "ids", getIds(), 2)))
    return failure(); // (C1)
  FailureOr<int64_t> slots = getColumns(*this, "ids", getIds());
  if (failed(slots))
    return failure(); // (C1)
  if (failed(verifyShape(*this, "permutation", getPermutation(),
                         getDim(getIds(), 0).multiply(*slots))) ||
      failed(verifyShape(*this, "inverse", getInverse(), getBuffer(getIds()).getShape())))
    return failure(); // (C1)
  return verifyShape(*this, "offsets", getOffsets(),
                     getConstant(*this, getExpertCount() + 1)); // (C1)
}

LogicalResult QuantizeOp::verify() {
  if (failed(verifyRank(*this, "input", getInput(), 2)))
    return failure();                                                                 // (C1)
  return verifyShape(*this, "output", getOutput(), getBuffer(getInput()).getShape()); // (C1)
}

LogicalResult GatherOp::verify() {
  const int64_t slots = getSlots();
  if (slots < 1)
    return emitOpError("slots must be at least 1"); // (C2)
  if (failed(verifyRank(*this, "input", getInput(), 2)))
    return failure(); // (C1)
  ExtentAttr rows = getDim(getInput(), 0).multiply(slots);
  if (failed(verifyShape(*this, "permutation", getPermutation(), rows)))
    return failure();                                                              // (C1)
  return verifyShape(*this, "output", getOutput(), {rows, getDim(getInput(), 1)}); // (C1)
}

/// Constraints (C2), (C4), (C5) of moert.matmul and moert.glu_matmul but the columns.
template <typename MatmulLike> static LogicalResult verifyRowMap(MatmulLike op, Value scale) {
  if (failed(verifyRank(op, "input", op.getInput(), 2)) ||
      failed(verifyRank(op, "output", op.getOutput(), 2)))
    return failure(); // (C2)
  if (failed(getColumns(op, "input", op.getInput())) ||
      failed(getColumns(op, "output", op.getOutput())))
    return failure(); // (C2)
  if (static_cast<bool>(op.getPermutation()) != (op.getSlots() || scale))
    return op.emitOpError("permutation must be given exactly if slots or scale is"); // (C4)
  if (op.getSlots() && static_cast<int64_t>(*op.getSlots()) < 1)
    return op.emitOpError("slots must be at least 1"); // (C5)
  const ExtentAttr tokens = getDim(op.getInput(), 0);
  const ExtentAttr rows = op.getSlots() ? tokens.multiply(*op.getSlots()) : tokens;
  if (failed(verifyShape(op, "output", op.getOutput(), {rows, getDim(op.getOutput(), 1)})))
    return failure();                                               // (C2)
  return verifyShape(op, "permutation", op.getPermutation(), rows); // (C4)
}

/// A matrix of a product with what follows the product.
struct MatrixOperands {
  FlatSymbolRefAttr name;
  FlatSymbolRefAttr expertScale; ///< or null
  FlatSymbolRefAttr bias;        ///< or null
};

/// The matrix `name` of a product, its scale by expert and its bias: constraints (C1), (C3), (C6),
/// of the scale, and the columns of (C2) of moert.matmul and moert.glu_matmul.
template <typename MatmulLike>
static LogicalResult verifyMatrix(MatmulLike op, SymbolTableCollection &symbols,
                                  const MatrixOperands &operands) {
  const FlatSymbolRefAttr name = operands.name;
  FailureOr<WeightOp> weight = lookupWeight(op, symbols, name);
  if (failed(weight))
    return failure();
  const ArrayRef<int64_t> shape = weight->getShape();
  const bool grouped = static_cast<bool>(op.getOffsets());
  if (shape.size() != (grouped ? 3 : 2))
    return op.emitOpError() << "weight " << name << " must have "
                            << (grouped ? "3 dimensions with" : "2 dimensions without")
                            << " offsets, got " << shape.size(); // (C1)
  if (grouped && failed(verifyShape(op, "offsets", op.getOffsets(), getConstant(op, shape[0] + 1))))
    return failure(); // (C1)
  const int64_t columns = getDim(op.getInput(), 1).getConstant();
  const int64_t features = getDim(op.getOutput(), 1).getConstant();
  if (shape.back() != columns || shape[shape.size() - 2] != features)
    return op.emitOpError() << "weight " << name << " must end in " << features << "x" << columns
                            << ", the columns of output and input"; // (C2)
  if (failed(verifySuits(op, *weight)))
    return failure(); // (C6)
  if (operands.expertScale && !grouped)
    return op.emitOpError() << "the scale by expert " << operands.expertScale << " needs offsets";
  if (failed(verifyVector(op, symbols, operands.expertScale, shape.front())))
    return failure();
  return verifyVector(op, symbols, operands.bias, shape.drop_back()); // (C3)
}

/// The program that an operation stands in, or null.
static ProgramAttr getProgram(Operation *op) {
  auto module = op->getParentOfType<ModuleOp>();
  return module ? module->getAttrOfType<ProgramAttr>(MoertDialect::kProgramName) : nullptr;
}

LogicalResult sortie::moert::verifyKeepsContract(Operation *op, Arithmetic arithmetic) {
  const ProgramAttr program = getProgram(op);
  if (!program || satisfies(getContractOfArithmetic(arithmetic), program.getContract()))
    return success();
  return op->emitOpError() << "arithmetic '" << stringifyArithmetic(arithmetic)
                           << "' does not keep the program's contract ["
                           << stringifyDeterminism(program.getContract()) << "]";
}

LogicalResult MatmulOp::verify() {
  if (failed(verifyRowMap(*this, getScale())) || failed(verifyArithmetic(*this)))
    return failure();
  if (!getScale())
    return success();
  if (failed(verifyRank(*this, "scale", getScale(), 2)))
    return failure(); // (C5)
  FailureOr<int64_t> slots = getColumns(*this, "scale", getScale());
  if (failed(slots))
    return failure(); // (C5)
  if (getDim(getScale(), 0).multiply(*slots) != getDim(getOutput(), 0))
    return emitOpError() << "scale must have an element for each of "
                         << toString(getDim(getOutput(), 0)) << " rows, got "
                         << getScale().getType(); // (C5)
  return success();
}

LogicalResult MatmulOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyKeepsContract(*this, getArithmetic())))
    return failure(); // (C6)
  return verifyMatrix(*this, symbols, {getWeightsAttr(), getExpertScaleAttr(), getBiasAttr()});
}

LogicalResult GluMatmulOp::verify() {
  if (failed(verifyRowMap(*this, /*scale=*/Value())) || failed(verifyArithmetic(*this)))
    return failure();
  return verifyGlu([&] { return emitOpError(); }, getKind(), getAlpha(), getLimit()); // (C7)
}

LogicalResult GluMatmulOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyKeepsContract(*this, getArithmetic())) ||
      failed(verifyMatrix(*this, symbols, {getGateAttr(), getGateScaleAttr(), getGateBiasAttr()})))
    return failure();
  return verifyMatrix(*this, symbols, {getUpAttr(), getUpScaleAttr(), getUpBiasAttr()});
}

LogicalResult CublasMatmulOp::verify() {
  for (auto [what, value] : {std::pair("input", getInput()), std::pair("output", getOutput())})
    if (failed(verifyRank(*this, what, value, 2)) || failed(getColumns(*this, what, value)))
      return failure(); // (C2)
  return verifyShape(*this, "output", getOutput(),
                     {getDim(getInput(), 0), getDim(getOutput(), 1)}); // (C2)
}

/// Whether a weight is, or is packed as, a row-major matrix in bf16.
static bool isBf16Matrix(WeightOp weight) {
  if (weight.getFormatInfo().format == numerics::Format::BF16)
    return true;
  return weight.getPackAttr() && llvm::all_of(weight.getAllPacks(), [&](PackAttr pack) {
           return pack.getRows() == 1 && pack.getBytes() == 2 * weight.getShape().back();
         });
}

/// (C3) and (C4) of moert.cublas_matmul. Nothing is promised or asked for outside of a program.
static LogicalResult verifyLibrary(CublasMatmulOp op) {
  const ProgramAttr program = getProgram(op);
  if (!program)
    return success();
  if (!satisfies(Determinism::Run, program.getContract()))
    return op.emitOpError() << "the library does not keep the program's contract ["
                            << stringifyDeterminism(program.getContract())
                            << "]: another number of rows may change bits"; // (C3)
  if (!llvm::is_contained(program.getFeatures(),
                          StringAttr::get(op.getContext(), MoertDialect::kCublasFeature)))
    return op.emitOpError() << "the program must have the feature \""
                            << MoertDialect::kCublasFeature << "\""; // (C4)
  return success();
}

LogicalResult CublasMatmulOp::verifySymbolUses(SymbolTableCollection &symbols) {
  if (failed(verifyLibrary(*this)))
    return failure();
  FailureOr<WeightOp> weight = lookupWeight(*this, symbols, getWeightsAttr());
  if (failed(weight))
    return failure();
  const int64_t shape[] = {getDim(getOutput(), 1).getConstant(),
                           getDim(getInput(), 1).getConstant()};
  if (weight->getShape() != ArrayRef(shape))
    return emitOpError() << "weight " << getWeightsAttr() << " must be " << shape[0] << "x"
                         << shape[1] << ", the columns of output and input"; // (C1)
  if (!isBf16Matrix(*weight))
    return emitOpError() << "weight " << getWeightsAttr()
                         << " must be bf16, or packed in 1 row and " << 2 * shape[1]
                         << " bytes, got " << weight->getFormat(); // (C1)
  return success();
}

/// `rows` are the sorted rows of the slots of `inverse`, [k*T, N].
static LogicalResult verifySortedRows(Operation *op, StringRef what, Value rows, Value inverse) {
  if (failed(verifyRank(op, "inverse", inverse, 2)) || failed(verifyRank(op, what, rows, 2)))
    return failure();
  FailureOr<int64_t> slots = getColumns(op, "inverse", inverse);
  if (failed(slots))
    return failure();
  return verifyShape(op, what, rows, {getDim(inverse, 0).multiply(*slots), getDim(rows, 1)});
}

LogicalResult UnsortOp::verify() {
  if (failed(verifySortedRows(*this, "rows", getRows(), getInverse())))
    return failure(); // (C1)
  return verifyShape(
      *this, "output", getOutput(),
      {getDim(getInverse(), 0), getDim(getInverse(), 1), getDim(getRows(), 1)}); // (C1)
}

LogicalResult CombineOp::verify() {
  if (getInverse() ? failed(verifySortedRows(*this, "rows", getRows(), getInverse()))
                   : failed(verifyRank(*this, "rows", getRows(), 3)))
    return failure(); // (C1)
  const Value slots = getInverse() ? getInverse() : getRows();
  if (failed(verifyShape(*this, "weights", getWeights(), {getDim(slots, 0), getDim(slots, 1)})))
    return failure(); // (C2)
  return verifyShape(*this, "output", getOutput(),
                     {getDim(slots, 0), getBuffer(getRows()).getShape().back()}); // (C3)
}

/// The two buffers, which have these names, hold elements of one kind.
static LogicalResult verifySameKind(Operation *op, const NamedValue &first,
                                    const NamedValue &second) {
  if (getBuffer(first.second).getKind() == getBuffer(second.second).getKind())
    return success();
  return op->emitOpError() << first.first << " and " << second.first
                           << " must have one element kind, got " << first.second.getType()
                           << " and " << second.second.getType();
}

/// (C1) and (C2) of moert.read_rows and moert.write_rows: `rows`, which has this name, are rows of
/// `table` by the numbers of `index`.
static LogicalResult verifyIndexedRows(Operation *op, Value table, Value index,
                                       const NamedValue &rows) {
  if (failed(verifyRank(op, "table", table, 2)) || failed(verifyRank(op, "index", index, 1)) ||
      failed(verifySameKind(op, {"table", table}, rows)))
    return failure();
  if (failed(getColumns(op, "table", table)))
    return failure();
  const ExtentAttr count = getDim(table, 0);
  if (count.isConstant() && count.getConstant() > std::numeric_limits<int32_t>::max())
    return op->emitOpError() << "table must have at most 2^31 - 1 rows, got " << table.getType();
  return verifyShape(op, rows.first, rows.second, {getDim(index, 0), getDim(table, 1)});
}

LogicalResult ReadRowsOp::verify() {
  return verifyIndexedRows(*this, getTable(), getIndex(), {"output", getOutput()});
}

LogicalResult WriteRowsOp::verify() {
  return verifyIndexedRows(*this, getTable(), getIndex(), {"rows", getRows()});
}

LogicalResult ConvertOp::verify() {
  if (failed(verifySameShape(*this, getInput(), {{"output", getOutput()}})))
    return failure(); // (C1)
  const bool isFromF32 = getBuffer(getInput()).getKind() == ElementKind::F32;
  const bool isToF32 = getBuffer(getOutput()).getKind() == ElementKind::F32;
  if (isFromF32 == isToF32)
    return emitOpError() << "one of input and output must be f32, the other f16 or bf16, got "
                         << getInput().getType() << " and " << getOutput().getType(); // (C2)
  return success();
}

LogicalResult CopyOp::verify() {
  if (failed(verifySameKind(*this, {"input", getInput()}, {"output", getOutput()})) ||
      failed(verifyShape(*this, "output", getOutput(), getBuffer(getInput()).getShape())))
    return failure(); // (C1)
  const auto isElsewhere = [](Value buffer) {
    return getBuffer(buffer).getSpace() != BufferType::kGlobalSpace;
  };
  if (isElsewhere(getInput()) && isElsewhere(getOutput()))
    return emitOpError() << "input or output must lie in space \"" << BufferType::kGlobalSpace
                         << "\", got " << getInput().getType() << " and "
                         << getOutput().getType(); // (C2)
  return success();
}

LogicalResult CheckpointOp::verify() {
  if (getName().empty())
    return emitOpError("name must not be empty"); // (C1)
  if (!isPrintableName(getName()))
    return emitOpError("name ") << kPrintableNameRule; // (C1)
  if (!getValue())
    return getOrder() ? emitOpError("order needs a value") : success(); // (C2)
  if (getBuffer(getValue()).isQuantized())
    return emitOpError() << "value must hold f32, i32, bf16 or f16, got "
                         << getValue().getType(); // (C3)
  if (!getOrder())
    return success();
  return verifySortedRows(*this, "value", getValue(), getOrder()); // (C2)
}
