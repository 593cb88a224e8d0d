// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Looks for what no quantizer means to write: scales, minimums and weights that are infinite or no
// numbers.

#ifndef SORTIE_RUNTIME_WEIGHTS_NONFINITE_H
#define SORTIE_RUNTIME_WEIGHTS_NONFINITE_H

#include "runtime/modelfile/ModelFile.h"

#include <mutex>

namespace sortie {

/// One such number of a tensor.
struct NonFinite {
  uint64_t unit;    ///< of numerics::scaleStride() bytes, counted through the tensor
  uint32_t field;   ///< of the unit
  const char *what; ///< "the scale is NaN"
};

/// Scans tensors slab by slab, in any order, by any number of threads.
class NonFiniteScan {
public:
  /// This many numbers of a tensor are kept, the first ones.
  static constexpr size_t kKept = 5;

  /// Tensors of encodings that Sortie reads.
  explicit NonFiniteScan(llvm::ArrayRef<const ModelTensor *> tensors);

  /// Scans the units of a tensor that begin in the bytes [offset, offset + size). Each is scanned
  /// once.
  void addSlab(size_t tensor, uint64_t offset, uint64_t size);

  /// How many numbers of a tensor are not finite, and the first of them.
  uint64_t count(size_t tensor) const { return results[tensor].count; }
  llvm::ArrayRef<NonFinite> first(size_t tensor) const { return results[tensor].first; }

private:
  struct Result {
    uint64_t count = 0;
    std::vector<NonFinite> first;
  };

  llvm::ArrayRef<const ModelTensor *> tensors;
  std::vector<Result> results;
  std::mutex mutex;
};

/// What a number of a tensor is the scale of, or is. Rows count from 0 in each expert.
struct BlockPlace {
  std::optional<int64_t> expert; ///< of tensors of three and more dimensions
  int64_t row;
  int64_t firstColumn;
  int64_t lastColumn;

  /// "expert 3, row 17, columns 32 to 63".
  std::string describe() const;
};
BlockPlace placeOf(const ModelTensor &tensor, const NonFinite &value);

} // namespace sortie

#endif // SORTIE_RUNTIME_WEIGHTS_NONFINITE_H
