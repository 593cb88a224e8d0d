// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Collectives of a warp: exchange of words, ldmatrix, mma.

#include "test/emulation/Collectives.h"

#include "runtime/numerics/float.h"

#include <algorithm>
#include <cstring>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace sortie::emulation {

using Operands = void *const (&)[kLanes];

const char *collectiveName(Collective what) {
  switch (what) {
  case Collective::SyncWarp:
    return "syncWarp";
  case Collective::Shuffle:
    return "shuffle";
  case Collective::ShuffleXor:
    return "shuffleXor";
  case Collective::ShuffleUp:
    return "shuffleUp";
  case Collective::Ballot:
    return "ballot";
  case Collective::MatchAny:
    return "matchAny";
  case Collective::ReduceMax:
    return "reduceMax";
  case Collective::LoadMatrices:
    return "loadMatrices";
  case Collective::MultiplyK32:
    return "multiplyK32";
  case Collective::MultiplyUnsignedK32:
    return "multiplyUnsignedK32";
  case Collective::MultiplyK16:
    return "multiplyK16";
  case Collective::MultiplyBf16:
    return "multiplyBf16";
  case Collective::SyncThreads:
    return "syncThreads";
  case Collective::ArriveThreads:
    return "arriveThreads";
  case Collective::TakeRegisters:
    return "takeRegisters";
  case Collective::GiveRegisters:
    return "giveRegisters";
  case Collective::FenceProducts:
    return "fenceProducts";
  case Collective::BeginProduct:
    return "a product of a warpgroup";
  case Collective::CommitProducts:
    return "commitProducts";
  case Collective::WaitForProducts:
    return "waitForProducts";
  }
  return "?";
}

//===- Exchange of words -------------------------------------------------===//

namespace {
/// The values that all lanes brought.
struct Values {
  uint32_t value[kLanes];

  explicit Values(Operands operands) {
    for (int lane = 0; lane < kLanes; ++lane)
      value[lane] = static_cast<const ExchangeOperands *>(operands[lane])->value;
  }
};
} // namespace

/// Each lane gets the value of lane `source(lane, operand)`.
template <typename Source> static void exchange(Operands operands, Source source) {
  const Values values(operands);
  for (int lane = 0; lane < kLanes; ++lane) {
    auto &own = *static_cast<ExchangeOperands *>(operands[lane]);
    own.value = values.value[source(lane, own.operand)];
  }
}

static void ballot(Operands operands) {
  const Values values(operands);
  uint32_t bits = 0;
  for (int lane = 0; lane < kLanes; ++lane)
    bits |= uint32_t{values.value[lane] != 0} << lane;
  for (void *lane : operands)
    static_cast<ExchangeOperands *>(lane)->value = bits;
}

static void reduceMax(Operands operands) {
  const Values values(operands);
  const uint32_t largest = *std::max_element(values.value, values.value + kLanes);
  for (void *lane : operands)
    static_cast<ExchangeOperands *>(lane)->value = largest;
}

static void matchAny(Operands operands) {
  const Values values(operands);
  for (int lane = 0; lane < kLanes; ++lane) {
    uint32_t bits = 0;
    for (int other = 0; other < kLanes; ++other)
      bits |= uint32_t{values.value[other] == values.value[lane]} << other;
    static_cast<ExchangeOperands *>(operands[lane])->value = bits;
  }
}

//===- Matrices ----------------------------------------------------------===//

static void loadMatrices(Operands operands) {
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto &own = *static_cast<const LoadMatricesOperands *>(operands[lane]);
    for (int matrix = 0; matrix < 4; ++matrix) {
      const void *giver = operands[8 * matrix + lane / 4];
      const void *row = static_cast<const LoadMatricesOperands *>(giver)->row;
      std::memcpy(&own.rows[matrix], static_cast<const char *>(row) + 4 * (lane % 4), 4);
    }
  }
}

/// Sums of the products of `pairs` pairs of elements of a row with those of 8 columns; pmaddwd is
/// the instruction for this.
static void multiplyRow(const int16_t *row, const int16_t (*columns)[8][2], int pairs,
                        int32_t (&dots)[8]) {
#if defined(__SSE2__)
  __m128i low = _mm_setzero_si128();
  __m128i high = _mm_setzero_si128();
  for (int pair = 0; pair < pairs; ++pair) {
    int32_t elements;
    std::memcpy(&elements, row + 2 * pair, sizeof elements);
    const __m128i a = _mm_set1_epi32(elements);
    const auto *b = reinterpret_cast<const __m128i *>(columns[pair]);
    low = _mm_add_epi32(low, _mm_madd_epi16(a, _mm_loadu_si128(b)));
    high = _mm_add_epi32(high, _mm_madd_epi16(a, _mm_loadu_si128(b + 1)));
  }
  _mm_storeu_si128(reinterpret_cast<__m128i *>(dots), low);
  _mm_storeu_si128(reinterpret_cast<__m128i *>(dots + 4), high);
#else
  for (int column = 0; column < 8; ++column) {
    dots[column] = 0;
    for (int k = 0; k < 2 * pairs; ++k)
      dots[column] += row[k] * columns[k / 2][column][k % 2];
  }
#endif
}

