// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sizes of dynamic dimensions, from relations between them.

#ifndef SORTIE_TEST_INTERPRETER_SIZES_H
#define SORTIE_TEST_INTERPRETER_SIZES_H

#include "test/interpreter/Relations.h"

#include "llvm/ADT/DenseMap.h"

#include <numeric>
#include <vector>

namespace sortie::interpreter {

/// Solves relations of sizes. Dimensions that are related have sizes in fixed ratios: a static one
/// says how large all of them are, otherwise the smallest has `tokens` elements.
class Sizes {
public:
  Sizes(const Relations &relations, int64_t tokens);

  /// False if static sizes contradict the relations, or a size would not be an integer.
  bool fit() const { return areConsistent; }
  int64_t get(Dimension dimension) const;

private:
  struct Ratio {
    int64_t numerator = 1, denominator = 1;
    Ratio times(int64_t factor, int64_t divisor) const;
    bool operator<(Ratio other) const {
      return numerator * other.denominator < other.numerator * denominator;
    }
    bool operator==(const Ratio &) const = default;
  };
  struct Edge {
    unsigned target;
    int64_t factor, divisor;
  };
  struct Node {
    Dimension dimension;
    std::vector<Edge> edges;
    int64_t size = -1; ///< Not known yet.
  };

  unsigned indexOf(Dimension dimension);
  /// Gives sizes to all nodes that are related to `start`.
  void solveFrom(unsigned start);
  /// Those nodes, with the ratio of their size to that of `start`.
  std::vector<std::pair<unsigned, Ratio>> relatedTo(unsigned start);
  void assign(unsigned node, int64_t unit, Ratio unitRatio, Ratio ratio);

  int64_t tokens;
  bool areConsistent = true;
  std::vector<Node> nodes;
  llvm::DenseMap<std::pair<mlir::Value, unsigned>, unsigned> indices;
};

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_SIZES_H
