// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// moert-select-kernels: operations of a device become launches of kernels for CUDA.

#include "codegen/kernels/routing/RoutingGeometry.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "dialect/moert/NumericParameters.h"
#include "passes/KernelTable.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sortie {
#define GEN_PASS_DEF_MOERTSELECTKERNELS
#include "passes/Passes.h.inc"

namespace {

using codegen::Chip;
using moert::ExtentAttr;
using moert::WeightForm;

/// Limits of CUDA: the dimensions of a grid, and extents, which kernels get as int32.
constexpr int64_t kMaxGrid[3] = {INT32_MAX, 65535, 65535};
constexpr int64_t kMaxExtent = INT32_MAX;

//===----------------------------------------------------------------------===//
// Extents
//===----------------------------------------------------------------------===//

ExtentAttr constant(MLIRContext *context, int64_t value) { return ExtentAttr::get(context, value); }

ExtentAttr plus(ExtentAttr extent, int64_t constant) {
  return ExtentAttr::get(extent.getContext(), extent.getScale(), extent.getSymbol(),
                         extent.getConstant() + constant);
}

/// At least `factor` times the quotient of `extent` and `divisor` rounded up, at every number of
/// tokens: extents cannot be divided.
ExtentAttr atLeastQuotient(ExtentAttr extent, int64_t divisor, int64_t factor) {
  const int64_t fixed = llvm::divideCeil(extent.getConstant(), divisor) * factor;
  if (extent.isConstant())
    return constant(extent.getContext(), fixed);
  return ExtentAttr::get(extent.getContext(), llvm::divideCeil(extent.getScale() * factor, divisor),
                         extent.getSymbol(), fixed + factor);
}

/// The product of some dimensions of a buffer, of which at most one has a symbol.
ExtentAttr productOf(MLIRContext *context, ArrayRef<ExtentAttr> dims) {
  ExtentAttr product = constant(context, 1);
  for (ExtentAttr dim : dims)
    product = dim.isConstant() ? product.multiply(dim.getConstant())
                               : dim.multiply(product.getConstant());
  return product;
}

moert::BufferType typeOf(Value buffer) { return cast<moert::BufferType>(buffer.getType()); }

/// Rows of a buffer: all dimensions but the last.
ExtentAttr rowsOf(Value buffer) {
  return productOf(buffer.getContext(), typeOf(buffer).getShape().drop_back());
}

ExtentAttr elementsOf(Value buffer) {
  return productOf(buffer.getContext(), typeOf(buffer).getShape());
}

numerics::RowKind rowKindOf(Value buffer) {
  switch (typeOf(buffer).getKind()) {
  case moert::ElementKind::F32:
    return numerics::RowKind::F32;
  case moert::ElementKind::Act8:
    return numerics::RowKind::Int8;
  case moert::ElementKind::Act16:
    return numerics::RowKind::Int16;
  case moert::ElementKind::I32:
  case moert::ElementKind::BF16:
    break;
  }
  llvm_unreachable("the verifier has seen that these are rows");
}

//===----------------------------------------------------------------------===//
// Functions
//===----------------------------------------------------------------------===//

/// A launch in the making. Operands that are null are left out.
class Launch {
public:
  explicit Launch(Operation *op) : context(op->getContext()), op(op->getName().getStringRef()) {}

  Launch &grid(ExtentAttr extent, int64_t divisor = 1, ExtentAttr max = {}) {
    dims.push_back(moert::GridAttr::get(context, extent, divisor, /*roundsDown=*/false, max));
    return *this;
  }
  Launch &gridOfWhole(ExtentAttr extent, int64_t divisor) {
    dims.push_back(moert::GridAttr::get(context, extent, divisor, /*roundsDown=*/true, {}));
    return *this;
  }
  Launch &grid(int64_t blocks) { return grid(constant(context, blocks)); }
  Launch &read(Value buffer) { return add(reads, buffer); }
  Launch &write(Value buffer) { return add(writes, buffer); }
  Launch &weight(FlatSymbolRefAttr name, WeightForm form) {
    if (name) {
      weights.push_back(name);
      forms.push_back(form);
    }
    return *this;
  }
  Launch &extent(ExtentAttr value) {
    extents.push_back(value);
    return *this;
  }
  /// Of a product: multiplications and additions for each row of output, and where the offsets are
  /// read.
  Launch &work(Arithmetic how, int64_t count, std::optional<int64_t> offsetsRead) {
    arithmetic = how;
    operations = count;
    offsets = offsetsRead;
    return *this;
  }

