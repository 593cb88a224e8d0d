// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Whether the other tests of exact products could fail: a byte of the weights changes the output
// that it should and nothing else. And zeros that are negative.

#include "test/unit/kernels/ExactKernels.h"

namespace sortie::kernels {
namespace {

/// Changes each byte of one block of one weight row, one after another.
template <Encoding E> void checkEachByte() {
  constexpr EncodingInfo kInfo = encodingInfo(E);
  constexpr int kN = 24;
  constexpr int kK = 256;
  constexpr int kChanged = 19; ///< row
  using Spec = PlainSpec<E, RowKind::Int16, kN, kK>;
  Random random(43);
  ExactProblem problem(specOf<Spec>(), {.rowsOfExpert = {1}}, random);
  const Bytes before = multiplyOnDevice<Spec>(problem, kSeeds[0]);
  // Of an encoding with headers, those bytes, too.
  const int64_t strip = kChanged / kInfo.stripRows * kInfo.stripRows * rowBytes(kInfo, kK);
  for (int byte = 0; byte < kInfo.headerBytes + kInfo.bytes; ++byte) {
    const int64_t block =
        byte < kInfo.headerBytes ? 0 : blocksBytes(kInfo, kK / kInfo.elements / 2 * kInfo.elements);
    uint8_t &changed = problem.first.raw[static_cast<size_t>(strip + block + byte)];
    changed ^= 0x11;
    problem.first.pack();
    Bytes after = multiplyOnDevice<Spec>(problem, kSeeds[0]);
    ASSERT_EQ(firstDifference(after, problem.expected()), -1) << "byte " << byte;
    const int64_t difference = firstDifference(after, before);
    ASSERT_EQ(difference / 4, kChanged) << "byte " << byte;
    std::copy_n(before.begin() + kChanged * 4, 4, after.begin() + kChanged * 4);
    ASSERT_EQ(after, before) << "byte " << byte;
    changed ^= 0x11;
  }
}

#define SORTIE_TEST_BYTES(format)                                                                  \
  TEST(ExactControl, format) { checkEachByte<Encoding::format>(); }

SORTIE_TEST_BYTES(Q8_0)
SORTIE_TEST_BYTES(Q4_0)
SORTIE_TEST_BYTES(Q4_1)
SORTIE_TEST_BYTES(Q5_0)
SORTIE_TEST_BYTES(Q5_1)
SORTIE_TEST_BYTES(IQ4_NL)
SORTIE_TEST_BYTES(MXFP4)
SORTIE_TEST_BYTES(Q2_K)
SORTIE_TEST_BYTES(Q3_K)
SORTIE_TEST_BYTES(Q4_K)
SORTIE_TEST_BYTES(Q5_K)
SORTIE_TEST_BYTES(Q6_K)
SORTIE_TEST_BYTES(IQ4_XS)
SORTIE_TEST_BYTES(IQ2_XXS)
SORTIE_TEST_BYTES(IQ4_KS)

/// Products too small for a float: every sum is -0.0, also where a part of a block lies past the
/// end of the row. Only the scales of MXFP4 are small enough.
TEST(ExactControl, KeepsNegativeZeros) {
  constexpr int kN = 24;
  constexpr int kK = 352;
  using Spec = PlainSpec<Encoding::MXFP4, RowKind::Int16, kN, kK>;
  Random random(44);
  ExactProblem problem(specOf<Spec>(), {.rowsOfExpert = {2}}, random);
  for (size_t i = 0; i < problem.first.raw.size(); ++i)
    problem.first.raw[i] = i % 17 == 0 ? 0 : 0x99; // d = 2^-128, levels -1
  problem.first.pack();
  const Floats x(2 * kK, 0x1p-96f);
  cpu::quantize(x.data(), 2, kK, RowKind::Int16, problem.input.data(), referenceDevice());
  const Bytes output = multiplyOnDevice<Spec>(problem, kSeeds[0]);
  for (int i = 0; i < 2 * kN; ++i)
    ASSERT_EQ(numerics::bitsOf(reinterpret_cast<const float *>(output.data())[i]), 0x80000000u);
}

} // namespace
} // namespace sortie::kernels