/// sum += A * B for A of 16 x K and B of K x 8, K = 16 * halves, of bytes that have a sign in B,
/// and in A if `Byte` has one. Sums wrap around. The elements are widened once; pairs of neighbours
/// in K stand together.
template <int halves, typename Byte = int8_t> static void multiply(Operands operands) {
  constexpr int kDepth = 16 * halves;
  Byte narrowA[16][kDepth];
  int8_t narrowB[kDepth / 2][8][2];
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto &own = *static_cast<const MultiplyOperands *>(operands[lane]);
    const int group = lane / 4;
    for (int half = 0; half < halves; ++half) {
      const int k = 16 * half + 4 * (lane % 4);
      std::memcpy(&narrowA[group][k], &own.a[2 * half], 4);
      std::memcpy(&narrowA[group + 8][k], &own.a[2 * half + 1], 4);
      const uint32_t upper = own.b[half] >> 16;
      std::memcpy(&narrowB[k / 2][group], &own.b[half], 2);
      std::memcpy(&narrowB[k / 2 + 1][group], &upper, 2);
    }
  }
  int16_t a[16][kDepth];
  int16_t b[kDepth / 2][8][2];
  std::copy_n(&narrowA[0][0], sizeof narrowA, &a[0][0]);
  std::copy_n(&narrowB[0][0][0], sizeof narrowB, &b[0][0][0]);

  for (int row = 0; row < 16; ++row) {
    int32_t dots[8];
    multiplyRow(a[row], b, kDepth / 2, dots);
    for (int column = 0; column < 8; ++column) {
      void *lane = operands[row % 8 * 4 + column / 2];
      int32_t &sum = static_cast<const MultiplyOperands *>(lane)->sum[row / 8 * 2 + column % 2];
      sum = static_cast<int32_t>(static_cast<uint32_t>(sum) + static_cast<uint32_t>(dots[column]));
    }
  }
}

/// Both bfloat16 of a word, to `to` and `to + stride`.
static void widenPair(uint32_t word, float *to, int stride) {
  to[0] = numerics::fromBFloat16(static_cast<uint16_t>(word));
  to[stride] = numerics::fromBFloat16(static_cast<uint16_t>(word >> 16));
}

/// sum += A * B for A of 16 x 16 and B of 16 x 8 bfloat16: a rounding for each product, in
/// ascending k. (The products are exact, but for those that leave the range of floats.)
static void multiplyBf16(Operands operands) {
  float a[16][16];
  float b[16][8];
  float sums[16][8];
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto &own = *static_cast<const MultiplyBf16Operands *>(operands[lane]);
    const int group = lane / 4;
    const int pair = 2 * (lane % 4);
    for (int half = 0; half < 2; ++half) {
      widenPair(own.a[2 * half], &a[group][8 * half + pair], 1);
      widenPair(own.a[2 * half + 1], &a[group + 8][8 * half + pair], 1);
      widenPair(own.b[half], &b[8 * half + pair][group], 8);
      std::copy_n(own.sum + 2 * half, 2, &sums[group + 8 * half][pair]);
    }
  }
  for (int row = 0; row < 16; ++row)
    for (int k = 0; k < 16; ++k)
      for (int column = 0; column < 8; ++column)
        sums[row][column] += a[row][k] * b[k][column];
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto &own = *static_cast<const MultiplyBf16Operands *>(operands[lane]);
    for (int half = 0; half < 2; ++half)
      std::copy_n(&sums[lane / 4 + 8 * half][2 * (lane % 4)], 2, own.sum + 2 * half);
  }
}

void completeCollective(Collective what, void *const (&operands)[kLanes]) {
  switch (what) {
  case Collective::SyncWarp:
  case Collective::SyncThreads: // what the scheduler does
  case Collective::ArriveThreads:
  case Collective::TakeRegisters:
  case Collective::GiveRegisters:
  case Collective::FenceProducts:
  case Collective::BeginProduct:
  case Collective::CommitProducts:
  case Collective::WaitForProducts:
    return;
  case Collective::Shuffle:
    return exchange(operands, [](int, int lane) { return lane & (kLanes - 1); });
  case Collective::ShuffleXor:
    return exchange(operands, [](int lane, int mask) {
      const int other = lane ^ mask;
      return other >= 0 && other < kLanes ? other : lane;
    });
  case Collective::ShuffleUp:
    return exchange(operands, [](int lane, int delta) {
      return delta >= 0 && delta <= lane ? lane - delta : lane;
    });
  case Collective::Ballot:
    return ballot(operands);
  case Collective::MatchAny:
    return matchAny(operands);
  case Collective::ReduceMax:
    return reduceMax(operands);
  case Collective::LoadMatrices:
    return loadMatrices(operands);
  case Collective::MultiplyK32:
    return multiply<2>(operands);
  case Collective::MultiplyUnsignedK32:
    return multiply<2, uint8_t>(operands);
  case Collective::MultiplyK16:
    return multiply<1>(operands);
  case Collective::MultiplyBf16:
    return multiplyBf16(operands);
  }
}

} // namespace sortie::emulation
