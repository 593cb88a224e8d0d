// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moe-lower-to-moert: tensors become buffers, the module becomes a program.

#include "dialect/common/PrintableName.h"
#include "passes/BufferTypes.h"
#include "passes/CacheChains.h"
#include "passes/CacheFunctions.h"
#include "passes/Names.h"
#include "passes/RowOrder.h"
#include "passes/UniqueName.h"
#include "passes/WeightTable.h"
#include "runtime/numerics/attention.h"

#include "mlir/IR/TypeUtilities.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOELOWERTOMOERT
#include "passes/Passes.h.inc"

namespace {

/// What a module says about its model, and by which names the program says it.
constexpr std::pair<llvm::StringLiteral, llvm::StringLiteral> kCarriedAttributes[] = {
    {moe::MoeDialect::kWeightsFingerprintName, moert::MoertDialect::kWeightsFingerprintName},
    {moe::MoeDialect::kFingerprintKeysName, moert::MoertDialect::kFingerprintKeysName},
    {moe::MoeDialect::kWeightHashesName, moert::MoertDialect::kWeightHashesName},
    {moe::MoeDialect::kImportOptionsName, moert::MoertDialect::kImportOptionsName},
};

//===----------------------------------------------------------------------===//
// What can be lowered
//===----------------------------------------------------------------------===//

LogicalResult checkNotWeights(Operation *op, ValueRange operands) {
  for (Value operand : operands)
    if (operand && operand.getDefiningOp<moe::WeightOp>())
      return op->emitOpError("reads a weight where only rows of tokens can be lowered");
  return success();
}

bool hasBlockWeights(moe::GroupedMatmulOp op) {
  return isa<moe::BlockType>(op.getWeights().getType().getElementType());
}
bool hasBlockWeights(moe::GroupedGluOp op) {
  return isa<moe::BlockType>(op.getGate().getType().getElementType()) ||
         isa<moe::BlockType>(op.getUp().getType().getElementType());
}
bool hasBlockWeights(lm::HeadMatmulOp op) { return op.hasBlockWeights(); }

template <typename MatmulOp> LogicalResult checkArithmetic(MatmulOp op) {
  if (!op.getArithmetic())
    return op.emitOpError("has no arithmetic yet; run moe-choose-arithmetic first");
  if (op.getArithmetic() == Arithmetic::Bf16 && hasBlockWeights(op))
    return op.emitOpError("has bf16 arithmetic and weights in blocks; no device decodes blocks to "
                          "bf16, use exact");
  if (op.getArithmetic() == Arithmetic::Exact && op.getInput().getType().getElementType().isF32())
    return op.emitOpError("is exact and reads f32 rows; run moe-quantize-activations first");
  return success();
}

/// What to do about an op that has no counterpart in moert.
StringRef adviceFor(Operation *op) {
  if (isa<func::CallOp, func::CallIndirectOp>(op))
    return "call functions of this module only, and give --inline before --sortie-compile";
  if (op->getNumRegions() != 0 || op->getNumSuccessors() != 0)
    return "a program is a straight line of moe ops: unroll what is repeated, and compile a "
           "function for each case that is decided at run time";
  if (op->getName().getDialectNamespace() == "tensor")
    return "its shape has to be that of the moe op that reads it: pass slices as inputs of their "
           "own, and name a weight with the shape that is needed";
  return "express it in ops of the dialect moe, or compute it outside and pass the result as an "
         "input";
}

LogicalResult checkOp(Operation *op) {
  if (op->hasTrait<moe::SemanticLevelOnly>())
    return op->emitOpError("is of the semantic level; run moe-dispatch-by-sort first");
  auto lowerable = dyn_cast<moe::RuntimeOpInterface>(op);
  if (!lowerable)
    return op->emitOpError("has no counterpart in a program; ") << adviceFor(op);
  if (failed(checkNotWeights(op, lowerable.getRuntimeOperands().rows)))
    return failure();
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<moe::GroupedMatmulOp, moe::GroupedGluOp, lm::HeadMatmulOp>(
          [](auto op) { return checkArithmetic(op); })
      .Case([](moe::GatherOp op) -> LogicalResult {
        if (op.getType().getElementType().isF32())
          return success();
        return op.emitOpError("of quantized rows has no counterpart; run moe-fuse-gather first");
      })
      .Default(success());
}

/// Callers can read f32 and i32.
LogicalResult checkReturn(Operation *terminator) {
  for (auto [index, type] : llvm::enumerate(terminator->getOperandTypes())) {
    if (isa<lm::CacheType>(type))
      return terminator->emitOpError("result ")
             << index << " is a cache; lm.write_cache keeps it for the next run";
    if (isa<moe::ActivationType>(getElementTypeOrSelf(type)))
      return terminator->emitOpError("result ") << index << " holds " << getElementTypeOrSelf(type)
                                                << "; callers can read f32 and i32 only";
  }
  return checkNotWeights(terminator, terminator->getOperands());
}

/// The audit shows tensors.
LogicalResult checkNoCacheIsNamed(Operation *op) {
  for (Value result : op->getResults())
    if (isa<lm::CacheType>(result.getType()) && !nameOf(result).empty())
      return op->emitOpError("has a name for a cache; only tensors can be audited");
  return success();
}

/// A program says how wide the rows of a cache are.
LogicalResult checkCache(lm::CacheOp cache) {
  if (cache.getCache().getWidth())
    return success();
  return cache.emitOpError("has no width yet; run lm-choose-widths first");
}

/// The number of pages stays for a session; an argument may have another one in each run.
LogicalResult checkSymbols(func::FuncOp function) {
  for (BlockArgument argument : function.getArguments())
    if (symbolOf(argument) == kPagesSymbol)
      return emitError(argument.getLoc(), "argument ")
             << argument.getArgNumber() << " asks for the symbol '" << kPagesSymbol
             << "', by which programs call the number of pages of their caches; give it another "
                "name";
  return success();
}

LogicalResult checkFunction(func::FuncOp function) {
  if (function.getSymName().empty())
    return function.emitOpError("must have a name that is not empty, to be called by");
  if (!isPrintableName(function.getSymName()))
    return function.emitOpError("its name ") << kPrintableNameRule;
  if (!function.getBody().hasOneBlock())
    return function.emitOpError("must have a body of one block to become a program");
  if (function.getNumResults() == 0 && function.getOps<lm::WriteCacheOp>().empty())
    return function.emitOpError("returns nothing and writes no cache; a program needs an output");
  for (Operation &op : function.front().without_terminator()) {
    if (!isa<moe::WeightOp, lm::ReadCacheOp, lm::WriteCacheOp>(op) && failed(checkOp(&op)))
      return failure();
    if (failed(checkNoCacheIsNamed(&op)))
      return failure();
  }
  if (failed(checkSymbols(function)) || failed(verifyCacheChains(function)))
    return failure();
  return checkReturn(function.front().getTerminator());
}

//===----------------------------------------------------------------------===//
// Checkpoints
//===----------------------------------------------------------------------===//

/// The names of a function's values in order, and which of them have been checkpointed.
class NameList {
public:
  explicit NameList(func::FuncOp function) {
    if (auto values = function->getAttrOfType<ArrayAttr>(moe::MoeDialect::kValuesName))
      names.assign(values.getAsValueRange<StringAttr>().begin(),
                   values.getAsValueRange<StringAttr>().end());
    function.walk([&](Operation *op) {
      for (Value result : op->getResults())
        stored.insert(nameOf(result));
    });
  }

