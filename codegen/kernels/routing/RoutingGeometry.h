// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Threads, thread blocks and shared memory of routing and dispatch, for the compiler that launches
// them and for the kernels themselves. Bits do not depend on any of it.

#ifndef SORTIE_CODEGEN_KERNELS_ROUTING_ROUTINGGEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_ROUTING_ROUTINGGEOMETRY_H

#include "codegen/kernels/common/Geometry.h"

namespace sortie::kernels {

//===- Route.h: grid (tokens ceildiv kRouteTokens) -----------------------===//

/// A warp takes one token.
constexpr int kRouteTokens = 4;
constexpr int kRouteThreads = kRouteTokens * kWarp;

/// How a warp scores groups of experts: this many lanes share a group.
SORTIE_NUMERICS_CONSTEXPR int routeGroupLanes(int experts, int groups) {
  int lanes = 1;
  while (lanes * 2 * groups <= kWarp && lanes * 2 <= experts / groups)
    lanes *= 2;
  return lanes;
}
/// Words of shared memory of a warp: scores, then the ranks of experts and groups where groups are
/// selected.
SORTIE_NUMERICS_CONSTEXPR int routeWarpWords(int experts, int groups, int groupsUsed) {
  const int ranks = experts + groups * routeGroupLanes(experts, groups);
  return experts + (groupsUsed < groups ? ranks + groups : 0);
}
SORTIE_NUMERICS_CONSTEXPR int routeSharedBytes(int experts, int groups, int groupsUsed) {
  return kRouteTokens * routeWarpWords(experts, groups, groupsUsed) * 4;
}

//===- Dispatch.h --------------------------------------------------------===//

/// Slots that a thread block handles, in order of warps, rounds and lanes.
constexpr int kDispatchSegment = 2048;
constexpr int kDispatchThreads = 512;
constexpr int kDispatchWarps = kDispatchThreads / kWarp;
constexpr int kDispatchRounds = kDispatchSegment / kDispatchThreads;

/// int32 in a row of the histogram, one row for each segment: the counts of the `experts` of this
/// program, then ~(first slot with a bad id) or 0.
SORTIE_NUMERICS_CONSTEXPR int dispatchColumns(int experts) { return experts + 1; }
/// Experts rounded up to whole warps.
SORTIE_NUMERICS_CONSTEXPR int dispatchPadded(int experts) {
  return static_cast<int>(ceilDiv(experts, kWarp)) * kWarp;
}
/// 16-bit counts of each warp, then bad slots of each warp.
SORTIE_NUMERICS_CONSTEXPR int dispatchCountSharedBytes(int experts) {
  return kDispatchWarps * dispatchPadded(experts) * 2 + kDispatchWarps * 4;
}
/// The same, then counts and starts of rows and of tiles, sums of their pieces, first rows.
SORTIE_NUMERICS_CONSTEXPR int dispatchScatterSharedBytes(int experts) {
  return dispatchCountSharedBytes(experts) + (5 * dispatchPadded(experts) + 2 * kWarp) * 4;
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ROUTING_ROUTINGGEOMETRY_H
