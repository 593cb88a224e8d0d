// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tensor copies: boxes against their definition, and what a map may not be.

#include "test/emulation/Launcher.h"

#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sortie_hardware_sm90.h>
#include <vector>

using namespace sortie;
using emulation::launch;
using emulation::Swizzle;
using emulation::TensorMap;
using testing::HasSubstr;

/// One box of `bytes` bytes to byte `offset` of shared memory, and from there to `out`.
SORTIE_KERNEL(32, 1)
testBox(SORTIE_IN_PLACE TensorMap map, int32_t rank, int32_t x, int32_t y, int32_t z, int32_t bytes,
        int32_t offset, char *out) {
  if (hw::threadIndex() != 0)
    return;
  auto *barrier = hw::sharedMemory<hw::Mbarrier>();
  auto *box = hw::sharedMemory<char>(offset);
  hw::initMbarrier(barrier, 1);
  hw::publishMbarriers();
  hw::arriveExpecting(barrier, bytes);
  if (rank == 2)
    hw::copyBox(box, map, x, y, barrier);
  else
    hw::copyBox(box, map, x, y, z, barrier);
  hw::waitForPhase(barrier, 0);
  for (int i = 0; i < bytes; ++i)
    out[i] = box[i];
}

SORTIE_EXPORT(testBox)

namespace {
struct Place {
  int x, y, z;
};

/// A tensor of up to three dimensions whose bytes are all different from their neighbours'.
struct Tensor {
  alignas(16) char bytes[32 * 1024];
  TensorMap map;

  /// 5 planes of 9 rows of 160 bytes, a row every 176 bytes and a plane every 1600.
  Tensor(int rank, int elementBytes) {
    for (size_t i = 0; i < sizeof bytes; ++i)
      bytes[i] = static_cast<char>(1 + i * 7 % 251);
    map.address = bytes;
    map.rank = rank;
    map.elementBytes = elementBytes;
    map.sizes[0] = 160 / elementBytes;
    map.sizes[1] = 9;
    map.strides[0] = 176;
    map.strides[1] = 1600;
    map.sizes[2] = rank == 3 ? 5 : 1;
    map.box[0] = 32 / elementBytes;
    map.box[1] = 4;
    map.box[2] = rank == 3 ? 2 : 1;
  }

  void setSwizzle(Swizzle swizzle) {
    map.swizzle = swizzle;
    map.box[0] = static_cast<int>(swizzle) / map.elementBytes;
  }

  int rowBytes() const { return map.box[0] * map.elementBytes; }
  int boxBytes() const { return rowBytes() * map.box[1] * map.box[2]; }

  std::string copy(Place at, std::vector<char> &out, int offset = 1024) const {
    out.assign(static_cast<size_t>(boxBytes()), 'x');
    return launch<testBox>({}, 32, 8192, {}, map, map.rank, at.x, at.y, at.z, boxBytes(), offset,
                           out.data());
  }
  std::string mistakeOf(int offset = 1024) const {
    std::vector<char> out;
    return copy({0, 0, 0}, out, offset);
  }

  /// Byte `byte` of row `y` of plane `z`, 0 outside.
  char at(int64_t byte, int64_t y, int64_t z) const {
    if (byte < 0 || byte >= 160 || y < 0 || y >= 9 || z < 0 || z >= map.sizes[2])
      return 0;
    return bytes[byte + 176 * y + 1600 * z];
  }
};

/// Chunk of row `row` where chunk `chunk` of the tensor's row lies.
int swizzledChunk(Swizzle swizzle, int row, int chunk) {
  switch (swizzle) {
  case Swizzle::None:
    return chunk;
  case Swizzle::Bytes32:
    return chunk ^ row / 4 % 2;
  case Swizzle::Bytes64:
    return chunk ^ row / 2 % 4;
  case Swizzle::Bytes128:
    return chunk ^ row % 8;
  }
  return -1;
}

void expectBox(const Tensor &tensor, Place at) {
  std::vector<char> out;
  ASSERT_EQ(tensor.copy(at, out), "");
  const int width = tensor.rowBytes();
  for (int row = 0; row < tensor.map.box[1] * tensor.map.box[2]; ++row)
    for (int byte = 0; byte < width; ++byte) {
      const int chunk = swizzledChunk(tensor.map.swizzle, row, byte / 16);
      const char expected =
          tensor.at(int64_t{at.x} * tensor.map.elementBytes + byte,
                    int64_t{at.y} + row % tensor.map.box[1], at.z + row / tensor.map.box[1]);
      ASSERT_EQ(out[static_cast<size_t>(row * width + chunk * 16 + byte % 16)], expected)
          << "row " << row << ", byte " << byte;
    }
}
} // namespace

