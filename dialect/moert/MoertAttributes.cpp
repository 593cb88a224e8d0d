// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Attributes of the dialect `moert`: parsing, printing, verification.

#include "dialect/moert/MoertAttributes.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cstddef>

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

/// The rest of an extent whose symbol has been parsed: `+ constant`, or nothing.
static ParseResult parseConstant(AsmParser &parser, int64_t &constant) {
  constant = 0;
  if (failed(parser.parseOptionalPlus()))
    return success();
  return parser.parseInteger(constant);
}

/// Parses `constant`, `symbol`, `symbol+constant`, `scale*symbol` or `scale*symbol+constant`.
static ParseResult parseExtentParameters(AsmParser &parser, int64_t &scale, std::string &symbol,
                                         int64_t &constant) {
  scale = 1;
  const OptionalParseResult number = parser.parseOptionalInteger(scale);
  if (number.has_value()) {
    if (failed(*number))
      return failure();
    if (failed(parser.parseOptionalStar())) {
      constant = scale;
      scale = 0;
      return success();
    }
  }
  StringRef word;
  if (parser.parseKeyword(&word))
    return failure();
  symbol = word.str();
  return parseConstant(parser, constant);
}

static void writeExtent(raw_ostream &os, int64_t scale, StringRef symbol, int64_t constant) {
  if (scale == 0) {
    os << constant;
    return;
  }
  if (scale != 1)
    os << scale << '*';
  os << symbol;
  if (constant != 0)
    os << '+' << constant;
}

static void printExtentParameters(AsmPrinter &printer, int64_t scale, StringRef symbol,
                                  int64_t constant) {
  writeExtent(printer.getStream(), scale, symbol, constant);
}

std::string sortie::moert::toString(ExtentAttr extent) {
  std::string text;
  llvm::raw_string_ostream os(text);
  writeExtent(os, extent.getScale(), extent.getSymbol(), extent.getConstant());
  return text;
}

ParseResult sortie::moert::parseExtent(AsmParser &parser, ExtentAttr &extent) {
  const SMLoc location = parser.getCurrentLocation();
  int64_t scale = 0, constant = 0;
  std::string symbol;
  if (parseExtentParameters(parser, scale, symbol, constant))
    return failure();
  extent = parser.getChecked<ExtentAttr>(location, parser.getContext(), scale, symbol, constant);
  return success(extent != nullptr);
}

//===----------------------------------------------------------------------===//
// Features
//===----------------------------------------------------------------------===//

static ParseResult parseFeatures(AsmParser &parser, SmallVector<StringAttr> &features) {
  std::string name;
  if (failed(parser.parseOptionalString(&name)))
    return success();
  do {
    if (!features.empty() && parser.parseString(&name))
      return failure();
    features.push_back(StringAttr::get(parser.getContext(), name));
  } while (succeeded(parser.parseOptionalComma()));
  return success();
}

static void printFeatures(AsmPrinter &printer, ArrayRef<StringAttr> features) {
  llvm::interleaveComma(features, printer);
}

//===----------------------------------------------------------------------===//
// Grids, packs, work
//===----------------------------------------------------------------------===//

/// Parses `name(number)` if `name` is next.
static OptionalParseResult parseOptionalNumber(AsmParser &parser, StringRef name, int64_t &number) {
  if (failed(parser.parseOptionalKeyword(name)))
    return std::nullopt;
  return failure(parser.parseLParen() || parser.parseInteger(number) || parser.parseRParen());
}

static ParseResult parseNumber(AsmParser &parser, StringRef name, int64_t &number) {
  return failure(parser.parseKeyword(name) || parser.parseLParen() || parser.parseInteger(number) ||
                 parser.parseRParen());
}

static ParseResult parseGridParameters(AsmParser &parser, ExtentAttr &extent, int64_t &divisor,
                                       bool &roundsDown, ExtentAttr &max) {
  divisor = 1;
  if (parseExtent(parser, extent))
    return failure();
  roundsDown = succeeded(parser.parseOptionalKeyword("floordiv"));
  if ((roundsDown || succeeded(parser.parseOptionalKeyword("ceildiv"))) &&
      parser.parseInteger(divisor))
    return failure();
  return succeeded(parser.parseOptionalKeyword("max")) ? parseExtent(parser, max) : success();
}

static void printGridParameters(AsmPrinter &printer, ExtentAttr extent, int64_t divisor,
                                bool roundsDown, ExtentAttr max) {
  printer << toString(extent);
  if (divisor != 1 || roundsDown)
    printer << (roundsDown ? " floordiv " : " ceildiv ") << divisor;
  if (max)
    printer << " max " << toString(max);
}

