// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the bytes of weights come from: a model's files, a callback, or a random generator.

#ifndef SORTIE_RUNTIME_WEIGHTS_WEIGHTSOURCE_H
#define SORTIE_RUNTIME_WEIGHTS_WEIGHTSOURCE_H

#include "runtime/modelfile/ModelFile.h"
#include "runtime/weights/WeightSpec.h"

#include "llvm/Support/Error.h"

#include <functional>
#include <memory>

namespace sortie {

/// What is asked for at once of a source whose calls cost, or all of a tensor that is smaller.
inline constexpr uint64_t kLeastReadBytes = uint64_t{1} << 20;

class WeightSource {
public:
  virtual ~WeightSource();

  /// Whether the source has the tensors of this weight in its encoding and their shape.
  virtual llvm::Error check(const WeightSpec &spec) const = 0;

  /// The fingerprint of the model by the rule of another one, if it has one, and what to call the
  /// model in messages.
  virtual std::optional<uint64_t> fingerprint(const ModelFingerprint &) const {
    return std::nullopt;
  }
  virtual std::string name() const = 0;
  /// The model whose files the bytes come from; null if they come from elsewhere.
  virtual const ModelFile *modelFile() const { return nullptr; }
  /// What two sources with the same tensors have in common, and others have not; empty: unknown.
  virtual std::string identity() const { return ""; }
  /// Whether each call of rows() costs something: then they come one at a time, for kLeastReadBytes
  /// or more.
  virtual bool readsInSlabs() const { return false; }

  /// The bytes of `rowCount` rows from `firstRow` on (rows of all experts count through; whole
  /// strips of rows that are stored together), in the model's encoding: either in place, or written
  /// to `scratch`, which has room for them. May be called by several threads at once, after
  /// check().
  llvm::Expected<const uint8_t *> rows(const WeightSpec &spec, int64_t firstRow, int64_t rowCount,
                                       uint8_t *scratch);

private:
  /// The same of a transposed weight, always written to `scratch`.
  llvm::Error transposedRows(const WeightSpec &spec, int64_t firstRow, int64_t rowCount,
                             uint8_t *scratch);
  /// Rows of one matrix of a transposed weight of floats: a piece of each row of the file at a
  /// time.
  llvm::Error movedRows(const WeightSpec &spec, int64_t firstRow, int64_t rowCount, uint8_t *to);
  /// The same of blocks, which are decoded.
  llvm::Error decodedRows(const WeightSpec &spec, int64_t firstRow, int64_t rowCount, uint8_t *to);
  /// The same of rows that lie together.
  virtual llvm::Expected<const uint8_t *> bytes(const WeightSpec &spec, const TensorPiece &piece,
                                                uint8_t *scratch) = 0;
};

/// Fills `destination` with `size` bytes of a tensor, by its name in the model, from `offset` on;
/// false when it cannot.
using ReadTensor = std::function<bool(llvm::StringRef tensor, uint64_t offset, uint64_t size,
                                      uint8_t *destination)>;

std::unique_ptr<WeightSource> makeFileSource(std::unique_ptr<ModelFile> model);
/// One call of `read` at a time.
std::unique_ptr<WeightSource> makeCallbackSource(ReadTensor read);
/// Valid random blocks; see RandomBlocks.h.
std::unique_ptr<WeightSource> makeRandomSource(uint64_t seed);

} // namespace sortie

#endif // SORTIE_RUNTIME_WEIGHTS_WEIGHTSOURCE_H
