// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/Cache.h"
#include "test/interpreter/Weights.h"

using namespace sortie;
using namespace sortie::interpreter;

static std::vector<double> randomRow(uint64_t key, int64_t columns) {
  std::vector<double> row(columns);
  for (auto [index, element] : llvm::enumerate(row))
    element = randomNumber(key, index);
  return row;
}

Cache::Cache(llvm::StringRef name, uint64_t seed, lm::CacheType type)
    : name(name), key(hashKey(seed, ("cache " + name).str())),
      keyColumns(type.getHeads() * type.getKey()),
      valueColumns(type.isLatent() ? type.getRotated() : type.getHeads() * type.getValue()) {}

CacheRow Cache::at(CachePlace place) const {
  const auto entry = appended.find(place);
  if (entry != appended.end())
    return entry->second;
  const uint64_t rowKey = randomBits(randomBits(key, place.page), place.position);
  return {randomRow(randomBits(rowKey, 0), keyColumns),
          randomRow(randomBits(rowKey, 1), valueColumns)};
}
