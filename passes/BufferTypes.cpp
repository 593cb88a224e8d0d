// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/BufferTypes.h"

#include "dialect/common/Widths.h"
#include "runtime/numerics/cache.h"

#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace sortie;
using moert::ExtentAttr;

static ExtentAttr constantExtent(MLIRContext *context, int64_t value) {
  return ExtentAttr::get(context, value);
}

/// What a row of these elements is in memory; none if no buffer holds them.
static std::optional<moert::ElementKind> elementKindOf(Type element) {
  if (element.isF32())
    return moert::ElementKind::F32;
  if (element.isInteger(32))
    return moert::ElementKind::I32;
  if (auto activation = dyn_cast<moe::ActivationType>(element))
    return activation.getWidth() == numerics::ActivationWidth::Int16 ? moert::ElementKind::Act16
                                                                     : moert::ElementKind::Act8;
  return std::nullopt;
}

StringRef sortie::symbolOf(BlockArgument argument) {
  auto function = cast<func::FuncOp>(argument.getOwner()->getParentOp());
  auto name =
      function.getArgAttrOfType<StringAttr>(argument.getArgNumber(), moe::MoeDialect::kSymbolName);
  return name ? name.getValue() : StringRef(kTokensSymbol);
}

moert::BufferType sortie::cacheBufferType(lm::CacheType cache, StringRef pages) {
  MLIRContext *context = cache.getContext();
  const int64_t words =
      numerics::cachePageWords(toNumerics(*cache.getWidth()), cache.getHeads(), cache.getKey(),
                               cache.getValue(), cache.getRotated());
  return moert::BufferType::get(context,
                                {ExtentAttr::get(context, /*scale=*/1, pages, /*constant=*/0),
                                 constantExtent(context, words)},
                                moert::ElementKind::I32);
}

FailureOr<BufferTypes> BufferTypes::compute(func::FuncOp function, const SymbolNames &symbols) {
  BufferTypes result(symbols);
  for (BlockArgument argument : function.getArguments())
    if (failed(result.addArgument(argument)))
      return failure();
  for (Operation &op : function.front().without_terminator())
    if (!isa<moe::WeightOp>(op))
      for (OpResult value : op.getResults())
        if (failed(result.addResult(value)))
          return failure();
  return result;
}

LogicalResult BufferTypes::add(Value tensor, ArrayRef<ExtentAttr> shape) {
  auto emitError = [&] { return mlir::emitError(tensor.getLoc()); };
  auto element = cast<RankedTensorType>(tensor.getType()).getElementType();
  std::optional<moert::ElementKind> kind = elementKindOf(element);
  if (!kind)
    return emitError() << "no buffer can hold elements of type " << element;
  auto type = moert::BufferType::getChecked(emitError, tensor.getContext(), shape, *kind,
                                            /*device=*/int64_t{0},
                                            StringRef(moert::BufferType::kGlobalSpace));
  types[tensor] = type;
  return success(type != nullptr);
}

LogicalResult BufferTypes::addArgument(BlockArgument argument) {
  MLIRContext *context = argument.getContext();
  auto type = dyn_cast<RankedTensorType>(argument.getType());
  if (!type)
    return emitError(argument.getLoc(), "argument ")
           << argument.getArgNumber() << " is no ranked tensor";
  if (isa<moe::ActivationType>(type.getElementType()))
    return emitError(argument.getLoc(), "argument ")
           << argument.getArgNumber() << " holds " << type.getElementType()
           << "; callers can pass f32 and i32 only, moe.quantize makes quantized rows of them";
  Shape shape;
  for (auto [index, size] : llvm::enumerate(type.getShape())) {
    if (ShapedType::isStatic(size))
      shape.push_back(constantExtent(context, size));
    else if (index == 0)
      shape.push_back(ExtentAttr::get(context, /*scale=*/1, symbols.lookup(symbolOf(argument)),
                                      /*constant=*/0));
    else
      return emitError(argument.getLoc(), "argument ")
             << argument.getArgNumber() << " has a dynamic dimension " << index
             << "; only the first may be dynamic";
  }
  return add(argument, shape);
}

LogicalResult BufferTypes::addResult(OpResult result) {
  if (auto cache = dyn_cast<lm::CacheType>(result.getType())) {
    types[result] = cacheBufferType(cache, symbols.lookup(kPagesSymbol));
    return success();
  }
  Shape shape = shapeOf(result);
  if (llvm::is_contained(shape, nullptr))
    return result.getOwner()->emitOpError("has a result that is too large");
  return add(result, shape);
}

BufferTypes::Shape BufferTypes::shapeOf(OpResult result) const {
  MLIRContext *context = result.getContext();
  const auto toExtent = [&](const moe::ResultExtent &extent) -> ExtentAttr {
    if (!extent.operand)
      return constantExtent(context, extent.factor);
    const ExtentAttr dim = of(extent.operand).getDim(extent.dim);
    return extent.factor == 1 ? dim : dim.multiply(extent.factor);
  };
  auto op = cast<moe::RuntimeOpInterface>(result.getOwner());
  return Shape(llvm::map_range(op.getResultShape(result), toExtent));
}