ParseResult sortie::moert::parseGrid(AsmParser &parser, GridAttr &grid) {
  const SMLoc location = parser.getCurrentLocation();
  ExtentAttr extent, max;
  int64_t divisor;
  bool roundsDown;
  if (parseGridParameters(parser, extent, divisor, roundsDown, max))
    return failure();
  grid =
      parser.getChecked<GridAttr>(location, parser.getContext(), extent, divisor, roundsDown, max);
  return success(grid != nullptr);
}

void sortie::moert::printGrid(AsmPrinter &printer, GridAttr grid) {
  printGridParameters(printer, grid.getExtent(), grid.getDivisor(), grid.getRoundsDown(),
                      grid.getMax());
}

static ParseResult parsePackParameters(AsmParser &parser, FlatSymbolRefAttr &kernel, int64_t &rows,
                                       int64_t &bytes) {
  return failure(parser.parseAttribute(kernel) || parseNumber(parser, "rows", rows) ||
                 parseNumber(parser, "bytes", bytes));
}

static void printPackParameters(AsmPrinter &printer, FlatSymbolRefAttr kernel, int64_t rows,
                                int64_t bytes) {
  printer << kernel << " rows(" << rows << ") bytes(" << bytes << ')';
}

ParseResult sortie::moert::parsePack(AsmParser &parser, PackAttr &pack) {
  const SMLoc location = parser.getCurrentLocation();
  FlatSymbolRefAttr kernel;
  int64_t rows, bytes;
  if (parsePackParameters(parser, kernel, rows, bytes))
    return failure();
  pack = parser.getChecked<PackAttr>(location, parser.getContext(), kernel, rows, bytes);
  return success(pack != nullptr);
}

void sortie::moert::printPack(AsmPrinter &printer, Operation *, PackAttr pack) {
  printPackParameters(printer, pack.getKernel(), pack.getRows(), pack.getBytes());
}

/// Parses `arithmetic(word)` if it is next.
static ParseResult parseOptionalArithmetic(AsmParser &parser,
                                           std::optional<Arithmetic> &arithmetic) {
  if (failed(parser.parseOptionalKeyword("arithmetic")))
    return success();
  if (parser.parseLParen())
    return failure();
  const FailureOr<Arithmetic> word = FieldParser<Arithmetic>::parse(parser);
  if (failed(word))
    return failure();
  arithmetic.emplace(*word);
  return parser.parseRParen();
}

static ParseResult parseWorkParameters(AsmParser &parser, std::string &op,
                                       std::optional<Arithmetic> &arithmetic, int64_t &operations,
                                       std::optional<int64_t> &offsets) {
  arithmetic = std::nullopt;
  operations = 0;
  offsets = std::nullopt;
  if (parser.parseString(&op) || parseOptionalArithmetic(parser, arithmetic))
    return failure();
  if (const OptionalParseResult parsed = parseOptionalNumber(parser, "operations", operations);
      parsed.has_value() && failed(*parsed))
    return failure();
  int64_t index;
  const OptionalParseResult parsed = parseOptionalNumber(parser, "offsets", index);
  if (!parsed.has_value())
    return success();
  offsets = index;
  return *parsed;
}

static void printWorkParameters(AsmPrinter &printer, StringRef op,
                                std::optional<Arithmetic> arithmetic, int64_t operations,
                                std::optional<int64_t> offsets) {
  printer.printString(op);
  if (arithmetic)
    printer << " arithmetic(" << stringifyArithmetic(*arithmetic) << ')';
  if (operations != 0)
    printer << " operations(" << operations << ')';
  if (offsets)
    printer << " offsets(" << *offsets << ')';
}

ParseResult sortie::moert::parseWork(AsmParser &parser, WorkAttr &work) {
  const SMLoc location = parser.getCurrentLocation();
  std::string op;
  std::optional<Arithmetic> arithmetic;
  int64_t operations;
  std::optional<int64_t> offsets;
  if (parseWorkParameters(parser, op, arithmetic, operations, offsets))
    return failure();
  work = parser.getChecked<WorkAttr>(location, parser.getContext(), op, arithmetic, operations,
                                     offsets);
  return success(work != nullptr);
}

void sortie::moert::printWork(AsmPrinter &printer, Operation *, WorkAttr work) {
  printWorkParameters(printer, work.getOp(), work.getArithmetic(), work.getOperations(),
                      work.getOffsets());
}

#define GET_ATTRDEF_CLASSES
#include "dialect/moert/MoertAttributes.cpp.inc"

