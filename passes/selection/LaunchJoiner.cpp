// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "passes/selection/LaunchJoiner.h"

#include "codegen/CostModel.h"
#include "codegen/JoinedKernel.h"
#include "codegen/kernels/rows/RowGeometry.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace sortie::selection {

using codegen::KernelCode;
using moert::GridAttr;

namespace {

using Parts = ArrayRef<std::vector<CodedLaunch>>;

/// The operands of the joined launch, and how its kernel names them. A buffer has one parameter,
/// also if one kernel writes what the next one reads.
class Operands {
public:
  explicit Operands(Parts parts);

  /// The arguments of a launch's kernel, by the joined kernel's names.
  std::vector<std::string> argumentsOf(const CodedLaunch &launch) const;
  std::vector<std::string> getParameters() const;

  SmallVector<Value> reads, writes;
  SmallVector<FlatSymbolRefAttr> weights;
  SmallVector<moert::WeightForm> forms;
  SmallVector<moert::ExtentAttr> extents;

private:
  void addBuffers(Parts parts);
  void addTypes(const CodedLaunch &launch);
  std::string nameOf(Value buffer) const;

  llvm::StringMap<std::string> types; ///< of parameters, by their names
};

} // namespace

static void forEach(Parts parts, llvm::function_ref<void(const CodedLaunch &)> visit) {
  for (ArrayRef<CodedLaunch> part : parts)
    llvm::for_each(part, visit);
}

template <typename Range, typename T> static size_t placeOf(const Range &range, const T &value) {
  return llvm::find(range, value) - range.begin();
}

template <typename T> static void addOnce(SmallVectorImpl<T> &all, const T &value) {
  if (!llvm::is_contained(all, value))
    all.push_back(value);
}

Operands::Operands(Parts parts) {
  addBuffers(parts);
  forEach(parts, [&](const CodedLaunch &launch) {
    for (auto [weight, form] : llvm::zip_equal(launch.launch.weights, launch.launch.forms))
      if (!llvm::is_contained(weights, weight)) {
        weights.push_back(weight);
        forms.push_back(form);
      }
    for (moert::ExtentAttr extent : launch.launch.extents)
      addOnce(extents, extent);
  });
  forEach(parts, [&](const CodedLaunch &launch) { addTypes(launch); });
}

void Operands::addBuffers(Parts parts) {
  forEach(parts,
          [&](const CodedLaunch &launch) { llvm::append_range(writes, launch.launch.writes); });
  forEach(parts, [&](const CodedLaunch &launch) {
    for (Value buffer : launch.launch.reads)
      if (!llvm::is_contained(writes, buffer))
        addOnce(reads, buffer);
  });
}

std::string Operands::nameOf(Value buffer) const {
  const size_t written = placeOf(writes, buffer);
  return written < writes.size() ? "w" + std::to_string(written)
                                 : "r" + std::to_string(placeOf(reads, buffer));
}

std::vector<std::string> Operands::argumentsOf(const CodedLaunch &launch) const {
  std::vector<std::string> names;
  for (Value buffer : launch.launch.reads)
    names.push_back(nameOf(buffer));
  for (Value buffer : launch.launch.writes)
    names.push_back(nameOf(buffer));
  for (FlatSymbolRefAttr weight : launch.launch.weights)
    names.push_back("g" + std::to_string(placeOf(weights, weight)));
  for (moert::ExtentAttr extent : launch.launch.extents)
    names.push_back("e" + std::to_string(placeOf(extents, extent)));
  return names;
}

/// The type of a parameter as a kernel writes it, which is all but the name at its end.
static StringRef parameterType(StringRef parameter) {
  return parameter.rtrim("0123456789").drop_back();
}

/// What one kernel writes and another one reads has the type of the one that writes it.
void Operands::addTypes(const CodedLaunch &launch) {
  const std::vector<std::string> names = argumentsOf(launch);
  for (auto [name, parameter] : llvm::zip_equal(names, launch.codes.front().parameters))
    if (const StringRef type = parameterType(parameter);
        name[0] != 'w' || !type.starts_with("const"))
      types.try_emplace(name, type);
}

std::vector<std::string> Operands::getParameters() const {
  std::vector<std::string> parameters;
  const auto add = [&](char letter, size_t count) {
    for (size_t number = 0; number < count; ++number) {
      const std::string name = letter + std::to_string(number);
      parameters.push_back(types.lookup(name) + name);
    }
  };
  add('r', reads.size());
  add('w', writes.size());
  add('g', weights.size());
  add('e', extents.size());
  return parameters;
}

//===----------------------------------------------------------------------===//
// Grids
//===----------------------------------------------------------------------===//

/// The grid of a launch on an architecture.
static ArrayRef<GridAttr> gridOf(const LaunchBuilder &launch, StringRef arch) {
  for (const LaunchBuilder::Variant &variant : launch.variants)
    if (variant.arch == arch)
      return variant.dims;
  return launch.dims;
}

static GridAttr blocks(MLIRContext *context, int64_t count) {
  return GridAttr::get(context, moert::ExtentAttr::get(context, count), /*divisor=*/1,
                       /*roundsDown=*/false, {});
}

/// The blocks of a dimension that has the same number in every run; 1 where there is none.
static int64_t constantBlocks(ArrayRef<GridAttr> grid, size_t dimension) {
  return dimension < grid.size() ? grid[dimension].evaluate(/*symbolValue=*/1).value_or(1) : 1;
}

