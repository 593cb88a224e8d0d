// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Appends to caches, and the checks of places in them: launches of codegen/kernels/cache.

#include "passes/selection/CacheKernels.h"

#include "codegen/SourceText.h"
#include "codegen/kernels/cache/CacheGeometry.h"
#include "dialect/common/Widths.h"
#include "passes/selection/Selector.h"
#include "runtime/numerics/status.h"

using namespace mlir;
using llvm::formatv;

namespace sortie::selection {

using codegen::Chip;
using codegen::KernelCode;
using moert::ExtentAttr;

//===----------------------------------------------------------------------===//
// Checks of places
//===----------------------------------------------------------------------===//

namespace {

/// What is checked of the places of tokens.
struct PlacesCheck {
  Value positions;
  Value sequences;
  Value pages;
  ExtentAttr pageCount; ///< of the cache
  int64_t window;       ///< positions that a token sees; 0: all
  bool appends;         ///< no two tokens may have one place
};

} // namespace

/// The kernel `kind`, `function` of CheckPlaces.h, which has `operands` beside the places.
static KernelCode checkCode(StringRef kind, StringRef function, const PlacesCheck &places,
                            ArrayRef<StringRef> operands, StringRef arguments) {
  KernelCode code;
  code.kind = kind;
  code.headers = {"cache/CheckPlaces.h"};
  code.parameters = {"const int32_t *r0", "const int32_t *r1", "const int32_t *r2"};
  llvm::append_range(code.parameters, operands);
  llvm::append_range(code.parameters,
                     ArrayRef<StringRef>{"int32_t e0", "int32_t e1", "int32_t e2", "int32_t e3"});
  code.call = formatv("{0}<{1}, {2}>({{r0, r1, r2, e0, e1, e2, e3}, {3})", function, places.window,
                      places.appends, arguments);
  code.threads = kernels::kPlaceThreads;
  code.shared = kernels::kPlaceSharedBytes;
  return code;
}

/// A launch that reads the places.
static LaunchBuilder checkLaunch(Operation *op, const PlacesCheck &places) {
  LaunchBuilder launch(op);
  const moert::BufferType pages = typeOf(places.pages);
  launch.read(places.positions)
      .read(places.sequences)
      .read(places.pages)
      .extent(typeOf(places.positions).getDim(0))
      .extent(pages.getDim(0))
      .extent(pages.getDim(1).multiply(numerics::kAttentionChunk))
      .extent(places.pageCount);
  return launch;
}

/// Launches the kernels that write `status`.
static LogicalResult launchChecks(FunctionSelection &selection, Operation *op,
                                  const PlacesCheck &places, Value status) {
  const ExtentAttr tokens = typeOf(places.positions).getDim(0);
  const ExtentAttr words = ExtentAttr::get(op->getContext(), numerics::kStatusWords);
  const Value segments =
      selection.makeBuffer(op->getLoc(), {tokens.atLeastQuotient(kernels::kPlaceTokens, 1), words});
  if (failed(selection.launch(
          op, checkLaunch(op, places).gridOfWhole(tokens, kernels::kPlaceTokens).write(segments),
          [&](const Chip &) {
            return checkCode("check_segments", "checkSegments", places, {"IndexStatus *w0"}, "w0");
          })))
    return failure();
  return selection.launch(
      op, checkLaunch(op, places).grid(1).read(segments).write(status), [&](const Chip &) {
        return checkCode("check_places", "checkPlaces", places,
                         {"const IndexStatus *r3", "IndexStatus *w0"}, "r3, w0");
      });
}

Value getPlacesStatus(FunctionSelection &selection, Operation *op, Value positions, Value sequences,
                      Value pages, Value cache, int64_t window) {
  const bool appends = isa<moert::AppendOp, moert::AppendLatentOp>(op);
  const PlacesCheck places{
      positions, sequences, pages, typeOf(cache).getDim(0), appends ? 1 : window, appends};
  const FunctionSelection::CheckedPlaces key(positions, sequences, pages, places.pageCount,
                                             places.window, appends ? 1 : 0);
  if (const Value known = selection.placesStatuses.lookup(key))
    return known;
  const Value status = selection.makeStatus(op);
  if (failed(launchChecks(selection, op, places, status)))
    return {};
  selection.placesStatuses[key] = status;
  return status;
}

//===----------------------------------------------------------------------===//
// Appends
//===----------------------------------------------------------------------===//

static StringRef nameOf(IntegerWidth width) {
  return toNumerics(width) == numerics::ActivationWidth::Int16 ? "ActivationWidth::Int16"
                                                               : "ActivationWidth::Int8";
}

/// A kernel of Append.h for tokens of `rows` rows of heads; `instance` is the template's.
static KernelCode appendCode(StringRef kind, StringRef instance, int64_t rows) {
  KernelCode code;
  code.kind = kind;
  code.headers = {"cache/Append.h"};
  code.parameters = {"const float *r0",   "const float *r1",   "const int32_t *r2",
                     "const int32_t *r3", "const int32_t *r4", "const IndexStatus *r5",
                     "void *w0",          "int32_t e0"};
  code.call = formatv("{0}(r0, r1, {{r2, r3, r4, e0}, r5, w0)", instance);
  code.threads = kernels::appendThreads(rows);
  return code;
}

/// Appends the rows of `first` and `second`, `rows` of a token.
template <typename Op>
static LogicalResult selectAppend(FunctionSelection &selection, Op op, Value first, Value second,
                                  int64_t rows, const KernelCode &code) {
  const Value status = getPlacesStatus(selection, op, op.getPositions(), op.getSequences(),
                                       op.getPages(), op.getCache(), /*window=*/0);
  if (!status)
    return failure();
  return selection.launch(op,
                          LaunchBuilder(op)
                              .grid(typeOf(op.getPositions()).getDim(0))
                              .grid(kernels::appendBlocks(rows))
                              .read(first)
                              .read(second)
                              .read(op.getPositions())
                              .read(op.getSequences())
                              .read(op.getPages())
                              .read(status)
                              .write(op.getCache())
                              .extent(typeOf(op.getPages()).getDim(1)),
                          [&](const Chip &) { return code; });
}

static LogicalResult select(FunctionSelection &selection, moert::AppendOp op) {
  const auto heads = static_cast<int64_t>(op.getKvHeads());
  const std::string instance = formatv("appendRows<{0}, {1}, {2}, {3}>", nameOf(op.getWidth()),
                                       heads, typeOf(op.getKeys()).getDim(1).getConstant() / heads,
                                       typeOf(op.getValues()).getDim(1).getConstant() / heads);
  return selectAppend(selection, op, op.getKeys(), op.getValues(), 2 * heads,
                      appendCode("append", instance, 2 * heads));
}

static LogicalResult select(FunctionSelection &selection, moert::AppendLatentOp op) {
  const std::string instance = formatv("appendLatentRows<{0}, {1}, {2}>", nameOf(op.getWidth()),
                                       typeOf(op.getLatents()).getDim(1).getConstant(),
                                       typeOf(op.getRotated()).getDim(1).getConstant());
  return selectAppend(selection, op, op.getLatents(), op.getRotated(), /*rows=*/2,
                      appendCode("append_latent", instance, /*rows=*/2));
}

ArrayRef<Selector> cacheSelectors() {
  static constexpr Selector kTable[] = {
      selector<moert::AppendOp, select>(),
      selector<moert::AppendLatentOp, select>(),
  };
  return kTable;
}

} // namespace sortie::selection
