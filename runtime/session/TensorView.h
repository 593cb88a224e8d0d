// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays of the caller, in any layout, and their copies without gaps.

#ifndef SORTIE_RUNTIME_SESSION_TENSORVIEW_H
#define SORTIE_RUNTIME_SESSION_TENSORVIEW_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace sortie {

enum class HostType : uint8_t { F32, I32, F16, BF16 };
enum class MemorySpace : uint8_t { Host, Device };

/// Bytes of an element.
int64_t hostTypeBytes(HostType type);
const char *hostTypeName(HostType type);

/// An array of the caller. Its elements are read and written here only if they are in host memory.
struct TensorView {
  std::string name;
  HostType type;
  std::byte *data;
  llvm::SmallVector<int64_t, 4> shape;
  llvm::SmallVector<int64_t, 4> strides; ///< in bytes
  MemorySpace space = MemorySpace::Host;

  int64_t elements() const;
  /// Row-major, without gaps, every element aligned: can be used in place.
  bool isContiguous() const;
  /// The bytes [first, second) relative to `data` that elements lie in. Not for empty arrays.
  std::pair<int64_t, int64_t> byteRange() const;
};

/// Row-major strides without gaps.
llvm::SmallVector<int64_t, 4> contiguousStrides(llvm::ArrayRef<int64_t> shape,
                                                int64_t elementBytes);

/// Elements of `tensor`, row-major, to elements of `type` at `destination`: of the tensor's own
/// type, or of F32, which F16 and BF16 become.
void copyIn(const TensorView &tensor, HostType type, std::byte *destination);
/// Elements of the tensor's type at `source`, row-major, to `tensor`.
void copyOut(const std::byte *source, const TensorView &tensor);

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_TENSORVIEW_H
