// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The hash of a value that the audit prints: the same on every device, for every layout in which a
// program keeps the value.

#ifndef SORTIE_RUNTIME_AUDIT_VALUEHASH_H
#define SORTIE_RUNTIME_AUDIT_VALUEHASH_H

#include <cstddef>
#include <cstdint>

namespace sortie {

/// The first 8 bytes, little-endian, of BLAKE3 over `rows` rows of `rowBytes` bytes.
uint64_t hashRows(const std::byte *data, int64_t rows, int64_t rowBytes);

/// The same where row i is row order[i] of `data`; a negative one is a row of zeros.
uint64_t hashRows(const std::byte *data, int64_t rows, int64_t rowBytes, const int32_t *order);

} // namespace sortie

#endif // SORTIE_RUNTIME_AUDIT_VALUEHASH_H
