// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/Sizes.h"

#include "llvm/ADT/STLExtras.h"

#include <optional>

using namespace mlir;
using namespace sortie::interpreter;

Sizes::Ratio Sizes::Ratio::times(int64_t factor, int64_t divisor) const {
  const int64_t top = numerator * factor, bottom = denominator * divisor;
  const int64_t common = std::gcd(top, bottom);
  return {top / common, bottom / common};
}

Sizes::Sizes(const Relations &relations, int64_t tokens) : tokens(tokens) {
  for (const auto &[whole, factor, part] : relations.sizes) {
    const unsigned wholeIndex = indexOf(whole), partIndex = indexOf(part);
    nodes[partIndex].edges.push_back({wholeIndex, factor, 1});
    nodes[wholeIndex].edges.push_back({partIndex, 1, factor});
  }
  for (unsigned node = 0; node < nodes.size(); ++node)
    if (nodes[node].size < 0)
      solveFrom(node);
}

unsigned Sizes::indexOf(Dimension dimension) {
  const auto [entry, isNew] = indices.try_emplace({dimension.value, dimension.index}, nodes.size());
  if (isNew)
    nodes.push_back({dimension, {}});
  return entry->second;
}

std::vector<std::pair<unsigned, Sizes::Ratio>> Sizes::relatedTo(unsigned start) {
  std::vector<std::pair<unsigned, Ratio>> related = {{start, {}}};
  llvm::DenseMap<unsigned, Ratio> ratios = {{start, {}}};
  for (size_t next = 0; next < related.size(); ++next) { // The vector grows.
    const auto [node, ratio] = related[next];
    for (const Edge &edge : nodes[node].edges) {
      const Ratio target = ratio.times(edge.factor, edge.divisor);
      const auto [entry, isNew] = ratios.try_emplace(edge.target, target);
      if (isNew)
        related.emplace_back(edge.target, target);
      areConsistent &= entry->second == target;
    }
  }
  return related;
}

void Sizes::assign(unsigned node, int64_t unit, Ratio unitRatio, Ratio ratio) {
  const Ratio size = ratio.times(unitRatio.denominator, unitRatio.numerator).times(unit, 1);
  const int64_t declared = nodes[node].dimension.staticSize();
  areConsistent &= size.denominator == 1;
  areConsistent &= ShapedType::isDynamic(declared) || declared == size.numerator;
  nodes[node].size = size.numerator;
}

void Sizes::solveFrom(unsigned start) {
  const auto related = relatedTo(start);
  const auto isStatic = [&](const auto &entry) {
    return !ShapedType::isDynamic(nodes[entry.first].dimension.staticSize());
  };
  auto unit = llvm::find_if(related, isStatic);
  int64_t size = tokens;
  if (unit != related.end())
    size = nodes[unit->first].dimension.staticSize();
  else
    unit = std::min_element(related.begin(), related.end(), [](const auto &lhs, const auto &rhs) {
      return lhs.second < rhs.second;
    });
  for (const auto &[node, ratio] : related)
    assign(node, size, unit->second, ratio);
}

int64_t Sizes::get(Dimension dimension) const {
  const int64_t declared = dimension.staticSize();
  if (!ShapedType::isDynamic(declared))
    return declared;
  const auto entry = indices.find({dimension.value, dimension.index});
  return entry == indices.end() ? tokens : nodes[entry->second].size;
}
