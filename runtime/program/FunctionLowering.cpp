// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The verifiers of the dialect have checked shapes, element types, names, bounds of the arena,
// lifetimes and where indices come from. Checked here is what they leave to the loader: what this
// runtime and its device can do.

#include "runtime/program/FunctionLowering.h"

#include "runtime/cpu/Operations.h"
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
  case ElementType::F16:
    return "f16";
  }
  return "";
}

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
  case moert::ElementKind::F16:
    return ElementType::F16;
  }
  return ElementType::F32;
}

Error FunctionLowering::error(mlir::Operation *op, const Twine &message) const {
  return makeError(program.name + ": function '" + function.name +
                   "': " + op->getName().getStringRef() + ": " + message);
}

//===- Buffers -----------------------------------------------------------===//

Affine FunctionLowering::affine(moert::ExtentAttr extent) {
  if (extent.isConstant())
    return {0, extent.getConstant()};
  const uint32_t symbol = names.symbols.lookup(extent.getSymbol());
  auto found = find(function.symbols, symbol);
  const auto index = static_cast<uint32_t>(found - function.symbols.begin());
  if (found == function.symbols.end())
    function.symbols.push_back(symbol);
  return {extent.getScale(), extent.getConstant(), index};
}

int64_t FunctionLowering::boundOf(moert::ExtentAttr extent) const {
  return extent.isConstant() ? 0 : program.symbols[names.symbols.lookup(extent.getSymbol())].max;
}

