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

/// The operands of a product. What it does not have is null.
struct ProductOperands {
  Value input;
  Value offsets = {};
  Value permutation = {};
  int64_t slots = 0; ///< as codegen::Product has them
  Value scale = {};
  SmallVector<FlatSymbolRefAttr, 2> matrices;
  SmallVector<FlatSymbolRefAttr, 4> vectors;
  Arithmetic arithmetic;
  Value output;
};

/// What its operands say of a product.
static codegen::Product describe(FunctionSelection &selection, const ProductOperands &operands) {
  moert::WeightOp first = selection.kernels.lookUpWeight(operands.matrices.front());
  codegen::Product product{};
  product.first = first.getFormatInfo().format;
  product.second = selection.kernels.lookUpWeight(operands.matrices.back()).getFormatInfo().format;
  product.input = rowKindOf(operands.input);
  product.output = rowKindOf(operands.output);
  product.rows = first.getShape()[first.getShape().size() - 2];
  product.columns = first.getShape().back();
  product.isGated = operands.matrices.size() == 2;
  product.isGrouped = static_cast<bool>(operands.offsets);
  product.hasPermutation = static_cast<bool>(operands.permutation);
  product.slots = operands.slots;
  product.hasScale = static_cast<bool>(operands.scale);
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

/// The grid of a plan for so many rows of output. `experts` are those of a grouped product's tiles,
/// `heads` those of a product of heads, or 0.
static SmallVector<moert::GridAttr> gridOf(const codegen::ProductGrid &grid, ExtentAttr rows,
                                           std::optional<int64_t> experts, int64_t heads) {
  MLIRContext *context = rows.getContext();
  const auto dim = [&](ExtentAttr extent, int64_t divisor, ExtentAttr max) {
    return moert::GridAttr::get(context, extent, divisor, /*roundsDown=*/false, max);
  };
  const moert::GridAttr columns = dim(ExtentAttr::get(context, grid.columnBlocks), 1, {});
  if (experts)
    return {columns, dim(rows.plus(*experts * grid.rowsOfBlock), grid.rowsOfBlock, rows)};
  SmallVector<moert::GridAttr> dims = {
      columns,
      dim(rows, grid.rowsOfBlock,
          grid.maxRowBlocks ? ExtentAttr::get(context, *grid.maxRowBlocks) : ExtentAttr())};
  if (heads != 0)
    dims.push_back(dim(ExtentAttr::get(context, heads), 1, {}));
  return dims;
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
                                  {.warpgroups = selection.options.usesWarpgroups}));
    const SmallVector<moert::GridAttr> grid =
        gridOf(plans.back().grid, rows, experts, product.heads);
    if (plans.size() == 1)
      launch.grid(grid);
    else if (grid != launch.dims)
      launch.variant(chip->architecture, grid);
  }
  return plans;
}

/// The launch of a product, but for its grid. A kernel reads weights in one form on all chips.
static LogicalResult addOperands(FunctionSelection &selection, Operation *op,
                                 const codegen::Product &product, codegen::Storage storage,
                                 Value tiles, const ProductOperands &operands,
                                 LaunchBuilder &launch) {
  const bool isPacked = storage == codegen::Storage::Packed;
  launch.read(operands.input).read(operands.offsets).read(tiles).read(operands.permutation);
  launch.read(operands.scale).write(operands.output);
  for (FlatSymbolRefAttr matrix : operands.matrices) {
    launch.weight(matrix, isPacked ? WeightForm::Packed : WeightForm::Raw);
    if (isPacked && failed(pack(selection, op, selection.kernels.lookUpWeight(matrix))))
      return failure();
  }
  for (FlatSymbolRefAttr vector : operands.vectors)
    launch.weight(vector, WeightForm::Floats);
  // The elements of the output can be counted, so can its rows times heads.
  if (!product.isGrouped)
    launch.extent(rowsOf(operands.output).multiply(product.groups()));
  const auto matrices = static_cast<int64_t>(operands.matrices.size());
  launch.work(operands.arithmetic, 2 * product.rows * product.columns * matrices * product.groups(),
              product.isGrouped ? std::optional<int64_t>(1) : std::nullopt);
  return success();
}

