// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products with warpgroups under the emulation, from packing to output, against the CPU
// device.

#ifndef SORTIE_TEST_UNIT_KERNELS_WARPGROUPKERNELS_H
#define SORTIE_TEST_UNIT_KERNELS_WARPGROUPKERNELS_H

#include "test/unit/kernels/ExactKernels.h"

#include "codegen/kernels/sm_90/WarpgroupProduct.h"

namespace sortie::kernels {

/// With warpgroups where there are many rows, in two blocks.
template <typename Base, int Experts> struct Warpgroups : Base {
  static constexpr int kExperts = Experts;
  static constexpr int kBlocks = 2;
};

/// Which way a product goes.
enum class Way : uint8_t { FewRows, Warpgroups };

template <typename Spec> void warpgroupKernel(ExactOperands operands, const int32_t *offsets) {
  warpgroupProduct<Spec>(operands, offsets, [] {});
}

template <typename Spec> constexpr int warpgroupSharedBytes() {
  constexpr int kExact = kGeometryOf<Spec>.sharedBytes;
  constexpr int kOwn = WarpgroupBlock<Spec>::kGeometry.sharedBytes;
  return kExact > kOwn ? kExact : kOwn;
}

/// The output of a problem under one schedule, and the row behind it. The grid has room for the
/// tiles of few rows, or for one more.
template <typename Spec, Way W> Bytes multiplyOnItsWay(const ExactProblem &problem, uint64_t seed) {
  constexpr int kColumns = Spec::kIsGated ? kGatedColumns : kPlainColumns;
  constexpr int kFew = fewTileBlocks(Spec::kExperts);
  std::vector<Tile> tiles = problem.tiles; // as many as the grid looks up
  tiles.resize(static_cast<size_t>(kFew + Spec::kFewTiles) + 1, {0, 0, 0, 0});
  return launchExact<Spec>(
      problem,
      [&](const emulation::Options &options, ExactOperands operands) {
        operands.tiles = tiles.data();
        return emulation::launch<warpgroupKernel<Spec>>(
            {static_cast<int>(ceilDiv(Spec::kN, kColumns)) * Spec::kSlices,
             W == Way::FewRows ? kFew : kFew + 1},
            kExactThreads, warpgroupSharedBytes<Spec>(), options, operands, problem.offsets.data());
      },
      seed);
}

/// Every schedule gives the bytes of the CPU device.
template <typename Spec, Way W = Way::Warpgroups> void checkWarpgroups(const ExactCase &values) {
  ASSERT_EQ(static_cast<int>(values.rowsOfExpert.size()), Spec::kExperts);
  checkAgainstCpu<Spec>(values, multiplyOnItsWay<Spec, W>);
}

} // namespace sortie::kernels

#endif // SORTIE_TEST_UNIT_KERNELS_WARPGROUPKERNELS_H
