// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "test/interpreter/Compare.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <cmath>

using namespace llvm;
using namespace sortie::interpreter;

/// Whether it is known in which order the rows lie. (Offsets know the slots of other rows.)
static bool hasKnownOrder(const Tensor &tensor) { return tensor.slots && tensor.shape.size() == 2; }

/// The rows as [slots, N] in the order of slots. A slot without a row has zeros, as in moe.unsort.
static Tensor inSlotOrder(const Tensor &tensor) {
  const int64_t rows = tensor.rows();
  Tensor result({rows, tensor.columns()}, /*fill=*/0);
  for (int64_t row = 0; row < rows; ++row) {
    const double slot = hasKnownOrder(tensor) ? (*tensor.slots)[row] : static_cast<double>(row);
    if (!isMeaningless(slot))
      copy(tensor.row(row), result.row(static_cast<int64_t>(slot)).begin());
  }
  return result;
}

static double largest(const Tensor &tensor) {
  double result = 0;
  for (const double number : tensor.elements)
    if (!isMeaningless(number))
      result = std::max(result, std::abs(number));
  return result;
}

static bool areEqual(double before, double after, double margin) {
  return before == after || std::abs(before - after) <= margin; // False for a NaN.
}

static std::string describePlace(size_t index, ArrayRef<int64_t> shape) {
  SmallVector<size_t> places;
  for (const int64_t size : reverse(shape)) {
    places.insert(places.begin(), index % size);
    index /= size;
  }
  return formatv("[{0:$[, ]}]", make_range(places.begin(), places.end())).str();
}

static std::string describeNumber(double number) {
  if (isMeaningless(number))
    return "nothing";
  std::string text;
  raw_string_ostream(text) << format("%.12g", number);
  return text;
}

/// Compares tensors of one shape.
static std::optional<std::string> findDifference(const Tensor &before, const Tensor &after,
                                                 double tolerance, Compared &compared) {
  const double margin = tolerance * std::max(largest(before), largest(after));
  ++compared.values;
  for (auto [index, was, is] : enumerate(before.elements, after.elements)) {
    if (isMeaningless(was))
      continue;
    ++compared.numbers;
    if (!areEqual(was, is, margin))
      return formatv("at {0} is {1} before and {2} after", describePlace(index, before.shape),
                     describeNumber(was), describeNumber(is))
          .str();
  }
  return std::nullopt;
}

/// Compares tensors whose rows may be in different orders.
static std::optional<std::string> findDifferenceOfRows(const Tensor &before, const Tensor &after,
                                                       double tolerance, Compared &compared) {
  if (before.shape == after.shape && !(hasKnownOrder(before) && hasKnownOrder(after)))
    return findDifference(before, after, tolerance, compared);
  if (before.rows() != after.rows() || before.columns() != after.columns())
    return formatv("has {0} rows of {1} before and {2} of {3} after", before.rows(),
                   before.columns(), after.rows(), after.columns())
        .str();
  auto difference = findDifference(inSlotOrder(before), inSlotOrder(after), tolerance, compared);
  if (difference)
    return formatv("in the order of slots {0}", *difference).str();
  return difference;
}

/// What has been appended to a cache: a row for each place, with its keys and values.
static Tensor appendedRows(const Cache &cache) {
  std::vector<double> elements;
  for (const auto &[place, row] : cache.getAppended()) {
    append_range(elements, row.keys);
    append_range(elements, row.values);
  }
  const auto rows = static_cast<int64_t>(cache.getAppended().size());
  Tensor result({rows, rows ? static_cast<int64_t>(elements.size()) / rows : 0});
  result.elements = std::move(elements);
  return result;
}

/// Compares what stays in a cache; null for a cache in which all stays as it was.
static std::optional<std::string> findDifferenceOfCaches(const Cache *before, const Cache *after,
                                                         double tolerance, Compared &compared) {
  const std::map<CachePlace, CacheRow> none;
  const auto &was = before ? before->getAppended() : none;
  const auto &is = after ? after->getAppended() : none;
  if (!equal(make_first_range(was), make_first_range(is)))
    return "gets new rows that are not in the same places before and after";
  if (!before || !after) // Nothing is new.
    return std::nullopt;
  return findDifference(appendedRows(*before), appendedRows(*after), tolerance, compared);
}

/// Compares what stays in all caches.
static std::optional<std::string> findDifferenceOfCaches(const Outcome &before,
                                                         const Outcome &after, double tolerance,
                                                         Compared &compared) {
  const auto keptIn = [](const Outcome &outcome, const std::string &name) {
    const auto cache = outcome.kept.find(name);
    return cache == outcome.kept.end() ? nullptr : cache->second.get();
  };
  std::map<std::string, CacheRef> either = before.kept;
  either.insert(after.kept.begin(), after.kept.end());
  for (const std::string &name : make_first_range(either))
    if (auto difference =
            findDifferenceOfCaches(keptIn(before, name), keptIn(after, name), tolerance, compared))
      return formatv("cache '{0}' {1}", name, *difference).str();
  return std::nullopt;
}

std::optional<std::string> sortie::interpreter::findDifference(const Outcome &before,
                                                               const Outcome &after,
                                                               double tolerance,
                                                               Compared &compared) {
  if (before.results.size() != after.results.size())
    return formatv("it has {0} results before and {1} after", before.results.size(),
                   after.results.size())
        .str();
  for (auto [index, was, is] : enumerate(before.results, after.results))
    if (auto difference = findDifferenceOfRows(*was, *is, tolerance, compared))
      return formatv("result {0} {1}", index, *difference).str();
  for (const auto &[name, was] : before.named) {
    const auto is = after.named.find(name);
    if (is == after.named.end())
      continue; // Fused away.
    if (auto difference = findDifferenceOfRows(*was, *is->second, tolerance, compared))
      return formatv("value '{0}' {1}", name, *difference).str();
  }
  return findDifferenceOfCaches(before, after, tolerance, compared);
}
