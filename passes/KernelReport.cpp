// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/KernelReport.h"

#include "codegen/kernels/exact/ExactGeometry.h"

#include "mlir/IR/SymbolTable.h"
#include "llvm/Support/FormatVariadic.h"

#include <algorithm>
#include <cmath>

using namespace mlir;

namespace sortie {

//===----------------------------------------------------------------------===//
// Work
//===----------------------------------------------------------------------===//

static double valueOf(moert::ExtentAttr extent, int64_t tokens) {
  return static_cast<double>(extent.evaluate(tokens).value_or(0));
}

static double bytesOf(Value buffer, int64_t tokens) {
  return valueOf(cast<moert::BufferType>(buffer.getType()).getByteSize(), tokens);
}

/// Rows of a buffer: all dimensions but the last.
static double rowsOf(Value buffer, int64_t tokens) {
  double rows = 1;
  for (moert::ExtentAttr dim : cast<moert::BufferType>(buffer.getType()).getShape().drop_back())
    rows *= valueOf(dim, tokens);
  return rows;
}

/// Bytes of a weight in the form that the kernel for an architecture reads.
static double bytesOf(moert::WeightOp weight, moert::WeightForm form, StringRef arch) {
  double elements = 1;
  for (int64_t dim : weight.getShape())
    elements *= static_cast<double>(dim);
  const int64_t columns = weight.getShape().back();
  switch (form) {
  case moert::WeightForm::Packed: {
    const moert::PackAttr pack = weight.getPackFor(arch);
    return static_cast<double>(weight.getPanels(pack.getRows())) *
           static_cast<double>(pack.getBytes());
  }
  case moert::WeightForm::Raw:
    return elements / static_cast<double>(columns) *
           static_cast<double>(numerics::rowBytes(weight.getEncodingInfo(), columns));
  case moert::WeightForm::Floats:
    return elements * sizeof(float);
  }
  llvm_unreachable("unknown form");
}

/// How many of `experts` experts `slots` slots meet, on average.
static double expertsInUse(double experts, double slots) {
  return experts * (1 - std::pow(1 - 1 / experts, slots));
}

static codegen::Work::Unit unitOf(Arithmetic arithmetic) {
  switch (arithmetic) {
  case Arithmetic::Exact:
    return codegen::Work::Unit::Tensor;
  case Arithmetic::Float:
    return codegen::Work::Unit::Fp32;
  case Arithmetic::Bf16:
    return codegen::Work::Unit::TensorBf16;
  }
  llvm_unreachable("unknown arithmetic");
}

/// Thread blocks of a tile of all matrices. In exact products that may cut K, those that have
/// something to do where tiles are many.
static double columnBlocks(moert::LaunchOp launch, moert::KernelOp kernel, StringRef arch,
                           int64_t tokens) {
  const auto grid = cast<moert::GridAttr>(launch.getGridFor(arch)[0]);
  const auto blocks = static_cast<double>(grid.evaluate(tokens).value_or(0));
  if (launch.getWork().getArithmetic() != Arithmetic::Exact)
    return blocks;
  const bool isGated = launch.getWork().getOp() == moert::GluMatmulOp::getOperationName();
  const int columns = isGated ? kernels::kGatedColumns : kernels::kPlainColumns;
  double all = 0;
  for (auto [index, name] : llvm::enumerate(launch.getWeights().getAsRange<FlatSymbolRefAttr>())) {
    if (kernel.getForm(index) != moert::WeightForm::Packed || (isGated && index != 0))
      continue; // no matrix, or up, which a block multiplies with gate
    auto weight = SymbolTable::lookupNearestSymbolFrom<moert::WeightOp>(launch, name);
    all += std::min(blocks, std::ceil(static_cast<double>(weight.getShape().end()[-2]) / columns));
  }
  return all;
}

/// Heads of a product of heads: the last dimension of its grid.
static double headsOf(moert::LaunchOp launch, StringRef arch, int64_t tokens) {
  const ArrayAttr grid = launch.getGridFor(arch);
  if (launch.getWork().getOp() != moert::HeadMatmulOp::getOperationName())
    return 1;
  return static_cast<double>(cast<moert::GridAttr>(grid[2]).evaluate(tokens).value_or(0));
}

codegen::Work computeWork(moert::LaunchOp launch, StringRef arch, int64_t tokens) {
  auto kernel =
      SymbolTable::lookupNearestSymbolFrom<moert::KernelOp>(launch, launch.getKernelAttr());
  codegen::Work work;
  for (Value buffer : launch->getOperands())
    work.bytes += bytesOf(buffer, tokens);
  work.rows = rowsOf(launch.getWrites().front(), tokens);
  work.multiplyAdds = static_cast<double>(launch.getWork().getOperations()) / 2 * work.rows;
  double used = 1, part = 1;
  if (const std::optional<int64_t> offsets = launch.getWork().getOffsets()) {
    const auto type = cast<moert::BufferType>(launch.getReads()[*offsets].getType());
    const double experts = valueOf(type.getDim(0), tokens) - 1;
    used = expertsInUse(experts, work.rows);
    part = used / experts;
  }
  for (auto [index, name] : llvm::enumerate(launch.getWeights().getAsRange<FlatSymbolRefAttr>())) {
    auto weight = SymbolTable::lookupNearestSymbolFrom<moert::WeightOp>(launch, name);
    work.bytes += part * bytesOf(weight, kernel.getForm(index), arch);
    if (index == 0)
      work.format = weight.getFormatInfo().format;
  }
  const std::optional<Arithmetic> arithmetic = launch.getWork().getArithmetic();
  if (!arithmetic)
    return work;
  const auto input = cast<moert::BufferType>(launch.getReads().front().getType());
  work.unit = unitOf(*arithmetic);
  work.limbs = input.getKind() == moert::ElementKind::Act16 ? 2 : 1;
  const double heads = headsOf(launch, arch, tokens);
  work.tiles = heads * used * std::ceil(work.rows / used / kernels::kTileRows);
  work.rows *= heads;
  work.blocks = columnBlocks(launch, kernel, arch, tokens) * work.tiles;
  return work;
}

//===----------------------------------------------------------------------===//
// Lines
//===----------------------------------------------------------------------===//

/// Seconds with a unit that suits them.
static std::string formatTime(double seconds) {
  return seconds < 1e-3 ? llvm::formatv("{0:f1} us", seconds * 1e6).str()
                        : llvm::formatv("{0:f2} ms", seconds * 1e3).str();
}

static std::string formatPrediction(const codegen::Chip &chip, moert::LaunchOp launch,
                                    int64_t tokens) {
  const codegen::Prediction prediction =
      codegen::predict(chip, computeWork(launch, chip.architecture, tokens));
  return llvm::formatv("{0} at {1} token{2} ({3})", formatTime(prediction.seconds), tokens,
                       tokens == 1 ? "" : "s", codegen::toString(prediction.bound));
}

void reportKernel(llvm::raw_ostream &os, moert::KernelOp kernel, moert::SourceAttr source,
                  const std::optional<codegen::ResourceUsage> &usage, moert::LaunchOp launch,
                  int64_t maxTokens) {
  os << llvm::formatv("{0} {1}: ", kernel.getSymName(), source.getArch());
  if (!source.getSchedule().empty())
    os << source.getSchedule() << "; ";
  const moert::ConfigAttr config = source.getConfig();
  os << (config && config.getThreads() ? config.getThreads()
                                       : static_cast<int64_t>(kernel.getThreads()))
     << " threads, " << source.getShared() << " bytes shared; ";
  if (usage)
    os << llvm::formatv("{0} registers, {1} bytes spilled, {2} bytes local; ", usage->registers,
                        usage->spillStores + usage->spillLoads, usage->stack);
  else
    os << "registers unknown; ";
  const codegen::Chip *chip = codegen::findChip(source.getArch());
  if (launch && chip)
    os << formatPrediction(*chip, launch, maxTokens) << ", " << formatPrediction(*chip, launch, 1);
  else
    os << "runs once, at init";
}

} // namespace sortie
