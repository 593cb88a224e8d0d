// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Two elements share a byte when their addresses differ by less than an element. An address is a
// sum of strides times indices, so the question is whether
//
//   stride_1 * x_1 + ... + stride_n * x_n = target,   0 <= x_i < count_i
//
// has a solution in integers: a bounded linear Diophantine equation with at most four unknowns an
// array, and one for the bytes of an element. In general that is a knapsack problem; with the
// strides of arrays, nearly all unknowns melt into one before anything is searched.

#include "runtime/session/Overlap.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <utility>

using namespace llvm;

namespace sortie {

namespace {

/// The values 0, step, 2 * step, ..., (count - 1) * step.
struct Term {
  int64_t step;
  int64_t count;

  int64_t reach() const { return step * (count - 1); }
};

/// The sums of a value of each term. Steps are positive, and no sum is beyond 2^62.
class Sums {
public:
  Sums(SmallVector<Term> given, int64_t maxSteps);

  /// Whether `target` is one of them.
  Overlap contains(int64_t target) { return search(terms.size(), target); }

private:
  Overlap search(size_t count, int64_t target);
  /// The least x >= 0 with step * x = target modulo `modulus`, where gcd(step, modulus) divides
  /// target.
  static int64_t solveModulo(int64_t step, int64_t target, int64_t modulus);

  SmallVector<Term> terms; ///< by ascending step
  /// Of the first terms: the largest sum, and the greatest common divisor of the steps.
  SmallVector<int64_t> reaches, divisors;
  int64_t stepsLeft;
};

/// Where one step is q times another one of at least q values, the sums of the two have no gaps:
/// both are one term.
void melt(SmallVector<Term> &terms) {
  for (size_t i = 0; i < terms.size(); ++i)
    for (size_t j = 0; j < terms.size(); ++j) {
      if (i == j || terms[j].step % terms[i].step != 0 ||
          terms[i].count < terms[j].step / terms[i].step)
        continue;
      terms[i].count += terms[j].step / terms[i].step * (terms[j].count - 1);
      terms.erase(terms.begin() + j);
      return melt(terms);
    }
}

Sums::Sums(SmallVector<Term> given, int64_t maxSteps)
    : terms(std::move(given)), stepsLeft(maxSteps) {
  erase_if(terms, [](const Term &term) { return term.count == 1; });
  melt(terms);
  sort(terms, [](const Term &a, const Term &b) { return a.step < b.step; });
  reaches.push_back(0);
  divisors.push_back(0);
  for (const Term &term : terms) {
    reaches.push_back(reaches.back() + term.reach());
    divisors.push_back(std::gcd(divisors.back(), term.step));
  }
}

int64_t Sums::solveModulo(int64_t step, int64_t target, int64_t modulus) {
  const int64_t divisor = std::gcd(step, modulus);
  const int64_t reduced = modulus / divisor;
  // The inverse of step / divisor by Euclid's algorithm.
  int64_t remainder = reduced, next = step / divisor % reduced, inverse = 0, nextInverse = 1;
  while (next != 0) {
    const int64_t quotient = remainder / next;
    remainder = std::exchange(next, remainder - quotient * next);
    inverse = std::exchange(nextInverse, inverse - quotient * nextInverse);
  }
  const auto wide = static_cast<__int128>(target / divisor % reduced) * inverse % reduced;
  return static_cast<int64_t>(wide < 0 ? wide + reduced : wide);
}

/// Whether the first `count` terms have the sum `target`.
Overlap Sums::search(size_t count, int64_t target) {
  if (target < 0 || target > reaches[count])
    return Overlap::None;
  if (count == 0)
    return Overlap::Some; // target is 0
  if (target % divisors[count] != 0)
    return Overlap::None;
  if (count == 1)
    return Overlap::Some;
  // What the largest term leaves must be in the reach of the others, and a multiple of what their
  // steps have in common.
  const Term &largest = terms[count - 1];
  const int64_t rest = divisors[count - 1];
  const int64_t stride = rest / std::gcd(largest.step, rest);
  const int64_t first = solveModulo(largest.step, target, rest);
  const int64_t excess = target - reaches[count - 1];
  const int64_t least = excess > 0 ? (excess + largest.step - 1) / largest.step : 0;
  const int64_t most = std::min(largest.count - 1, target / largest.step);
  int64_t x = first;
  if (least > first)
    x += (least - first + stride - 1) / stride * stride;
  for (; x <= most; x += stride) {
    if (--stepsLeft < 0)
      return Overlap::Unknown;
    if (const Overlap found = search(count - 1, target - largest.step * x); found != Overlap::None)
      return found;
  }
  return Overlap::None;
}

/// Arrays that begin further apart have no byte in common, being no larger than 2^60 bytes.
constexpr int64_t kMaxDistance = int64_t{1} << 61;

/// An array with ascending addresses: where it begins, and how its indices move in it.
struct Layout {
  int64_t begin = 0; ///< relative to the array's data
  SmallVector<Term> terms;