Expected<BufferId> FunctionLowering::addBuffer(mlir::Value value, Buffer::Place place,
                                               uint32_t argument, moert::ExtentAttr offset,
                                               mlir::Operation *op) {
  const auto type = cast<moert::BufferType>(value.getType());
  const bool isOnHost = type.getSpace() == moert::BufferType::kHostSpace && isForCuda();
  if (type.getSpace() != moert::BufferType::kGlobalSpace && !isOnHost)
    return error(op, "a buffer in space '" + type.getSpace() + "'; target '" + partition().target +
                         (isForCuda() ? "' has spaces 'global' and 'host' only"
                                      : "' has space 'global' only"));
  Buffer buffer{place, argument, {}, elementType(type.getKind()), {}, affine(type.getByteSize())};
  if (offset) {
    buffer.offset = affine(offset);
    buffer.region = func.getArenaRegionOf(type.getByteSize());
  }
  buffer.isOnHost = isOnHost;
  for (const moert::ExtentAttr extent : type.getShape())
    buffer.shape.push_back(affine(extent));
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
    if (type == ElementType::Act16 || type == ElementType::Act8)
      return error(func, "argument '" + text + "' holds " + elementTypeName(type) +
                             "; callers can pass f32, f16, bf16 and i32 only");
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

//===- Weights -----------------------------------------------------------===//

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

//===- Operations --------------------------------------------------------===//

void FunctionLowering::addStep(mlir::Operation *op, Step step) {
  step.operation = op->getName().getStringRef().str();
  step.label = std::move(label);
  function.steps.push_back(std::move(step));
}

Error FunctionLowering::lowerOp(moert::BufferOp op) {
  if (!op.getOffsetAttr())
    return error(op, "has no offset: the program's memory has not been planned; compile it with "
                     "moert-plan-memory");
  return addBuffer(op.getResult(), Buffer::Place::Arena, 0, op.getOffsetAttr(), op).takeError();
}

Error FunctionLowering::lowerOp(moert::StateBufferOp op) {
  return addBuffer(op.getResult(), Buffer::Place::State, names.states.lookup(op.getState()), {}, op)
      .takeError();
}

void FunctionLowering::nameStates(mlir::Operation *op) {
  for (const mlir::Value operand : op->getOperands())
    if (auto state = operand.getDefiningOp<moert::StateBufferOp>())
      label += (label.empty() ? "" : ", ") + state.getState().str();
}

static Parameter lowerParameter(moert::StepOperands::Parameter value) {
  Parameter parameter;
  if (const auto *number = std::get_if<float>(&value))
    parameter.number = *number;
  else
    parameter.integer = std::get<int64_t>(value);
  return parameter;
}

Error FunctionLowering::lowerCompute(moert::StepOpInterface op) {
  const std::optional<uint32_t> operation = cpu::findOperation(op->getName().stripDialect());
  if (!operation)
    return error(op, "is not an operation that this runtime knows");
  const moert::StepOperands operands = op.getStepOperands();
  Step step{"", Compute{*operation}};
  nameStates(op);
  for (const mlir::Value buffer : operands.reads)
    step.reads.push_back(id(buffer));
  for (const mlir::Value buffer : operands.writes)
    step.writes.push_back(id(buffer));
  for (const mlir::FlatSymbolRefAttr weight : operands.matrices)
    step.weights.push_back(matrix(weight));
  step.matrices = operands.matrices.size();
  for (const mlir::FlatSymbolRefAttr weight : operands.vectors)
    step.weights.push_back(vector(weight));
  for (const moert::StepOperands::Parameter parameter : operands.parameters)
    step.parameters.push_back(lowerParameter(parameter));
  step.numbers = operands.numbers.vec();
  step.offsets = id(operands.offsets);
  addStep(op, std::move(step));
  return Error::success();
}

Error FunctionLowering::lowerOp(moert::CopyOp op) {
  addStep(op, {"", Copy{}, {id(op.getInput())}, {id(op.getOutput())}});
  return Error::success();
}

Error FunctionLowering::lowerOp(moert::CheckpointOp op) {
  Step step{"", Checkpoint{op.getName().str()}};
  for (const mlir::Value value : {op.getValue(), op.getOrder()})
    if (value)
      step.reads.push_back(id(value));
  addStep(op, std::move(step));
  return Error::success();
}

Error FunctionLowering::lowerOperation(mlir::Operation *op) {
  label.clear();
  if (auto step = dyn_cast<moert::StepOpInterface>(op); step && !isForCuda())
    return lowerCompute(step);
  const bool isCommandOfCuda = isa<moert::LaunchOp, moert::CheckIdsOp, moert::CheckRowsOp,
                                   moert::CheckPlacesOp, moert::CublasMatmulOp>(op) &&
                               isForCuda();
  if (!isCommandOfCuda && !isa<moert::BufferOp, moert::StateBufferOp, moert::CopyOp,
                               moert::CheckpointOp, moert::ReturnOp>(op))
    return error(op, "is not an operation of target '" + partition().target + "'" +
                         (isForCuda() ? "; compile the program with moert-select-kernels" : ""));
  return TypeSwitch<mlir::Operation *, Error>(op)
      .Case<moert::BufferOp, moert::StateBufferOp, moert::CopyOp, moert::CheckpointOp,
            moert::ReturnOp, moert::LaunchOp, moert::CheckIdsOp, moert::CheckRowsOp,
            moert::CheckPlacesOp, moert::CublasMatmulOp>(
          [&](auto concrete) { return lowerOp(concrete); });
}

Error FunctionLowering::checkInputsGiveSymbols() {
  BitVector given(function.symbols.size());
  for (auto [index, symbol] : enumerate(function.symbols))
    if (program.symbols[symbol].isOfSession)
      given.set(index);
  for (const Argument &input : function.inputs)
    for (const Affine &extent : function.buffers[input.buffer].shape)
      if (extent.scale != 0)
        given.set(extent.symbol);
  const int missing = given.find_first_unset();
  if (missing < 0)
    return Error::success();
  return error(func, "no shape of an input gives the value of symbol '" +
                         program.symbols[function.symbols[missing]].name + "'");
}

Expected<Function> FunctionLowering::lower() {
  function.name = func.getSymName().str();
  function.weights.resize(program.weights.size());
  for (const moert::ExtentAttr region : func.getArenaRegions())
    function.arena.push_back(affine(region));
  if (Error failure = lowerArguments())
    return failure;
  for (mlir::Operation &op : func.getBody().front())
    if (Error failure = lowerOperation(&op))
      return failure;
  if (Error failure = checkInputsGiveSymbols())
    return failure;
  return std::move(function);
}

} // namespace sortie
