// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A launch is bound by one of three things that go on at the same time, and has latencies that
// nothing hides:
//
//   time = launch + waves * block + max(bytes, tensor cores, issue slots)
//
//   launch       a graph node's latency: about two microseconds from the end of one kernel to the
//                first useful instruction of the next;
//   block        the beginning and the end of a thread block with tensor cores, which has a
//                multiprocessor for itself: looking up its tile, waiting for its first weights,
//                storing its outputs. Waves are blocks a multiprocessor;
//   bytes        every byte once, at 85 % of the memory's bandwidth, which is what a plain copy
//                reaches. Rows that several blocks gather come from the L2, and are not counted
//                again;
//   tensor cores int8 multiply-adds: those of the operation times the activation's limbs. An mma
//                has 8 columns, a limb of a token each, so one token costs as much as 8, or as 4
//                with two limbs. Those of bfloat16 have half the rate on all of these chips;
//   issue slots  instructions of all warps, of which exact products fill a bit more than half of
//                the slots: their warps wait for each other's results and pipes
//                (docs/studies/exact-products.md). The work around each mma counts more than the
//                mma itself, see below.
//
// The last two are shared by the multiprocessors that have a block; a grid that does not fill the
// last wave leaves some idle.
//
// Predictions decide what can be better or worse (ProductPlan.cpp): into how many slices K is cut.
// Where one choice is never worse, a rule beside the geometry makes it: the widest tile whose
// stages fit, since it decodes weights for the most tokens, and as many stages as fit
// (ExactGeometry.h, Bf16Geometry.h). docs/benchmarks.md compares predictions with measured times.

#include "codegen/CostModel.h"

#include "codegen/kernels/exact/ExactGeometry.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/ErrorHandling.h"

#include <algorithm>
#include <cmath>

using namespace llvm;
using sortie::numerics::FormatClass;
using sortie::numerics::FormatInfo;