TEST(TensorCopies, BoxesOfEverySize) {
  for (const int elementBytes : {1, 2, 4})
    for (const int rank : {2, 3}) {
      const Tensor tensor(rank, elementBytes);
      expectBox(tensor, {0, 0, 0});
      expectBox(tensor, {3, 2, rank == 3 ? 3 : 0});
    }
}

TEST(TensorCopies, ZerosOutsideOfTheTensor) {
  for (const int elementBytes : {1, 2, 4}) {
    const Tensor flat(2, elementBytes);
    const int columns = 160 / elementBytes;
    for (const Place &at : {Place{-3, 0, 0}, Place{columns - 5, 0, 0}, Place{0, -2, 0},
                            Place{0, 7, 0}, Place{-5, 8, 0}, Place{columns, 0, 0}, Place{0, 9, 0},
                            Place{-100, -100, 0}, Place{0x7fffffff, 0x7fffffff, 0}})
      expectBox(flat, at);
    const Tensor deep(3, elementBytes);
    for (const Place &at : {Place{-3, -2, -1}, Place{columns - 5, 7, 4}, Place{0, 0, 5}})
      expectBox(deep, at);
  }
}

TEST(TensorCopies, SwizzledChunks) {
  for (const Swizzle swizzle : {Swizzle::Bytes32, Swizzle::Bytes64, Swizzle::Bytes128})
    for (const int rank : {2, 3}) {
      Tensor tensor(rank, 2);
      tensor.setSwizzle(swizzle);
      tensor.map.box[1] = 9;
      expectBox(tensor, {0, 0, 0});
      expectBox(tensor, {5, -1, 0});
    }
}

TEST(TensorCopies, AlignmentAndBounds) {
  Tensor tensor(2, 2);
  EXPECT_EQ(tensor.mistakeOf(128), "");
  EXPECT_THAT(tensor.mistakeOf(192), HasSubstr("copyBox: the shared address, byte 192, is not "
                                               "aligned to 128 bytes"));
  EXPECT_EQ(tensor.mistakeOf(8192 - 128), "");
  EXPECT_THAT(tensor.mistakeOf(8192), HasSubstr("copyBox: bytes 8192 to 8319 are not within"));
}

TEST(TensorCopies, AlignmentOfSwizzledBoxes) {
  Tensor tensor(2, 2);
  for (const int width : {32, 64, 128}) {
    tensor.setSwizzle(Swizzle{width});
    EXPECT_EQ(tensor.mistakeOf(8 * width), "");
    EXPECT_THAT(tensor.mistakeOf(12 * width),
                HasSubstr("is not aligned to " + std::to_string(8 * width) + " bytes"));
  }
}

TEST(TensorCopies, AMapOfAnotherRank) {
  const Tensor tensor(2, 2);
  std::vector<char> out(256);
  EXPECT_THAT(launch<testBox>({}, 32, 8192, {}, tensor.map, 3, 0, 0, 0, 128, 1024, out.data()),
              HasSubstr("copyBox: the map has another number of dimensions"));
  EXPECT_THAT(launch<testBox>({}, 32, 8192, {}, TensorMap(), 2, 0, 0, 0, 128, 1024, out.data()),
              HasSubstr("the map does not describe a tensor of 2 or 3 dimensions"));
}

