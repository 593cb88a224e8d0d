// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Packing of weights, panel by panel.

#include "runtime/cpu/PackedWeights.h"

#include "runtime/cpu/PanelReader.h"
#include "runtime/support/FirstError.h"

using namespace llvm;

namespace sortie {

cpu::MatrixShape cpu::shapeOf(const WeightSpec &spec) {
  return {spec.info().format, spec.experts(), spec.rowsOfExpert(), spec.columns()};
}

/// Bytes of a weight as a matrix, or as plain floats.
static uint64_t bytesOfForm(const WeightSpec &spec, bool isMatrix) {
  return isMatrix ? cpu::packedBytes(cpu::shapeOf(spec))
                  : spec.rows() * spec.columns() * sizeof(float);
}

uint64_t cpu::packedBytes(const WeightSpec &spec) {
  return (spec.isMatrix ? bytesOfForm(spec, /*isMatrix=*/true) : 0) +
         (spec.isVector ? bytesOfForm(spec, /*isMatrix=*/false) : 0);
}

/// A weight as a program reads it.
struct PackedWeights::Form {
  uint32_t id;
  const WeightSpec &spec;
  bool isMatrix; ///< else plain floats

  std::string identity() const { return (isMatrix ? "matrix " : "floats ") + spec.identity(); }
  uint64_t bytes() const { return bytesOfForm(spec, isMatrix); }
};

/// Loads the weights of one program one after another; progress counts bytes of the model's file.
class PackedWeights::Packer {
public:
  Packer(WeightSource &source, cpu::ThreadPool &pool, ReportProgress report, uint64_t totalBytes)
      : source(source), pool(pool), progress(report, totalBytes) {}

  Expected<Bytes> load(const Form &form);

private:
  Error packMatrix(const WeightSpec &spec, std::byte *packed);
  Error loadVector(const WeightSpec &spec, float *values);

  WeightSource &source;
  cpu::ThreadPool &pool;
  LoadProgress progress;
};

Error PackedWeights::Packer::packMatrix(const WeightSpec &spec, std::byte *packed) {
  const PanelRows panels(spec);
  Expected<std::unique_ptr<PanelReader>> reader = PanelReader::create(spec, panels, source, pool);
  if (!reader)
    return reader.takeError();
  FirstError failure;
  for (int64_t first = 0; first < panels.count();) {
    Expected<int64_t> end = (*reader)->begin(first);
    if (!end)
      return end.takeError();
    pool.parallelFor(*end - first, [&](int64_t index, int worker) {
      const int64_t panel = first + index;
      Expected<const uint8_t *> rows = (*reader)->rows(panel, worker);
      if (!rows)
        return failure.keep(rows.takeError());
      cpu::packRows(cpu::shapeOf(spec), spec.encoding, panels.expert(panel),
                    panels.rowOfExpert(panel), panels.rows(panel, panel + 1), *rows, packed);
    });
    if (Error error = failure.take())
      return error;
    if (Error error = progress.advance(panels.bytes(first, *end)))
      return error;
    first = *end;
  }
  return Error::success();
}

Error PackedWeights::Packer::loadVector(const WeightSpec &spec, float *values) {
  Expected<AlignedBytes> scratch =
      AlignedBytes::allocate(spec.bytes(), "reading " + spec.describe());
  if (!scratch)
    return scratch.takeError();
  Expected<const uint8_t *> raw =
      source.rows(spec, 0, spec.rows(), reinterpret_cast<uint8_t *>(scratch->data()));
  if (!raw)
    return raw.takeError();
  widenValues(spec.info().format, *raw, spec.rows() * spec.columns(), values);
  return progress.advance(spec.bytes());
}

Expected<PackedWeights::Bytes> PackedWeights::Packer::load(const Form &form) {
  Expected<AlignedBytes> memory =
      AlignedBytes::allocate(form.bytes(), (form.isMatrix ? "packed " : "") + form.spec.describe());
  if (!memory)
    return memory.takeError();
  if (Error error = form.isMatrix
                        ? packMatrix(form.spec, memory->data())
                        : loadVector(form.spec, reinterpret_cast<float *>(memory->data())))
    return error;
  return std::make_shared<const AlignedBytes>(std::move(*memory));
}

std::vector<PackedWeights::Form> PackedWeights::formsOf(ArrayRef<WeightSpec> specs,
                                                        const BitVector &wanted) {
  std::vector<Form> forms;
  for (const unsigned id : wanted.set_bits()) {
    if (specs[id].isMatrix)
      forms.push_back({id, specs[id], /*isMatrix=*/true});
    if (specs[id].isVector)
      forms.push_back({id, specs[id], /*isMatrix=*/false});
  }
  return forms;
}

void PackedWeights::keep(const Form &form, Bytes bytes) {
  byIdentity[form.identity()] = bytes;
  (form.isMatrix ? matrices : vectors)[form.id] = std::move(bytes);
}

Expected<std::unique_ptr<PackedWeights>>
PackedWeights::create(ArrayRef<WeightSpec> specs, const BitVector &wanted, WeightSource &source,
                      cpu::ThreadPool &pool, ReportProgress report, const PackedWeights *share) {
  for (const unsigned id : wanted.set_bits())
    if (Error error = source.check(specs[id]))
      return error;
  auto weights = std::make_unique<PackedWeights>();
  weights->packed = wanted;
  weights->matrices.resize(specs.size());
  weights->vectors.resize(specs.size());
  for (const WeightSpec &spec : specs)
    weights->shapes.push_back(cpu::shapeOf(spec));

  // What is shared is found first, because progress is of what is read.
  std::vector<Form> missing;
  uint64_t missingBytes = 0;
  for (const Form &form : formsOf(specs, wanted)) {
    if (Bytes shared = share ? share->byIdentity.lookup(form.identity()) : nullptr) {
      weights->counted.shared += shared->size();
      weights->keep(form, std::move(shared));
    } else {
      missing.push_back(form);
      missingBytes += form.spec.bytes();
    }
  }
  Packer packer(source, pool, report, missingBytes);
  for (const Form &form : missing) {
    Expected<Bytes> loaded = packer.load(form);
    if (!loaded)
      return loaded.takeError();
    weights->counted.own += form.bytes();
    weights->keep(form, std::move(*loaded));
  }
  return weights;
}

} // namespace sortie
