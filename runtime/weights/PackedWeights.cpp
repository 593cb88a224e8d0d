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
  const cpu::MatrixShape shape = spec.matrixShape();
  const uint64_t panelBytes = cpu::kPanelRows * spec.rowBytes();
  const int64_t panelsOfExpert = divideCeil(shape.rows, cpu::kPanelRows);
  const int64_t panels = shape.experts * panelsOfExpert;
  const int64_t step = std::max<int64_t>(1, kBytesBetweenReports / panelBytes);
  const std::string what = "reading " + spec.describe();
  Expected<AlignedBytes> scratch = AlignedBytes::allocate(pool.threads() * panelBytes, what);
  if (!scratch)
    return scratch.takeError();

  FirstError failure;
  auto packPanel = [&](int64_t panel, int worker) {
    const int64_t expert = panel / panelsOfExpert;
    const int64_t firstRow = panel % panelsOfExpert * cpu::kPanelRows;
    const int64_t rowCount = std::min(cpu::kPanelRows, shape.rows - firstRow);
    auto *buffer = reinterpret_cast<uint8_t *>(scratch->data()) + worker * panelBytes;
    Expected<const uint8_t *> raw =
        source.rows(spec, expert * shape.rows + firstRow, rowCount, buffer);
    if (!raw)
      return failure.keep(raw.takeError());
    cpu::packRows(shape, expert, firstRow, rowCount, *raw, packed);
  };
  for (int64_t first = 0; first < panels; first += step) {
    const int64_t count = std::min(step, panels - first);
    pool.parallelFor(count, [&](int64_t i, int worker) { packPanel(first + i, worker); });
    if (Error error = failure.take())
      return error;
    if (Error error = progress.advance(std::min<uint64_t>(count * panelBytes, spec.fileBytes())))
      return error;
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

} // namespace

Expected<std::unique_ptr<PackedWeights>>
PackedWeights::create(ArrayRef<WeightSpec> specs, const BitVector &wanted, WeightSource &source,
                      cpu::ThreadPool &pool, ReportProgress report) {
  uint64_t totalBytes = 0;
  for (const unsigned id : wanted.set_bits()) {
    if (Error error = source.check(specs[id]))
      return error;
    totalBytes += specs[id].fileBytes() * (specs[id].isMatrix + specs[id].isVector);
  }

  auto weights = std::make_unique<PackedWeights>();
  weights->packed = wanted;
  weights->matrices.resize(specs.size());
  weights->vectors.resize(specs.size());
  for (const WeightSpec &spec : specs)
    weights->shapes.push_back(spec.matrixShape());

  Packer packer(source, pool, report, totalBytes);
  for (const unsigned id : wanted.set_bits()) {
    const WeightSpec &spec = specs[id];
    if (spec.isMatrix) {
      Expected<AlignedBytes> memory =
          AlignedBytes::allocate(cpu::packedBytes(spec.matrixShape()), "packed " + spec.describe());
      if (!memory)
        return memory.takeError();
      if (Error error = packer.packMatrix(spec, memory->data()))
        return error;
      weights->matrices[id] = std::move(*memory);
    }
    if (spec.isVector) {
      Expected<AlignedBytes> memory =
          AlignedBytes::allocate(spec.rows() * spec.columns() * sizeof(float), spec.describe());
      if (!memory)
        return memory.takeError();
      if (Error error = packer.loadVector(spec, reinterpret_cast<float *>(memory->data())))
        return error;
      weights->vectors[id] = std::move(*memory);
    }
  }
  return weights;
}

} // namespace sortie
