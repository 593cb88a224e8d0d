// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Uploading of weights, slab by slab.

#include "runtime/cuda/DeviceWeights.h"

#include "runtime/cuda/StagedUpload.h"
#include "runtime/support/AlignedBytes.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace llvm;

namespace sortie::cuda {

namespace {

/// The slabs of a weight, in rows or panels: each has whole experts, or a part of one. They are of
/// about the same size, so that none is tiny, and neither is what lies together in a tensor.
struct Cut {
  int64_t all;
  int64_t ofExpert;
  int64_t step;

  int64_t end(int64_t first) const {
    const int64_t limit = step < ofExpert ? (first / ofExpert + 1) * ofExpert : all;
    return std::min(first + step, limit);
  }
};

/// What is uploaded together: at least one row or panel, at most as many as `slabBytes` hold.
class Slabs {
public:
  explicit Slabs(uint64_t slabBytes) : slabBytes(slabBytes) {}

  Cut panels(const WeightSpec &spec) const {
    const Panels panels = panelsOf(spec);
    return cut(panels.count, panels.panelsOfExpert, panels.rows * spec.rowBytes());
  }
  Cut rows(const WeightSpec &spec) const {
    return cut(spec.rows(), spec.rowsOfExpert(), spec.rowBytes());
  }
  Cut floatRows(const WeightSpec &spec) const {
    return cut(spec.rows(), spec.rowsOfExpert(), floatRowBytes(spec));
  }

  /// Bytes that the slabs of a weight need at most in a staging buffer.
  uint64_t stagingBytes(const WeightSpec &spec, WeightForm form) const {
    const auto all = static_cast<uint64_t>(spec.rows());
    switch (form) {
    case WeightForm::Packed:
      return std::min<uint64_t>(all, panels(spec).step * panelsOf(spec).rows) * spec.rowBytes();
    case WeightForm::Raw:
      return std::min<uint64_t>(all, rows(spec).step) * spec.rowBytes();
    case WeightForm::Floats:
      return std::min<uint64_t>(all, floatRows(spec).step) * floatRowBytes(spec);
    }
    return 0;
  }

  static uint64_t floatRowBytes(const WeightSpec &spec) { return spec.columns() * sizeof(float); }

private:
  /// The cut of `all` pieces of `bytes` bytes each. `ofExpert` of them are an expert's, which may
  /// be a tensor.
  Cut cut(int64_t all, int64_t ofExpert, uint64_t bytes) const {
    const int64_t most = std::max<int64_t>(1, static_cast<int64_t>(slabBytes / bytes));
    const bool isOfExpert = most < ofExpert;
    const int64_t unit = isOfExpert ? 1 : ofExpert;
    const int64_t units = isOfExpert ? ofExpert : all / ofExpert;
    const int64_t slabs = divideCeil(units, most / unit);
    return {all, ofExpert, static_cast<int64_t>(divideCeil(units, slabs)) * unit};
  }

  uint64_t slabBytes;
};

/// Uploads weights one after another.
class Uploader {
public:
  Uploader(const Device &device, const LoadedKernels &kernels, WeightSource &source,
           cpu::ThreadPool &pool, const Slabs &slabs, StagedUpload &upload, CUdeviceptr rawStaging,
           LoadProgress &progress)
      : device(device), kernels(kernels), source(source), pool(pool), slabs(slabs), upload(upload),
        rawStaging(rawStaging), progress(progress) {}

  Error load(const WeightSpec &spec, WeightForm form, CUdeviceptr to) {
    switch (form) {
    case WeightForm::Packed:
      return loadPacked(spec, to);
    case WeightForm::Raw:
      return loadRaw(spec, to);
    case WeightForm::Floats:
      return loadFloats(spec, to);
    }
    return Error::success();
  }

private:
  Error loadPacked(const WeightSpec &spec, CUdeviceptr to);
  Error loadRaw(const WeightSpec &spec, CUdeviceptr to);
  Error loadFloats(const WeightSpec &spec, CUdeviceptr to);
  Error uploadRows(const WeightSpec &spec, int64_t firstRow, int64_t count, CUdeviceptr to);

