// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hashes of all bytes of tensors, which the compiler records and sortie_weights_verify() compares.
// They are made of hashes of slabs, so that any number of threads can work on one tensor.
// docs/runtime.md states them.

#ifndef SORTIE_RUNTIME_WEIGHTS_TENSORHASHER_H
#define SORTIE_RUNTIME_WEIGHTS_TENSORHASHER_H

#include "runtime/cpu/ThreadPool.h"
#include "runtime/weights/TensorHash.h"
#include "runtime/weights/WeightReader.h"

#include "llvm/ADT/ArrayRef.h"

#include <array>
#include <vector>

namespace sortie {

/// Bytes of a tensor that are hashed at once, a part of the format of hashes; the last slab of a
/// tensor may be shorter.
inline constexpr uint64_t kHashSlabBytes = uint64_t{1} << 20;

/// Bytes of one tensor that are read at once.
struct Slab {
  size_t tensor;   ///< its index in the list
  uint64_t offset; ///< in the tensor, a multiple of kHashSlabBytes
  uint64_t bytes;
};

/// Calls `visit` for each slab of each tensor, from all threads of `pool`, in about ascending
/// order. `report` gets bytes; an error if it wants to stop.
using VisitSlab = llvm::function_ref<void(const Slab &slab)>;
llvm::Error forEachSlab(llvm::ArrayRef<llvm::ArrayRef<uint8_t>> tensors, cpu::ThreadPool &pool,
                        ReportProgress report, VisitSlab visit);

/// Hashes tensors slab by slab, in any order, by any number of threads.
class TensorHasher {
public:
  explicit TensorHasher(llvm::ArrayRef<llvm::ArrayRef<uint8_t>> tensors);

  /// Hashes a slab, as forEachSlab() cuts them. Each is hashed once.
  void addSlab(const Slab &slab);
  /// The hash of a tensor, all of whose slabs have been hashed.
  TensorHash result(size_t tensor) const;

private:
  using SlabHash = std::array<uint8_t, 32>;

  llvm::ArrayRef<llvm::ArrayRef<uint8_t>> tensors;
  std::vector<std::vector<SlabHash>> slabs;
};

/// The hashes of these tensors.
llvm::Expected<std::vector<TensorHash>> hashTensors(llvm::ArrayRef<llvm::ArrayRef<uint8_t>> tensors,
                                                    cpu::ThreadPool &pool, ReportProgress report);

} // namespace sortie

#endif // SORTIE_RUNTIME_WEIGHTS_TENSORHASHER_H