  /// The names that lie between the last call's `name` and this one's and that no value has any
  /// more. An empty `name` stands for the end of the list.
  SmallVector<StringRef> takeFusedAwayBefore(StringRef name) {
    SmallVector<StringRef> fusedAway;
    auto end = name.empty() ? names.end() : llvm::find(names, name);
    for (; next < end - names.begin(); ++next)
      if (!stored.contains(names[next]))
        fusedAway.push_back(names[next]);
    return fusedAway;
  }

private:
  SmallVector<StringRef> names;
  llvm::StringSet<> stored;
  ptrdiff_t next = 0;
};

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// Lowers one function that checkFunction has passed.
class MoeFunctionLowering {
public:
  MoeFunctionLowering(func::FuncOp source, const BufferTypes &types, WeightTable &weights)
      : source(source), types(types), weights(weights), names(source), builder(source) {}

  LogicalResult run();

  /// Names that have a checkpoint without a buffer.
  unsigned getNumFusedAway() const { return numFusedAway; }

private:
  using NamedBuffers = SmallVector<std::pair<StringAttr, moert::BufferType>>;

  moert::FuncOp makeFunction();
  void assignOutputs(moert::FuncOp function);
  void copyOutputs(moert::FuncOp function);

  Value bufferOf(Value tensor) const { return tensor ? buffers.lookup(tensor) : Value(); }
  void makeBuffers(moe::RuntimeOpInterface op);

  LogicalResult lower(moe::RuntimeOpInterface op);

  void checkpoint(Location location, StringRef name, Value tensor);
  void checkpointFusedAwayBefore(Location location, StringRef name);

