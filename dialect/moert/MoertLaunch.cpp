// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Kernels, launches, and what refers to kernels: verification. Constraints are cited by the numbers
// that MoertOps.td gives them.

#include "dialect/moert/MoertOps.h"
#include "runtime/numerics/status.h"

#include "llvm/ADT/StringSet.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::moert;

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

static LogicalResult verifyMaps(KernelOp op, Attribute variant) {
  const ConfigAttr config = KernelOp::getConfig(variant);
  if (!config || !config.getMaps())
    return success();
  for (const auto map : config.getMaps().getAsRange<TensorMapAttr>()) {
    const uint64_t counts[] = {op.getReads(), op.getWrites(), op.getWeights().size()};
    const uint64_t count = counts[static_cast<size_t>(map.getOperand())];
    if (static_cast<uint64_t>(map.getIndex()) >= count)
      return op.emitOpError() << "a tensor map is of " << stringifyMapOperand(map.getOperand())
                              << ' ' << map.getIndex() << " of " << count;
  }
  return success();
}

static LogicalResult verifyEarly(KernelOp op) {
  int64_t last = -1;
  for (const int64_t index : op.getEarly().value_or(ArrayRef<int64_t>())) {
    if (index <= last || static_cast<uint64_t>(index) >= op.getReads())
      return op.emitOpError() << "early must be numbers of the " << op.getReads()
                              << " buffers that it reads, ascending, got " << index;
    last = index;
  }
  return success();
}

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
  if (!ConfigAttr::areThreads(static_cast<int64_t>(getThreads())))
    return emitOpError() << "threads must be a multiple of 32 from 32 to 1024, got "
                         << static_cast<int64_t>(getThreads()); // (C3)
  if (!getSourcesAttr() == !getImagesAttr() || getVariants().empty())
    return emitOpError("a kernel has either sources or images, at least one"); // (C4)
  llvm::StringSet<> seen;
  for (const Attribute variant : getVariants()) {
    if (!seen.insert(getArch(variant)).second)
      return emitOpError() << "there are two " << (getSourcesAttr() ? "sources" : "images")
                           << " for " << getArch(variant); // (C5)
    if (failed(verifyMaps(*this, variant)))
      return failure(); // (C6)
  }
  return verifyEarly(*this); // (C7)
}

StringRef KernelOp::getArch(Attribute variant) {
  const auto source = dyn_cast<SourceAttr>(variant);
  return source ? source.getArch() : cast<ImageAttr>(variant).getArch();
}

ConfigAttr KernelOp::getConfig(Attribute variant) {
  const auto source = dyn_cast<SourceAttr>(variant);
  return source ? source.getConfig() : cast<ImageAttr>(variant).getConfig();
}

/// (C6) of weights.
static LogicalResult verifyPackKernel(WeightOp op, PackAttr pack, SymbolTableCollection &symbols) {
  auto kernel = symbols.lookupNearestSymbolFrom<KernelOp>(op, pack.getKernel());
  if (!kernel)
    return op.emitOpError() << "there is no moert.kernel " << pack.getKernel();
  if (kernel.getReads() != 1 || kernel.getWrites() != 1 || kernel.getExtents() != 2 ||
      !kernel.getWeights().empty())
    return op.emitOpError() << "kernel " << pack.getKernel()
                            << " cannot pack: it must read one buffer, write one, and take two "
                               "extents and no weight";
  return success();
}

LogicalResult WeightOp::verifySymbolUses(SymbolTableCollection &symbols) {
  return success(llvm::all_of(getAllPacks(), [&](PackAttr pack) {
    return succeeded(verifyPackKernel(*this, pack, symbols));
  }));
}

SmallVector<PackAttr> WeightOp::getAllPacks() {
  SmallVector<PackAttr> packs;
  if (getPackAttr())
    packs.push_back(getPackAttr());
  if (getPacks())
    for (const auto variant : getPacks()->getAsRange<PackVariantAttr>())
      packs.push_back(variant.getPack());
  return packs;
}

PackAttr WeightOp::getPackFor(StringRef arch) {
  if (getPacks())
    for (const auto variant : getPacks()->getAsRange<PackVariantAttr>())
      if (variant.getArch() == arch)
        return variant.getPack();
  return getPackAttr();
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
  llvm::StringSet<> seen;
  if (getVariants())
    for (const auto variant : getVariants()->getAsRange<LaunchVariantAttr>())
      if (!seen.insert(variant.getArch()).second)
        return emitOpError() << "there are two variants for " << variant.getArch(); // (C7)
  if (const std::optional<int64_t> offsets = getWork().getOffsets())
    return verifyOffsets(*this, *offsets); // (C4)
  return success();
}

