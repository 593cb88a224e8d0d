// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing of weights, panel by panel.

#include "runtime/weights/PackedWeights.h"

#include "runtime/support/FirstError.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace llvm;

namespace sortie {

namespace {

/// The panels of a matrix, those of all experts counted through. A panel ends with its expert.
class PanelRows {
public:
  explicit PanelRows(const WeightSpec &spec)
      : spec(spec), rowBytes(spec.rowBytes()), rowsOfExpert(spec.matrixShape().rows),
        panelsOfExpert(divideCeil(rowsOfExpert, cpu::kPanelRows)),
        panels(spec.matrixShape().experts * panelsOfExpert) {}

  int64_t count() const { return panels; }
  int64_t expert(int64_t panel) const { return panel / panelsOfExpert; }
  int64_t rowOfExpert(int64_t panel) const { return panel % panelsOfExpert * cpu::kPanelRows; }
  /// Rows of all experts counted through; the end of all for panel count().
  int64_t firstRow(int64_t panel) const {
    return expert(panel) * rowsOfExpert + rowOfExpert(panel);
  }
  /// Of the panels [first, end), in the model's file.
  uint64_t bytes(int64_t first, int64_t end) const {
    return (firstRow(end) - firstRow(first)) * rowBytes;
  }

  /// Where a slab from `first` on ends: after `least` bytes or more, where what lies together in a
  /// tensor is not cut into pieces of less.
  int64_t endOfSlab(int64_t first, uint64_t least) const {
    int64_t end = endOfRun(first);
    if (bytes(first, end) >= 2 * least) {
      end = first;
      while (bytes(first, end) < least)
        ++end;
      return bytes(end, endOfRun(first)) < least ? endOfRun(first) : end;
    }
    while (end < panels && bytes(first, endOfRun(end)) <= least)
      end = endOfRun(end);
    return end;
  }
  /// An upper bound of the bytes of a slab.
  uint64_t largestSlab(uint64_t least) const {
    return std::min<uint64_t>(bytes(0, panels), 2 * least + cpu::kPanelRows * rowBytes);
  }

private:
  /// Where the rows end that lie together in a tensor from a panel on. Parts of columns lie apart;
  /// where they are cut does not matter.
  int64_t endOfRun(int64_t panel) const {
    const int64_t row = firstRow(panel);
    const int64_t end = row + spec.piece(row, firstRow(panels) - row).rows;
    return end % rowsOfExpert == 0 ? end / rowsOfExpert * panelsOfExpert : panel + 1;
  }

  const WeightSpec &spec;
  uint64_t rowBytes;
  int64_t rowsOfExpert;
  int64_t panelsOfExpert;
  int64_t panels;
};

/// Packs the weights of one program one after another; progress counts bytes of the model's file.
class Packer {
public:
  Packer(WeightSource &source, cpu::ThreadPool &pool, ReportProgress report, uint64_t totalBytes)
      : source(source), pool(pool), progress(report, totalBytes) {}