  KernelTable::Interface getInterface() const {
    return {static_cast<int64_t>(reads.size()), static_cast<int64_t>(writes.size()), forms,
            static_cast<int64_t>(extents.size())};
  }

  MLIRContext *context;
  StringRef op;
  SmallVector<moert::GridAttr> dims;
  SmallVector<Value> reads, writes;
  SmallVector<FlatSymbolRefAttr> weights;
  SmallVector<WeightForm> forms;
  SmallVector<ExtentAttr> extents;
  std::optional<Arithmetic> arithmetic;
  int64_t operations = 0;
  std::optional<int64_t> offsets;

private:
  Launch &add(SmallVectorImpl<Value> &buffers, Value buffer) {
    if (buffer)
      buffers.push_back(buffer);
    return *this;
  }
};

/// A launch of a kernel of Elementwise.h, which takes rows of `columns` elements to such rows.
Launch launchOfRows(Operation *op, Value output, int64_t columns) {
  Launch launch(op);
  launch.grid(rowsOf(output)).grid(kernels::rowBlocks(columns));
  return launch;
}
template <typename Op> Launch launchOfRows(Op op, int64_t columns) {
  return launchOfRows(op, op.getOutput(), columns);
}

/// Replaces the operations of one function.
class FunctionSelection {
public:
  FunctionSelection(moert::FuncOp function, KernelTable &kernels, bool usesCublas)
      : function(function), kernels(kernels), builder(function), usesCublas(usesCublas) {}

  LogicalResult run();

  unsigned getNumLaunches() const { return numLaunches; }
  unsigned getNumLibraryCalls() const { return numLibraryCalls; }

private:
  using CodeOfChip = llvm::function_ref<codegen::KernelCode(const Chip &)>;

  /// Replaces `op`, or a part of it, by the launch of a kernel.
  LogicalResult launch(Operation *op, const Launch &launch, CodeOfChip code);
  LogicalResult checkLimits(Operation *op, const Launch &launch);
  /// Has the weight packed, if kernels can address all of it.
  LogicalResult pack(Operation *op, moert::WeightOp weight);
  /// A length that kernels are made for. -1, with an error on `op`, if it is not constant.
  int64_t constantOf(Operation *op, ExtentAttr extent);
  int64_t columnsOf(Operation *op, Value buffer) {
    return constantOf(op, typeOf(buffer).getShape().back());
  }
  Value makeBuffer(Location location, ArrayRef<ExtentAttr> shape,
                   moert::ElementKind kind = moert::ElementKind::I32);

  LogicalResult select(moert::RmsNormOp op);
  LogicalResult select(moert::RouteOp op);
  LogicalResult select(moert::DispatchOp op);
  LogicalResult select(moert::QuantizeOp op);
  LogicalResult select(moert::GatherOp op);
  LogicalResult select(moert::MatmulOp op);
  LogicalResult select(moert::GluMatmulOp op);
  LogicalResult select(moert::GluOp op);
  LogicalResult select(moert::UnsortOp op);
  LogicalResult select(moert::CombineOp op);
  LogicalResult select(moert::AddOp op);

  /// Gate and up by themselves, then their activation: for formats that no kernel reads together.
  LogicalResult selectApart(moert::GluMatmulOp op);

  /// What moert.matmul and moert.glu_matmul have in common.
  template <typename ProductOp>
  LogicalResult selectProduct(ProductOp op, codegen::Product product,
                              ArrayRef<FlatSymbolRefAttr> matrices,
                              ArrayRef<FlatSymbolRefAttr> vectors, Value scale);
  template <typename ProductOp>
  codegen::Product describe(ProductOp op, ArrayRef<FlatSymbolRefAttr> matrices);

