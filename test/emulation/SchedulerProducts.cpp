// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The scheduler's warpgroups: registers that change hands, and products.

#include "test/emulation/Scheduler.h"

#include <bit>
#include <cstring>

namespace sortie::emulation {

//===- Registers ---------------------------------------------------------===//

/// All lanes of the current warp take or give registers.
void Scheduler::changeRegisters(bool takes, const Warp &warp, Site site) {
  const char *who = takes ? "takeRegisters" : "giveRegisters";
  const int index = threadIndex / kLanes;
  const int count = static_cast<const CountOperands *>(warp.operands[0])->count;
  for (const void *lane : warp.operands)
    if (static_cast<const CountOperands *>(lane)->count != count)
      failIn(who, "the lanes of a warp want different numbers of registers", site);
  if (const char *mistake = registers.check(takes, index, count))
    failIn(who, mistake, site);
  if (takes && !registers.take(index, count))
    return suspend(State::InTakeRegisters, site);
  if (!takes)
    for (uint32_t served = registers.give(index, count); served != 0; served &= served - 1)
      makeRunnable(std::countr_zero(served));
  makeRunnable(index);
  runNext(false);
}

//===- Products ----------------------------------------------------------===//

void Scheduler::beginProduct(const Warp &warp, Site site) {
  checkWarpgroup(*static_cast<const ProductOperands *>(warp.operands[0]), site);
  uint32_t garbage;
  std::memcpy(&garbage, sharedMemory.garbage(), sizeof garbage);
  WarpProducts &ofWarp = products[static_cast<size_t>(threadIndex / kLanes)];
  const char *mistake =
      ofWarp.begin(warp.operands, {shared, sharedBytes}, random->below(2) == 0, garbage, site);
  if (mistake != nullptr)
    failIn("a product of a warpgroup", mistake, site);
}

/// The warp begins the product that the other three warps begin at this place.
void Scheduler::checkWarpgroup(const ProductOperands &product, Site site) {
  const int index = threadIndex / kLanes;
  const char *who = "a product of a warpgroup";
  if (index / 4 * 4 + 4 > threadCount / kLanes)
    failIn(who, "the block has no four warps there", site);
  std::vector<ProductOperands> &begun = ofWarpgroup[static_cast<size_t>(index / 4)];
  const size_t place = products[static_cast<size_t>(index)].begun();
  if (place == begun.size())
    begun.push_back(product);
  else if (!begun[place].hasSameB(product))
    failIn(who, "another warp of the warpgroup begins another product at this place", site);
}

void Scheduler::receiveSums(const void *sums, Site site) {
  if (products[static_cast<size_t>(threadIndex / kLanes)].isFlying(sums))
    failIn("receive", "the product has not been waited for", site);
}

/// At the end of a block: products that a warp has not waited for, or that the others have not
/// begun.
std::string Scheduler::findLostProduct() const {
  for (int warp = 0; warp * kLanes < threadCount; ++warp) {
    const WarpProducts &ofWarp = products[static_cast<size_t>(warp)];
    if (const Site *site = ofWarp.findFlying())
      return "warp " + std::to_string(warp) + " has not waited for the product" +
             describeSite(*site);
    if (ofWarp.begun() != ofWarpgroup[static_cast<size_t>(warp / 4)].size())
      return "warp " + std::to_string(warp) +
             " has not begun all products that others of its warpgroup have";
  }
  return {};
}

} // namespace sortie::emulation
