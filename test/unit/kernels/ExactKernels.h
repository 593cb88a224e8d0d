// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Exact products under the emulation, from packing to output, against the CPU device.

#ifndef SORTIE_TEST_UNIT_KERNELS_EXACTKERNELS_H
#define SORTIE_TEST_UNIT_KERNELS_EXACTKERNELS_H

#include "test/unit/kernels/ExactProblem.h"

// The compiler defines it once for a chip. Here, each Spec has its own.
#define SORTIE_SHARED_LIMIT Spec::kSharedLimit

#include "codegen/kernels/exact/ExactProduct.h"
#include "codegen/kernels/packing/Pack.h"

namespace sortie::kernels {

//===- Specs -------------------------------------------------------------===//

/// Shared memory of a thread block, by chip.
constexpr int kSm80 = 166912;
constexpr int kSm86 = 101376;
constexpr int kSm90 = 232448;

/// A grouped product without epilogue.
template <Encoding E, RowKind Input, int N, int K> struct PlainSpec {
  static constexpr int kSharedLimit = kSm90;
  static constexpr Encoding kFirstEncoding = E;
  static constexpr Encoding kSecondEncoding = E;
  static constexpr Format kFirst = formatOf(E);
  static constexpr Format kSecond = formatOf(E);
  static constexpr RowKind kInput = Input;
  static constexpr RowKind kOutput = RowKind::F32;
  static constexpr int kN = N;
  static constexpr int kK = K;
  static constexpr bool kIsGated = false;
  static constexpr bool kIsGrouped = true;
  static constexpr int kSlots = 0;
  static constexpr int kSlices = 1;
  static constexpr int kFewTiles = 64;
  static constexpr bool kHasScale = false;
  static constexpr Glu kGlu{};
};
/// Cuts K where tiles are few.
template <typename Base, int Slices> struct Sliced : Base {
  static constexpr int kSlices = Slices;
};
/// Reads rows through the permutation.
template <typename Base, int Slots> struct Gathered : Base {
  static constexpr int kSlots = Slots;
};
/// Multiplied by the routing weight.
template <typename Base> struct Scaled : Base {
  static constexpr bool kHasScale = true;
};
/// Without experts and tile map.
template <typename Base> struct Dense : Base {
  static constexpr bool kIsGrouped = false;
};
/// Each head of a token by the matrix of its own.
template <typename Base, int Heads> struct OfHeads : Dense<Base> {
  static constexpr int kHeads = Heads;
};
/// Gate and up.
template <typename Base, RowKind Output> struct Gated : Base {
  static constexpr bool kIsGated = true;
  static constexpr RowKind kOutput = Output;
};
template <typename Base, RowKind Output> struct Clamped : Gated<Base, Output> {
  static constexpr Glu kGlu{GluKind::SwigluClamped, 1.702f, 7.0f};
};
/// Another encoding for up.
template <typename Base, Encoding Second> struct Mixed : Base {
  static constexpr Encoding kSecondEncoding = Second;
  static constexpr Format kSecond = formatOf(Second);
};
/// For another chip.
template <typename Base, int Limit> struct For : Base {
  static constexpr int kSharedLimit = Limit;
};

template <typename Spec>
constexpr ExactGeometry kGeometryOf = exactGeometry(Spec::kFirst, Spec::kSecond, Spec::kInput,
                                                    Spec::kK, Spec::kSlices, Spec::kSharedLimit);

//===- Launches ----------------------------------------------------------===//

constexpr int kPackThreads = 256;

template <Encoding E, int N, int K>
void packKernel(const void *raw, void *packed, int firstPanel, int panels) {
  packPanels<E, N, K>(raw, packed, firstPanel, panels);
}

/// The panels of all experts.
template <Encoding E, int N, int K> AlignedBytes packOnDevice(const ExactWeights &weights) {
  const auto panels = static_cast<int>(weights.shape.experts * panelsOf(N));
  AlignedBytes packed(panels * packedPanelBytes(formatOf(E), K), 0xa5);
  run<packKernel<E, N, K>>({panels, 1}, kPackThreads, packSharedBytes(E), kSeeds[0],
                           static_cast<const void *>(weights.raw.data()),
                           static_cast<void *>(packed.data()), 0, panels);
  return packed;
}

template <typename Spec> void productKernel(ExactOperands operands) {
  exactProduct<Spec>(operands, [] {});
}

/// What `launch(options, operands)` writes as the output of a problem, and the row behind it.
template <typename Spec, typename Launch>
Bytes launchExact(const ExactProblem &problem, Launch launch, uint64_t seed) {
  constexpr int kN = Spec::kN;
  constexpr int kK = Spec::kK;
  const AlignedBytes first = packOnDevice<Spec::kFirstEncoding, kN, kK>(problem.first);
  const AlignedBytes second = packOnDevice<Spec::kSecondEncoding, kN, kK>(problem.second);
  AlignedBytes output = problem.unwrittenOutput();
  const bool isBiased = !problem.firstBias.empty();
  const bool isScaledByExpert = !problem.firstExpertScale.empty();
  const ExactOperands operands{
      problem.input.data(),
      Spec::kIsGrouped ? problem.tiles.data() : nullptr,
      Spec::kSlots != 0 || Spec::kHasScale ? problem.permutation.data() : nullptr,
      Spec::kHasScale ? problem.scale.data() : nullptr,
      output.data(),
      first.data(),
      Spec::kIsGated ? second.data() : nullptr,
      isBiased ? problem.firstBias.data() : nullptr,
      isBiased && Spec::kIsGated ? problem.secondBias.data() : nullptr,
      problem.sortedRows(),
      isScaledByExpert ? problem.firstExpertScale.data() : nullptr,
      isScaledByExpert && Spec::kIsGated ? problem.secondExpertScale.data() : nullptr};
  emulation::Options options;
  options.seed = seed;
  options.maxSharedBytes = Spec::kSharedLimit;
  EXPECT_EQ(launch(options, operands), "");
  return Bytes(output.data(), output.data() + problem.outputBytes());
}

/// The output of a problem under one schedule, and the row behind it.
template <typename Spec, auto Kernel = productKernel<Spec>>
Bytes multiplyOnDevice(const ExactProblem &problem, uint64_t seed) {
  const int heads = headsOf<Spec>() == 0 ? 1 : headsOf<Spec>();
  const auto tiles = static_cast<int>(
      Spec::kIsGrouped ? problem.tiles.size() : ceilDiv(problem.sortedRows() / heads, kTileRows));
  constexpr int kColumns = (Spec::kIsGated ? kGatedColumns : kPlainColumns) / Spec::kSlices;
  return launchExact<Spec>(
      problem,
      [&](const emulation::Options &options, const ExactOperands &operands) {
        return emulation::launch<Kernel>(
            {static_cast<int>(ceilDiv(Spec::kN, kColumns)), tiles, heads}, kExactThreads,
            kGeometryOf<Spec>.sharedBytes, options, operands);
      },
      seed);
}

/// The first byte that differs, or -1: two long buffers would not be readable.
inline int64_t firstDifference(const Bytes &a, const Bytes &b) {
  const auto [at, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return at == a.end() && other == b.end() ? -1 : at - a.begin();
}

/// Every schedule gives the bytes of the CPU device by `multiply(problem, seed)`.
template <typename Spec, typename Multiply>
void checkAgainstCpu(const ExactCase &values, Multiply multiply) {
  Random random(41);
  const ExactProblem problem(specOf<Spec>(), values, random);
  SCOPED_TRACE(testing::Message() << encodingInfo(Spec::kFirstEncoding).name << " "
                                  << encodingInfo(Spec::kSecondEncoding).name << ", "
                                  << numerics::limbCount(Spec::kInput) << " limbs, "
                                  << problem.sortedRows() << " x " << Spec::kN << " x " << Spec::kK
                                  << ", fill " << static_cast<int>(values.fill) << ", inputs "
                                  << static_cast<int>(values.inputs));
  const Bytes expected = problem.expected();
  for (const uint64_t seed : kSeeds)
    ASSERT_EQ(firstDifference(multiply(problem, seed), expected), -1)
        << "byte, seed " << seed << "; a row of output has "
        << numerics::actRowBytes(Spec::kOutput, Spec::kN) << " bytes";
}

/// The same of exactProduct().
template <typename Spec> void checkProduct(const ExactCase &values) {
  checkAgainstCpu<Spec>(values, multiplyOnDevice<Spec>);
}

/// The same for each of these numbers of tokens of a product of heads.
template <typename Spec> void checkTokens(std::initializer_list<int32_t> tokens) {
  for (const int32_t count : tokens)
    checkProduct<Spec>({.rowsOfExpert = Ints(headsOf<Spec>(), count)});
}

/// Ordinary and awkward weights of an encoding, and integers that reach their bounds. K has two
/// chunks, N is no multiple of a panel.
template <Encoding E, RowKind Input> void checkEncoding() {
  using Spec = PlainSpec<E, Input, 40, 1280>;
  checkProduct<Spec>({.rowsOfExpert = {0, 9, 1}});
  checkProduct<Spec>({.rowsOfExpert = {61, 20}});
  checkProduct<Spec>({.rowsOfExpert = {12}, .fill = Fill::Awkward});
  checkProduct<Spec>({.rowsOfExpert = {2}, .fill = Fill::AnyBits});
  for (const Fill fill : {Fill::Highest, Fill::Lowest, Fill::Signed})
    for (const Inputs inputs : {Inputs::Positive, Inputs::Negative, Inputs::Signs})
      checkProduct<Spec>({.rowsOfExpert = {3}, .fill = fill, .inputs = inputs});
}

} // namespace sortie::kernels

#endif // SORTIE_TEST_UNIT_KERNELS_EXACTKERNELS_H