  /// Whether cuBLAS is wanted for a product, and has it.
  template <typename ProductOp>
  bool isForCublas(ProductOp op, const codegen::Product &product) const;
  LogicalResult selectCublas(moert::MatmulOp op);
  LogicalResult selectCublas(moert::GluMatmulOp op);
  /// Rows of floats in bf16, rounded once. Null, with an error on `op`, if they are too many.
  Value roundToBf16(Operation *op, Value rows);
  void multiply(Operation *op, Value input, FlatSymbolRefAttr matrix, Value output);
  LogicalResult launchGlu(Operation *op, const numerics::Glu &glu, Value gate, Value up,
                          Value output);
  LogicalResult launchQuantize(Operation *op, Value input, Value output);

  /// What a dispatch made beside its results.
  struct Dispatched {
    Value tiles;
    int64_t experts; ///< of the tiles
  };

  moert::FuncOp function;
  KernelTable &kernels;
  OpBuilder builder;
  bool usesCublas;
  llvm::DenseMap<Value, Dispatched> dispatches; ///< by their offsets
  llvm::DenseMap<Value, Value> rounded;         ///< buffers of f32, and the same in bf16
  /// By the last launch that has thread blocks whatever the number of tokens. Products rely on it
  /// before they wait: CudaExecutor::kernelBefore() sees only launches that have some.
  SmallVector<Value> writtenLast;
  unsigned numLaunches = 0;
  unsigned numLibraryCalls = 0;
};

LogicalResult FunctionSelection::run() {
  for (Operation &op : llvm::make_early_inc_range(function.getBody().front())) {
    builder.setInsertionPoint(&op);
    const LogicalResult selected =
        llvm::TypeSwitch<Operation *, LogicalResult>(&op)
            .Case<moert::RmsNormOp, moert::RouteOp, moert::DispatchOp, moert::QuantizeOp,
                  moert::GatherOp, moert::MatmulOp, moert::GluMatmulOp, moert::GluOp,
                  moert::UnsortOp, moert::CombineOp, moert::AddOp>([&](auto device) {
              if (failed(select(device)))
                return failure();
              device.erase();
              return success();
            })
            .Default(success()); // copies and checkpoints are the same for every device
    if (failed(selected))
      return failure();
  }
  return success();
}

LogicalResult FunctionSelection::checkLimits(Operation *op, const Launch &launch) {
  for (auto [dim, most] : llvm::zip(launch.dims, kMaxGrid)) {
    const int64_t blocks = kernels.getMaximum(dim);
    if (blocks < 0)
      return op->emitOpError("is too large for a GPU; compile with a smaller max-tokens");
    if (blocks > most)
      return op->emitOpError("needs a grid of ")
             << blocks << " thread blocks in a dimension that can have " << most
             << "; compile with a smaller max-tokens";
  }
  for (ExtentAttr extent : launch.extents)
    if (const int64_t value = kernels.getMaximum(extent); value < 0 || value > kMaxExtent)
      return op->emitOpError("has more rows than kernels can count (2^31 - 1); compile with a "
                             "smaller max-tokens");
  return success();
}

LogicalResult FunctionSelection::launch(Operation *op, const Launch &launch, CodeOfChip code) {
  if (failed(checkLimits(op, launch)))
    return failure();
  const FlatSymbolRefAttr kernel = kernels.get(op->getLoc(), launch.getInterface(), code);
  const auto toArray = [&](auto attributes) {
    return builder.getArrayAttr(SmallVector<Attribute>(attributes.begin(), attributes.end()));
  };
  moert::LaunchOp::create(builder, op->getLoc(), kernel, toArray(launch.dims), launch.reads,
                          launch.writes, toArray(launch.weights), toArray(launch.extents),
                          moert::WorkAttr::get(builder.getContext(), launch.op, launch.arithmetic,
                                               launch.operations, launch.offsets));
  // A launch without blocks takes no place in the order. With no tokens at all, nothing overlaps.
  if (llvm::all_of(launch.dims,
                   [](moert::GridAttr dim) { return dim.evaluate(1).value_or(0) > 0; }))
    writtenLast = launch.writes;
  ++numLaunches;
  return success();
}

int64_t FunctionSelection::constantOf(Operation *op, ExtentAttr extent) {
  if (extent.isConstant())
    return extent.getConstant();
  op->emitOpError("has rows of ")
      << moert::toString(extent)
      << " elements; kernels for CUDA are made for rows of a constant length";
  return -1;
}

Value FunctionSelection::makeBuffer(Location location, ArrayRef<ExtentAttr> shape,
                                    moert::ElementKind kind) {
  return moert::BufferOp::create(builder, location,
                                 moert::BufferType::get(builder.getContext(), shape, kind),
                                 /*offset=*/ExtentAttr());
}

//===----------------------------------------------------------------------===//
// Rows by themselves
//===----------------------------------------------------------------------===//

LogicalResult FunctionSelection::select(moert::RmsNormOp op) {
  const int64_t columns = columnsOf(op, op.getInput());
  if (columns < 0)
    return failure();
  const float epsilon = op.getEps().convertToFloat();
  return launch(op,
                Launch(op)
                    .grid(rowsOf(op.getInput()))
                    .read(op.getInput())
                    .write(op.getOutput())
                    .weight(op.getWeightAttr(), WeightForm::Floats),
                [&](const Chip &) { return codegen::rmsNormKernel(columns, epsilon); });
}

LogicalResult FunctionSelection::select(moert::QuantizeOp op) {
  return launchQuantize(op, op.getInput(), op.getOutput());
}

LogicalResult FunctionSelection::launchQuantize(Operation *op, Value input, Value output) {
  const int64_t columns = columnsOf(op, input);
  if (columns < 0)
    return failure();
  return launch(op,
                Launch(op)
                    .grid(rowsOf(input))
                    .grid(kernels::quantizeBlocks(columns))
                    .read(input)
                    .write(output),
                [&](const Chip &) { return codegen::quantizeKernel(rowKindOf(output), columns); });
}

LogicalResult FunctionSelection::select(moert::AddOp op) {
  const int64_t columns = columnsOf(op, op.getOutput());
  if (columns < 0)
    return failure();
  return launch(op,
                launchOfRows(op, columns).read(op.getLhs()).read(op.getRhs()).write(op.getOutput()),
                [&](const Chip &) { return codegen::addKernel(columns); });
}

LogicalResult FunctionSelection::select(moert::GluOp op) {
  return launchGlu(op, moert::getGluParams(op), op.getGate(), op.getUp(), op.getOutput());
}

LogicalResult FunctionSelection::launchGlu(Operation *op, const numerics::Glu &glu, Value gate,
                                           Value up, Value output) {
  const int64_t columns = columnsOf(op, output);
  if (columns < 0)
    return failure();
  return launch(op, launchOfRows(op, output, columns).read(gate).read(up).write(output),
                [&](const Chip &) { return codegen::gluKernel(columns, glu); });
}

LogicalResult FunctionSelection::select(moert::GatherOp op) {
  const int64_t columns = columnsOf(op, op.getOutput());
  if (columns < 0)
    return failure();
  return launch(
      op,
      launchOfRows(op, columns).read(op.getInput()).read(op.getPermutation()).write(op.getOutput()),
      [&](const Chip &) {
        return codegen::gatherKernel(columns, static_cast<int64_t>(op.getSlots()));
      });
}

LogicalResult FunctionSelection::select(moert::UnsortOp op) {
  const int64_t columns = columnsOf(op, op.getOutput());
  if (columns < 0)
    return failure();
  return launch(
      op, launchOfRows(op, columns).read(op.getRows()).read(op.getInverse()).write(op.getOutput()),
      [&](const Chip &) { return codegen::unsortKernel(columns); });
}

LogicalResult FunctionSelection::select(moert::CombineOp op) {
  const int64_t columns = columnsOf(op, op.getOutput());
  const int64_t slots =
      constantOf(op, typeOf(op.getInverse() ? op.getInverse() : op.getRows()).getDim(1));
  if (columns < 0 || slots < 0)
    return failure();
  const bool hasInverse = static_cast<bool>(op.getInverse());
  const bool hasWeights = static_cast<bool>(op.getWeights());
  return launch(
      op,
      launchOfRows(op, columns)
          .read(op.getRows())
          .read(op.getInverse())
          .read(op.getWeights())
          .write(op.getOutput()),
      [&](const Chip &) { return codegen::combineKernel(columns, slots, hasInverse, hasWeights); });
}

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

LogicalResult FunctionSelection::select(moert::RouteOp op) {
  if (columnsOf(op, op.getScores()) < 0)
    return failure();
  const numerics::RouteParams params = moert::getRouteParams(op);
  const ExtentAttr tokens = rowsOf(op.getScores());
  return launch(op,
                Launch(op)
                    .grid(tokens, kernels::kRouteTokens)
                    .read(op.getScores())
                    .write(op.getIds())
                    .write(op.getWeights())
                    .weight(op.getBiasAttr(), WeightForm::Floats)
                    .extent(tokens),
                [&](const Chip &) {
                  return codegen::routeKernel(params, static_cast<bool>(op.getBiasAttr()));
                });
}

LogicalResult FunctionSelection::select(moert::DispatchOp op) {
  const int64_t slotsOfToken = columnsOf(op, op.getIds());
  if (slotsOfToken < 0)
    return failure();
  const codegen::ExpertRange experts{static_cast<int64_t>(op.getExperts()), op.getFirstExpert(),
                                     op.getExpertCount()};
  const ExtentAttr slots = elementsOf(op.getIds());
  const int64_t histogramColumns = kernels::dispatchColumns(experts.count);
  const ExtentAttr entries = plus(atLeastQuotient(slots, kernels::kTileRows, 1), experts.count);
  MLIRContext *context = op.getContext();
  const Value histogram =
      makeBuffer(op.getLoc(), atLeastQuotient(slots, kernels::kDispatchSegment, histogramColumns));
  const Value tiles = makeBuffer(op.getLoc(), {entries, constant(context, 4)});
  const Value status = makeBuffer(op.getLoc(), constant(context, 2));

  if (failed(launch(op,
                    Launch(op)
                        .gridOfWhole(slots, kernels::kDispatchSegment)
                        .read(op.getIds())
                        .write(histogram)
                        .extent(slots),
                    [&](const Chip &) { return codegen::dispatchCountKernel(experts); })) ||
      failed(launch(op,
                    Launch(op)
                        .grid(plus(slots, 1), kernels::kDispatchSegment)
                        .read(op.getIds())
                        .read(histogram)
                        .write(op.getPermutation())
                        .write(op.getInverse())
                        .write(op.getOffsets())
                        .write(tiles)
                        .write(status)
                        .extent(slots)
                        .extent(entries),
                    [&](const Chip &) { return codegen::dispatchScatterKernel(experts); })))
    return failure();
  dispatches[op.getOffsets()] = {tiles, experts.count};

  const OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(function.getBody().front().getTerminator());
  moert::CheckIdsOp::create(builder, op.getLoc(), status, experts.total, slotsOfToken);
  return success();
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

template <typename ProductOp>
codegen::Product FunctionSelection::describe(ProductOp op, ArrayRef<FlatSymbolRefAttr> matrices) {
  moert::WeightOp first = kernels.lookUpWeight(matrices.front());
  codegen::Product product{};
  product.first = first.getFormatInfo().format;
  product.second = kernels.lookUpWeight(matrices.back()).getFormatInfo().format;
  product.input = rowKindOf(op.getInput());
  product.output = rowKindOf(op.getOutput());
  product.rows = first.getShape()[first.getShape().size() - 2];
  product.columns = first.getShape().back();
  product.isGated = matrices.size() == 2;
  product.isGrouped = static_cast<bool>(op.getOffsets());
  product.hasPermutation = static_cast<bool>(op.getPermutation());
  product.slots = static_cast<int64_t>(op.getSlots().value_or(0));
  return product;
}

codegen::ProductGrid gridOf(Arithmetic arithmetic, const codegen::Product &product) {
  switch (arithmetic) {
  case Arithmetic::Exact:
    return codegen::exactProductGrid(product);
  case Arithmetic::Float:
    return codegen::floatProductGrid(product);
  case Arithmetic::Bf16:
    return codegen::bf16ProductGrid(product);
  }
  llvm_unreachable("unknown arithmetic");
}

codegen::KernelCode kernelOf(Arithmetic arithmetic, const codegen::Product &product,
                             const Chip &chip) {
  switch (arithmetic) {
  case Arithmetic::Exact:
    return codegen::exactProductKernel(product, chip);
  case Arithmetic::Float:
    return codegen::floatProductKernel(product);
  case Arithmetic::Bf16:
    return codegen::bf16ProductKernel(product);
  }
  llvm_unreachable("unknown arithmetic");
}

LogicalResult FunctionSelection::pack(Operation *op, moert::WeightOp weight) {
  kernels.pack(weight);
  const moert::PackAttr pack = weight.getPackAttr();
  const int64_t bytes = weight.getPanels(pack.getRows()) * pack.getBytes();
  if (bytes > codegen::kMostPackedBytes)
    return op->emitOpError("has a weight of ") << bytes << " bytes; kernels for CUDA can address "
                                               << codegen::kMostPackedBytes << " of one weight";
  return success();
}

template <typename ProductOp>
LogicalResult FunctionSelection::selectProduct(ProductOp op, codegen::Product product,
                                               ArrayRef<FlatSymbolRefAttr> matrices,
                                               ArrayRef<FlatSymbolRefAttr> vectors, Value scale) {
  const bool isExact = op.getArithmetic() == Arithmetic::Exact;
  const codegen::ProductGrid grid = gridOf(op.getArithmetic(), product);
  const ExtentAttr rows = rowsOf(op.getOutput());
  Launch result(op);
  result.grid(grid.columnBlocks).read(op.getInput());
  if (product.isGrouped) {
    const auto dispatched = dispatches.find(op.getOffsets());
    if (dispatched == dispatches.end())
      return op.emitOpError("has offsets that no moert.dispatch of this function made; kernels "
                            "for CUDA need its tile map");
    const int64_t tileRows = grid.rowsOfBlock;
    product.hasSettledTiles = !llvm::is_contained(writtenLast, dispatched->second.tiles);
    result.grid(plus(rows, dispatched->second.experts * tileRows), tileRows, rows)
        .read(op.getOffsets())
        .read(dispatched->second.tiles);
  } else {
    result.grid(rows, grid.rowsOfBlock,
                grid.maxRowBlocks ? constant(op.getContext(), *grid.maxRowBlocks) : ExtentAttr());
  }
  result.read(op.getPermutation()).read(scale).write(op.getOutput());
  for (FlatSymbolRefAttr matrix : matrices) {
    result.weight(matrix, isExact ? WeightForm::Packed : WeightForm::Raw);
    if (isExact && failed(pack(op, kernels.lookUpWeight(matrix))))
      return failure();
  }
  for (FlatSymbolRefAttr vector : vectors)
    result.weight(vector, WeightForm::Floats);
  if (!product.isGrouped)
    result.extent(rows);
  result.work(op.getArithmetic(),
              2 * product.rows * product.columns * static_cast<int64_t>(matrices.size()),
              product.isGrouped ? std::optional<int64_t>(1) : std::nullopt);
  return launch(op, result,
                [&](const Chip &chip) { return kernelOf(op.getArithmetic(), product, chip); });
}

LogicalResult FunctionSelection::select(moert::MatmulOp op) {
  codegen::Product product = describe(op, op.getWeightsAttr());
  product.hasScale = static_cast<bool>(op.getScale());
  product.hasFirstExpertScale = static_cast<bool>(op.getExpertScaleAttr());
  product.hasFirstBias = static_cast<bool>(op.getBiasAttr());
  if (op.getArithmetic() == Arithmetic::Exact)
    product.slices = kernels.chooseSlices(product);
  if (isForCublas(op, product))
    return selectCublas(op);
  return selectProduct(op, product, op.getWeightsAttr(),
                       {op.getBiasAttr(), op.getExpertScaleAttr()}, op.getScale());
}

LogicalResult FunctionSelection::select(moert::GluMatmulOp op) {
  const FlatSymbolRefAttr matrices[] = {op.getGateAttr(), op.getUpAttr()};
  codegen::Product product = describe(op, matrices);
  product.hasFirstExpertScale = static_cast<bool>(op.getGateScaleAttr());
  product.hasSecondExpertScale = static_cast<bool>(op.getUpScaleAttr());
  product.hasFirstBias = static_cast<bool>(op.getGateBiasAttr());
  product.hasSecondBias = static_cast<bool>(op.getUpBiasAttr());
  product.glu = moert::getGluParams(op);
  if (isForCublas(op, product))
    return selectCublas(op);
  if (op.getArithmetic() != Arithmetic::Exact && product.first != product.second)
    return selectApart(op);
  return selectProduct(
      op, product, matrices,
      {op.getGateBiasAttr(), op.getUpBiasAttr(), op.getGateScaleAttr(), op.getUpScaleAttr()},
      /*scale=*/Value());
}

LogicalResult FunctionSelection::selectApart(moert::GluMatmulOp op) {
  if (function.getArenaAttr())
    return op.emitOpError("has gate and up in two formats of floats, which need buffers between "
                          "kernels, but memory is planned already; moert-select-kernels comes "
                          "before moert-plan-memory");
  const ArrayRef<ExtentAttr> shape = typeOf(op.getOutput()).getShape();
  const auto multiply = [&](FlatSymbolRefAttr matrix, FlatSymbolRefAttr expertScale,
                            FlatSymbolRefAttr bias) -> Value {
    const Value result = makeBuffer(op.getLoc(), shape, moert::ElementKind::F32);
    auto product = moert::MatmulOp::create(
        builder, op.getLoc(), op.getInput(), matrix, op.getOffsets(), op.getPermutation(),
        op.getSlotsAttr(), expertScale, bias, /*scale=*/Value(), op.getArithmeticAttr(), result);
    const LogicalResult selected = select(product);
    product.erase();
    return succeeded(selected) ? result : Value();
  };
  const Value gate = multiply(op.getGateAttr(), op.getGateScaleAttr(), op.getGateBiasAttr());
  const Value up =
      gate ? multiply(op.getUpAttr(), op.getUpScaleAttr(), op.getUpBiasAttr()) : Value();
  if (!up)
    return failure();
  const bool isQuantized = typeOf(op.getOutput()).isQuantized();
  const Value activation =
      isQuantized ? makeBuffer(op.getLoc(), shape, moert::ElementKind::F32) : op.getOutput();
  if (failed(launchGlu(op, moert::getGluParams(op), gate, up, activation)))
    return failure();
  return isQuantized ? launchQuantize(op, activation, op.getOutput()) : success();
}

//===----------------------------------------------------------------------===//
// Products by cuBLAS
//===----------------------------------------------------------------------===//

template <typename ProductOp>
bool FunctionSelection::isForCublas(ProductOp op, const codegen::Product &product) const {
  return usesCublas && op.getArithmetic() == Arithmetic::Bf16 && !product.isGrouped &&
         !product.hasPermutation && !product.hasFirstBias && !product.hasSecondBias &&
         product.output == numerics::RowKind::F32;
}

Value FunctionSelection::roundToBf16(Operation *op, Value rows) {
  Value &result = rounded[rows];
  if (result)
    return result;
  const int64_t columns = columnsOf(op, rows);
  const Value made = makeBuffer(op->getLoc(), typeOf(rows).getShape(), moert::ElementKind::BF16);
  if (columns < 0 || failed(launch(
                         op, Launch(op).grid(rowsOf(rows)).read(rows).write(made),
                         [&](const Chip &) { return codegen::roundBf16Kernel(columns); })))
    return {};
  return result = made;
}

void FunctionSelection::multiply(Operation *op, Value input, FlatSymbolRefAttr matrix,
                                 Value output) {
  kernels.packAsBf16(kernels.lookUpWeight(matrix));
  moert::CublasMatmulOp::create(builder, op->getLoc(), input, matrix, output);
  ++numLibraryCalls;
}

LogicalResult FunctionSelection::selectCublas(moert::MatmulOp op) {
  const Value input = roundToBf16(op, op.getInput());
  if (!input)
    return failure();
  multiply(op, input, op.getWeightsAttr(), op.getOutput());
  return success();
}

LogicalResult FunctionSelection::selectCublas(moert::GluMatmulOp op) {
  const Value input = roundToBf16(op, op.getInput());
  if (!input)
    return failure();
  const auto product = [&](FlatSymbolRefAttr matrix) {
    const Value result =
        makeBuffer(op.getLoc(), typeOf(op.getOutput()).getShape(), moert::ElementKind::F32);
    multiply(op, input, matrix, result);
    return result;
  };
  const Value gate = product(op.getGateAttr());
  const Value up = product(op.getUpAttr());
  return launchGlu(op, moert::getGluParams(op), gate, up, op.getOutput());
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

class MoertSelectKernels : public impl::MoertSelectKernelsBase<MoertSelectKernels> {
public:
  using MoertSelectKernelsBase::MoertSelectKernelsBase;
  void runOnOperation() override;

private:
  /// The chips of the option, and those that PTX stands for.
  FailureOr<SmallVector<const Chip *>> findChips();
  LogicalResult checkUnplanned();
  LogicalResult checkCublas(moert::ProgramAttr program);
  /// The program that comes of `program`.
  moert::ProgramAttr selectedProgram(moert::ProgramAttr program, bool hasLibraryCalls);
};

FailureOr<SmallVector<const Chip *>> MoertSelectKernels::findChips() {
  SmallVector<const Chip *> found;
  SmallVector<std::string> names(chips.begin(), chips.end());
  if (names.empty())
    names = {"sm_80", "sm_90a"};
  names.push_back("compute_80");
  for (const std::string &name : names) {
    const Chip *chip = codegen::findChip(name);
    if (!chip) {
      emitError(getOperation().getLoc(), "unknown chip '")
          << name << "', expected some of " << llvm::join(codegen::getChipNames(), ", ");
      return failure();
    }
    if (!llvm::is_contained(found, chip))
      found.push_back(chip);
  }
  return found;
}

LogicalResult MoertSelectKernels::checkUnplanned() {
  const auto needsBuffers = [&](Operation &op) {
    return isa<moert::DispatchOp>(op) || (cublas && isa<moert::MatmulOp, moert::GluMatmulOp>(op));
  };
  for (auto function : getOperation().getOps<moert::FuncOp>())
    if (function.getArenaAttr() && llvm::any_of(function.getBody().getOps(), needsBuffers))
      return function.emitOpError("has planned memory already; kernels need buffers of their own, "
                                  "so moert-select-kernels comes before moert-plan-memory");
  return success();
}

LogicalResult MoertSelectKernels::checkCublas(moert::ProgramAttr program) {
  if (!cublas || satisfies(Determinism::Run, program.getContract()))
    return success();
  return getOperation().emitError("the option cublas is refused: the library keeps {run} only, the "
                                  "program's contract is [")
         << stringifyDeterminism(program.getContract())
         << "]; promise less in moe.contract, or do without";
}

moert::ProgramAttr MoertSelectKernels::selectedProgram(moert::ProgramAttr program,
                                                       bool hasLibraryCalls) {
  SmallVector<StringAttr> features(program.getFeatures());
  const auto feature = StringAttr::get(&getContext(), moert::MoertDialect::kCublasFeature);
  if (hasLibraryCalls && !llvm::is_contained(features, feature))
    features.push_back(feature);
  return moert::ProgramAttr::get(&getContext(), program.getAbi(), program.getNumerics(), "cuda",
                                 program.getContract(), features, program.getProducer());
}

void MoertSelectKernels::runOnOperation() {
  ModuleOp module = getOperation();
  auto program = module->getAttrOfType<moert::ProgramAttr>(moert::MoertDialect::kProgramName);
  if (!program) {
    module.emitError("is no program yet; run moe-lower-to-moert first");
    return signalPassFailure();
  }
  FailureOr<SmallVector<const Chip *>> found = findChips();
  if (failed(found) || failed(checkUnplanned()) || failed(checkCublas(program)))
    return signalPassFailure();
  KernelTable kernels(module, *found);
  unsigned calls = 0;
  for (auto function : module.getOps<moert::FuncOp>()) {
    FunctionSelection selection(function, kernels, cublas);
    if (failed(selection.run()))
      return signalPassFailure();
    launches += selection.getNumLaunches();
    calls += selection.getNumLibraryCalls();
  }
  if (cublas && calls == 0)
    module.emitRemark("cublas serves no product: none is dense, in bf16 arithmetic (see "
                      "unquantized=bf16) and without bias");
  libraryCalls += calls;
  kernelCount += kernels.getNumKernels();
  module->setAttr(moert::MoertDialect::kProgramName, selectedProgram(program, calls != 0));
}

} // namespace
} // namespace sortie
