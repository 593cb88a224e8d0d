// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Limits of tensor maps (CUDA driver API, "Tensor Map Object Management"), and their boxes.

#include "test/emulation/TensorMap.h"

#include <algorithm>
#include <cstring>

namespace sortie::emulation {

constexpr int kChunkBytes = 16;
constexpr int kMaxBox = 256;

/// Bytes of a row of the box.
static int rowBytes(const TensorMap &map) { return map.box[0] * map.elementBytes; }

int boxBytes(const TensorMap &map) { return rowBytes(map) * map.box[1] * map.box[2]; }

int boxAlignment(const TensorMap &map) { return std::max(128, 8 * static_cast<int>(map.swizzle)); }

static const char *checkDimension(const TensorMap &map, int dimension) {
  const bool exists = dimension < map.rank;
  if (map.sizes[dimension] < 1 || map.sizes[dimension] > int64_t{1} << 32)
    return "a size of the tensor is not within 1 to 2^32";
  if (map.box[dimension] < 1 || map.box[dimension] > kMaxBox)
    return "a size of the box is not within 1 to 256";
  if (!exists && (map.sizes[dimension] != 1 || map.box[dimension] != 1))
    return "a dimension that does not exist has another size than 1";
  if (!exists || dimension == 0)
    return nullptr;
  const int64_t stride = map.strides[dimension - 1];
  if (stride < 0 || stride >= int64_t{1} << 40 || stride % kChunkBytes != 0)
    return "a stride is not a multiple of 16 bytes below 2^40";
  return nullptr;
}

const char *checkTensorMap(const TensorMap &map) {
  if (map.rank != 2 && map.rank != 3)
    return "the map does not describe a tensor of 2 or 3 dimensions";
  if (map.elementBytes != 1 && map.elementBytes != 2 && map.elementBytes != 4)
    return "an element has another size than 1, 2 or 4 bytes";
  if (reinterpret_cast<uintptr_t>(map.address) % kChunkBytes != 0)
    return "the tensor is not aligned to 16 bytes";
  for (int dimension = 0; dimension < TensorMap::kMaxRank; ++dimension)
    if (const char *mistake = checkDimension(map, dimension))
      return mistake;
  if (rowBytes(map) % kChunkBytes != 0)
    return "a row of the box is not a multiple of 16 bytes";
  if (map.swizzle != Swizzle::None && rowBytes(map) != static_cast<int>(map.swizzle))
    return "a row of the box is not as wide as the swizzle";
  return nullptr;
}

/// Where the chunk at `offset` of the box lies: its bits from bit 4 on, 1, 2 or 3 of them, have
/// been changed by those from bit 7 on.
static int swizzled(int offset, Swizzle swizzle) {
  const int chunks = static_cast<int>(swizzle) / kChunkBytes;
  return chunks == 0 ? offset : offset ^ (offset >> 7 & (chunks - 1)) << 4;
}

/// Copies what the tensor has of the row of a box that begins at its element `first`.
static void readRow(const TensorMap &map, const char *row, int64_t first, char *to) {
  const int64_t begin = std::max<int64_t>(first, 0);
  const int64_t end = std::min(first + map.box[0], map.sizes[0]);
  if (begin < end)
    std::memcpy(to + (begin - first) * map.elementBytes, row + begin * map.elementBytes,
                static_cast<size_t>((end - begin) * map.elementBytes));
}

void readBox(const TensorMap &map, const int (&at)[TensorMap::kMaxRank], char *to) {
  const int width = rowBytes(map);
  for (int i = 0; i < map.box[1] * map.box[2]; ++i) {
    const int64_t y = int64_t{at[1]} + i % map.box[1];
    const int64_t z = int64_t{at[2]} + i / map.box[1];
    char row[kMaxBox * 4] = {};
    if (y >= 0 && y < map.sizes[1] && z >= 0 && z < map.sizes[2])
      readRow(map, map.address + y * map.strides[0] + z * map.strides[1], at[0], row);
    for (int chunk = 0; chunk < width; chunk += kChunkBytes)
      std::memcpy(to + swizzled(i * width + chunk, map.swizzle), row + chunk, kChunkBytes);
  }
}

} // namespace sortie::emulation
