// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moert.func: its textual form, and what must hold of a whole body: every buffer is written once
// and before it is read, every slice lies in the arena, and buffers that are live together do not
// overlap. Constraints are cited by the numbers that MoertOps.td gives them.

#include "dialect/common/PrintableName.h"
#include "dialect/moert/Indices.h"
#include "dialect/moert/MoertOps.h"

#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

//===----------------------------------------------------------------------===//
// Textual form
//===----------------------------------------------------------------------===//

void moert::FuncOp::build(OpBuilder &builder, OperationState &state, StringRef name,
                          ArrayRef<std::pair<StringAttr, BufferType>> inputs,
                          ArrayRef<std::pair<StringAttr, BufferType>> outputs) {
  Block &body = state.addRegion()->emplaceBlock();
  auto addArguments = [&](ArrayRef<std::pair<StringAttr, BufferType>> arguments) {
    SmallVector<Attribute> names;
    for (const auto &[argumentName, type] : arguments) {
      names.push_back(argumentName);
      body.addArgument(type, state.location);
    }
    return builder.getArrayAttr(names);
  };
  Properties &properties = state.getOrAddProperties<Properties>();
  properties.sym_name = builder.getStringAttr(name);
  properties.arg_names = addArguments(inputs);
  properties.out_names = addArguments(outputs);
}

/// Parses `("name" %argument: type, ...)`.
static ParseResult parseArguments(OpAsmParser &parser,
                                  SmallVectorImpl<OpAsmParser::Argument> &arguments,
                                  ArrayAttr &names) {
  SmallVector<Attribute> parsed;
  auto parseArgument = [&]() -> ParseResult {
    StringAttr name;
    if (parser.parseAttribute(name) ||
        parser.parseArgument(arguments.emplace_back(), /*allowType=*/true))
      return failure();
    parsed.push_back(name);
    return success();
  };
  if (parser.parseCommaSeparatedList(AsmParser::Delimiter::Paren, parseArgument))
    return failure();
  names = parser.getBuilder().getArrayAttr(parsed);
  return success();
}

static void printArguments(OpAsmPrinter &printer, Block::BlockArgListType arguments,
                           ArrayAttr names) {
  printer << '(';
  llvm::interleaveComma(llvm::zip_equal(names, arguments), printer, [&](auto pair) {
    printer << std::get<0>(pair) << ' ';
    printer.printRegionArgument(std::get<1>(pair));
  });
  printer << ')';
}

/// One region is stored as its size, several are stored as an array.
static Attribute arenaOf(MLIRContext *context, ArrayRef<ExtentAttr> regions) {
  if (regions.size() == 1)
    return regions.front();
  return ArrayAttr::get(context, SmallVector<Attribute>(regions.begin(), regions.end()));
}

/// Parses `(extent, ...)`.
static ParseResult parseArena(OpAsmParser &parser, Attribute &arena) {
  SmallVector<ExtentAttr> regions;
  auto parseRegion = [&] { return parseExtent(parser, regions.emplace_back()); };
  if (parser.parseLParen() || parser.parseCommaSeparatedList(parseRegion) || parser.parseRParen())
    return failure();
  arena = arenaOf(parser.getContext(), regions);
  return success();
}

/// Parses `target("cuda")` and `device(1)`, each optional, in this order.
static ParseResult parsePlacement(OpAsmParser &parser, StringAttr &target, IntegerAttr &device) {
  if (succeeded(parser.parseOptionalKeyword("target")) &&
      (parser.parseLParen() || parser.parseAttribute(target) || parser.parseRParen()))
    return failure();
  if (failed(parser.parseOptionalKeyword("device")))
    return success();
  int64_t number = 0;
  if (parser.parseLParen() || parser.parseInteger(number) || parser.parseRParen())
    return failure();
  device = parser.getBuilder().getI64IntegerAttr(number);
  return success();
}

