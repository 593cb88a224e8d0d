// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A hash of all bytes of a tensor. docs/runtime.md says of what; TensorHasher.h computes it.

#ifndef SORTIE_RUNTIME_WEIGHTS_TENSORHASH_H
#define SORTIE_RUNTIME_WEIGHTS_TENSORHASH_H

#include "llvm/ADT/StringExtras.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace sortie {

using TensorHash = std::array<uint8_t, 16>;

/// The number of digits of a hash as it is written: 32.
inline constexpr size_t kHashDigits = 2 * std::tuple_size_v<TensorHash>;

/// The kHashDigits lower-case hexadecimal digits of a hash.
inline std::string printHash(const TensorHash &hash) {
  return llvm::toHex(hash, /*LowerCase=*/true);
}

/// The hash with these digits.
inline TensorHash parseHash(llvm::StringRef digits) {
  const std::string bytes = llvm::fromHex(digits);
  TensorHash hash{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), hash.size()), hash.begin());
  return hash;
}

} // namespace sortie

#endif // SORTIE_RUNTIME_WEIGHTS_TENSORHASH_H