void MoertDialect::registerAttributes() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/moert/MoertAttributes.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// Verification
//===----------------------------------------------------------------------===//

LogicalResult ExtentAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t scale,
                                 StringRef symbol, int64_t constant) {
  if (scale < 0 || scale > kLimit || constant < 0 || constant > kLimit)
    return emitError() << "scale and constant of an extent must be 0 to 2^48, got " << scale
                       << " and " << constant; // (C1)
  if (scale == 0 ? !symbol.empty() : !isIdentifier(symbol))
    return emitError() << "an extent needs a symbol exactly if its scale is not 0, got " << scale
                       << " and '" << symbol << "'"; // (C2)
  return success();
}

std::optional<int64_t> ExtentAttr::evaluate(int64_t symbolValue) const {
  int64_t product, sum;
  if (llvm::MulOverflow(getScale(), symbolValue, product) ||
      llvm::AddOverflow(product, getConstant(), sum))
    return std::nullopt;
  return sum;
}

ExtentAttr ExtentAttr::multiply(int64_t factor) const {
  int64_t scale, constant;
  if (factor < 0 || llvm::MulOverflow(getScale(), factor, scale) ||
      llvm::MulOverflow(getConstant(), factor, constant) || scale > kLimit || constant > kLimit)
    return {};
  return get(getContext(), scale, scale == 0 ? StringRef() : getSymbol(), constant);
}

ExtentAttr ExtentAttr::plus(int64_t constant) const {
  return get(getContext(), getScale(), getSymbol(), getConstant() + constant);
}

ExtentAttr ExtentAttr::atLeastQuotient(int64_t divisor, int64_t factor) const {
  const int64_t fixed = llvm::divideCeil(getConstant(), divisor) * factor;
  if (isConstant())
    return get(getContext(), fixed);
  return get(getContext(), llvm::divideCeil(getScale() * factor, divisor), getSymbol(),
             fixed + factor);
}

ExtentAttr ExtentAttr::product(MLIRContext *context, ArrayRef<ExtentAttr> factors) {
  ExtentAttr product = get(context, 1);
  for (ExtentAttr factor : factors)
    product = factor.isConstant() ? product.multiply(factor.getConstant())
                                  : factor.multiply(product.getConstant());
  return product;
}

LogicalResult ProgramAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t abi,
                                  int64_t numerics, StringRef target, Determinism contract,
                                  ArrayRef<StringAttr> features, StringRef producer) {
  if (abi < 0 || numerics < 0)
    return emitError() << "abi and numerics must not be negative"; // (C1)
  if (target.empty() || producer.empty())
    return emitError() << "target and producer must not be empty"; // (C2)
  if (failed(verifyDeterminism(emitError, contract)))
    return failure(); // (C3)
  if (!areDistinctNames(features))
    return emitError() << "names of features must not be empty and all different"; // (C4)
  return success();
}

ParseResult sortie::moert::parseTensors(OpAsmParser &parser, Attribute &tensors) {
  return parseTensorsOf<TensorsAttr>(parser, tensors);
}

void sortie::moert::printTensors(OpAsmPrinter &printer, Operation *, Attribute tensors) {
  printTensorsOf<TensorsAttr>(printer, tensors);
}

LogicalResult moert::TensorsAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                         ArrayRef<StringAttr> names, DimensionPart rows,
                                         DimensionPart columns, MatrixLayout layout) {
  return verifyTensorsAttr(emitError, names, rows, columns, layout);
}

//===----------------------------------------------------------------------===//
// Kernels and launches
//===----------------------------------------------------------------------===//

static constexpr size_t kHashBytes = 16;

/// (C1) of images. A number of one digit would have no major version.
static bool isArch(StringRef arch) {
  if (arch.consume_front("sm_"))
    arch.consume_back("a");
  else if (!arch.consume_front("compute_"))
    return false;
  return (arch.size() == 2 || arch.size() == 3) && arch.front() != '0' &&
         llvm::all_of(arch, llvm::isDigit);
}

static LogicalResult verifyArch(function_ref<InFlightDiagnostic()> emitError, StringRef what,
                                StringRef arch) {
  if (isArch(arch))
    return success();
  return emitError()
         << "arch of " << what
         << " must be sm_ or compute_ and 2 or 3 digits that do not begin with 0, sm_ with an "
            "'a' behind or without, got '"
         << arch << "'";
}

/// Whether an architecture is of compute capability 9.0 or newer.
static bool hasClusters(StringRef arch) {
  const StringRef digits = arch.drop_until(llvm::isDigit).take_while(llvm::isDigit);
  return digits.size() > 2 || digits >= "90";
}