static LogicalResult selectProduct(FunctionSelection &selection, Operation *op,
                                   codegen::Product product, const ProductOperands &operands) {
  Value tiles;
  std::optional<int64_t> experts;
  if (product.isGrouped) {
    const auto dispatched = selection.dispatches.find(operands.offsets);
    if (dispatched == selection.dispatches.end())
      return op->emitOpError("has offsets that no moert.dispatch of this function made; kernels "
                             "for CUDA need its tile map");
    tiles = dispatched->second.tiles;
    experts = product.experts = dispatched->second.experts;
    product.hasSettledTiles = !mayOverlapWriterOf(op, tiles);
  }
  LaunchBuilder launch(op);
  const std::vector<codegen::ProductPlan> plans =
      planAll(selection, operands.arithmetic, product, rowsOf(operands.output), experts, launch);
  if (failed(addOperands(selection, op, product, plans.front().storage, tiles, operands, launch)))
    return failure();
  const ArrayRef<const Chip *> chips = selection.kernels.getChips();
  return selection.launch(op, launch, [&](const Chip &chip) {
    return plans[llvm::find(chips, &chip) - chips.begin()].code;
  });
}

static LogicalResult select(FunctionSelection &selection, moert::MatmulOp op) {
  const ProductOperands operands = {.input = op.getInput(),
                                    .offsets = op.getOffsets(),
                                    .permutation = op.getPermutation(),
                                    .slots = static_cast<int64_t>(op.getSlots().value_or(0)),
                                    .scale = op.getScale(),
                                    .matrices = {op.getWeightsAttr()},
                                    .vectors = {op.getBiasAttr(), op.getExpertScaleAttr()},
                                    .arithmetic = op.getArithmetic(),
                                    .output = op.getOutput()};
  codegen::Product product = describe(selection, operands);
  product.hasFirstExpertScale = static_cast<bool>(op.getExpertScaleAttr());
  product.hasFirstBias = static_cast<bool>(op.getBiasAttr());
  if (selection.options.usesCublas && isForCublas(op.getArithmetic(), product))
    return selectCublas(selection, op);
  return selectProduct(selection, op, product, operands);
}

static LogicalResult select(FunctionSelection &selection, moert::HeadMatmulOp op) {
  const ProductOperands operands = {.input = op.getInput(),
                                    .matrices = {op.getWeightsAttr()},
                                    .vectors = {},
                                    .arithmetic = op.getArithmetic(),
                                    .output = op.getOutput()};
  codegen::Product product = describe(selection, operands);
  product.heads = static_cast<int64_t>(op.getHeads());
  return selectProduct(selection, op, product, operands);
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
  const ProductOperands operands = {.input = op.getInput(),
                                    .offsets = op.getOffsets(),
                                    .permutation = op.getPermutation(),
                                    .slots = static_cast<int64_t>(op.getSlots().value_or(0)),
                                    .matrices = {op.getGateAttr(), op.getUpAttr()},
                                    .vectors = {op.getGateBiasAttr(), op.getUpBiasAttr(),
                                                op.getGateScaleAttr(), op.getUpScaleAttr()},
                                    .arithmetic = op.getArithmetic(),
                                    .output = op.getOutput()};
  codegen::Product product = describe(selection, operands);
  product.hasFirstExpertScale = static_cast<bool>(op.getGateScaleAttr());
  product.hasSecondExpertScale = static_cast<bool>(op.getUpScaleAttr());
  product.hasFirstBias = static_cast<bool>(op.getGateBiasAttr());
  product.hasSecondBias = static_cast<bool>(op.getUpBiasAttr());
  product.glu = moert::getGluParams(op);
  if (selection.options.usesCublas && isForCublas(op.getArithmetic(), product))
    return selectCublas(selection, op);
  if (op.getArithmetic() != Arithmetic::Exact && product.first != product.second)
    return selectApart(selection, op);
  return selectProduct(selection, op, product, operands);
}

ArrayRef<Selector> productSelectors() {
  static constexpr Selector kTable[] = {
      selector<moert::MatmulOp, select>(Sharing::Products),
      selector<moert::GluMatmulOp, select>(),
      selector<moert::HeadMatmulOp, select>(),
  };
  return kTable;
}

} // namespace sortie::selection
