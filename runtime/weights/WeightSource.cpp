// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The three sources of weights.

#include "runtime/weights/WeightSource.h"

#include "runtime/support/Error.h"
#include "runtime/weights/DecodedElements.h"
#include "runtime/weights/RandomBlocks.h"

#include "llvm/ADT/StringExtras.h"

#include <cstring>
#include <mutex>

using namespace llvm;

namespace sortie {

WeightSource::~WeightSource() = default;

Expected<const uint8_t *> WeightSource::rows(const WeightSpec &spec, int64_t firstRow,
                                             int64_t rowCount, uint8_t *scratch) {
  if (spec.layout.isTransposed) {
    if (Error error = transposedRows(spec, firstRow, rowCount, scratch))
      return error;
    return scratch;
  }
  const TensorPiece first = spec.piece(firstRow, rowCount);
  if (first.rows == rowCount)
    return bytes(spec, first, scratch);
  uint8_t *to = scratch;
  for (int64_t done = 0; done < rowCount;) {
    const TensorPiece piece = spec.piece(firstRow + done, rowCount - done);
    Expected<const uint8_t *> from = bytes(spec, piece, to);
    if (!from)
      return from.takeError();
    if (*from != to)
      std::memcpy(to, *from, piece.size);
    to += piece.size;
    done += piece.rows;
  }
  return scratch;
}

Error WeightSource::transposedRows(const WeightSpec &spec, int64_t firstRow, int64_t rowCount,
                                   uint8_t *scratch) {
  for (int64_t done = 0; done < rowCount;) {
    const int64_t first = firstRow + done;
    const int64_t rows = spec.rowsTogether(first, rowCount - done);
    uint8_t *to = scratch + done * spec.rowBytes();
    if (Error error = spec.layout.stored ? decodedRows(spec, first, rows, to)
                                         : movedRows(spec, first, rows, to))
      return error;
    done += rows;
  }
  return Error::success();
}

Error WeightSource::movedRows(const WeightSpec &spec, int64_t firstRow, int64_t rowCount,
                              uint8_t *to) {
  const size_t elementBytes = spec.info().bytes;
  std::vector<uint8_t> buffer(rowCount * elementBytes);
  for (int64_t column = 0; column < spec.columns(); ++column) {
    Expected<const uint8_t *> from =
        bytes(spec, spec.columnPiece(firstRow, rowCount, column), buffer.data());
    if (!from)
      return from.takeError();
    for (int64_t row = 0; row < rowCount; ++row)
      std::memcpy(to + row * spec.rowBytes() + column * elementBytes, *from + row * elementBytes,
                  elementBytes);
  }
  return Error::success();
}

Error WeightSource::decodedRows(const WeightSpec &spec, int64_t firstRow, int64_t rowCount,
                                uint8_t *to) {
  const int64_t matrixRows = spec.rowsOfExpert();
  const TensorPiece piece = spec.matrixPiece(firstRow / matrixRows);
  std::vector<uint8_t> buffer(piece.size);
  Expected<const uint8_t *> from = bytes(spec, piece, buffer.data());
  if (!from)
    return from.takeError();
  std::vector<float> values(rowCount);
  for (int64_t column = 0; column < spec.columns(); ++column) {
    const numerics::EncodedRow row = numerics::rowOf(spec.storedInfo(), *from, column, matrixRows);
    decodeElements(*spec.layout.stored, row, firstRow % matrixRows, values);
    for (const auto &[index, value] : enumerate(values))
      std::memcpy(to + index * spec.rowBytes() + column * sizeof(float), &value, sizeof(float));
  }
  return Error::success();
}

namespace {

class FileSource : public WeightSource {
public:
  explicit FileSource(std::unique_ptr<ModelFile> model) : model(std::move(model)) {}

  std::string name() const override { return model->name().str(); }
  const ModelFile *modelFile() const override { return model.get(); }
  std::optional<uint64_t> fingerprint(const ModelFingerprint &rule) const override {
    return model->fingerprint(rule);
  }
  /// Follows from the tensor table and the sampled bytes: no key changes what a tensor holds.
  std::string identity() const override {
    const std::optional<uint64_t> tensors =
        model->fingerprint({.keys = std::vector<std::string>()});
    return tensors ? "model " + utohexstr(*tensors, /*LowerCase=*/true, /*Width=*/16) : "";
  }

  Error check(const WeightSpec &spec) const override {
    for (const std::string &tensor : spec.tensors)
      if (Error error = checkTensor(spec, tensor))
        return error;
    return Error::success();
  }

private:
  Error checkTensor(const WeightSpec &spec, const std::string &name) const {
    const ModelTensor *tensor = model->findTensor(name);
    if (!tensor)
      return makeError(model->name() + ": has no " + spec.describeTensor(name) +
                           ", which the program needs; give the model that it was compiled for",
                       std::errc::no_such_file_or_directory);
    const bool isSame =
        tensor->encoding && tensor->encoding->encoding == spec.storedInfo().encoding;
    if (isSame && isSameShape(tensor->shape(), spec.tensorShape()))
      return Error::success();
    return makeError(tensor->file + ": holds " + tensor->describe() +
                     ", the program was compiled for " + spec.describeTensor(name) +
                     "; give the model that it was compiled for, or compile it for this one");
  }

  Expected<const uint8_t *> bytes(const WeightSpec &, const TensorPiece &piece,
                                  uint8_t *) override {
    return model->findTensor(piece.tensor)->bytes.data() + piece.offset;
  }

  std::unique_ptr<ModelFile> model;
};

class CallbackSource : public WeightSource {
public:
  explicit CallbackSource(ReadTensor read) : read(std::move(read)) {}

  std::string name() const override { return "weights by callback"; }
  bool readsInSlabs() const override { return true; }
  /// The callback knows tensors by name only; what it does not have fails when it is read.
  Error check(const WeightSpec &) const override { return Error::success(); }

private:
  Expected<const uint8_t *> bytes(const WeightSpec &spec, const TensorPiece &piece,
                                  uint8_t *scratch) override {
    const std::lock_guard<std::mutex> lock(oneAtATime);
    if (read(piece.tensor, piece.offset, piece.size, scratch))
      return scratch;
    return makeError("the weights callback failed for " + spec.describeTensor(piece.tensor) + ", " +
                         Twine(piece.size) + " bytes at offset " + Twine(piece.offset),
                     std::errc::io_error);
  }

  ReadTensor read;
  std::mutex oneAtATime;
};

class RandomSource : public WeightSource {
public:
  explicit RandomSource(uint64_t seed) : seed(seed) {}

  std::string name() const override { return ("random:seed=" + Twine(seed)).str(); }
  std::string identity() const override { return name(); }
  Error check(const WeightSpec &) const override { return Error::success(); }

private:
  Expected<const uint8_t *> bytes(const WeightSpec &spec, const TensorPiece &piece,
                                  uint8_t *scratch) override {
    RandomBlocks(spec, piece.tensor, seed).fill(piece.offset, piece.size, scratch);
    return scratch;
  }

  uint64_t seed;
};

} // namespace

std::unique_ptr<WeightSource> makeFileSource(std::unique_ptr<ModelFile> model) {
  return std::make_unique<FileSource>(std::move(model));
}

std::unique_ptr<WeightSource> makeCallbackSource(ReadTensor read) {
  return std::make_unique<CallbackSource>(std::move(read));
}

std::unique_ptr<WeightSource> makeRandomSource(uint64_t seed) {
  return std::make_unique<RandomSource>(seed);
}

} // namespace sortie
