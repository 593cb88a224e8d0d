// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Q4_K rows as strips of Q4_K_R4: the layout written the other way round than the decoder has it,
// from the bytes of one to those of the other.

#ifndef SORTIE_TEST_UNIT_NUMERICS_INTERLEAVEQ4K_H
#define SORTIE_TEST_UNIT_NUMERICS_INTERLEAVEQ4K_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sortie::test {

namespace detail {
/// The six-bit scale (`first` = 0) or minimum (4) of sub-block `s` of a Q4_K block.
inline unsigned sixBits(const uint8_t *block, int first, int s) {
  const uint8_t *bytes = block + 4;
  if (s < 4)
    return bytes[first + s] & 63u;
  const unsigned low = first == 0 ? bytes[s + 4] & 15u : bytes[s + 4] >> 4;
  return low | static_cast<unsigned>(bytes[first + s - 4] >> 6) << 4;
}

/// Code `i` of a Q4_K block.
inline unsigned code(const uint8_t *block, int i) {
  const uint8_t byte = block[16 + i / 64 * 32 + i % 32];
  return i % 64 < 32 ? byte & 15u : byte >> 4;
}

inline void interleaveBlock(const uint8_t *const (&rows)[4], uint8_t *to) {
  for (int r = 0; r < 4; ++r) {
    for (int byte = 0; byte < 2; ++byte) {
      to[2 * r + byte] = rows[r][byte];
      to[8 + 2 * r + byte] = rows[r][2 + byte];
    }
    for (int s = 0; s < 8; ++s) {
      const unsigned scale = sixBits(rows[r], 0, s);
      const unsigned minimum = sixBits(rows[r], 4, s);
      const int entry = 4 * s + r;
      to[32 + entry] = static_cast<uint8_t>((scale & 15) | (minimum & 15) << 4);
      const unsigned high = scale >> 4 | minimum >> 4 << 2;
      to[16 + entry % 16] = static_cast<uint8_t>(to[16 + entry % 16] | high << (entry / 16 * 4));
    }
    // A byte holds elements e and e + 8; four such are together, in the order of elements 0, 16, 4
    // and 20 of the sub-block.
    constexpr int kFirst[4] = {0, 16, 4, 20};
    for (int s = 0; s < 8; ++s)
      for (int quarter = 0; quarter < 4; ++quarter)
        for (int j = 0; j < 4; ++j) {
          const int e = 32 * s + kFirst[quarter] + j;
          to[64 + 64 * s + 16 * quarter + 4 * r + j] =
              static_cast<uint8_t>(code(rows[r], e) | code(rows[r], e + 8) << 4);
        }
  }
}
} // namespace detail

/// Q4_K rows of `k` elements, a multiple of four of them, as Q4_K_R4.
inline std::vector<uint8_t> interleaveQ4K(const std::vector<uint8_t> &rows, int64_t k) {
  constexpr size_t kBlock = 144;
  const size_t blocks = static_cast<size_t>(k) / 256;
  std::vector<uint8_t> strips(rows.size());
  for (size_t strip = 0; strip < rows.size() / (4 * blocks * kBlock); ++strip)
    for (size_t b = 0; b < blocks; ++b) {
      const uint8_t *first = rows.data() + (4 * strip * blocks + b) * kBlock;
      const size_t stride = blocks * kBlock;
      detail::interleaveBlock({first, first + stride, first + 2 * stride, first + 3 * stride},
                              strips.data() + (strip * blocks + b) * 4 * kBlock);
    }
  return strips;
}

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_NUMERICS_INTERLEAVEQ4K_H
