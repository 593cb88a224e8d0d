// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What stands in for a CUtensorMap: the description itself, where the device has 128 bytes that
// only the driver can read. Tile mode, no interleaving, every element of a box.

#ifndef SORTIE_TEST_EMULATION_TENSORMAP_H
#define SORTIE_TEST_EMULATION_TENSORMAP_H

#include <cstdint>

namespace sortie::emulation {

/// The width in bytes within which 16-byte chunks change places; the pattern stands in the device's
/// sortie_hardware_sm90.h.
enum class Swizzle : int { None = 0, Bytes32 = 32, Bytes64 = 64, Bytes128 = 128 };

struct alignas(64) TensorMap {
  static constexpr int kMaxRank = 3;

  const char *address = nullptr;
  int64_t sizes[kMaxRank] = {1, 1, 1}; ///< elements, the innermost dimension first
  int64_t strides[kMaxRank - 1] = {};  ///< bytes from row to row, from plane to plane
  int box[kMaxRank] = {1, 1, 1};       ///< elements
  int rank = 0;                        ///< 2 or 3; 0: nothing is described
  int elementBytes = 0;
  Swizzle swizzle = Swizzle::None;
};
static_assert(sizeof(TensorMap) == 128, "as large as a CUtensorMap");

/// What cuTensorMapEncodeTiled would refuse in the map, null for nothing. One thing is forbidden
/// here and not there: rows of a swizzled box that are narrower than the swizzle.
const char *checkTensorMap(const TensorMap &map);

/// Bytes of a box, which a copy always writes in full.
int boxBytes(const TensorMap &map);
/// Bytes to which the place of a box in shared memory is aligned: 128, and where its chunks are
/// swizzled, those after which the pattern repeats itself.
int boxAlignment(const TensorMap &map);
/// The box that begins at the element `at`, as it lies in shared memory; elements outside of the
/// tensor are zeros.
void readBox(const TensorMap &map, const int (&at)[TensorMap::kMaxRank], char *to);

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_TENSORMAP_H
