// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/selection/KernelTable.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace sortie;
using namespace sortie::selection;

KernelTable::KernelTable(ModuleOp module, ArrayRef<const codegen::Chip *> chips)
    : symbols(module), chips(chips), builder(module.getContext()), last(nullptr), module(module) {
  for (auto symbol : module.getOps<moert::SymbolOp>())
    last = symbol;
}

StringAttr KernelTable::makeName(StringRef kind) {
  for (unsigned number = 0;; ++number) {
    const std::string name = (kind + "_" + Twine(number)).str();
    if (!symbols.lookup(name))
      return builder.getStringAttr(name);
  }
}

FlatSymbolRefAttr KernelTable::get(Location location, const Interface &interface,
                                   ArrayRef<codegen::KernelCode> codes) {
  std::string key;
  for (const codegen::KernelCode &codeOfChip : codes)
    key += codegen::writeSource(codeOfChip, "");
  FlatSymbolRefAttr &kernel = kernels[key];
  if (kernel)
    return kernel;

  const StringAttr name = makeName(codes.front().kind);
  const std::string entry = ("sortie_" + name.getValue()).str();
  SmallVector<Attribute> sources;
  for (auto [chip, codeOfChip] : llvm::zip_equal(chips, codes)) {
    moert::ConfigAttr config;
    if (codeOfChip.threads != codes.front().threads)
      config = moert::ConfigAttr::get(builder.getContext(), codeOfChip.threads, /*cluster=*/{},
                                      /*maps=*/{});
    sources.push_back(moert::SourceAttr::get(builder.getContext(), chip->architecture,
                                             codeOfChip.shared, config, codeOfChip.schedule,
                                             codegen::writeSource(codeOfChip, entry)));
  }
  SmallVector<Attribute> forms;
  for (moert::WeightForm form : interface.weights)
    forms.push_back(moert::WeightFormAttr::get(builder.getContext(), form));
  DenseI64ArrayAttr early;
  if (!codes.front().early.empty())
    early = builder.getDenseI64ArrayAttr(codes.front().early);
  if (last)
    builder.setInsertionPointAfter(last);
  else
    builder.setInsertionPointToStart(module.getBody());
  auto op = moert::KernelOp::create(
      builder, location, name, builder.getStringAttr(entry),
      builder.getI64IntegerAttr(interface.reads), builder.getI64IntegerAttr(interface.writes),
      builder.getArrayAttr(forms), builder.getI64IntegerAttr(interface.extents),
      builder.getI64IntegerAttr(codes.front().threads), early, builder.getArrayAttr(sources),
      /*images=*/ArrayAttr());
  symbols.insert(op);
  last = op;
  return kernel = FlatSymbolRefAttr::get(name);
}

moert::WeightOp KernelTable::lookUpWeight(FlatSymbolRefAttr name) {
  return cast<moert::WeightOp>(symbols.lookup(name.getAttr()));
}

void KernelTable::pack(moert::WeightOp weight) {
  if (weight.getPack())
    return;
  const ArrayRef<int64_t> shape = weight.getShape();
  const int64_t rows = shape[shape.size() - 2];
  const int64_t columns = shape.back();
  setPack(weight, codegen::panelRows(), codegen::panelBytes(weight.getFormatInfo().format, columns),
          codegen::packKernel(weight.getEncodingInfo().encoding, rows, columns));
}

void KernelTable::packAsBf16(moert::WeightOp weight) {
  const numerics::Format format = weight.getFormatInfo().format;
  const int64_t columns = weight.getShape().back();
  if (format != numerics::Format::BF16 && !weight.getPack())
    setPack(weight, /*rows=*/1, /*bytes=*/2 * columns, codegen::packBf16Kernel(format, columns));
}

void KernelTable::setPack(moert::WeightOp weight, int64_t rows, int64_t bytes,
                          const codegen::KernelCode &code) {
  FlatSymbolRefAttr kernel =
      get(weight.getLoc(), {/*reads=*/1, /*writes=*/1, /*weights=*/{}, /*extents=*/2},
          SmallVector<codegen::KernelCode>(chips.size(), code));
  weight.setPackAttr(moert::PackAttr::get(builder.getContext(), kernel, rows, bytes));
}

int64_t KernelTable::getBound(moert::ExtentAttr extent) {
  return extent.isConstant() ? 0
                             : cast<moert::SymbolOp>(symbols.lookup(extent.getSymbol())).getMax();
}

int64_t KernelTable::getMaximum(moert::ExtentAttr extent) {
  return extent.evaluate(getBound(extent)).value_or(-1);
}

int64_t KernelTable::getMaximum(moert::GridAttr dim) {
  const int64_t ofMax = dim.getMax() ? getBound(dim.getMax()) : 0;
  return dim.evaluate(std::max(getBound(dim.getExtent()), ofMax)).value_or(-1);
}