// A driver puts the arguments of a launch where it likes.
TEST(TensorCopies, MapsInMemoryThatIsNotAligned) {
  const Tensor tensor(2, 2);
  char place[sizeof(TensorMap) + 64];
  char *map = place + (reinterpret_cast<uintptr_t>(place) % 64 == 0 ? 8 : 0);
  std::memcpy(map, &tensor.map, sizeof tensor.map);
  int32_t numbers[] = {2, 0, 0, 0, 128, 1024};
  std::vector<char> out(128);
  char *to = out.data();
  void *const parameters[] = {map,         &numbers[0], &numbers[1], &numbers[2],
                              &numbers[3], &numbers[4], &numbers[5], static_cast<void *>(&to)};
  EXPECT_EQ(launch(testBox_emulated, {}, 32, 8192, parameters), "");
  EXPECT_EQ(out[0], tensor.at(0, 0, 0));
}

//===- Maps --------------------------------------------------------------===//

/// What is said of a map that `change` has changed. The kernel says the same.
template <typename Change> static std::string mistake(Change change) {
  Tensor tensor(3, 2);
  change(tensor.map);
  const char *said = checkTensorMap(tensor.map);
  if (said == nullptr)
    return {};
  EXPECT_THAT(tensor.mistakeOf(), HasSubstr(std::string("copyBox: ") + said));
  return said;
}

TEST(TensorMaps, Limits) {
  EXPECT_EQ(mistake([](TensorMap &) {}), "");
  EXPECT_EQ(mistake([](TensorMap &map) { map.box[1] = 256; }), "");
  constexpr char kSize[] = "a size of the tensor";
  EXPECT_THAT(mistake([](TensorMap &map) { map.sizes[0] = 0; }), HasSubstr(kSize));
  EXPECT_THAT(mistake([](TensorMap &map) { map.sizes[2] = (int64_t{1} << 32) + 1; }),
              HasSubstr(kSize));
  constexpr char kBox[] = "a size of the box is not within 1 to 256";
  EXPECT_THAT(mistake([](TensorMap &map) { map.box[0] = 264; }), HasSubstr(kBox));
  EXPECT_THAT(mistake([](TensorMap &map) { map.box[2] = 0; }), HasSubstr(kBox));
  EXPECT_THAT(mistake([](TensorMap &map) { map.rank = 4; }), HasSubstr("2 or 3 dimensions"));
  EXPECT_THAT(mistake([](TensorMap &map) { map.rank = 2; }), HasSubstr("does not exist"));
}

TEST(TensorMaps, BytesAndAlignment) {
  EXPECT_THAT(mistake([](TensorMap &map) { map.elementBytes = 8; }), HasSubstr("1, 2 or 4 bytes"));
  EXPECT_THAT(mistake([](TensorMap &map) { map.address += 8; }),
              HasSubstr("tensor is not aligned"));
  constexpr char kStride[] = "a stride is not a multiple of 16 bytes below 2^40";
  EXPECT_THAT(mistake([](TensorMap &map) { map.strides[0] = 168; }), HasSubstr(kStride));
  EXPECT_THAT(mistake([](TensorMap &map) { map.strides[1] = int64_t{1} << 40; }),
              HasSubstr(kStride));
  EXPECT_THAT(mistake([](TensorMap &map) { map.strides[1] = -1600; }), HasSubstr(kStride));
  EXPECT_THAT(mistake([](TensorMap &map) { map.box[0] = 12; }),
              HasSubstr("a row of the box is not a multiple of 16 bytes"));
  EXPECT_THAT(mistake([](TensorMap &map) { map.swizzle = Swizzle::Bytes64; }),
              HasSubstr("a row of the box is not as wide as the swizzle"));
}