ArrayAttr LaunchOp::getGridFor(StringRef arch) {
  if (getVariants())
    for (const auto variant : getVariants()->getAsRange<LaunchVariantAttr>())
      if (variant.getArch() == arch)
        return variant.getGrid();
  return getGrid();
}

SmallVector<ArrayAttr> LaunchOp::getGrids() {
  SmallVector<ArrayAttr> grids{getGrid()};
  if (getVariants())
    for (const auto variant : getVariants()->getAsRange<LaunchVariantAttr>())
      grids.push_back(variant.getGrid());
  return grids;
}

bool LaunchOp::mayBeEmpty() {
  // Grids only grow with the symbol.
  const auto isEmpty = [](GridAttr dim) { return dim.evaluate(1).value_or(0) == 0; };
  return llvm::any_of(getGrids(), [&](ArrayAttr grid) {
    return llvm::any_of(grid.getAsRange<GridAttr>(), isEmpty);
  });
}

/// (C7) and (C8) of launches.
static LogicalResult verifyVariants(LaunchOp op, KernelOp kernel) {
  const ArrayAttr variants = kernel.getVariants();
  if (op.getVariants())
    for (const auto variant : op.getVariants()->getAsRange<LaunchVariantAttr>())
      if (llvm::none_of(variants, [&](Attribute ofKernel) {
            return KernelOp::getArch(ofKernel) == variant.getArch();
          }))
        return op.emitOpError() << "has a variant for " << variant.getArch() << ", kernel "
                                << op.getKernelAttr() << " has none";
  for (const Attribute variant : variants) {
    const ConfigAttr config = KernelOp::getConfig(variant);
    if (!config || !config.getCluster())
      continue;
    const ArrayAttr grid = op.getGridFor(KernelOp::getArch(variant));
    for (auto [index, size] : llvm::enumerate(config.getCluster().asArrayRef()))
      if (index < grid.size() ? !cast<GridAttr>(grid[index]).isMultipleOf(size) : size != 1)
        return op.emitOpError() << "dimension " << index << " of its grid is no multiple of "
                                << size << ", the cluster of kernel " << op.getKernelAttr()
                                << " for " << KernelOp::getArch(variant);
  }
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
  if (getWork().getArithmetic() && failed(verifyProduct(*this, symbols)))
    return failure(); // (C6)
  return verifyVariants(*this, kernel);
}

SmallVector<LaunchOp> sortie::moert::getLaunchesBefore(Operation *op) {
  SmallVector<LaunchOp> launches;
  while ((op = op->getPrevNode())) {
    if (isa<BufferOp, StateBufferOp, CheckpointOp>(op)) // nothing that takes time
      continue;
    auto launch = dyn_cast<LaunchOp>(op);
    if (!launch)
      break;
    launches.push_back(launch);
    if (!launch.mayBeEmpty())
      break;
  }
  return launches;
}

/// (C1) of checks.
static LogicalResult verifyStatus(Operation *op, Value status, int64_t words) {
  const auto type = cast<BufferType>(status.getType());
  if (type.getRank() != 1 || type.getDim(0) != ExtentAttr::get(op->getContext(), words))
    return op->emitOpError() << "status must be [" << words << "], got " << type;
  return success();
}

LogicalResult CheckPlacesOp::verify() {
  return verifyStatus(*this, getStatus(), numerics::kStatusWords); // (C1)
}

LogicalResult CheckRowsOp::verify() {
  if (failed(verifyStatus(*this, getStatus(), /*words=*/2)))
    return failure(); // (C1)
  const int64_t rows = getRows();
  if (rows < 1 || rows > std::numeric_limits<int32_t>::max())
    return emitOpError() << "rows must be 1 to 2^31 - 1, got " << rows; // (C2)
  return success();
}

LogicalResult CheckIdsOp::verify() {
  if (failed(verifyStatus(*this, getStatus(), /*words=*/2)))
    return failure(); // (C1)
  for (const int64_t count : {getExperts(), getSlots()})
    if (count < 1 || count > std::numeric_limits<int32_t>::max())
      return emitOpError() << "experts and slots must be 1 to 2^31 - 1, got " << count; // (C2)
  return success();
}