  func::FuncOp source;
  const BufferTypes &types;
  WeightTable &weights;
  NameList names;
  OpBuilder builder;
  llvm::DenseMap<Value, Value> buffers;
  unsigned numFusedAway = 0;
};

moert::FuncOp MoeFunctionLowering::makeFunction() {
  const StringRef attribute = moe::MoeDialect::kNameName;
  NamedBuffers inputs, outputs;
  for (BlockArgument argument : source.getArguments()) {
    const unsigned index = argument.getArgNumber();
    auto name = source.getArgAttrOfType<StringAttr>(index, attribute);
    inputs.emplace_back(name ? name : builder.getStringAttr("arg" + Twine(index)),
                        types.of(argument));
  }
  Operation *terminator = source.front().getTerminator();
  for (auto [index, value] : llvm::enumerate(terminator->getOperands())) {
    auto name = source.getResultAttrOfType<StringAttr>(index, attribute);
    outputs.emplace_back(name ? name : builder.getStringAttr("out" + Twine(index)),
                         types.of(value));
  }
  return moert::FuncOp::create(builder, source.getLoc(), source.getSymName(), inputs, outputs);
}

/// Values that are returned are computed in the caller's buffers.
void MoeFunctionLowering::assignOutputs(moert::FuncOp function) {
  ValueRange returned = source.front().getTerminator()->getOperands();
  for (auto [value, output] : llvm::zip_equal(returned, function.getOutputs()))
    buffers.try_emplace(value, output);
}

/// What is returned twice, or handed through, is in one buffer and has to be copied to another.
void MoeFunctionLowering::copyOutputs(moert::FuncOp function) {
  Operation *terminator = source.front().getTerminator();
  for (auto [value, output] : llvm::zip_equal(terminator->getOperands(), function.getOutputs()))
    if (bufferOf(value) != output)
      moert::CopyOp::create(builder, terminator->getLoc(), bufferOf(value), output);
}

LogicalResult MoeFunctionLowering::run() {
  moert::FuncOp function = makeFunction();
  for (auto [argument, input] : llvm::zip_equal(source.getArguments(), function.getInputs()))
    buffers[argument] = input;
  assignOutputs(function);
  builder.setInsertionPointToStart(&function.getBody().front());
  for (Operation &op : source.front().without_terminator()) {
    if (isa<moe::WeightOp, lm::WriteCacheOp>(op)) // what is kept of a cache lies there already
      continue;
    if (auto read = dyn_cast<lm::ReadCacheOp>(op)) {
      buffers[read] =
          moert::StateBufferOp::create(builder, read.getLoc(), types.of(read), read.getCacheAttr());
      continue;
    }
    makeBuffers(cast<moe::RuntimeOpInterface>(op));
    if (failed(lower(cast<moe::RuntimeOpInterface>(op))))
      return failure();
    for (Value result : op.getResults())
      if (StringRef name = nameOf(result); !name.empty())
        checkpoint(op.getLoc(), name, result);
  }
  checkpointFusedAwayBefore(source.getLoc(), "");
  copyOutputs(function);
  moert::ReturnOp::create(builder, source.getLoc());
  return success();
}

void MoeFunctionLowering::makeBuffers(moe::RuntimeOpInterface op) {
  if (Value updated = op.getInPlaceOperand())
    buffers[op->getResult(0)] = bufferOf(updated);
  for (Value result : op->getResults())
    if (!buffers.contains(result))
      buffers[result] = moert::BufferOp::create(builder, op->getLoc(), types.of(result),
                                                /*offset=*/moert::ExtentAttr());
}

void MoeFunctionLowering::checkpointFusedAwayBefore(Location location, StringRef name) {
  for (StringRef fusedAway : names.takeFusedAwayBefore(name)) {
    moert::CheckpointOp::create(builder, location, fusedAway, /*value=*/Value(),
                                /*order=*/Value());
    ++numFusedAway;
  }
}

void MoeFunctionLowering::checkpoint(Location location, StringRef name, Value tensor) {
  checkpointFusedAwayBefore(location, name);
  moe::DispatchOp dispatch = rowOrderOf(tensor);
  moert::CheckpointOp::create(builder, location, name, bufferOf(tensor),
                              dispatch ? bufferOf(dispatch.getInverse()) : Value());
}

//===----------------------------------------------------------------------===//
// Ops
//===----------------------------------------------------------------------===//

/// The words of `moe` and `lm` in attributes of `moert`; everything else is the same in all.
Attribute toRuntimeAttribute(Attribute attribute) {
  MLIRContext *context = attribute.getContext();
  return llvm::TypeSwitch<Attribute, Attribute>(attribute)
      .Case(
          [&](moe::ScoringAttr word) { return moert::ScoringAttr::get(context, word.getValue()); })
      .Case([&](moe::GroupScoreAttr word) {
        return moert::GroupScoreAttr::get(context, word.getValue());
      })
      .Case(
          [&](moe::TieRuleAttr word) { return moert::TieRuleAttr::get(context, word.getValue()); })
      .Case(
          [&](moe::GluKindAttr word) { return moert::GluKindAttr::get(context, word.getValue()); })
      .Case([&](moe::ArithmeticAttr word) {
        return moert::ArithmeticAttr::get(context, word.getValue());
      })
      .Case([&](lm::PairOrderAttr word) {
        return moert::PairOrderAttr::get(context, word.getValue());
      })
      .Case([&](lm::IntegerWidthAttr word) {
        return moert::IntegerWidthAttr::get(context, word.getValue());
      })
      .Default(attribute);
}

/// The attributes that an op has by its definition, but for the sizes of its groups of operands.
void copyAttributes(Operation *op, OperationState &state) {
  const StringRef segments = OpTrait::AttrSizedOperandSegments<void>::getOperandSegmentSizeAttr();
  for (StringAttr name : op->getRegisteredInfo()->getAttributeNames())
    if (std::optional<Attribute> value = op->getInherentAttr(name);
        value && *value && name != segments)
      state.addAttribute(name, toRuntimeAttribute(*value));
}

LogicalResult MoeFunctionLowering::lower(moe::RuntimeOpInterface op) {
  const std::string name =
      (moert::MoertDialect::getDialectNamespace() + "." + op.getRuntimeName()).str();
  OperationState state(op.getLoc(), name);
  const moe::RuntimeOperands operands = op.getRuntimeOperands();
  SmallVector<int32_t> segments;
  for (Value row : operands.rows) {
    if (row)
      state.addOperands(bufferOf(row));
    segments.push_back(row ? 1 : 0);
  }
  for (Value result : op->getResults()) {
    state.addOperands(bufferOf(result));
    segments.push_back(1);
  }
  copyAttributes(op, state);
  for (const auto &[attribute, value] : operands.attributes)
    state.addAttribute(attribute, toRuntimeAttribute(value));
  for (const auto &[attribute, weight] : operands.weights) {
    FailureOr<FlatSymbolRefAttr> symbol = weights.lookupOptional(op, weight);
    if (failed(symbol))
      return failure();
    if (*symbol)
      state.addAttribute(attribute, *symbol);
  }
  if (state.name.hasTrait<OpTrait::AttrSizedOperandSegments>())
    state.addAttribute(OpTrait::AttrSizedOperandSegments<void>::getOperandSegmentSizeAttr(),
                       builder.getDenseI32ArrayAttr(segments));
  builder.create(state);
  return success();
}

//===----------------------------------------------------------------------===//
// The module
//===----------------------------------------------------------------------===//

class MoeLowerToMoert : public impl::MoeLowerToMoertBase<MoeLowerToMoert> {
public:
  using Base::Base;