/// (C1), (C2) and (C5) of images, (C1) of sources; `what` is which of them.
static LogicalResult verifyChip(function_ref<InFlightDiagnostic()> emitError, StringRef what,
                                StringRef arch, int64_t shared, ConfigAttr config) {
  if (failed(verifyArch(emitError, what, arch)))
    return failure();
  if (config && (config.getCluster() || config.getMaps()) && !hasClusters(arch))
    return emitError() << "clusters and tensor maps are for sm_90 and newer, " << what << " is for "
                       << arch;
  if (shared < 0 || shared > ImageAttr::kMaxShared)
    return emitError() << "shared memory of " << what << " must be 0 to " << ImageAttr::kMaxShared
                       << " bytes, got " << shared;
  return success();
}

LogicalResult TensorMapAttr::verify(function_ref<InFlightDiagnostic()> emitError, MapOperand,
                                    int64_t index, int64_t element, ArrayAttr dims,
                                    DenseI64ArrayAttr strides, DenseI64ArrayAttr box,
                                    int64_t swizzle) {
  const auto isOneOf = [](int64_t value, ArrayRef<int64_t> values) {
    return llvm::is_contained(values, value);
  };
  if (index < 0 || !isOneOf(element, {1, 2, 4, 8}) || !isOneOf(swizzle, {0, 32, 64, 128}))
    return emitError()
           << "a tensor map has an index that is not negative, elements of 1, 2, 4 or 8 "
              "bytes, and a swizzle of 0, 32, 64 or 128, got "
           << index << ", " << element << " and " << swizzle; // (C1)
  if (!dims || dims.empty() || dims.size() > 5 || !strides || !box ||
      !llvm::all_of(dims, llvm::IsaPred<ExtentAttr>) ||
      box.size() != static_cast<int64_t>(dims.size()) || strides.size() + 1 != box.size())
    return emitError() << "a tensor map has 1 to 5 extents as dims, as many sizes of its box, and "
                          "one stride less"; // (C2)
  for (const int64_t stride : strides.asArrayRef())
    if (stride <= 0 || stride % 16 != 0 || stride >= int64_t{1} << 40)
      return emitError() << "strides of a tensor map must be multiples of 16 below 2^40, got "
                         << stride; // (C3)
  for (const int64_t size : box.asArrayRef())
    if (size < 1 || size > 256)
      return emitError() << "sizes of a tensor map's box must be 1 to 256, got " << size; // (C3)
  const int64_t row = box[0] * element;
  if (row % 16 != 0 || (swizzle != 0 && row > swizzle))
    return emitError()
           << "a row of a tensor map's box must be a multiple of 16 bytes, and no longer "
              "than the swizzle, got "
           << row; // (C4)
  return success();
}

bool ConfigAttr::areThreads(int64_t threads) {
  return threads >= 32 && threads <= 1024 && threads % 32 == 0;
}

LogicalResult ConfigAttr::verify(function_ref<InFlightDiagnostic()> emitError, int64_t threads,
                                 DenseI64ArrayAttr cluster, ArrayAttr maps) {
  if (threads == 0 && !cluster && !maps)
    return emitError() << "a config has threads, a cluster or maps"; // (C1)
  if (threads != 0 && !areThreads(threads))
    return emitError() << "threads of a config must be a multiple of 32 from 32 to 1024, got "
                       << threads; // (C2)
  if (cluster) {
    int64_t blocks = cluster.size() == 3 ? 1 : 0;
    for (const int64_t size : cluster.asArrayRef())
      blocks = size < 1 || size > 8 ? 0 : blocks * size;
    if (blocks < 1 || blocks > 8)
      return emitError() << "a cluster has three sizes, together 1 to 8 thread blocks, got ["
                         << cluster.asArrayRef() << "]"; // (C3)
  }
  if (maps && (maps.empty() || !llvm::all_of(maps, llvm::IsaPred<TensorMapAttr>)))
    return emitError() << "maps of a config must be tensor maps, at least one"; // (C4)
  return success();
}

LogicalResult SourceAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef arch,
                                 int64_t shared, ConfigAttr config, StringRef schedule,
                                 StringRef text) {
  if (failed(verifyChip(emitError, "a source", arch, shared, config)))
    return failure();
  if (text.empty())
    return emitError() << "text of a source must not be empty";
  return success();
}

