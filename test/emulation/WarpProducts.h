// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A warp's part of the products of its warpgroup (PTX ISA, "wgmma"): 16 rows of A from registers, B
// from shared memory. A product is computed when it begins or when it is waited for; its sums are
// garbage in between.

#ifndef SORTIE_TEST_EMULATION_WARPPRODUCTS_H
#define SORTIE_TEST_EMULATION_WARPPRODUCTS_H

#include "test/emulation/Block.h"

#include <vector>

namespace sortie::emulation {

/// The shared memory of a block.
struct SharedBytes {
  const char *data;
  int size;
};

class WarpProducts {
public:
  void clear();

  void fence() { isFenced = true; }
  /// Begins a product; it is computed at once if `isEarly`. Returns what is wrong with it, null for
  /// nothing. `garbage` is a word.
  const char *begin(void *const (&operands)[kLanes], const SharedBytes &shared, bool isEarly,
                    uint32_t garbage, Site site);
  void commit() { ++group; }
  /// Finishes all but the `groups` last groups.
  void wait(int groups, const SharedBytes &shared);

  bool isFlying(const void *sums) const;
  /// Where the first product that nobody has waited for was begun; null if there is none.
  const Site *findFlying() const { return flying.empty() ? nullptr : &flying.front().site; }
  /// How many the warp has begun.
  size_t begun() const { return count; }

private:
  static constexpr int kMaxWords = 32; ///< of a lane's sums

  struct Product {
    ProductOperands operands[kLanes];
    Site site;
    int group;
    bool isDone = false;
    /// The sums: what is added to, unless a product before this one in flight has it; then, if it
    /// is done, what they will be.
    uint32_t words[kLanes][kMaxWords];
  };

  static void compute(Product &product, const SharedBytes &shared);
  void finishFirst(const SharedBytes &shared);

  std::vector<Product> flying; ///< in the order of their beginning
  bool isFenced = false;
  int group = 0;
  size_t count = 0;
};

/// What is wrong with B of a product, null for nothing.
const char *checkColumns(const ProductOperands &product, const SharedBytes &shared);

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_WARPPRODUCTS_H