  void runOnOperation() override {
    if (getOperation()->hasAttr(moert::MoertDialect::kProgramName))
      return; // A program already.
    const int contractVersion = getContractVersion();
    if (failed(checkModule(contractVersion)) || failed(lowerFunctions()))
      return signalPassFailure();
    stateProgram(contractVersion);
  }

private:
  /// The first version of the numerics contract that has all of the module's arithmetic, so that
  /// older runtimes run what they can.
  int getContractVersion();
  LogicalResult checkModule(int contractVersion);
  /// Makes the symbols that arguments and caches ask for, and finds names for them: those that are
  /// asked for, with a number behind where something else is called so.
  SymbolNames makeSymbols(OpBuilder &builder);
  StringAttr makeSymbol(OpBuilder &builder, StringRef wanted, int64_t most);
  LogicalResult lowerFunctions();
  /// Replaces the module's attributes by those of a program.
  void stateProgram(int contractVersion);
};

LogicalResult MoeLowerToMoert::checkModule(int contractVersion) {
  ModuleOp module = getOperation();
  if (maxTokens < 1 || maxTokens > INT32_MAX)
    return module.emitError("max-tokens must be 1 to 2147483647, got ") << maxTokens.getValue();
  auto version = module->getAttrOfType<IntegerAttr>(moe::MoeDialect::kNumericsName);
  if (version && (version.getInt() < numerics::kContractVersion ||
                  version.getInt() > numerics::kWholeModelContractVersion))
    return module.emitError("asks for version ")
           << version.getInt() << " of the numerics contract, this compiler has "
           << numerics::kContractVersion << " to " << numerics::kWholeModelContractVersion;
  if (version && version.getInt() < contractVersion)
    return module.emitError("asks for version ")
           << version.getInt()
           << " of the numerics contract, its ops of the dialect lm are of version "
           << contractVersion;
  for (Operation &op : *module.getBody()) {
    if (auto cache = dyn_cast<lm::CacheOp>(op)) {
      if (failed(checkCache(cache)))
        return failure();
      continue;
    }
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function)
      return op.emitOpError("cannot be part of a program; only functions and caches can");
    if (failed(checkFunction(function)))
      return failure();
  }
  return checkCacheFunctionNames(module);
}