  const Device &device;
  const LoadedKernels &kernels;
  WeightSource &source;
  cpu::ThreadPool &pool;
  const Slabs &slabs;
  StagedUpload &upload;
  CUdeviceptr rawStaging; ///< on the device: the rows of a slab before they are packed
  LoadProgress &progress;
};

/// The rows as they are in the file.
Error Uploader::uploadRows(const WeightSpec &spec, int64_t firstRow, int64_t count,
                           CUdeviceptr to) {
  Expected<uint8_t *> buffer = upload.next();
  if (!buffer)
    return buffer.takeError();
  if (Error error = readRows(source, pool, spec, firstRow, count, *buffer))
    return error;
  if (Error error = upload.upload(to, count * spec.rowBytes()))
    return error;
  return progress.advance(count * spec.rowBytes());
}

Error Uploader::loadPacked(const WeightSpec &spec, CUdeviceptr to) {
  const Panels panels = panelsOf(spec);
  const Cut cut = slabs.panels(spec);
  for (int64_t first = 0, end; first < panels.count; first = end) {
    end = cut.end(first);
    const int64_t count = end - first;
    const int64_t firstRow = panels.firstRow(first);
    // The stream keeps the order: the slab before is packed when this one arrives.
    if (Error error = uploadRows(spec, firstRow, panels.firstRow(end) - firstRow, rawStaging))
      return error;
    Launch launch;
    launch.grid[0] = static_cast<uint32_t>(count);
    launch.pointers = {rawStaging, to + first * panels.bytes};
    launch.extents = {static_cast<int32_t>(first), static_cast<int32_t>(count)};
    const Device::Scope scope(device);
    if (Error error = device.check(kernels.launch(spec.pack->kernel, launch, upload.stream()),
                                   "packing " + spec.describe()))
      return error;
  }
  return Error::success();
}

Error Uploader::loadRaw(const WeightSpec &spec, CUdeviceptr to) {
  const Cut cut = slabs.rows(spec);
  for (int64_t first = 0, end; first < spec.rows(); first = end) {
    end = cut.end(first);
    if (Error error = uploadRows(spec, first, end - first, to + first * spec.rowBytes()))
      return error;
  }
  return Error::success();
}

Error Uploader::loadFloats(const WeightSpec &spec, CUdeviceptr to) {
  const Cut cut = slabs.floatRows(spec);
  Expected<AlignedBytes> scratch =
      AlignedBytes::allocate(cut.step * spec.rowBytes(), "reading " + spec.describe());
  if (!scratch)
    return scratch.takeError();
  auto *raw = reinterpret_cast<uint8_t *>(scratch->data());
  for (int64_t first = 0, end; first < spec.rows(); first = end) {
    end = cut.end(first);
    const int64_t count = end - first;
    Expected<uint8_t *> buffer = upload.next();
    if (!buffer)
      return buffer.takeError();
    if (Error error = readRows(source, pool, spec, first, count, raw))
      return error;
    widenValues(spec.info().format, raw, count * spec.columns(),
                reinterpret_cast<float *>(*buffer));
    if (Error error = upload.upload(to + first * Slabs::floatRowBytes(spec),
                                    count * Slabs::floatRowBytes(spec)))
      return error;
    if (Error error = progress.advance(count * spec.rowBytes()))
      return error;
  }
  return Error::success();
}

/// Equal for kernels that have the same code for every chip: they write the same bytes.
std::string codeOf(const Kernel &kernel) {
  std::string text;
  for (const KernelImage &image : kernel.images)
    text += image.arch + " " + image.hash + ", ";
  return text;
}

/// Equal for weights of two programs that have the same bytes on a device if the models are the
/// same.
std::string identityOf(const Program &program, WeightId weight, WeightForm form) {
  const WeightSpec &spec = program.weights[weight];
  switch (form) {
  case WeightForm::Packed:
    return ("packed by " + codeOf(program.kernels[spec.pack->kernel]) + "panels of " +
            Twine(spec.pack->rows) + " rows, " + Twine(spec.pack->bytes) +
            " bytes: " + spec.identity())
        .str();
  case WeightForm::Raw:
    return "raw: " + spec.identity();
  case WeightForm::Floats:
    return "floats: " + spec.identity();
  }
  return "";
}

} // namespace

void DeviceWeights::add(const Program &program, WeightId weight, WeightForm form,
                        DeviceWeight where) {
  byIdentity[identityOf(program, weight, form)] = where;
  weights[{weight, form}] = std::move(where);
}

DeviceWeights DeviceWeights::share(const Program &program, const BitVector &wanted,
                                   const DeviceWeights &others) {
  DeviceWeights shared;
  const WeightPlan plan(program, wanted);
  for (const PlannedWeight &entry : plan.weights()) {
    const auto it = others.byIdentity.find(identityOf(program, entry.weight, entry.form));
    if (it == others.byIdentity.end())
      continue;
    shared.counted.shared += it->second.bytes;
    shared.add(program, entry.weight, entry.form, it->second);
  }
  return shared;
}

Expected<DeviceWeights> DeviceWeights::load(const DevicePtr &device, const Program &program,
                                            const WeightPlan &plan, const LoadedKernels &kernels,
                                            WeightSource &source, cpu::ThreadPool &pool,
                                            ReportProgress report, uint64_t slabBytes,
                                            DeviceWeights shared) {
  const Slabs slabs(slabBytes);
  uint64_t fileBytes = 0, bufferBytes = 0, rawBytes = 0;
  for (const PlannedWeight &entry : plan.weights()) {
    const WeightSpec &spec = program.weights[entry.weight];
    if (Error error = source.check(spec))
      return error;
    if (entry.form == WeightForm::Packed && spec.panels() > INT32_MAX)
      return makeError(spec.describe() + " has " + Twine(spec.panels()) +
                       " panels, kernels count them in 31 bits");
    fileBytes += spec.bytes();
    bufferBytes = std::max(bufferBytes, slabs.stagingBytes(spec, entry.form));
    if (entry.form == WeightForm::Packed)
      rawBytes = std::max(rawBytes, slabs.stagingBytes(spec, entry.form));
  }
  Expected<DeviceMemory> memory = allocate(device, plan.bytes(), "weights");
  if (!memory)
    return memory.takeError();
  Expected<DeviceMemory> rawStaging = allocate(device, rawBytes, "weights before they are packed");
  if (!rawStaging)
    return rawStaging.takeError();
  Expected<StagedUpload> upload = StagedUpload::create(device, bufferBytes);
  if (!upload)
    return upload.takeError();

  LoadProgress progress(report, fileBytes);
  Uploader uploader(*device, kernels, source, pool, slabs, *upload, rawStaging->get(), progress);
  for (const PlannedWeight &entry : plan.weights()) {
    Error error =
        uploader.load(program.weights[entry.weight], entry.form, memory->get() + entry.offset);
    if (!error)
      continue;
    consumeError(upload->finish()); // the device may still read the buffers
    return error;
  }
  if (Error error = upload->finish())
    return error;
  DeviceWeights weights = std::move(shared);
  const auto owner = std::make_shared<const DeviceMemory>(std::move(*memory));
  for (const PlannedWeight &entry : plan.weights())
    weights.add(program, entry.weight, entry.form,
                {owner->get() + entry.offset, entry.bytes, owner});
  weights.counted.own = plan.bytes();
  return weights;
}

} // namespace sortie::cuda
