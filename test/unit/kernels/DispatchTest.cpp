// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sort of slots against the CPU device's, and the tile map against its definition.

#include "test/unit/kernels/KernelTest.h"

#include "codegen/kernels/routing/Dispatch.h"

#include <numeric>

namespace sortie::kernels {
namespace {

template <int Experts, int Total>
void countKernel(const int32_t *ids, int32_t *histogram, int32_t slots, int32_t first) {
  dispatchCount<Experts, Total>(ids, histogram, slots, first);
}
template <int Experts, int Total>
void scatterKernel(const int32_t *ids, const int32_t *histogram, int32_t *permutation,
                   int32_t *inverse, int32_t *offsets, int32_t *tiles, int32_t *status,
                   int32_t slots, int32_t maxTiles, int32_t first) {
  dispatchScatter<Experts, Total>(ids, histogram, permutation, inverse, offsets, tiles, status,
                                  slots, maxTiles, first);
}

struct Dispatched {
  Ints permutation;
  Ints inverse;
  Ints offsets;
  Ints tiles;
  Ints status;

  bool operator==(const Dispatched &) const = default;
};

/// The tile map of docs/cuda.md, for `count` entries.
Ints tileMap(const Ints &offsets, int64_t count) {
  Ints tiles;
  for (size_t e = 0; e + 1 < offsets.size(); ++e)
    for (int32_t row = offsets[e]; row < offsets[e + 1]; row += kTileRows)
      tiles.insert(tiles.end(),
                   {static_cast<int32_t>(e), row, std::min(kTileRows, offsets[e + 1] - row), 0});
  EXPECT_LE(tiles.size(), static_cast<size_t>(count * 4));
  tiles.resize(static_cast<size_t>(count * 4), 0);
  return tiles;
}

template <int Experts, int Total> Dispatched expected(Ints ids, int32_t first) {
  Dispatched result{Ints(ids.size()), Ints(ids.size()), Ints(Experts + 1), {}, {-1, -1}};
  for (size_t i = 0; i < ids.size(); ++i)
    if (ids[i] < 0 || ids[i] >= Total) {
      if (result.status[0] < 0)
        result.status = {static_cast<int32_t>(i), ids[i]};
      ids[i] = 0;
    }
  const auto slots = static_cast<int64_t>(ids.size());
  cpu::dispatch(ids.data(), slots, Total, first, Experts, result.permutation.data(),
                result.inverse.data(), result.offsets.data());
  std::fill(result.permutation.begin() + result.offsets.back(), result.permutation.end(), 0);
  result.tiles = tileMap(result.offsets, tileCount(slots, Experts));
  return result;
}

template <int Experts, int Total>
Dispatched actual(const Ints &ids, int32_t first, bool countsLast, uint64_t seed) {
  const auto slots = static_cast<int32_t>(ids.size());
  const auto maxTiles = static_cast<int32_t>(tileCount(slots, Experts));
  const auto unwritten = [](int64_t count) {
    return Ints(static_cast<size_t>(count), kUnwrittenInt);
  };
  Dispatched result{unwritten(slots), unwritten(slots), unwritten(Experts + 1),
                    unwritten(maxTiles * 4), unwritten(2)};
  const auto segments = static_cast<int>(ceilDiv(slots, kDispatchSegment));
  Ints histogram = unwritten(segments * dispatchColumns(Experts));
  const int counted = countsLast ? segments : std::max(segments - 1, 0);
  run<countKernel<Experts, Total>>({counted}, kDispatchThreads, dispatchCountSharedBytes(Experts),
                                   seed, ids.data(), histogram.data(), slots, first);
  run<scatterKernel<Experts, Total>>({static_cast<int>(ceilDiv(slots + 1, kDispatchSegment))},
                                     kDispatchThreads, dispatchScatterSharedBytes(Experts), seed,
                                     ids.data(), static_cast<const int32_t *>(histogram.data()),
                                     result.permutation.data(), result.inverse.data(),
                                     result.offsets.data(), result.tiles.data(),
                                     result.status.data(), slots, maxTiles, first);
  return result;
}

/// Of the experts [first, first + Experts).
template <int Experts, int Total> void testDispatch(const Ints &ids, int32_t first = 0) {
  const Dispatched wanted = expected<Experts, Total>(ids, first);
  for (const uint64_t seed : kSeeds) {
    SCOPED_TRACE(seed);
    const bool countsLast = seed == kSeeds[0];
    const Dispatched result = actual<Experts, Total>(ids, first, countsLast, seed);
    EXPECT_EQ(result.offsets, wanted.offsets);
    EXPECT_EQ(result.status, wanted.status);
    EXPECT_EQ(result.tiles, wanted.tiles);
    EXPECT_EQ(result.inverse, wanted.inverse);
    EXPECT_EQ(result.permutation, wanted.permutation);
  }
}

Ints randomIds(size_t count, int32_t total) {
  std::mt19937 random(27);
  Ints ids(count);
  for (int32_t &id : ids)
    id = static_cast<int32_t>(random() % static_cast<uint32_t>(total));
  return ids;
}

TEST(Dispatch, AnyNumberOfSlots) {
  for (const size_t slots : {size_t{0}, size_t{1}, size_t{8}, size_t{33}, size_t{700}, size_t{2047},
                             size_t{2048}, size_t{2049}, size_t{6000}}) {
    SCOPED_TRACE(slots);
    testDispatch<17, 17>(randomIds(slots, 17));
  }
}

TEST(Dispatch, EmptyExpertsAndOneForAll) {
  testDispatch<128, 128>(Ints(5000, 77));
  testDispatch<128, 128>(Ints(64, 0));
  testDispatch<128, 128>(Ints(65, 127));
  testDispatch<1, 1>(Ints(300, 0));
  testDispatch<128, 128>(randomIds(20, 128));
}

TEST(Dispatch, ManyExperts) { testDispatch<1024, 1024>(randomIds(4500, 1024)); }

TEST(Dispatch, RangeOfExperts) {
  testDispatch<20, 60>(randomIds(4500, 60), 20);
  testDispatch<20, 60>(Ints(70, 3), 40); // none here
  testDispatch<20, 60>(randomIds(10, 60));
}

TEST(Dispatch, NamesTheFirstBadId) {
  for (const size_t first : {size_t{0}, size_t{40}, size_t{2047}, size_t{2048}, size_t{4999}}) {
    SCOPED_TRACE(first);
    Ints ids = randomIds(5000, 17);
    ids[first] = -1;
    ids.back() = 17;
    if (first < 4900)
      ids[first + 64] = 1 << 30;
    testDispatch<17, 17>(ids);
    testDispatch<4, 17>(ids, 13); // expert 0 is elsewhere
  }
}

} // namespace
} // namespace sortie::kernels
