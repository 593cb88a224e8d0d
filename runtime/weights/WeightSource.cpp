// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The three sources of weights.

#include "runtime/weights/WeightSource.h"

#include "runtime/gguf/TensorType.h"
#include "runtime/support/Error.h"
#include "runtime/weights/RandomBlocks.h"

#include <mutex>

using namespace llvm;

namespace sortie {

std::string WeightSpec::describe() const {
  std::string extents;
  for (const int64_t extent : shape)
    extents += (Twine(extents.empty() ? "" : "x") + Twine(extent)).str();
  return "tensor '" + tensor + "' (" + numerics::formatInfo(format).name + ", " + extents + ")";
}

WeightSource::~WeightSource() = default;

namespace {

class GgufSource : public WeightSource {
public:
  explicit GgufSource(std::unique_ptr<gguf::Model> model) : model(std::move(model)) {}

  std::string name() const override { return model->name().str(); }
  std::optional<uint64_t> fingerprint(const gguf::Fingerprint &rule) const override {
    return rule.of(*model);
  }

  Error check(const WeightSpec &spec) const override {
    const gguf::Tensor *tensor = model->findTensor(spec.tensor);
    if (!tensor)
      return makeError(model->name() + ": has no " + spec.describe() +
                           ", which the program needs; give the model that it was compiled for",
                       std::errc::no_such_file_or_directory);
    const bool sameFormat = tensor->format && tensor->format->format == spec.format;
    if (sameFormat && gguf::isSameShape(tensor->shape(), spec.shape))
      return Error::success();
    return makeError(tensor->file + ": holds " + tensor->describe() +
                     ", the program was compiled for " + spec.describe() +
                     "; give the model that it was compiled for, or compile it for this one");
  }

  Expected<const uint8_t *> rows(const WeightSpec &spec, int64_t firstRow, int64_t,
                                 uint8_t *) override {
    return model->findTensor(spec.tensor)->bytes.data() + firstRow * spec.rowBytes();
  }

private:
  std::unique_ptr<gguf::Model> model;
};

class CallbackSource : public WeightSource {
public:
  explicit CallbackSource(ReadTensor read) : read(std::move(read)) {}

  std::string name() const override { return "weights by callback"; }
  /// The callback knows tensors by name only; what it does not have fails when it is read.
  Error check(const WeightSpec &) const override { return Error::success(); }

  Expected<const uint8_t *> rows(const WeightSpec &spec, int64_t firstRow, int64_t rowCount,
                                 uint8_t *scratch) override {
    const std::lock_guard<std::mutex> lock(oneAtATime);
    const uint64_t offset = firstRow * spec.rowBytes();
    if (read(spec.tensor, offset, rowCount * spec.rowBytes(), scratch))
      return scratch;
    return makeError("the weights callback failed for " + spec.describe() + ", " +
                         Twine(rowCount * spec.rowBytes()) + " bytes at offset " + Twine(offset),
                     std::errc::io_error);
  }

private:
  ReadTensor read;
  std::mutex oneAtATime;
};

class RandomSource : public WeightSource {
public:
  explicit RandomSource(uint64_t seed) : seed(seed) {}

  std::string name() const override { return ("random:seed=" + Twine(seed)).str(); }
  Error check(const WeightSpec &) const override { return Error::success(); }

  Expected<const uint8_t *> rows(const WeightSpec &spec, int64_t firstRow, int64_t rowCount,
                                 uint8_t *scratch) override {
    RandomBlocks(spec, seed).fillRows(firstRow, rowCount, scratch);
    return scratch;
  }

private:
  uint64_t seed;
};

} // namespace

std::unique_ptr<WeightSource> makeGgufSource(std::unique_ptr<gguf::Model> model) {
  return std::make_unique<GgufSource>(std::move(model));
}

std::unique_ptr<WeightSource> makeCallbackSource(ReadTensor read) {
  return std::make_unique<CallbackSource>(std::move(read));
}

std::unique_ptr<WeightSource> makeRandomSource(uint64_t seed) {
  return std::make_unique<RandomSource>(seed);
}

} // namespace sortie
