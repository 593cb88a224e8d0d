// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products of a warpgroup from their beginning to the moment at which their sums are there.

#include "test/emulation/WarpProducts.h"

#include "runtime/numerics/float.h"

#include <algorithm>
#include <cstring>

namespace sortie::emulation {

using Kind = ProductOperands::Kind;

//===- B -----------------------------------------------------------------===//

namespace {
/// B's descriptor in bytes.
struct Descriptor {
  static constexpr int kDepthBytes = 32; ///< of K

  int start;
  int halfStride;   ///< from the first 16 bytes of K to the others, where lines are not swizzled
  int columnStride; ///< between two groups of eight columns
  bool isSwizzled;

  explicit Descriptor(const ProductOperands &product)
      : start(static_cast<int>(product.b & 0x3fff) * 16),
        halfStride(static_cast<int>(product.b >> 16 & 0x3fff) * 16),
        columnStride(static_cast<int>(product.layout & 0x3fff) * 16),
        isSwizzled(product.layout >> 30 == 1) {}

  /// Where unit `half` of 16 bytes of K of a column lies.
  int unitOf(int column, int half) const {
    const int ofGroup = start + column / 8 * columnStride;
    if (!isSwizzled)
      return ofGroup + column % 8 * 16 + half * halfStride;
    const int at = ofGroup + column % 8 * 128 + half * 16;
    return at ^ (at >> 7 & 7) << 4;
  }
};
} // namespace

const char *checkColumns(const ProductOperands &product, const SharedBytes &shared) {
  const uint32_t kind = product.layout >> 30;
  if (kind > 1)
    return "columns lie in a way that is not modelled";
  const Descriptor descriptor(product);
  if (descriptor.isSwizzled && (descriptor.start / 128 % 8 != 0 || descriptor.columnStride != 1024))
    return "lines of 128 bytes do not begin at a multiple of 1024 bytes";
  if (descriptor.isSwizzled && descriptor.start % 128 > 96)
    return "K goes past the end of the lines";
  for (int column = 0; column < product.columns; ++column)
    for (int half = 0; half < 2; ++half)
      if (descriptor.unitOf(column, half) + 16 > shared.size)
        return "columns are not within shared memory";
  return nullptr;
}

/// The bytes of K of a column.
static void readColumn(const Descriptor &descriptor, int column, const char *shared,
                       char (&bytes)[Descriptor::kDepthBytes]) {
  for (int half = 0; half < 2; ++half)
    std::memcpy(bytes + 16 * half, shared + descriptor.unitOf(column, half), 16);
}

//===- Products ----------------------------------------------------------===//

/// The bytes of K of a row of the warp.
static void readRow(const ProductOperands (&lanes)[kLanes], int row,
                    char (&bytes)[Descriptor::kDepthBytes]) {
  for (int t = 0; t < 4; ++t)
    for (int half = 0; half < 2; ++half)
      std::memcpy(bytes + 16 * half + 4 * t, &lanes[row % 8 * 4 + t].a[2 * half + row / 8], 4);
}

/// `sum` + row * column, with all in bits.
static uint32_t multiplyAdd(Kind kind, const char *row, const char *column, uint32_t sum) {
  if (kind == Kind::Halves) {
    float total = numerics::floatOf(sum);
    for (int k = 0; k < 16; ++k) {
      uint16_t a;
      uint16_t b;
      std::memcpy(&a, row + 2 * k, 2);
      std::memcpy(&b, column + 2 * k, 2);
      total += numerics::fromHalf(a) * numerics::fromHalf(b);
    }
    return numerics::bitsOf(total);
  }
  for (int k = 0; k < 32; ++k)
    sum += static_cast<uint32_t>(static_cast<int8_t>(row[k]) * static_cast<int8_t>(column[k]));
  return sum;
}

void WarpProducts::compute(Product &product, const SharedBytes &shared) {
  const ProductOperands &any = product.operands[0];
  const Descriptor descriptor(any);
  char rows[16][Descriptor::kDepthBytes];
  for (int row = 0; row < 16; ++row)
    readRow(product.operands, row, rows[row]);
  for (int column = 0; column < any.columns; ++column) {
    char bytes[Descriptor::kDepthBytes];
    readColumn(descriptor, column, shared.data, bytes);
    for (int row = 0; row < 16; ++row) {
      const int lane = row % 8 * 4 + column % 8 / 2;
      uint32_t &word = product.words[lane][column / 8 * 4 + row / 8 * 2 + column % 2];
      word = multiplyAdd(any.kind, rows[row], bytes, any.accumulates ? word : 0);
    }
  }
  product.isDone = true;
}

//===- In flight ---------------------------------------------------------===//

void WarpProducts::clear() {
  flying.clear();
  isFenced = false;
  group = 0;
  count = 0;
}

bool WarpProducts::isFlying(const void *sums) const {
  return std::any_of(flying.begin(), flying.end(), [=](const Product &product) {
    return std::any_of(std::begin(product.operands), std::end(product.operands),
                       [=](const ProductOperands &lane) { return lane.sums == sums; });
  });
}

const char *WarpProducts::begin(void *const (&operands)[kLanes], const SharedBytes &shared,
                                bool isEarly, uint32_t garbage, Site site) {
  const auto &first = *static_cast<const ProductOperands *>(operands[0]);
  if (!isFenced)
    return "the warp has not executed fenceProducts() since it waited for products";
  if (const char *mistake = checkColumns(first, shared))
    return mistake;
  const bool isFirst = !isFlying(first.sums);
  if (!isFirst && !first.accumulates)
    return "the sums are those of a product that nobody has waited for";
  Product &product = flying.emplace_back();
  product.site = site;
  product.group = group;
  for (int lane = 0; lane < kLanes; ++lane) {
    product.operands[lane] = *static_cast<const ProductOperands *>(operands[lane]);
    if (!product.operands[lane].hasSameB(first))
      return "lanes begin different products";
    auto *words = static_cast<char *>(product.operands[lane].sums);
    for (int i = 0; i < first.columns / 2; ++i) {
      std::memcpy(&product.words[lane][i], words + 4 * i, 4);
      std::memcpy(words + 4 * i, &garbage, 4);
    }
  }
  if (isEarly && isFirst)
    compute(product, shared);
  ++count;
  return nullptr;
}

/// The oldest product is finished: its sums are there, or what the next one adds to.
void WarpProducts::finishFirst(const SharedBytes &shared) {
  Product product = flying.front();
  flying.erase(flying.begin());
  if (!product.isDone)
    compute(product, shared);
  const auto next = std::find_if(flying.begin(), flying.end(), [&](const Product &other) {
    return other.operands[0].sums == product.operands[0].sums;
  });
  if (next != flying.end()) {
    std::memcpy(next->words, product.words, sizeof next->words);
    return;
  }
  for (int lane = 0; lane < kLanes; ++lane)
    std::memcpy(product.operands[lane].sums, product.words[lane],
                static_cast<size_t>(product.operands[lane].columns) * 2);
}

void WarpProducts::wait(int groups, const SharedBytes &shared) {
  while (!flying.empty() && flying.front().group < group - groups)
    finishFirst(shared);
  isFenced = false;
}

} // namespace sortie::emulation