LogicalResult ImageAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef arch,
                                int64_t shared, ConfigAttr config, StringRef hash,
                                DenseResourceElementsAttr data) {
  if (failed(verifyChip(emitError, "an image", arch, shared, config)))
    return failure();
  if (!isHexDigits(hash, 2 * kHashBytes))
    return emitError() << "hash of an image must be 32 lower-case hexadecimal digits, got '" << hash
                       << "'"; // (C3)
  auto type = dyn_cast_or_null<RankedTensorType>(data ? Type(data.getType()) : Type());
  if (!type || type.getRank() != 1 || !type.getElementType().isSignlessInteger(8) ||
      type.getDimSize(0) < 1)
    return emitError() << "data of an image must have one dimension, not empty, of i8"; // (C4)
  return success();
}

std::string ImageAttr::computeHash(ArrayRef<char> bytes) {
  llvm::TruncatedBLAKE3<kHashBytes> hasher;
  hasher.update(StringRef(bytes.data(), bytes.size()));
  return llvm::toHex(hasher.final(), /*LowerCase=*/true);
}

ImageAttr ImageAttr::create(MLIRContext *context, StringRef arch, int64_t shared, ConfigAttr config,
                            StringRef name, ArrayRef<char> bytes) {
  const auto type =
      RankedTensorType::get(static_cast<int64_t>(bytes.size()), IntegerType::get(context, 8));
  const auto data = DenseResourceElementsAttr::get(
      type, name, HeapAsmResourceBlob::allocateAndCopyWithAlign(bytes, alignof(std::max_align_t)));
  return get(context, arch, shared, config, computeHash(bytes), data);
}

LogicalResult GridAttr::verify(function_ref<InFlightDiagnostic()> emitError, ExtentAttr,
                               int64_t divisor, bool, ExtentAttr) {
  if (divisor < 1 || divisor > std::numeric_limits<int32_t>::max())
    return emitError() << "divisor of a grid must be 1 to 2^31 - 1, got " << divisor; // (C1)
  return success();
}

std::optional<int64_t> GridAttr::evaluate(int64_t symbolValue) const {
  const std::optional<int64_t> extent = getExtent().evaluate(symbolValue);
  const std::optional<int64_t> max = getMax() ? getMax().evaluate(symbolValue) : extent;
  if (!extent || !max)
    return std::nullopt;
  const int64_t blocks =
      getRoundsDown() ? *extent / getDivisor() : llvm::divideCeil(*extent, getDivisor());
  return std::min(blocks, *max);
}

bool GridAttr::isMultipleOf(int64_t factor) const {
  const auto isMultiple = [&](ExtentAttr extent) {
    return extent.getScale() % factor == 0 && extent.getConstant() % factor == 0;
  };
  if (getExtent().isConstant() && (!getMax() || getMax().isConstant()))
    return evaluate(0).value_or(1) % factor == 0;
  return factor == 1 ||
         (getDivisor() == 1 && isMultiple(getExtent()) && (!getMax() || isMultiple(getMax())));
}

LogicalResult PackVariantAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef arch,
                                      PackAttr) {
  return verifyArch(emitError, "a pack_variant", arch); // (C1)
}

LogicalResult LaunchVariantAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                        StringRef arch, ArrayAttr grid) {
  if (failed(verifyArch(emitError, "a launch_variant", arch)))
    return failure(); // (C1)
  if (!grid || grid.empty() || grid.size() > 3 || !llvm::all_of(grid, llvm::IsaPred<GridAttr>))
    return emitError() << "a grid has 1 to 3 dimensions, each a #moert.grid"; // (C2)
  return success();
}

LogicalResult PackAttr::verify(function_ref<InFlightDiagnostic()> emitError, FlatSymbolRefAttr,
                               int64_t rows, int64_t bytes) {
  if (rows < 1 || rows > std::numeric_limits<int32_t>::max() || bytes < 1 ||
      bytes > ExtentAttr::kLimit)
    return emitError() << "a pack has 1 to 2^31 - 1 rows and 1 to 2^48 bytes, got " << rows
                       << " and " << bytes; // (C1)
  return success();
}

LogicalResult WorkAttr::verify(function_ref<InFlightDiagnostic()> emitError, StringRef op,
                               std::optional<Arithmetic>, int64_t operations,
                               std::optional<int64_t> offsets) {
  if (op.empty())
    return emitError() << "the operation of a work must not be empty"; // (C1)
  if (operations < 0 || operations > ExtentAttr::kLimit || offsets.value_or(0) < 0)
    return emitError() << "operations of a work must be 0 to 2^48, offsets not negative, got "
                       << operations << " and " << offsets.value_or(0); // (C2)
  return success();
}