/// The grid of all parts on an architecture. Parts of products are side by side in the longest x,
/// what takes rows has a block for each, what takes heads the most that one of them has.
static SmallVector<GridAttr> joinGrids(JoinedOps::Kind kind, Parts parts, StringRef arch) {
  const LaunchBuilder &first = parts.front().front().launch;
  const ArrayRef<GridAttr> grid = gridOf(first, arch);
  int64_t most[2] = {1, 1};
  forEach(parts, [&](const CodedLaunch &launch) {
    for (const size_t dimension : {0, 1})
      most[dimension] =
          std::max(most[dimension], constantBlocks(gridOf(launch.launch, arch), dimension));
  });
  SmallVector<GridAttr> joined;
  if (kind == JoinedOps::Kind::Products)
    joined = {blocks(first.context, most[0]), grid[1]};
  else
    joined = {grid[0], blocks(first.context, kind == JoinedOps::Kind::Heads ? most[1] : 1)};
  if (parts.size() > 1)
    joined.push_back(blocks(first.context, static_cast<int64_t>(parts.size())));
  return joined;
}

//===----------------------------------------------------------------------===//
// Kernels
//===----------------------------------------------------------------------===//

/// Whether one kernel can do what all do: products have their threads, and rows of tokens, in
/// common.
static bool fitTogether(JoinedOps::Kind kind, Parts parts, const Operands &operands,
                        ArrayRef<const codegen::Chip *> chips) {
  const size_t count = operands.reads.size() + operands.writes.size() + operands.weights.size() +
                       operands.extents.size();
  if (count > moert::KernelOp::kMaxParameters)
    return false;
  const CodedLaunch &first = parts.front().front();
  bool fit = true;
  forEach(parts, [&](const CodedLaunch &launch) {
    for (auto [chip, code, ofFirst] : llvm::zip_equal(chips, launch.codes, first.codes)) {
      const ArrayRef<GridAttr> grid = gridOf(launch.launch, chip->architecture);
      fit &= code.beginsItself == ofFirst.beginsItself && code.early.empty();
      if (kind == JoinedOps::Kind::Products)
        fit &= code.threads == ofFirst.threads && grid.size() == 2 &&
               grid[0].getExtent().isConstant() &&
               grid[1] == gridOf(first.launch, chip->architecture)[1];
    }
  });
  return fit;
}

/// Threads of a block: of what takes rows, one for four columns of the longest.
static int threadsOf(JoinedOps::Kind kind, Parts parts) {
  if (kind != JoinedOps::Kind::Rows)
    return parts.front().front().codes.front().threads;
  int64_t columns = 1;
  forEach(parts, [&](const CodedLaunch &launch) {
    for (Value buffer : launch.launch.writes)
      columns = std::max(columns, typeOf(buffer).getShape().back().getConstant());
  });
  return kernels::turnThreads(columns);
}

static KernelCode joinCodes(JoinedOps::Kind kind, Parts parts, const Operands &operands,
                            const codegen::Chip &chip, size_t numberOfChip) {
  std::vector<codegen::JoinedPart> joined;
  for (ArrayRef<CodedLaunch> part : parts) {
    joined.emplace_back();
    for (const CodedLaunch &launch : part)
      joined.back().calls.push_back({launch.codes[numberOfChip], operands.argumentsOf(launch)});
    if (kind == JoinedOps::Kind::Products)
      joined.back().columnBlocks =
          constantBlocks(gridOf(part.front().launch, chip.architecture), 0);
  }
  return codegen::joinedKernel(operands.getParameters(), joined, threadsOf(kind, parts));
}

/// The operations by their names: those of a part with "+", parts that are not alike with ",".
static std::string nameOperations(Parts parts) {
  SmallVector<std::string> names;
  for (ArrayRef<CodedLaunch> part : parts) {
    const std::string name = llvm::join(
        llvm::map_range(part, [](const CodedLaunch &launch) { return launch.launch.op; }), "+");
    addOnce(names, name);
  }
  return llvm::join(names, ",");
}

std::optional<CodedLaunch> joinLaunches(JoinedOps::Kind kind, Parts parts,
                                        ArrayRef<const codegen::Chip *> chips) {
  const Operands operands(parts);
  if (!fitTogether(kind, parts, operands, chips))
    return std::nullopt;
  CodedLaunch joined = {LaunchBuilder(parts.front().front().launch.context, nameOperations(parts)),
                        {}};
  LaunchBuilder &launch = joined.launch;
  launch.reads = operands.reads;
  launch.writes = operands.writes;
  launch.weights = operands.weights;
  launch.forms = operands.forms;
  launch.extents = operands.extents;
  launch.arithmetic = parts.front().front().launch.arithmetic;
  forEach(parts, [&](const CodedLaunch &part) { launch.operations += part.launch.operations; });
  for (auto [number, chip] : llvm::enumerate(chips)) {
    joined.codes.push_back(joinCodes(kind, parts, operands, *chip, number));
    const SmallVector<GridAttr> grid = joinGrids(kind, parts, chip->architecture);
    if (number == 0)
      launch.grid(grid);
    else if (grid != launch.dims)
      launch.variant(chip->architecture, grid);
  }
  return joined;
}

} // namespace sortie::selection
