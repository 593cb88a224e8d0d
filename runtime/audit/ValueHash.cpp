// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Hashes of values.

#include "runtime/audit/ValueHash.h"

#include "llvm/Support/BLAKE3.h"
#include "llvm/Support/Endian.h"

#include <vector>

using namespace llvm;

namespace sortie {

static ArrayRef<uint8_t> asBytes(const std::byte *data, uint64_t size) {
  return {reinterpret_cast<const uint8_t *>(data), size};
}

static uint64_t finish(BLAKE3 &hash) {
  return support::endian::read64le(hash.final<sizeof(uint64_t)>().data());
}

uint64_t hashRows(const std::byte *data, int64_t rows, int64_t rowBytes) {
  BLAKE3 hash;
  hash.update(asBytes(data, rows * rowBytes));
  return finish(hash);
}

uint64_t hashRows(const std::byte *data, int64_t rows, int64_t rowBytes, const int32_t *order) {
  const std::vector<std::byte> zeros(rowBytes);
  BLAKE3 hash;
  for (int64_t i = 0; i < rows; ++i)
    hash.update(asBytes(order[i] < 0 ? zeros.data() : data + order[i] * rowBytes, rowBytes));
  return finish(hash);
}

} // namespace sortie
