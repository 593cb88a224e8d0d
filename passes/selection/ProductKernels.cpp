// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Launches of products.

#include "codegen/ProductPlan.h"
#include "dialect/moert/NumericParameters.h"
#include "passes/selection/CublasProducts.h"
#include "passes/selection/RowKernels.h"
#include "passes/selection/Selector.h"

using namespace mlir;

namespace sortie::selection {

using codegen::Chip;
using moert::ExtentAttr;
using moert::WeightForm;

/// What moert.matmul and moert.glu_matmul have in common.
template <typename ProductOp>
static codegen::Product describe(FunctionSelection &selection, ProductOp op,
                                 ArrayRef<FlatSymbolRefAttr> matrices) {
  moert::WeightOp first = selection.kernels.lookUpWeight(matrices.front());
  codegen::Product product{};
  product.first = first.getFormatInfo().format;
  product.second = selection.kernels.lookUpWeight(matrices.back()).getFormatInfo().format;
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

static codegen::ProductFamily familyOf(Arithmetic arithmetic) {
  switch (arithmetic) {
  case Arithmetic::Exact:
    return codegen::ProductFamily::Exact;
  case Arithmetic::Float:
    return codegen::ProductFamily::Float;
  case Arithmetic::Bf16:
    return codegen::ProductFamily::Bf16;
  }
  llvm_unreachable("unknown arithmetic");
}

/// Has the weight packed, if kernels can address all of it.
static LogicalResult pack(FunctionSelection &selection, Operation *op, moert::WeightOp weight) {
  selection.kernels.pack(weight);
  const moert::PackAttr pack = weight.getPackAttr();
  const int64_t bytes = weight.getPanels(pack.getRows()) * pack.getBytes();
  if (bytes > codegen::kMostPackedBytes)
    return op->emitOpError("has a weight of ") << bytes << " bytes; kernels for CUDA can address "
                                               << codegen::kMostPackedBytes << " of one weight";
  return success();
}

/// The operands of a product beside its input and its rows by expert.
struct ProductOperands {
  ArrayRef<FlatSymbolRefAttr> matrices;
  ArrayRef<FlatSymbolRefAttr> vectors; ///< null where the model has none
  Value scale;
};

/// The grid of a plan for so many rows of output. `experts` are those of a grouped product's tiles.
static SmallVector<moert::GridAttr> gridOf(const codegen::ProductGrid &grid, ExtentAttr rows,
                                           std::optional<int64_t> experts) {
  MLIRContext *context = rows.getContext();
  const auto dim = [&](ExtentAttr extent, int64_t divisor, ExtentAttr max) {
    return moert::GridAttr::get(context, extent, divisor, /*roundsDown=*/false, max);
  };
  const moert::GridAttr columns = dim(ExtentAttr::get(context, grid.columnBlocks), 1, {});
  if (experts)
    return {columns, dim(rows.plus(*experts * grid.rowsOfBlock), grid.rowsOfBlock, rows)};
  return {columns,
          dim(rows, grid.rowsOfBlock,
              grid.maxRowBlocks ? ExtentAttr::get(context, *grid.maxRowBlocks) : ExtentAttr())};
}

/// Whether the launch of `op` may overlap one that writes `buffer`.
static bool mayOverlapWriterOf(Operation *op, Value buffer) {
  return llvm::any_of(moert::getLaunchesBefore(op), [&](moert::LaunchOp launch) {
    return llvm::is_contained(launch.getWrites(), buffer);
  });
}

/// The plans of all chips, and their grids: the first chip's for all that have no other.
static std::vector<codegen::ProductPlan>
planAll(FunctionSelection &selection, Arithmetic arithmetic, const codegen::Product &product,
        ExtentAttr rows, std::optional<int64_t> experts, LaunchBuilder &launch) {
  std::vector<codegen::ProductPlan> plans;
  for (const Chip *chip : selection.kernels.getChips()) {
    plans.push_back(codegen::plan(familyOf(arithmetic), product, *chip,
                                  {.warpgroups = selection.usesWarpgroups}));
    const SmallVector<moert::GridAttr> grid = gridOf(plans.back().grid, rows, experts);
    if (plans.size() == 1)
      launch.grid(grid);
    else if (grid != launch.dims)
      launch.variant(chip->architecture, grid);
  }
  return plans;
}

/// The launch of a product, but for its grid. A kernel reads weights in one form on all chips.
template <typename ProductOp>
static LogicalResult addOperands(FunctionSelection &selection, ProductOp op,
                                 const codegen::Product &product, codegen::Storage storage,
                                 Value tiles, const ProductOperands &operands,
                                 LaunchBuilder &launch) {
  const bool isPacked = storage == codegen::Storage::Packed;
  launch.read(op.getInput()).read(op.getOffsets()).read(tiles).read(op.getPermutation());
  launch.read(operands.scale).write(op.getOutput());
  for (FlatSymbolRefAttr matrix : operands.matrices) {
    launch.weight(matrix, isPacked ? WeightForm::Packed : WeightForm::Raw);
    if (isPacked && failed(pack(selection, op, selection.kernels.lookUpWeight(matrix))))
      return failure();
  }
  for (FlatSymbolRefAttr vector : operands.vectors)
    launch.weight(vector, WeightForm::Floats);
  if (!product.isGrouped)
    launch.extent(rowsOf(op.getOutput()));
  const auto matrices = static_cast<int64_t>(operands.matrices.size());
  launch.work(op.getArithmetic(), 2 * product.rows * product.columns * matrices,
              product.isGrouped ? std::optional<int64_t>(1) : std::nullopt);
  return success();
}

template <typename ProductOp>
static LogicalResult selectProduct(FunctionSelection &selection, ProductOp op,
                                   codegen::Product product, const ProductOperands &operands) {
  Value tiles;
  std::optional<int64_t> experts;
  if (product.isGrouped) {
    const auto dispatched = selection.dispatches.find(op.getOffsets());
    if (dispatched == selection.dispatches.end())
      return op.emitOpError("has offsets that no moert.dispatch of this function made; kernels "
                            "for CUDA need its tile map");
    tiles = dispatched->second.tiles;
    experts = product.experts = dispatched->second.experts;
    product.hasSettledTiles = !mayOverlapWriterOf(op, tiles);
  }
  LaunchBuilder launch(op);
  const std::vector<codegen::ProductPlan> plans =
      planAll(selection, op.getArithmetic(), product, rowsOf(op.getOutput()), experts, launch);
  if (failed(addOperands(selection, op, product, plans.front().storage, tiles, operands, launch)))
    return failure();
  const ArrayRef<const Chip *> chips = selection.kernels.getChips();
  return selection.launch(op, launch, [&](const Chip &chip) {
    return plans[llvm::find(chips, &chip) - chips.begin()].code;
  });
}

static LogicalResult select(FunctionSelection &selection, moert::MatmulOp op) {
  codegen::Product product = describe(selection, op, op.getWeightsAttr());
  product.hasScale = static_cast<bool>(op.getScale());
  product.hasFirstExpertScale = static_cast<bool>(op.getExpertScaleAttr());
  product.hasFirstBias = static_cast<bool>(op.getBiasAttr());
  if (selection.usesCublas && isForCublas(op.getArithmetic(), product))
    return selectCublas(selection, op);
  return selectProduct(
      selection, op, product,
      {op.getWeightsAttr(), {op.getBiasAttr(), op.getExpertScaleAttr()}, op.getScale()});
}

/// Gate and up by themselves, then their activation: for formats that no kernel reads together.
static LogicalResult selectApart(FunctionSelection &selection, moert::GluMatmulOp op) {
  if (selection.function.getArenaAttr())
    return op.emitOpError("has gate and up in two formats of floats, which need buffers between "
                          "kernels, but memory is planned already; moert-select-kernels comes "
                          "before moert-plan-memory");
  const ArrayRef<ExtentAttr> shape = typeOf(op.getOutput()).getShape();
  const auto multiply = [&](FlatSymbolRefAttr matrix, FlatSymbolRefAttr expertScale,
                            FlatSymbolRefAttr bias) -> Value {
    const Value result = selection.makeBuffer(op.getLoc(), shape, moert::ElementKind::F32);
    auto product = moert::MatmulOp::create(
        selection.builder, op.getLoc(), op.getInput(), matrix, op.getOffsets(), op.getPermutation(),
        op.getSlotsAttr(), expertScale, bias, /*scale=*/Value(), op.getArithmeticAttr(), result);
    const LogicalResult selected = select(selection, product);
    product.erase();
    return succeeded(selected) ? result : Value();
  };
  const Value gate = multiply(op.getGateAttr(), op.getGateScaleAttr(), op.getGateBiasAttr());
  const Value up =
      gate ? multiply(op.getUpAttr(), op.getUpScaleAttr(), op.getUpBiasAttr()) : Value();
  if (!up)
    return failure();
  const bool isQuantized = typeOf(op.getOutput()).isQuantized();
  const Value activation = isQuantized
                               ? selection.makeBuffer(op.getLoc(), shape, moert::ElementKind::F32)
                               : op.getOutput();
  if (failed(launchGlu(selection, op, moert::getGluParams(op), gate, up, activation)))
    return failure();
  return isQuantized ? launchQuantize(selection, op, activation, op.getOutput()) : success();
}

static LogicalResult select(FunctionSelection &selection, moert::GluMatmulOp op) {
  const FlatSymbolRefAttr matrices[] = {op.getGateAttr(), op.getUpAttr()};
  codegen::Product product = describe(selection, op, matrices);
  product.hasFirstExpertScale = static_cast<bool>(op.getGateScaleAttr());
  product.hasSecondExpertScale = static_cast<bool>(op.getUpScaleAttr());
  product.hasFirstBias = static_cast<bool>(op.getGateBiasAttr());
  product.hasSecondBias = static_cast<bool>(op.getUpBiasAttr());
  product.glu = moert::getGluParams(op);
  if (selection.usesCublas && isForCublas(op.getArithmetic(), product))
    return selectCublas(selection, op);
  if (op.getArithmetic() != Arithmetic::Exact && product.first != product.second)
    return selectApart(selection, op);
  return selectProduct(
      selection, op, product,
      {matrices,
       {op.getGateBiasAttr(), op.getUpBiasAttr(), op.getGateScaleAttr(), op.getUpScaleAttr()},
       /*scale=*/Value()});
}

ArrayRef<Selector> productSelectors() {
  static constexpr Selector kTable[] = {
      selector<moert::MatmulOp, select>(),
      selector<moert::GluMatmulOp, select>(),
  };
  return kTable;
}

} // namespace sortie::selection
