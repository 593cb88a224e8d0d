// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Overlaps of arrays with strides, compared with sets of their bytes.

#include "runtime/session/Overlap.h"

#include "gtest/gtest.h"

#include <random>
#include <set>

using namespace llvm;
using namespace sortie;

namespace {

TensorView array(int64_t address, HostType type, ArrayRef<int64_t> shape,
                 ArrayRef<int64_t> strides) {
  // Nobody reads at the address. NOLINTNEXTLINE(performance-no-int-to-ptr)
  TensorView view{"array", type, reinterpret_cast<std::byte *>(address), {}, {}};
  view.shape.append(shape.begin(), shape.end());
  view.strides.append(strides.begin(), strides.end());
  return view;
}

/// The bytes of an array, and whether any belongs to two elements.
struct Bytes {
  std::set<int64_t> all;
  bool isShared = false;

  explicit Bytes(const TensorView &view) {
    const int64_t count = view.elements();
    for (int64_t i = 0; i < count; ++i) {
      auto address = reinterpret_cast<int64_t>(view.data);
      int64_t rest = i;
      for (size_t d = view.shape.size(); d-- > 0; rest /= view.shape[d])
        address += rest % view.shape[d] * view.strides[d];
      for (int64_t byte = 0; byte < hostTypeBytes(view.type); ++byte)
        isShared |= !all.insert(address + byte).second;
    }
  }
  bool overlaps(const Bytes &other) const {
    return any_of(all, [&](int64_t byte) { return other.all.count(byte) != 0; });
  }
};

/// Arrays of up to four dimensions, whose strides are often multiples of each other.
class RandomArrays {
public:
  TensorView next() {
    SmallVector<int64_t> shape, strides;
    int64_t dense = 4;
    for (int64_t rank = draw(1, 4); rank > 0; --rank) {
      shape.push_back(draw(0, 9) == 0 ? draw(0, 1) : draw(2, 4));
      const bool isDense = draw(0, 2) == 0;
      strides.push_back((isDense ? dense : draw(-30, 30)) * (draw(0, 3) == 0 ? -1 : 1));
      dense *= draw(1, 4);
    }
    const HostType type = draw(0, 1) ? HostType::F32 : HostType::F16;
    return array((int64_t{1} << 40) + draw(-150, 150), type, shape, strides);
  }

private:
  int64_t draw(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(generator);
  }
  std::mt19937_64 generator{7};
};

} // namespace

TEST(Overlap, agreesWithSetsOfBytes) {
  RandomArrays arrays;
  std::array<int, 2> pairs = {}, selves = {};
  for (int i = 0; i < 40000; ++i) {
    const TensorView a = arrays.next(), b = arrays.next();
    const Bytes aBytes(a), bBytes(b);
    const bool expected = aBytes.overlaps(bBytes);
    ASSERT_EQ(findOverlap(a, b), expected ? Overlap::Some : Overlap::None) << "case " << i;
    ASSERT_EQ(findOverlap(b, a), findOverlap(a, b)) << "case " << i;
    ASSERT_EQ(findSelfOverlap(a), aBytes.isShared ? Overlap::Some : Overlap::None) << "case " << i;
    ++pairs[expected];
    ++selves[aBytes.isShared];
  }
  // Each answer is given often enough to be tested.
  for (const int count : {pairs[0], pairs[1], selves[0], selves[1]})
    EXPECT_GT(count, 4000);
}

TEST(Overlap, largeLayoutsOfPeopleTakeFewSteps) {
  constexpr int64_t kRows = 1 << 30, kBase = int64_t{1} << 40, kSteps = 64;
  const TensorView left = array(kBase, HostType::F32, {kRows, 256}, {2048, 4});
  const TensorView right = array(kBase + 1024, HostType::F32, {kRows, 256}, {2048, 4});
  EXPECT_EQ(findOverlap(left, right, kSteps), Overlap::None);
  EXPECT_EQ(findSelfOverlap(left, kSteps), Overlap::None);
  EXPECT_EQ(findOverlap(left, array(kBase + 1021, HostType::F32, {kRows, 256}, {2048, 4}), kSteps),
            Overlap::Some);
  // Even and odd columns, one of them backwards; the same transposed.
  const TensorView even = array(kBase, HostType::F32, {kRows, 256}, {2048, 8});
  const TensorView odd =
      array(kBase + 4 + (kRows - 1) * 2048, HostType::F32, {kRows, 256}, {-2048, 8});
  EXPECT_EQ(findOverlap(even, odd, kSteps), Overlap::None);
  const TensorView columns = array(kBase + 4, HostType::F32, {256, kRows}, {8, 2048});
  EXPECT_EQ(findOverlap(even, columns, kSteps), Overlap::None);
  EXPECT_EQ(findOverlap(odd, columns, kSteps), Overlap::Some);
  EXPECT_EQ(findSelfOverlap(columns, kSteps), Overlap::None);
  // Heads of a packed projection, [tokens, heads, 3, width].
  const TensorView queries = array(kBase, HostType::F16, {kRows, 32, 128}, {24576, 768, 2});
  const TensorView keys = array(kBase + 256, HostType::F16, {kRows, 32, 128}, {24576, 768, 2});
  EXPECT_EQ(findOverlap(queries, keys, kSteps), Overlap::None);
}

TEST(Overlap, theSearchEnds) {
  // Strides without common divisors, extents without end.
  const TensorView a = array(int64_t{1} << 50, HostType::F32, {999, 998, 997, 996},
                             {1000003, 1000033, 1000037, 1000039});
  const TensorView b = array((int64_t{1} << 50) + 500, HostType::F32, {995, 994, 993, 992},
                             {1000081, 1000099, 1000117, 1000121});
  EXPECT_EQ(findOverlap(a, b, /*maxSteps=*/3), Overlap::Unknown);
  EXPECT_NE(findOverlap(a, b), Overlap::None);
}

TEST(Overlap, emptyAndDistantArrays) {
  const TensorView a = array(1 << 20, HostType::F32, {4}, {4});
  EXPECT_EQ(findOverlap(a, array(1 << 20, HostType::F32, {0}, {4})), Overlap::None);
  EXPECT_EQ(findOverlap(a, array((1 << 20) + 16, HostType::F32, {4}, {4})), Overlap::None);
  EXPECT_EQ(findOverlap(a, array(INT64_MIN, HostType::F32, {4}, {4})), Overlap::None);
  TensorView device = a;
  device.space = MemorySpace::Device;
  EXPECT_EQ(findOverlap(a, device), Overlap::None);
  EXPECT_EQ(findOverlap(device, device), Overlap::Some);
  EXPECT_EQ(findSelfOverlap(array(0, HostType::F32, {2, 0}, {0, 0})), Overlap::None);
  EXPECT_EQ(findSelfOverlap(array(0, HostType::F32, {2, 1}, {4, 0})), Overlap::None);
  EXPECT_EQ(findSelfOverlap(array(0, HostType::F32, {2, 1}, {3, 0})), Overlap::Some);
}
