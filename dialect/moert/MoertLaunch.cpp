// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels, launches, and what refers to kernels: verification. Constraints are cited by the numbers
// that MoertOps.td gives them.

#include "dialect/moert/MoertOps.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

LogicalResult KernelOp::verify() {
  if (!isIdentifier(getEntry()))
    return emitOpError() << "the entry must be an identifier of letters, digits and underscores, "
                            "got '"
                         << getEntry() << "'"; // (C1)
  const uint64_t counts[] = {getReads(), getWrites(), getExtents(), getWeights().size()};
  uint64_t parameters = 0;
  for (const uint64_t count : counts) // A negative number is a large one.
    parameters += std::min<uint64_t>(count, kMaxParameters + 1);
  if (getWrites() == 0 || parameters > kMaxParameters)
    return emitOpError() << "a kernel writes at least 1 buffer and has at most " << kMaxParameters
                         << " parameters"; // (C2)
  if (getThreads() < 32 || getThreads() > 1024 || getThreads() % 32 != 0)
    return emitOpError() << "threads must be a multiple of 32 from 32 to 1024, got "
                         << static_cast<int64_t>(getThreads()); // (C3)
  const ArrayAttr sources = getSourcesAttr();
  const ArrayAttr images = getImagesAttr();
  if (!sources == !images || (sources ? sources : images).empty())
    return emitOpError("a kernel has either sources or images, at least one"); // (C4)
  llvm::StringSet<> seen;
  for (const Attribute attribute : sources ? sources : images) {
    const auto source = dyn_cast<SourceAttr>(attribute);
    const StringRef arch = source ? source.getArch() : cast<ImageAttr>(attribute).getArch();
    if (!seen.insert(arch).second)
      return emitOpError() << "there are two " << (sources ? "sources" : "images") << " for "
                           << arch; // (C5)
  }
  return success();
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  const PackAttr pack = getPackAttr();
  if (!pack)
    return success();
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, pack.getKernel());
  if (!kernel)
    return emitOpError() << "there is no moert.kernel " << pack.getKernel(); // (C6)
  if (kernel.getReads() != 1 || kernel.getWrites() != 1 || kernel.getExtents() != 2 ||
      !kernel.getWeights().empty())
    return emitOpError() << "kernel " << pack.getKernel()
                         << " cannot pack: it must read one buffer, write one, and take two "
                            "extents and no weight"; // (C6)
  return success();
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

/// (C4) of launches.
static LogicalResult verifyOffsets(LaunchOp op, int64_t index) {
  if (index >= static_cast<int64_t>(op.getReads().size()))
    return op.emitOpError() << "the offsets of its work are read buffer " << index << " of "
                            << op.getReads().size();
  const auto type = cast<BufferType>(op.getReads()[index].getType());
  if (type.getKind() != ElementKind::I32 || type.getRank() != 1 || !type.getDim(0).isConstant() ||
      type.getDim(0).getConstant() < 2)
    return op.emitOpError() << "the offsets of its work must be i32 [E + 1], got " << type;
  return success();
}

LogicalResult LaunchOp::verify() {
  if (getGrid().empty() || getGrid().size() > 3)
    return emitOpError() << "a grid has 1 to 3 dimensions, got " << getGrid().size(); // (C1)
  if (const std::optional<int64_t> offsets = getWork().getOffsets())
    return verifyOffsets(*this, *offsets); // (C4)
  return success();
}

/// (C3) of launches: the weight with this number.
static LogicalResult verifyWeight(LaunchOp op, KernelOp kernel, unsigned index,
                                  SymbolTableCollection &symbols) {
  const auto name = cast<FlatSymbolRefAttr>(op.getWeights()[index]);
  auto weight = symbols.lookupNearestSymbolFrom<WeightOp>(op, name);
  if (!weight)
    return op.emitOpError() << "there is no moert.weight " << name;
  const WeightForm form = kernel.getForm(index);
  if (form == WeightForm::Packed && !weight.getPack())
    return op.emitOpError() << "the kernel reads weight " << name << " packed, but it has no pack";
  if (form == WeightForm::Floats && numerics::isQuantized(weight.getFormatInfo()))
    return op.emitOpError() << "the kernel reads weight " << name << " as floats, but it is "
                            << weight.getFormat();
  return success();
}

/// (C6) of launches.
static LogicalResult verifyProduct(LaunchOp op, SymbolTableCollection &symbols) {
  if (op.getReads().empty() || op.getWeights().empty())
    return op.emitOpError("its work has an arithmetic: it must read a buffer and a weight");
  const auto name = cast<FlatSymbolRefAttr>(op.getWeights()[0]);
  if (symbols.lookupNearestSymbolFrom<WeightOp>(op, name).getShape().size() < 2)
    return op.emitOpError() << "its work has an arithmetic: its first weight must have 2 or 3 "
                               "dimensions, "
                            << name << " has 1";
  return success();
}

LogicalResult LaunchOp::verifySymbolUses(SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(*this, getKernelAttr());
  if (!kernel)
    return emitOpError() << "there is no moert.kernel " << getKernelAttr(); // (C2)
  if (const std::optional<Arithmetic> arithmetic = getWork().getArithmetic();
      arithmetic && failed(verifyKeepsContract(*this, *arithmetic)))
    return failure(); // (C5)
  const std::tuple<StringRef, uint64_t, uint64_t> counts[] = {
      {"reads", getReads().size(), kernel.getReads()},
      {"writes", getWrites().size(), kernel.getWrites()},
      {"weights", getWeights().size(), kernel.getWeights().size()},
      {"extents", getExtents().size(), kernel.getExtents()}};
  for (const auto &[what, given, taken] : counts)
    if (given != taken)
      return emitOpError() << "kernel " << getKernelAttr() << " takes " << taken << " " << what
                           << ", got " << given; // (C2)
  for (unsigned index = 0; index < getWeights().size(); ++index)
    if (failed(verifyWeight(*this, kernel, index, symbols)))
      return failure(); // (C3)
  if (getWork().getArithmetic())
    return verifyProduct(*this, symbols); // (C6)
  return success();
}

/// (C1) of checks.
static LogicalResult verifyStatus(Operation *op, Value status) {
  const auto type = cast<BufferType>(status.getType());
  if (type.getRank() != 1 || type.getDim(0) != ExtentAttr::get(op->getContext(), 2))
    return op->emitOpError() << "status must be [2], got " << type;
  return success();
}

LogicalResult CheckRowsOp::verify() {
  if (failed(verifyStatus(*this, getStatus())))
    return failure(); // (C1)
  const int64_t rows = getRows();
  if (rows < 1 || rows > std::numeric_limits<int32_t>::max())
    return emitOpError() << "rows must be 1 to 2^31 - 1, got " << rows; // (C2)
  return success();
}

LogicalResult CheckIdsOp::verify() {
  if (failed(verifyStatus(*this, getStatus())))
    return failure(); // (C1)
  for (const int64_t count : {getExperts(), getSlots()})
    if (count < 1 || count > std::numeric_limits<int32_t>::max())
      return emitOpError() << "experts and slots must be 1 to 2^31 - 1, got " << count; // (C2)
  return success();
}
