// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The verifiers of the dialect have checked shapes, element types, names, bounds of the arena,
// lifetimes and where indices come from. Checked here is what they leave to the loader: what this
// runtime and its device can do.

#include "runtime/program/FunctionLowering.h"

#include "dialect/moert/NumericParameters.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace llvm;

namespace sortie {

const char *elementTypeName(ElementType type) {
  switch (type) {
  case ElementType::F32:
    return "f32";
  case ElementType::I32:
    return "i32";
  case ElementType::Act16:
    return "act16";
  case ElementType::Act8:
    return "act8";
  case ElementType::BF16:
    return "bf16";
  }
  return "";
}

namespace {

ElementType elementType(moert::ElementKind kind) {
  switch (kind) {
  case moert::ElementKind::F32:
    return ElementType::F32;
  case moert::ElementKind::I32:
    return ElementType::I32;
  case moert::ElementKind::Act16:
    return ElementType::Act16;
  case moert::ElementKind::Act8:
    return ElementType::Act8;
  case moert::ElementKind::BF16:
    return ElementType::BF16;
  }
  return ElementType::F32;
}

} // namespace

Error FunctionLowering::error(mlir::Operation *op, const Twine &message) const {
  return makeError(program.name + ": function '" + function.name +
                   "': " + op->getName().getStringRef() + ": " + message);
}

//===- Buffers --------------------------------------------------------===//

/// Notes the symbol of an extent: a function has one.
Error FunctionLowering::addSymbol(moert::ExtentAttr extent, mlir::Operation *op) {
  if (extent.isConstant())
    return Error::success();
  const uint32_t symbol = names.symbols.lookup(extent.getSymbol());
  if (function.symbol && *function.symbol != symbol)
    return error(op, "uses symbol '" + extent.getSymbol() + "' where others use '" +
                         program.symbols[*function.symbol].name +
                         "'; this runtime supports one symbol a function");
  function.symbol = symbol;
  return Error::success();
}

Expected<BufferId> FunctionLowering::addBuffer(mlir::Value value, Buffer::Place place,
                                               uint32_t argument, moert::ExtentAttr offset,
                                               mlir::Operation *op) {
  const auto type = cast<moert::BufferType>(value.getType());
  if (type.getDevice() != 0 || type.getSpace() != moert::BufferType::kGlobalSpace)
    return error(op, "a buffer on device " + Twine(type.getDevice()) + " in space '" +
                         type.getSpace() + "'; this runtime has device 0 and space 'global' only");
  Buffer buffer{place, argument, {}, elementType(type.getKind()), {}, affine(type.getByteSize())};
  if (offset) {
    buffer.offset = affine(offset);
    if (Error failure = addSymbol(offset, op))
      return failure;
  }
  for (const moert::ExtentAttr extent : type.getShape()) {
    buffer.shape.push_back(affine(extent));
    if (Error failure = addSymbol(extent, op))
      return failure;
  }
  const auto id = static_cast<BufferId>(function.buffers.size());
  function.buffers.push_back(std::move(buffer));
  buffers[value] = id;
  return id;
}

Error FunctionLowering::lowerArguments() {
  auto add = [&](mlir::BlockArgument argument, mlir::Attribute name, Buffer::Place place,
                 std::vector<Argument> &list) -> Error {
    const std::string text = cast<mlir::StringAttr>(name).str();
    Expected<BufferId> buffer = addBuffer(argument, place, list.size(), {}, func);
    if (!buffer)
      return buffer.takeError();
    const ElementType type = function.buffers[*buffer].type;
    if (type != ElementType::F32 && type != ElementType::I32)
      return error(func, "argument '" + text + "' holds " + elementTypeName(type) +
                             "; callers can pass f32 and i32 only");
    list.push_back({text, *buffer});
    return Error::success();
  };
  for (auto [argument, name] : zip_equal(func.getInputs(), func.getArgNames()))
    if (Error failure = add(argument, name, Buffer::Place::Input, function.inputs))
      return failure;
  for (auto [argument, name] : zip_equal(func.getOutputs(), func.getOutNames()))
    if (Error failure = add(argument, name, Buffer::Place::Output, function.outputs))
      return failure;
  return Error::success();
}

BufferId FunctionLowering::id(mlir::Value value) const {
  return value ? buffers.lookup(value) : kNoBuffer;
}

//===- Weights --------------------------------------------------------===//

WeightId FunctionLowering::use(mlir::FlatSymbolRefAttr name) {
  if (!name)
    return kNoWeight;
  const WeightId weight = names.weights.lookup(name.getValue());
  function.weights.set(weight);
  label += (label.empty() ? "" : ", ") + program.weights[weight].label();
  return weight;
}

WeightId FunctionLowering::matrix(mlir::FlatSymbolRefAttr name) {
  const WeightId weight = use(name);
  program.weights[weight].isMatrix = true;
  return weight;
}

WeightId FunctionLowering::vector(mlir::FlatSymbolRefAttr name) {
  const WeightId weight = use(name);
  if (weight != kNoWeight)
    program.weights[weight].isVector = true;
  return weight;
}

//===- Operations -----------------------------------------------------===//

Error FunctionLowering::addStep(mlir::Operation *op, Step::Operation body) {
  function.steps.push_back({op->getName().getStringRef().str(), std::move(label), std::move(body)});
  return Error::success();
}

Error FunctionLowering::lowerOp(moert::BufferOp op) {
  if (!op.getOffsetAttr())
    return error(op, "has no offset: the program's memory has not been planned; compile it with "
                     "moert-plan-memory");
  return addBuffer(op.getResult(), Buffer::Place::Arena, 0, op.getOffsetAttr(), op).takeError();
}

Error FunctionLowering::lowerOp(moert::RmsNormOp op) {
  const WeightId weight = vector(op.getWeightAttr());
  return addStep(
      op, RmsNormStep{id(op.getInput()), weight, op.getEps().convertToFloat(), id(op.getOutput())});
}

Error FunctionLowering::lowerOp(moert::RouteOp op) {
  const WeightId bias = vector(op.getBiasAttr());
  return addStep(op, RouteStep{id(op.getScores()), bias, moert::getRouteParams(op), id(op.getIds()),
                               id(op.getWeights())});
}

Error FunctionLowering::lowerOp(moert::DispatchOp op) {
  return addStep(op, DispatchStep{id(op.getIds()), static_cast<int64_t>(op.getExperts()),
                                  op.getFirstExpert(), op.getExpertCount(), id(op.getPermutation()),
                                  id(op.getInverse()), id(op.getOffsets())});
}

Error FunctionLowering::lowerOp(moert::QuantizeOp op) {
  return addStep(op, QuantizeStep{id(op.getInput()), id(op.getOutput())});
}

Error FunctionLowering::lowerOp(moert::GatherOp op) {
  return addStep(op, GatherStep{id(op.getInput()), id(op.getPermutation()),
                                static_cast<int64_t>(op.getSlots()), id(op.getOutput())});
}

/// The slots by which a permutation entry is divided, or the routed slots a token of `scale`.
static int64_t slotsOf(std::optional<uint64_t> slots, mlir::Value scale) {
  if (slots)
    return static_cast<int64_t>(*slots);
  return scale ? cast<moert::BufferType>(scale.getType()).getDim(1).getConstant() : 1;
}

Error FunctionLowering::lowerOp(moert::MatmulOp op) {
  const WeightId weights = matrix(op.getWeightsAttr());
  const WeightId expertScale = vector(op.getExpertScaleAttr());
  const WeightId bias = vector(op.getBiasAttr());
  const GroupedRows rows{id(op.getOffsets()), id(op.getPermutation()),
                         slotsOf(op.getSlots(), op.getScale()), op.getSlots().has_value()};
  return addStep(op,
                 MatmulStep{id(op.getInput()), weights, rows, expertScale, bias, id(op.getScale()),
                            id(op.getOutput()), op.getArithmetic() == Arithmetic::Bf16});
}

Error FunctionLowering::lowerOp(moert::GluMatmulOp op) {
  const WeightId gate = matrix(op.getGateAttr());
  const WeightId up = matrix(op.getUpAttr());
  const WeightId gateScale = vector(op.getGateScaleAttr());
  const WeightId upScale = vector(op.getUpScaleAttr());
  const WeightId gateBias = vector(op.getGateBiasAttr());
  const WeightId upBias = vector(op.getUpBiasAttr());
  const GroupedRows rows{id(op.getOffsets()), id(op.getPermutation()), slotsOf(op.getSlots(), {}),
                         op.getSlots().has_value()};
  return addStep(op, GluMatmulStep{id(op.getInput()), gate, up, rows, gateScale, upScale, gateBias,
                                   upBias, moert::getGluParams(op), id(op.getOutput()),
                                   op.getArithmetic() == Arithmetic::Bf16});
}

Error FunctionLowering::lowerOp(moert::GluOp op) {
  return addStep(
      op, GluStep{id(op.getGate()), id(op.getUp()), moert::getGluParams(op), id(op.getOutput())});
}

Error FunctionLowering::lowerOp(moert::UnsortOp op) {
  return addStep(op, UnsortStep{id(op.getRows()), id(op.getInverse()), id(op.getOutput())});
}

Error FunctionLowering::lowerOp(moert::CombineOp op) {
  return addStep(op, CombineStep{id(op.getRows()), id(op.getInverse()), id(op.getWeights()),
                                 id(op.getOutput())});
}

Error FunctionLowering::lowerOp(moert::AddOp op) {
  return addStep(op, AddStep{id(op.getLhs()), id(op.getRhs()), id(op.getOutput())});
}

Error FunctionLowering::lowerOp(moert::CopyOp op) {
  return addStep(op, CopyStep{id(op.getInput()), id(op.getOutput())});
}

Error FunctionLowering::lowerOp(moert::CheckpointOp op) {
  return addStep(op, CheckpointStep{op.getName().str(), id(op.getValue()), id(op.getOrder())});
}

Error FunctionLowering::checkTarget(mlir::Operation *op) const {
  if (isa<moert::BufferOp, moert::CopyOp, moert::CheckpointOp, moert::ReturnOp>(op) ||
      isa<moert::LaunchOp, moert::CheckIdsOp, moert::CublasMatmulOp>(op) == isForCuda())
    return Error::success();
  return error(op, "is not an operation of target '" + program.target + "'" +
                       (isForCuda() ? "; compile the program with moert-select-kernels" : ""));
}

Error FunctionLowering::lowerOperation(mlir::Operation *op) {
  if (Error failure = checkTarget(op))
    return failure;
  label.clear();
  return TypeSwitch<mlir::Operation *, Error>(op)
      .Case<moert::BufferOp, moert::RmsNormOp, moert::RouteOp, moert::DispatchOp, moert::QuantizeOp,
            moert::GatherOp, moert::MatmulOp, moert::GluMatmulOp, moert::GluOp, moert::UnsortOp,
            moert::CombineOp, moert::AddOp, moert::CopyOp, moert::CheckpointOp, moert::LaunchOp,
            moert::CheckIdsOp, moert::CublasMatmulOp>(
          [&](auto concrete) { return lowerOp(concrete); })
      .Case([](moert::ReturnOp) { return Error::success(); })
      .Default([&](mlir::Operation *other) {
        return error(other, "is not an operation that this runtime knows");
      });
}

Error FunctionLowering::checkInputsGiveSymbol() {
  if (!function.symbol)
    return Error::success();
  for (const Argument &input : function.inputs)
    for (const Affine &extent : function.buffers[input.buffer].shape)
      if (extent.scale != 0)
        return Error::success();
  return error(func, "no shape of an input gives the value of symbol '" +
                         program.symbols[*function.symbol].name + "'");
}

Expected<Function> FunctionLowering::lower() {
  function.name = func.getSymName().str();
  function.weights.resize(program.weights.size());
  if (const moert::ExtentAttr arena = func.getArenaAttr()) {
    function.arenaBytes = affine(arena);
    if (Error failure = addSymbol(arena, func))
      return failure;
  }
  if (Error failure = lowerArguments())
    return failure;
  for (mlir::Operation &op : func.getBody().front())
    if (Error failure = lowerOperation(&op))
      return failure;
  if (Error failure = checkInputsGiveSymbol())
    return failure;
  return std::move(function);
}

} // namespace sortie
