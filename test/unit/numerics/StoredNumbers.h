// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Where the floating-point numbers of encoded rows are, for tests that fill rows with random bits.

#ifndef SORTIE_TEST_UNIT_NUMERICS_STOREDNUMBERS_H
#define SORTIE_TEST_UNIT_NUMERICS_STOREDNUMBERS_H

#include "runtime/numerics/encoding.h"

#include <cstddef>
#include <cstring>
#include <vector>

namespace sortie::test {

/// Calls `visit(type, bytes)` for each number of a tensor with rows of `k` elements.
template <typename Visit>
void forEachStoredNumber(const numerics::EncodingInfo &info, int64_t k, std::vector<uint8_t> &bytes,
                         Visit visit) {
  const auto stride = static_cast<size_t>(numerics::scaleStride(info, k));
  for (size_t unit = 0; unit < bytes.size(); unit += stride)
    for (int row = 0; row < info.stripRows; ++row)
      for (const numerics::NumberPlace &place : {info.scale, info.minimum})
        if (place.type != numerics::StoredNumber::None)
          visit(place.type, bytes.data() + unit + place.offset + row * place.rowStride);
}

/// Stores a number of which the half with these bits is an example: a half itself, the same number
/// as a float, or (of E8M0) the byte.
inline void storeNumber(numerics::StoredNumber type, uint16_t half, uint8_t e8m0, uint8_t *to) {
  if (type == numerics::StoredNumber::E8M0) {
    *to = e8m0;
  } else if (type == numerics::StoredNumber::F16) {
    std::memcpy(to, &half, sizeof half);
  } else {
    // Of the same sign; exponents and mantissas are as far from the bias and as long.
    const uint32_t exponent = (half >> 10 & 31u) == 31u ? 255u : (half >> 10 & 31u) + 112u;
    const uint32_t bits = (half & 0x8000u) << 16 | exponent << 23 | (half & 0x3ffu) << 13;
    std::memcpy(to, &bits, sizeof bits);
  }
}

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_NUMERICS_STOREDNUMBERS_H