namespace sortie::codegen {

//===----------------------------------------------------------------------===//
// Chips
//===----------------------------------------------------------------------===//

// clang-format off
static constexpr Chip kChips[] = {
    // architecture  board                SMs  clock   bandwidth  int8  shared
    {"compute_80",  "any since A100",      84, 1.40e9, 0.86e12,  1024, 101376},
    {"sm_80",       "A100 SXM 80 GB",     108, 1.41e9, 2.04e12,  2048, 166912},
    {"sm_86",       "A40",                 84, 1.74e9, 0.70e12,  1024, 101376},
    {"sm_89",       "L40S",               142, 2.52e9, 0.86e12,  1024, 101376},
    {"sm_90",       "H100 SXM",           132, 1.75e9, 3.35e12,  2048, 232448},
    {"sm_90a",      "H100 SXM",           132, 1.75e9, 3.35e12,  2048, 232448},
    {"sm_100a",     "B200",               148, 1.85e9, 8.00e12,  2048, 232448},
    {"sm_120",      "RTX PRO 6000",       188, 2.60e9, 1.79e12,  1024, 101376},
};
// clang-format on

const Chip *findChip(StringRef architecture) {
  const auto *chip =
      find_if(kChips, [&](const Chip &chip) { return architecture == chip.architecture; });
  return chip == std::end(kChips) ? nullptr : chip;
}

SmallVector<StringRef> getChipNames() {
  SmallVector<StringRef> names;
  for (const Chip &chip : kChips)
    names.push_back(chip.architecture);
  return names;
}

//===----------------------------------------------------------------------===//
// Terms
//===----------------------------------------------------------------------===//

static constexpr double kLaunchSeconds = 2e-6;
static constexpr double kBlockSeconds = 2.5e-6;
static constexpr double kReachableBandwidth = 0.85;
static constexpr double kSchedulers = 4;        ///< instructions a cycle and multiprocessor
static constexpr double kReachableIssue = 0.55; ///< of these, in exact products
static constexpr double kLanes = 32;
static constexpr double kWeightRowsOfMma = 16;

static double tokensOfMma(const Work &work) {
  return static_cast<double>(kernels::kMmaColumns) / work.limbs;
}

/// Rows as the tensor cores see them: the tokens of whole mma in each tile.
static double paddedRows(const Work &work) {
  if (work.tiles == 0 || work.rows == 0)
    return work.rows;
  const double tokens = tokensOfMma(work);
  return work.tiles * tokens * std::ceil(work.rows / work.tiles / tokens);
}

/// Multiprocessors that are busy on average: whole waves of one block each.
static double busyMultiprocessors(const Chip &chip, const Work &work) {
  if (work.blocks == 0)
    return chip.multiprocessors;
  const double waves = std::ceil(work.blocks / chip.multiprocessors);
  return work.blocks / waves;
}

static double tensorSeconds(const Chip &chip, const Work &work) {
  const bool isBf16 = work.unit == Work::Unit::TensorBf16;
  if ((work.unit != Work::Unit::Tensor && !isBf16) || work.rows == 0)
    return 0;
  const double products = work.multiplyAdds * work.limbs * paddedRows(work) / work.rows;
  const double perCycle = isBf16 ? chip.int8PerCycle / 2.0 : chip.int8PerCycle;
  return products / (busyMultiprocessors(chip, work) * perCycle * chip.clock);
}

/// Instructions that a warp issues for 16 weight rows, 128 elements of K and the tokens of an mma:
/// four mma of 32 elements (twice as many of 16 where sub-blocks have 16), and for each of a lane's
/// outputs, four or with two limbs two, what docs/numerics.md writes down.
static double instructionsOfBlock(const FormatInfo &info, int limbs) {
  const double outputs = 4.0 / limbs;
  const double subBlocks = 128.0 / info.subBlock;
  const bool isFolded = kernels::isFolded(info);
  const double mma = isFolded ? 4 : std::max(4.0, subBlocks);
  const double loads = 3; // two ldmatrix, the activations' scales
  const double block = 1; // fma by d_a
  const bool hasMinimum = info.minimum != numerics::Minimum::None;
  if (info.formatClass == FormatClass::GroupScale) {
    const double run = limbs; // 128 * high + low, or nothing; fma by d
    const double minimum = hasMinimum ? 1 : 0;
    return loads + mma + outputs * (subBlocks * (run + 1 + minimum) + block);
  }
  const double unpack = isFolded ? 0 : 2 * subBlocks; // sub-scales of two rows
  const double runs = isFolded ? 0 : 4 * subBlocks;   // limbs combined, times the sub-scale
  const double floats = 2;                            // to float, times d
  // An mma for four tokens, its sums combined, to float, fma by dmin.
  const double minimum = hasMinimum ? 3.5 : 0;
  return loads + mma + unpack + runs + outputs * (floats + block + minimum);
}

/// Instructions around the products of 128 elements of 16 rows of weights and a tile: to bring the
/// weights into the order of the operand, where a byte is extracted four at a time, and looked up
/// or offset; then copies, addresses and barriers. Tiles of up to 16 rows (NarrowTile.h) need few
/// of the latter.
static double instructionsOfDecode(const FormatInfo &info, double rowsOfTile) {
  const double registers = 16;
  const double each = info.levelBits == 8 ? 0 : info.levelBits == 4 ? 1.5 : 4;
  const double scales = info.formatClass == FormatClass::GroupScale ? 12 : 36;
  const double copies = rowsOfTile <= 16 ? 30 : 150;
  return registers * each + scales + copies;
}

static double issueSeconds(const Chip &chip, const Work &work) {
  double instructions = 0;
  if (work.unit == Work::Unit::Fp32)
    instructions = work.multiplyAdds / kLanes * 1.25; // loads and addresses beside the fma
  double reachable = 1;
  if (work.unit == Work::Unit::Tensor && work.rows > 0) {
    reachable = kReachableIssue;
    const FormatInfo info = numerics::formatInfo(work.format);
    const double perRow = work.multiplyAdds / work.rows / (kWeightRowsOfMma * 128);
    instructions =
        perRow * (paddedRows(work) / tokensOfMma(work) * instructionsOfBlock(info, work.limbs) +
                  work.tiles * instructionsOfDecode(info, work.rows / work.tiles));
  }
  return instructions / (busyMultiprocessors(chip, work) * kSchedulers * reachable * chip.clock);
}

Prediction predict(const Chip &chip, const Work &work) {
  const double bytes = work.bytes / (chip.bandwidth * kReachableBandwidth);
  const double tensor = tensorSeconds(chip, work);
  const double issue = issueSeconds(chip, work);
  const double longest = std::max({bytes, tensor, issue});
  const bool isTensor = work.unit == Work::Unit::Tensor || work.unit == Work::Unit::TensorBf16;
  const double waves = isTensor ? std::ceil(work.blocks / chip.multiprocessors) : 0;
  const double latencies = kLaunchSeconds + waves * kBlockSeconds;
  const Bound bound = longest < latencies ? Bound::Launch
                      : longest == bytes  ? Bound::Bytes
                      : longest == tensor ? Bound::TensorCores
                                          : Bound::IssueSlots;
  return {latencies + longest, bound};
}

//===----------------------------------------------------------------------===//
// Choices
//===----------------------------------------------------------------------===//

/// Thread blocks of a tile of a plain product that is not cut.
static int64_t blocksOfTile(int64_t rows) { return kernels::ceilDiv(rows, kernels::kPlainColumns); }

int fewTiles(const Chip &chip, int64_t rows) {
  return static_cast<int>(std::max<int64_t>(chip.multiprocessors / 2 / blocksOfTile(rows), 1));
}

StringRef toString(Bound bound) {
  switch (bound) {
  case Bound::Launch:
    return "launch";
  case Bound::Bytes:
    return "bytes";
  case Bound::TensorCores:
    return "tensor cores";
  case Bound::IssueSlots:
    return "issue slots";
  }
  llvm_unreachable("unknown bound");
}

} // namespace sortie::codegen