  Error packMatrix(const WeightSpec &spec, std::byte *packed);
  Error loadVector(const WeightSpec &spec, float *values);

private:
  WeightSource &source;
  cpu::ThreadPool &pool;
  LoadProgress progress;
};

Error Packer::packMatrix(const WeightSpec &spec, std::byte *packed) {
  constexpr uint64_t kBytesBetweenReports = uint64_t{32} << 20;
  const PanelRows panels(spec);
  const int64_t panelBytes = cpu::kPanelRows * spec.rowBytes();
  const bool inSlabs = source.readsInSlabs();
  const uint64_t least = inSlabs ? kLeastReadBytes : kBytesBetweenReports;
  const std::string what = "reading " + spec.describe();
  // A slab for all threads, or a panel for each.
  Expected<AlignedBytes> scratch = AlignedBytes::allocate(
      inSlabs ? panels.largestSlab(least) : pool.threads() * panelBytes, what);
  if (!scratch)
    return scratch.takeError();
  auto *buffer = reinterpret_cast<uint8_t *>(scratch->data());

  FirstError failure;
  for (int64_t first = 0; first < panels.count();) {
    const int64_t end = panels.endOfSlab(first, least);
    const uint64_t slabBytes = panels.bytes(first, end);
    if (inSlabs)
      if (Error error = readRows(source, pool, spec, panels.firstRow(first),
                                 panels.firstRow(end) - panels.firstRow(first), buffer))
        return error;
    auto readPanel = [&](int64_t panel, int64_t rowCount, int worker) -> Expected<const uint8_t *> {
      if (inSlabs)
        return buffer + panels.bytes(first, panel);
      return source.rows(spec, panels.firstRow(panel), rowCount, buffer + worker * panelBytes);
    };
    auto packPanel = [&](int64_t i, int worker) {
      const int64_t panel = first + i;
      const int64_t rowCount = panels.firstRow(panel + 1) - panels.firstRow(panel);
      Expected<const uint8_t *> raw = readPanel(panel, rowCount, worker);
      if (!raw)
        return failure.keep(raw.takeError());
      cpu::packRows(spec.matrixShape(), panels.expert(panel), panels.rowOfExpert(panel), rowCount,
                    *raw, packed);
    };
    pool.parallelFor(end - first, packPanel);
    if (Error error = failure.take())
      return error;
    if (Error error = progress.advance(slabBytes))
      return error;
    first = end;
  }
  return Error::success();
}

Error Packer::loadVector(const WeightSpec &spec, float *values) {
  Expected<AlignedBytes> scratch =
      AlignedBytes::allocate(spec.fileBytes(), "reading " + spec.describe());
  if (!scratch)
    return scratch.takeError();
  Expected<const uint8_t *> raw =
      source.rows(spec, 0, spec.rows(), reinterpret_cast<uint8_t *>(scratch->data()));
  if (!raw)
    return raw.takeError();
  widenValues(spec.format, *raw, spec.rows() * spec.columns(), values);
  return progress.advance(spec.fileBytes());
}

std::string matrixIdentity(const WeightSpec &spec) { return "matrix " + spec.identity(); }
std::string vectorIdentity(const WeightSpec &spec) { return "floats " + spec.identity(); }

} // namespace

Expected<std::unique_ptr<PackedWeights>>
PackedWeights::create(ArrayRef<WeightSpec> specs, const BitVector &wanted, WeightSource &source,
                      cpu::ThreadPool &pool, ReportProgress report, const PackedWeights *share) {
  auto weights = std::make_unique<PackedWeights>();
  weights->packed = wanted;
  weights->matrices.resize(specs.size());
  weights->vectors.resize(specs.size());
  for (const WeightSpec &spec : specs)
    weights->shapes.push_back(spec.matrixShape());

  // What is shared is found first, because progress is of what is read.
  uint64_t totalBytes = 0;
  auto shareOrCount = [&](const WeightSpec &spec, const std::string &identity, Bytes &bytes) {
    bytes = share ? share->byIdentity.lookup(identity) : nullptr;
    if (!bytes) {
      totalBytes += spec.fileBytes();
      return;
    }
    weights->counted.shared += bytes->size();
    weights->byIdentity[identity] = bytes;
  };
  for (const unsigned id : wanted.set_bits()) {
    const WeightSpec &spec = specs[id];
    if (Error error = source.check(spec))
      return error;
    if (spec.isMatrix)
      shareOrCount(spec, matrixIdentity(spec), weights->matrices[id]);
    if (spec.isVector)
      shareOrCount(spec, vectorIdentity(spec), weights->vectors[id]);
  }

  Packer packer(source, pool, report, totalBytes);
  auto load = [&](const std::string &identity, uint64_t size, const Twine &what, Bytes &bytes,
                  function_ref<Error(std::byte *)> fill) -> Error {
    if (bytes)
      return Error::success();
    Expected<AlignedBytes> memory = AlignedBytes::allocate(size, what);
    if (!memory)
      return memory.takeError();
    if (Error error = fill(memory->data()))
      return error;
    bytes = std::make_shared<const AlignedBytes>(std::move(*memory));
    weights->counted.own += size;
    weights->byIdentity[identity] = bytes;
    return Error::success();
  };
  for (const unsigned id : wanted.set_bits()) {
    const WeightSpec &spec = specs[id];
    if (spec.isMatrix)
      if (Error error = load(matrixIdentity(spec), cpu::packedBytes(spec.matrixShape()),
                             "packed " + spec.describe(), weights->matrices[id],
                             [&](std::byte *to) { return packer.packMatrix(spec, to); }))
        return error;
    if (spec.isVector)
      if (Error error = load(vectorIdentity(spec), spec.rows() * spec.columns() * sizeof(float),
                             spec.describe(), weights->vectors[id], [&](std::byte *to) {
                               return packer.loadVector(spec, reinterpret_cast<float *>(to));
                             }))
        return error;
  }
  return weights;
}

} // namespace sortie
