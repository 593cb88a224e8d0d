// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two ways to read panels, and where a matrix is cut into batches of them.

#include "runtime/cpu/PanelReader.h"

#include "runtime/support/AlignedBytes.h"
#include "runtime/weights/WeightReader.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace llvm;

namespace sortie {

//===- Batches -----------------------------------------------------------===//

PanelRows::PanelRows(const WeightSpec &spec)
    : spec(spec), rowBytes(spec.rowBytes()), rowsOfExpert(spec.rowsOfExpert()),
      panelsOfExpert(divideCeil(rowsOfExpert, cpu::kPanelRows)),
      panels(spec.experts() * panelsOfExpert) {}

/// Where the rows end that lie together in a tensor from a panel on. Parts of columns lie apart;
/// where they are cut does not matter.
int64_t PanelRows::endOfRun(int64_t panel) const {
  const int64_t row = firstRow(panel);
  const int64_t end = row + spec.rowsTogether(row, firstRow(panels) - row);
  return end % rowsOfExpert == 0 ? end / rowsOfExpert * panelsOfExpert : panel + 1;
}

int64_t PanelRows::endOfSlab(int64_t first, uint64_t least) const {
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

uint64_t PanelRows::largestSlab(uint64_t least) const {
  return std::min<uint64_t>(bytes(0, panels), 2 * least + largestPanel());
}

//===- Readers -----------------------------------------------------------===//

PanelReader::~PanelReader() = default;

namespace {

/// What both readers have.
class BufferedReader : public PanelReader {
public:
  BufferedReader(const WeightSpec &spec, const PanelRows &panels, WeightSource &source,
                 AlignedBytes memory)
      : spec(spec), panels(panels), source(source), memory(std::move(memory)) {}

protected:
  uint8_t *buffer() { return reinterpret_cast<uint8_t *>(memory.data()); }

  const WeightSpec &spec;
  const PanelRows &panels;
  WeightSource &source;

private:
  AlignedBytes memory;
};

/// The buffer holds a batch.
class SlabReader final : public BufferedReader {
public:
  SlabReader(const WeightSpec &spec, const PanelRows &panels, WeightSource &source,
             cpu::ThreadPool &pool, AlignedBytes memory)
      : BufferedReader(spec, panels, source, std::move(memory)), pool(pool) {}

  static uint64_t bufferBytes(const PanelRows &panels) {
    return panels.largestSlab(kLeastReadBytes);
  }

  Expected<int64_t> begin(int64_t first) override {
    const int64_t end = panels.endOfSlab(first, kLeastReadBytes);
    if (Error error =
            readRows(source, pool, spec, panels.firstRow(first), panels.rows(first, end), buffer()))
      return error;
    firstPanel = first;
    return end;
  }

  Expected<const uint8_t *> rows(int64_t panel, int) override {
    return buffer() + panels.bytes(firstPanel, panel);
  }

private:
  cpu::ThreadPool &pool;
  int64_t firstPanel = 0;
};

/// The buffer holds a panel for each worker, which may be in place as well.
class DirectReader final : public BufferedReader {
public:
  using BufferedReader::BufferedReader;

  static uint64_t bufferBytes(const PanelRows &panels, int workers) {
    return workers * panels.largestPanel();
  }

  /// Batches only divide the work into what progress is told of.
  Expected<int64_t> begin(int64_t first) override {
    constexpr uint64_t kBytesBetweenReports = uint64_t{32} << 20;
    return panels.endOfSlab(first, kBytesBetweenReports);
  }

  Expected<const uint8_t *> rows(int64_t panel, int worker) override {
    return source.rows(spec, panels.firstRow(panel), panels.rows(panel, panel + 1),
                       buffer() + worker * panels.largestPanel());
  }
};

} // namespace

Expected<std::unique_ptr<PanelReader>> PanelReader::create(const WeightSpec &spec,
                                                           const PanelRows &panels,
                                                           WeightSource &source,
                                                           cpu::ThreadPool &pool) {
  // Rows of a transposed matrix are read best together: each of them lies across all of it.
  const bool inSlabs = source.readsInSlabs() || spec.layout.isTransposed;
  Expected<AlignedBytes> memory = AlignedBytes::allocate(
      inSlabs ? SlabReader::bufferBytes(panels) : DirectReader::bufferBytes(panels, pool.threads()),
      "reading " + spec.describe());
  if (!memory)
    return memory.takeError();
  if (inSlabs)
    return std::make_unique<SlabReader>(spec, panels, source, pool, std::move(*memory));
  return std::make_unique<DirectReader>(spec, panels, source, std::move(*memory));
}

} // namespace sortie