ParseResult moert::FuncOp::parse(OpAsmParser &parser, OperationState &state) {
  Properties &properties = state.getOrAddProperties<Properties>();
  SmallVector<OpAsmParser::Argument> arguments;
  if (parser.parseSymbolName(properties.sym_name) ||
      parseArguments(parser, arguments, properties.arg_names) || parser.parseKeyword("outs") ||
      parseArguments(parser, arguments, properties.out_names))
    return failure();
  if (parsePlacement(parser, properties.target, properties.device))
    return failure();
  if (succeeded(parser.parseOptionalKeyword("arena")) && parseArena(parser, properties.arena))
    return failure();
  Region *body = state.addRegion();
  if (parser.parseOptionalAttrDictWithKeyword(state.attributes) ||
      parser.parseRegion(*body, arguments))
    return failure();
  ensureTerminator(*body, parser.getBuilder(), state.location);
  return success();
}

void moert::FuncOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  printArguments(printer, getInputs(), getArgNames());
  printer << " outs";
  printArguments(printer, getOutputs(), getOutNames());
  if (getTargetAttr())
    printer << " target(" << getTargetAttr() << ')';
  if (getDevice() != 0)
    printer << " device(" << static_cast<int64_t>(getDevice()) << ')';
  if (getArena()) {
    printer << " arena(";
    llvm::interleaveComma(getArenaRegions(), printer,
                          [&](ExtentAttr region) { printer << toString(region); });
    printer << ')';
  }
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(), {getSymNameAttrName(), getArgNamesAttrName(), getOutNamesAttrName(),
                            getTargetAttrName(), getDeviceAttrName(), getArenaAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

void moert::FuncOp::getAsmBlockArgumentNames(Region &region, OpAsmSetValueNameFn setName) {
  // Called before verification, too: the names may be missing or too many.
  SmallVector<Attribute> names;
  for (ArrayAttr part : {getArgNamesAttr(), getOutNamesAttr()})
    if (part)
      llvm::append_range(names, part);
  for (auto [argument, name] : llvm::zip(region.getArguments(), names))
    if (auto text = dyn_cast<StringAttr>(name))
      setName(argument, text.getValue());
}

StringRef moert::FuncOp::getTargetOrProgram() {
  if (const std::optional<StringRef> target = getTarget())
    return *target;
  const auto program =
      (*this)->getParentOp()->getAttrOfType<ProgramAttr>(MoertDialect::kProgramName);
  return program ? program.getTarget() : "";
}

//===----------------------------------------------------------------------===//
// The arena
//===----------------------------------------------------------------------===//

SmallVector<ExtentAttr> moert::FuncOp::getArenaRegions() {
  const Attribute arena = getArenaAttr();
  if (!arena)
    return {};
  if (auto region = dyn_cast<ExtentAttr>(arena))
    return {region};
  return llvm::to_vector(cast<ArrayAttr>(arena).getAsRange<ExtentAttr>());
}

void moert::FuncOp::setArenaRegions(ArrayRef<ExtentAttr> regions) {
  setArenaAttr(arenaOf(getContext(), regions));
}

unsigned moert::FuncOp::getArenaRegionOf(ExtentAttr size) {
  const SmallVector<ExtentAttr> regions = getArenaRegions();
  if (size.isConstant() || regions.size() == 1)
    return 0;
  const auto *found = llvm::find_if(
      regions, [&](ExtentAttr region) { return region.getSymbol() == size.getSymbol(); });
  return found - regions.begin();
}

//===----------------------------------------------------------------------===//
// Verification of the op alone
//===----------------------------------------------------------------------===//

LogicalResult moert::FuncOp::verify() {
  const auto arguments = getBody().getArguments();
  if (arguments.size() != getNumInputs() + getNumOutputs())
    return emitOpError() << "must have a name for each of its " << arguments.size()
                         << " arguments"; // (C1)
  auto names = llvm::to_vector(getArgNames().getAsRange<StringAttr>());
  llvm::append_range(names, getOutNames().getAsRange<StringAttr>());
  if (!areDistinctNames(names))
    return emitOpError("names of arguments must not be empty and all different"); // (C1)
  for (StringAttr name : names)
    if (!isPrintableName(name))
      return emitOpError() << "the name " << name << " of an argument "
                           << kPrintableNameRule; // (C1)
  if (getSymName().empty())
    return emitOpError("must have a name that is not empty"); // (C1)
  if (!isPrintableName(getSymName()))
    return emitOpError("its name ") << kPrintableNameRule; // (C1)
  for (BlockArgument argument : arguments)
    if (!isa<BufferType>(argument.getType()))
      return emitOpError() << "arguments must be buffers, got " << argument.getType(); // (C2)
  if (getTarget() && getTarget()->empty())
    return emitOpError("the target must not be empty"); // (C13)
  if (static_cast<int64_t>(getDevice()) < 0)
    return emitOpError() << "the device must not be negative, got "
                         << static_cast<int64_t>(getDevice()); // (C13)
  return success();
}

//===----------------------------------------------------------------------===//
// Verification with the module's symbols
//===----------------------------------------------------------------------===//

namespace {

/// A sum of multiples of bounded symbols and a constant. Extents keep within 2^48 and symbols
/// within 2^31, so that 128 bits hold any sum that a file can ask for.
class AffineSum {
public:
  using Bounds = llvm::StringMap<int64_t>;

  AffineSum &add(ExtentAttr extent, int sign = 1) {
    constant += sign * extent.getConstant();
    if (!extent.isConstant())
      scales[extent.getSymbol()] += sign * static_cast<__int128>(extent.getScale());
    return *this;
  }

  /// True if the sum is at least 0 for all symbols from 0 to their bounds.
  bool isNeverNegative(const Bounds &bounds) const {
    __int128 least = constant;
    for (const auto &[symbol, scale] : scales)
      if (scale < 0)
        least += scale * bounds.lookup(symbol);
    return least >= 0;
  }

private:
  llvm::SmallMapVector<StringRef, __int128, 2> scales;
  __int128 constant = 0;
};

/// What happens to a buffer in a body, by the numbers of operations.
struct Lifetime {
  std::optional<unsigned> written;
  unsigned lastUse = 0;
};

/// Verifies one function whose ops have been verified one by one.
class FuncVerifier {
public:
  FuncVerifier(moert::FuncOp func, SymbolTableCollection &symbols) : func(func), symbols(symbols) {}

  LogicalResult verify() {
    return success(
        succeeded(collectBounds()) && succeeded(verifySizes()) && succeeded(verifyPlacement()) &&
        succeeded(verifyStates()) && succeeded(collectLifetimes()) && succeeded(verifyOutputs()) &&
        succeeded(verifyRegions()) && succeeded(verifySlices()) && succeeded(verifyOverlaps()) &&
        succeeded(verifyOrigins()) && succeeded(verifyEarlyReads()));
  }

private:
  LogicalResult collectBound(Operation *op, ExtentAttr extent);
  LogicalResult collectBounds(Operation *op, Type type);
  LogicalResult collectBounds(LaunchOp launch);
  LogicalResult collectBounds();
  LogicalResult verifySizes();
  LogicalResult verifyPlacement();
  LogicalResult verifyStates();
  LogicalResult noteRead(Operation *op, Value buffer, unsigned index);
  LogicalResult noteWrite(Operation *op, Value buffer, unsigned index);
  LogicalResult verifyAliasing(Operation *op);
  LogicalResult collectLifetimes();
  LogicalResult verifyOutputs();
  LogicalResult verifyRegions();
  LogicalResult verifySlices();
  LogicalResult verifyOverlaps();
  LogicalResult verifyOrigins();
  LogicalResult verifyEarlyReads();
  bool endsBefore(BufferOp first, BufferOp second) const;

  moert::FuncOp func;
  SymbolTableCollection &symbols;
  AffineSum::Bounds bounds;
  llvm::MapVector<Value, Lifetime> lifetimes; ///< of all buffers but states
  bool writesState = false;
};

} // namespace

/// (C3): the symbol of an extent is a moert.symbol.
LogicalResult FuncVerifier::collectBound(Operation *op, ExtentAttr extent) {
  if (extent.isConstant() || bounds.contains(extent.getSymbol()))
    return success();
  auto name = FlatSymbolRefAttr::get(func.getContext(), extent.getSymbol());
  auto symbol = symbols.lookupNearestSymbolFrom<SymbolOp>(func, name);
  if (!symbol)
    return op->emitOpError() << "there is no moert.symbol " << name << ", which "
                             << toString(extent) << " uses";
  bounds[extent.getSymbol()] = symbol.getMax();
  return success();
}

LogicalResult FuncVerifier::collectBounds(Operation *op, Type type) {
  for (ExtentAttr dim : cast<BufferType>(type).getShape())
    if (failed(collectBound(op, dim)))
      return failure();
  return success();
}

LogicalResult FuncVerifier::collectBounds(LaunchOp launch) {
  for (ArrayAttr grid : launch.getGrids())
    for (GridAttr dim : grid.getAsRange<GridAttr>())
      if (failed(collectBound(launch, dim.getExtent())) ||
          (dim.getMax() && failed(collectBound(launch, dim.getMax()))))
        return failure();
  for (ExtentAttr extent : launch.getExtents().getAsRange<ExtentAttr>())
    if (failed(collectBound(launch, extent)))
      return failure();
  return success();
}

/// The bounds of all symbols of the function; (C3), (C8).
LogicalResult FuncVerifier::collectBounds() {
  for (ExtentAttr region : func.getArenaRegions())
    if (failed(collectBound(func, region)))
      return failure();
  for (BlockArgument argument : func.getBody().getArguments())
    if (failed(collectBounds(func, argument.getType())))
      return failure();
  for (Operation &op : func.getBody().getOps()) {
    if (!isa_and_nonnull<MoertDialect>(op.getDialect()))
      return op.emitOpError("does not belong into a moert.func"); // (C8)
    if (auto launch = dyn_cast<LaunchOp>(op); launch && failed(collectBounds(launch)))
      return failure();
    auto buffer = dyn_cast<BufferOp>(op);
    if (!buffer)
      continue;
    if (failed(collectBounds(buffer, buffer.getType())))
      return failure();
    if (buffer.getOffset() && failed(collectBound(buffer, *buffer.getOffset())))
      return failure();
  }
  return success();
}

/// (C7). Slices of the arena are smaller than the arena.
LogicalResult FuncVerifier::verifySizes() {
  auto verifySize = [&](ExtentAttr size) -> LogicalResult {
    if (size.evaluate(size.isConstant() ? 0 : bounds.lookup(size.getSymbol())))
      return success();
    return func.emitOpError() << toString(size) << " bytes exceed 2^63";
  };
  for (ExtentAttr region : func.getArenaRegions())
    if (failed(verifySize(region)))
      return failure();
  for (BlockArgument argument : func.getBody().getArguments())
    if (failed(verifySize(cast<BufferType>(argument.getType()).getByteSize())))
      return failure();
  return success();
}

/// (C13) and (C14).
LogicalResult FuncVerifier::verifyPlacement() {
  const auto device = static_cast<int64_t>(func.getDevice());
  const auto isElsewhere = [&](Type type) { return cast<BufferType>(type).getDevice() != device; };
  const auto where = [&](InFlightDiagnostic diagnostic, Type type) -> LogicalResult {
    return diagnostic << " lies on another device than the function, whose device is " << device
                      << ": " << type;
  };
  const auto names = llvm::concat<const Attribute>(func.getArgNames(), func.getOutNames());
  for (auto [argument, name] : llvm::zip(func.getBody().getArguments(), names))
    if (isElsewhere(argument.getType()))
      return where(func.emitOpError() << "argument " << name, argument.getType());
  for (Operation &op : func.getBody().getOps()) {
    for (Type type : op.getResultTypes())
      if (isElsewhere(type))
        return where(op.emitOpError("its buffer"), type);
    if (isa<CopyOp>(op))
      continue;
    for (Type type : op.getOperandTypes())
      if (cast<BufferType>(type).getSpace() != BufferType::kGlobalSpace)
        return op.emitOpError() << "works in space \"" << BufferType::kGlobalSpace << "\", got "
                                << type << "; moert.copy moves a buffer there and back";
  }
  return success();
}

/// (C11): two values of a function are two buffers.
LogicalResult FuncVerifier::verifyStates() {
  llvm::SmallDenseSet<StringRef> states;
  for (StateBufferOp buffer : func.getBody().getOps<StateBufferOp>())
    if (!states.insert(buffer.getState()).second)
      return buffer.emitOpError() << "the function has a buffer of state " << buffer.getStateAttr()
                                  << " already";
  return success();
}

static bool isState(Value buffer) {
  return static_cast<bool>(buffer.getDefiningOp<StateBufferOp>());
}

/// (C5): a buffer is written before it is read.
LogicalResult FuncVerifier::noteRead(Operation *op, Value buffer, unsigned index) {
  if (isState(buffer))
    return success();
  auto argument = dyn_cast<BlockArgument>(buffer);
  if (argument && argument.getArgNumber() < func.getNumInputs())
    return success();
  Lifetime &lifetime = lifetimes[buffer];
  if (!lifetime.written || *lifetime.written == index)
    return op->emitOpError("reads a buffer that no operation before has written");
  lifetime.lastUse = index;
  return success();
}

/// (C5): inputs are not written, other buffers once.
LogicalResult FuncVerifier::noteWrite(Operation *op, Value buffer, unsigned index) {
  if (isState(buffer)) {
    writesState = true;
    return success();
  }
  auto argument = dyn_cast<BlockArgument>(buffer);
  if (argument && argument.getArgNumber() < func.getNumInputs())
    return op->emitOpError("writes an input of the function");
  Lifetime &lifetime = lifetimes[buffer];
  if (lifetime.written)
    return op->emitOpError("writes a buffer that has been written already");
  lifetime.written = lifetime.lastUse = index;
  return success();
}

/// (C10). Of other buffers than states, (C5) has refused all of this.
LogicalResult FuncVerifier::verifyAliasing(Operation *op) {
  StepOperands operands;
  if (auto step = dyn_cast<StepOpInterface>(op)) {
    operands = step.getStepOperands();
  } else {
    operands.reads = getReadBuffers(op);
    operands.writes = getWrittenBuffers(op);
  }
  llvm::SmallDenseSet<Value> written;
  for (Value buffer : operands.writes)
    if (!written.insert(buffer).second)
      return op->emitOpError("writes a buffer twice");
  for (Value buffer : operands.reads)
    if (written.contains(buffer) && !llvm::is_contained(operands.inPlace, buffer))
      return op->emitOpError("reads the state that it writes, which it cannot do in place; copy it "
                             "to a buffer of the arena first");
  return success();
}

LogicalResult FuncVerifier::collectLifetimes() {
  unsigned index = 0;
  for (Operation &op : func.getBody().getOps()) {
    for (Value buffer : getReadBuffers(&op))
      if (failed(noteRead(&op, buffer, index)))
        return failure();
    for (Value buffer : getWrittenBuffers(&op))
      if (failed(noteWrite(&op, buffer, index)))
        return failure();
    if (failed(verifyAliasing(&op)))
      return failure();
    ++index;
  }
  return success();
}

/// (C1), (C5): outputs are written, or a state is.
LogicalResult FuncVerifier::verifyOutputs() {
  if (func.getNumOutputs() == 0 && !writesState)
    return func.emitOpError("has no output and writes no state: nothing comes of it");
  for (auto [output, name] : llvm::zip_equal(func.getOutputs(), func.getOutNames()))
    if (!lifetimes.contains(output))
      return func.emitOpError() << "output " << name << " is never written";
  return success();
}

/// (C7): each of several regions has a symbol of its own.
LogicalResult FuncVerifier::verifyRegions() {
  const SmallVector<ExtentAttr> regions = func.getArenaRegions();
  if (func.getArena() && regions.empty())
    return func.emitOpError("has an arena without regions");
  if (regions.size() < 2)
    return success();
  llvm::StringSet<> symbols;
  for (ExtentAttr region : regions) {
    if (region.isConstant() || !symbols.insert(region.getSymbol()).second)
      return func.emitOpError() << "has an arena of several regions, of which " << toString(region)
                                << " has no symbol of its own";
    if (region.getScale() % BufferOp::kAlignment != 0 ||
        region.getConstant() % BufferOp::kAlignment != 0)
      return func.emitOpError() << "has an arena of several regions, of which " << toString(region)
                                << " is no multiple of " << BufferOp::kAlignment << " bytes";
  }
  return success();
}

/// (C4): slices lie in the regions of the arena.
LogicalResult FuncVerifier::verifySlices() {
  const SmallVector<ExtentAttr> regions = func.getArenaRegions();
  for (BufferOp slice : func.getBody().getOps<BufferOp>()) {
    if (slice.getOffset().has_value() != func.getArena().has_value())
      return slice.emitOpError("must have an offset exactly if its function has an arena");
    if (!slice.getOffset())
      continue;
    const ExtentAttr size = slice.getType().getByteSize();
    const unsigned region = func.getArenaRegionOf(size);
    if (region == regions.size())
      return slice.emitOpError() << "has " << toString(size)
                                 << " bytes, and the arena has no region of this symbol";
    AffineSum room;
    room.add(regions[region]).add(*slice.getOffset(), -1).add(size, -1);
    if (!room.isNeverNegative(bounds))
      return slice.emitOpError() << "at " << toString(*slice.getOffset()) << " with "
                                 << toString(size) << " bytes exceeds the arena of "
                                 << toString(regions[region]) << " bytes";
  }
  return success();
}

/// True if `first` ends before `second` begins, for all values of the symbols. Both lie in one
/// region.
bool FuncVerifier::endsBefore(BufferOp first, BufferOp second) const {
  AffineSum gap;
  gap.add(*second.getOffset()).add(*first.getOffset(), -1).add(first.getType().getByteSize(), -1);
  return gap.isNeverNegative(bounds);
}

/// (C6): slices that are live together do not overlap. Buffers are visited in the order of their
/// writes, and `live` holds those whose last use is not behind.
LogicalResult FuncVerifier::verifyOverlaps() {
  if (!func.getArena())
    return success();
  struct LiveSlice {
    BufferOp slice;
    unsigned region, lastUse;
  };
  SmallVector<LiveSlice> live;
  for (const auto &[value, lifetime] : lifetimes) {
    auto slice = value.getDefiningOp<BufferOp>();
    if (!slice)
      continue;
    const unsigned begin = *lifetime.written;
    llvm::erase_if(live, [&](const LiveSlice &other) { return other.lastUse < begin; });
    const unsigned region = func.getArenaRegionOf(slice.getType().getByteSize());
    for (LiveSlice &other : live)
      if (other.region == region && !endsBefore(slice, other.slice) &&
          !endsBefore(other.slice, slice)) {
        InFlightDiagnostic diagnostic =
            slice.emitOpError("overlaps a buffer of the arena that is live at the same time");
        diagnostic.attachNote(other.slice.getLoc()) << "the other buffer";
        return diagnostic;
      }
    live.push_back({slice, region, lifetime.lastUse});
  }
  return success();
}

/// (C9). Outside of a program an operation may stand alone.
LogicalResult FuncVerifier::verifyOrigins() {
  if (!func->getParentOp()->hasAttr(MoertDialect::kProgramName))
    return success();
  return verifyIndices(func);
}

/// (C12). Kernels that are not there, or have other operands, launches report themselves.
LogicalResult FuncVerifier::verifyEarlyReads() {
  for (LaunchOp launch : func.getBody().getOps<LaunchOp>()) {
    auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(launch, launch.getKernelAttr());
    if (!launch.getOverlaps() || !kernel)
      continue;
    const SmallVector<LaunchOp> running = getLaunchesBefore(launch);
    for (const int64_t index : kernel.getEarly().value_or(ArrayRef<int64_t>())) {
      if (index >= static_cast<int64_t>(launch.getReads().size()))
        continue;
      for (LaunchOp other : running) {
        if (!llvm::is_contained(other.getWrites(), launch.getReads()[index]))
          continue;
        InFlightDiagnostic diagnostic = launch.emitOpError()
                                        << "overlaps a launch that writes read buffer " << index
                                        << ", which kernel " << launch.getKernelAttr()
                                        << " reads before it waits";
        diagnostic.attachNote(other.getLoc()) << "the other launch";
        return diagnostic;
      }
    }
  }
  return success();
}

LogicalResult moert::FuncOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return FuncVerifier(*this, symbols).verify();
}