  explicit Layout(const TensorView &array) {
    for (auto [extent, stride] : zip_equal(array.shape, array.strides)) {
      if (extent == 1)
        continue;
      if (stride < 0)
        begin += (extent - 1) * stride;
      terms.push_back({std::abs(stride), extent});
    }
  }
};

} // namespace

Overlap findOverlap(const TensorView &a, const TensorView &b, int64_t maxSteps) {
  if (a.space != b.space || a.elements() == 0 || b.elements() == 0)
    return Overlap::None;
  const auto distance = static_cast<int64_t>(reinterpret_cast<uintptr_t>(b.data) -
                                             reinterpret_cast<uintptr_t>(a.data));
  if (distance > kMaxDistance || distance < -kMaxDistance)
    return Overlap::None;
  const auto [aFirst, aLast] = a.byteRange();
  const auto [bFirst, bLast] = b.byteRange();
  if (aFirst >= distance + bLast || distance + bFirst >= aLast)
    return Overlap::None;

  // Address of a's element + byte in it = address of b's element + byte in it. Indices and byte of
  // b are counted backwards, so that nothing is negative.
  const Layout aLayout(a), bLayout(b);
  const int64_t aBytes = hostTypeBytes(a.type), bBytes = hostTypeBytes(b.type);
  int64_t target = distance + bLayout.begin - aLayout.begin + bBytes - 1;
  SmallVector<Term> terms = {{1, aBytes + bBytes - 1}};
  append_range(terms, aLayout.terms);
  append_range(terms, bLayout.terms);
  for (const Term &term : bLayout.terms)
    target += term.reach();
  erase_if(terms, [](const Term &term) { return term.step == 0; });
  return Sums(std::move(terms), maxSteps).contains(target);
}

Overlap findSelfOverlap(const TensorView &array, int64_t maxSteps) {
  if (array.elements() == 0)
    return Overlap::None;
  SmallVector<Term> terms = Layout(array).terms;
  if (any_of(terms, [](const Term &term) { return term.step == 0; }))
    return Overlap::Some;
  sort(terms, [](const Term &a, const Term &b) { return a.step < b.step; });
  const int64_t bytes = hostTypeBytes(array.type);
  // The difference of two elements, of which `largest` is the last index that differs, and is less
  // in the first one: largest * (1 + x) + sum of step * (index - other index) = difference in
  // bytes.
  SmallVector<Term> smaller = {{1, 2 * bytes - 1}};
  int64_t reach = bytes - 1;
  for (const Term &largest : terms) {
    if (largest.step <= reach) {
      SmallVector<Term> differences = smaller;
      differences.push_back({largest.step, largest.count - 1});
      // All but the largest are symmetric around zero, and shifted by their reach.
      const Overlap found = Sums(std::move(differences), maxSteps).contains(reach - largest.step);
      if (found != Overlap::None)
        return found;
    }
    smaller.push_back({largest.step, 2 * largest.count - 1});
    reach += largest.reach();
  }
  return Overlap::None;
}

} // namespace sortie