/// More than anybody has memory for: 2^27 positions.
constexpr int64_t kMostPages = int64_t{1} << 20;

StringAttr MoeLowerToMoert::makeSymbol(OpBuilder &builder, StringRef wanted, int64_t most) {
  ModuleOp module = getOperation();
  auto isTaken = [&](StringRef candidate) { return module.lookupSymbol(candidate) != nullptr; };
  const StringAttr name = builder.getStringAttr(uniqueName(wanted.str(), isTaken));
  moert::SymbolOp::create(builder, module.getLoc(), name.getValue(), most);
  return name;
}

SymbolNames MoeLowerToMoert::makeSymbols(OpBuilder &builder) {
  ModuleOp module = getOperation();
  SymbolNames names;
  auto add = [&](StringRef wanted, int64_t most) {
    StringAttr &name = names[wanted];
    if (!name)
      name = makeSymbol(builder, wanted, most);
  };
  add(kTokensSymbol, maxTokens);
  if (!module.getOps<lm::CacheOp>().empty())
    add(kPagesSymbol, kMostPages);
  for (auto function : module.getOps<func::FuncOp>())
    for (BlockArgument argument : function.getArguments())
      if (auto type = dyn_cast<RankedTensorType>(argument.getType());
          type && type.getRank() > 0 && type.isDynamicDim(0))
        add(symbolOf(argument), maxTokens);
  return names;
}

int MoeLowerToMoert::getContractVersion() {
  const auto isOfWholeModels = [](Operation *op) {
    return isa_and_nonnull<lm::LmDialect>(op->getDialect()) ? WalkResult::interrupt()
                                                            : WalkResult::advance();
  };
  return getOperation()->walk(isOfWholeModels).wasInterrupted()
             ? numerics::kWholeModelContractVersion
             : numerics::kContractVersion;
}

LogicalResult MoeLowerToMoert::lowerFunctions() {
  ModuleOp module = getOperation();
  auto sources = llvm::to_vector(module.getOps<func::FuncOp>());
  auto builder = OpBuilder::atBlockBegin(module.getBody());
  const SymbolNames symbols = makeSymbols(builder);
  StringAttr copies; // their own: an argument may ask for a symbol of this name
  if (symbols.contains(kPagesSymbol))
    copies = makeSymbol(builder, kCopiesSymbol, kMostCopies);
  WeightTable weights(&*std::prev(builder.getInsertionPoint()));
  for (auto cache : llvm::make_early_inc_range(module.getOps<lm::CacheOp>())) {
    builder.setInsertionPoint(cache);
    moert::StateOp::create(builder, cache.getLoc(), cache.getSymName(),
                           cacheBufferType(cache.getCache(), symbols.lookup(kPagesSymbol)));
    cache.erase();
  }
  for (func::FuncOp source : sources) {
    FailureOr<BufferTypes> types = BufferTypes::compute(source, symbols);
    if (failed(types))
      return failure();
    MoeFunctionLowering lowering(source, *types, weights);
    if (failed(lowering.run()))
      return failure();
    source.erase();
    ++functions;
    fusedAway += lowering.getNumFusedAway();
  }
  if (copies)
    addCacheFunctions(module, copies);
  return success();
}

void MoeLowerToMoert::stateProgram(int contractVersion) {
  ModuleOp module = getOperation();
  auto program = moert::ProgramAttr::get(&getContext(), moert::MoertDialect::kProgramAbi,
                                         contractVersion, "cpu", moe::getPromisedContract(module),
                                         /*features=*/{}, "sortie " SORTIE_VERSION);
  module->removeAttr(moe::MoeDialect::kContractName);
  module->removeAttr(moe::MoeDialect::kNumericsName);
  for (auto [name, nameInProgram] : kCarriedAttributes)
    if (Attribute value = module->removeAttr(name))
      module->setAttr(nameInProgram, value);
  module->setAttr(moert::MoertDialect::kProgramName, program);
}

} // namespace
} // namespace sortie
