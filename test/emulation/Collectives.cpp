// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Collectives of a warp: exchange of words, ldmatrix, mma.

#include "test/emulation/Collectives.h"

#include <cstring>

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
  case Collective::LoadMatrices:
    return "loadMatrices";
  case Collective::MultiplyK32:
    return "multiplyK32";
  case Collective::MultiplyK16:
    return "multiplyK16";
  }
  return "?";
}

//===- Exchange of words --------------------------------------------------===//

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

static void matchAny(Operands operands) {
  const Values values(operands);
  for (int lane = 0; lane < kLanes; ++lane) {
    uint32_t bits = 0;
    for (int other = 0; other < kLanes; ++other)
      bits |= uint32_t{values.value[other] == values.value[lane]} << other;
    static_cast<ExchangeOperands *>(operands[lane])->value = bits;
  }
}

//===- Matrices -----------------------------------------------------------===//

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

/// sum += A * B for A of 16 x K and B of K x 8 int8, K = 16 * halves. Sums wrap around.
template <int halves> static void multiply(Operands operands) {
  constexpr int kDepth = 16 * halves;
  int8_t a[16][kDepth];
  int8_t b[8][kDepth];
  for (int lane = 0; lane < kLanes; ++lane) {
    const auto &own = *static_cast<const MultiplyOperands *>(operands[lane]);
    const int group = lane / 4;
    for (int half = 0; half < halves; ++half) {
      const int k = 16 * half + 4 * (lane % 4);
      std::memcpy(&a[group][k], &own.a[2 * half], 4);
      std::memcpy(&a[group + 8][k], &own.a[2 * half + 1], 4);
      std::memcpy(&b[group][k], &own.b[half], 4);
    }
  }
  for (int lane = 0; lane < kLanes; ++lane) {
    int32_t *sum = static_cast<const MultiplyOperands *>(operands[lane])->sum;
    for (int i = 0; i < 4; ++i) {
      const int8_t *row = a[lane / 4 + i / 2 * 8];
      const int8_t *column = b[2 * (lane % 4) + i % 2];
      int32_t dot = 0;
      for (int k = 0; k < kDepth; ++k)
        dot += row[k] * column[k];
      sum[i] = static_cast<int32_t>(static_cast<uint32_t>(sum[i]) + static_cast<uint32_t>(dot));
    }
  }
}

void completeCollective(Collective what, void *const (&operands)[kLanes]) {
  switch (what) {
  case Collective::SyncWarp:
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
  case Collective::LoadMatrices:
    return loadMatrices(operands);
  case Collective::MultiplyK32:
    return multiply<2>(operands);
  case Collective::MultiplyK16:
    return multiply<1>(operands);
  }
}

} // namespace sortie::emulation
