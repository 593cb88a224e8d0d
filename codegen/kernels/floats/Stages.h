// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Stages of operands in shared memory, through which products of floats stream along K: where rows
// lie in them, which elements of K they hold, and the copies that fill them.

#ifndef SORTIE_CODEGEN_KERNELS_FLOATS_STAGES_H
#define SORTIE_CODEGEN_KERNELS_FLOATS_STAGES_H

#include "codegen/kernels/common/Geometry.h"
#include "runtime/numerics/float.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

/// A row of a stage, of `Depth` elements of type T. The `Step` elements that lanes read at a time
/// are moved so that the same step of neighbouring rows lies in different banks.
template <typename T, int Depth, int Step> struct StageRow {
  using Element = T;
  static constexpr int kBytes = Depth * static_cast<int>(sizeof(T));
  static constexpr int kStepBytes = Step * static_cast<int>(sizeof(T));
  static constexpr int kSwizzle = (kBytes < 128 ? kBytes : 128) / kStepBytes - 1;

  /// Where byte `at` of row `row` is in that row.
  SORTIE_DEVICE int place(int row, int at) { return at ^ ((row & kSwizzle) * kStepBytes); }
};

/// The elements of K that stages hold: stage `index` of stream s has `Depth` elements of a chunk,
/// in ascending order, of the chunks s, s + Streams, ...
template <int K, int Depth, int Streams> struct StageOrder {
  static constexpr int kK = K;
  static constexpr int kPerChunk = numerics::kChunk / Depth;
  static constexpr int kChunks = static_cast<int>(ceilDiv(K, numerics::kChunk));
  static constexpr int kStages = Streams == 1
                                     ? static_cast<int>(ceilDiv(K, Depth))
                                     : static_cast<int>(ceilDiv(kChunks, Streams)) * kPerChunk;
  /// Whether all stages of all streams are full.
  static constexpr bool kIsWhole =
      Streams == 1 ? K % Depth == 0 : K % (Streams * numerics::kChunk) == 0;

  SORTIE_DEVICE int chunk(int index, int stream) { return index / kPerChunk * Streams + stream; }
  SORTIE_DEVICE int first(int index, int stream) {
    if constexpr (Streams == 1)
      return index * Depth;
    return chunk(index, stream) * numerics::kChunk + index % kPerChunk * Depth;
  }
};

/// What a copy does with the elements of a stage that lie past the end of a row.
enum class PastEnd { Left, Zeros };

/// A thread's part in the copy of one row of each stage: `Threads` threads share a row, in pieces
/// as large as all rows of that length are aligned to. `AllExist` says that no row may be missing.
template <typename Row, typename Order, int Threads, PastEnd Past, bool AllExist = false>
struct StageCopy {
  using T = typename Row::Element;
  static constexpr int kSize = static_cast<int>(sizeof(T));
  static constexpr int kRowBytes = Order::kK * kSize;
  static constexpr int kPiece = kRowBytes % 16 == 0  ? 16
                                : kRowBytes % 8 == 0 ? 8
                                : kRowBytes % 4 == 0 ? 4
                                                     : 2;
  static constexpr int kPieces = Row::kBytes / kPiece;

  const char *from; ///< the thread's first piece of the row; null: no row, nothing is copied
  int to;           ///< where that piece is in a stage, but for the swizzle
  int swizzle;
  int stream;
  int part; ///< the thread's number among the row's

  /// Row `row` of the rows that start `operand` bytes into a stage, from `source` or null.
  SORTIE_DEVICE StageCopy make(const T *source, int operand, int row, int stream, int part) {
    const auto *bytes = reinterpret_cast<const char *>(source);
    return {bytes != nullptr ? bytes + part * kPiece : nullptr,
            operand + row * Row::kBytes + part * kPiece, Row::place(row, 0), stream, part};
  }

  /// Starts the copy of stage `index` to `stage`.
  SORTIE_DEVICE void start(const StageCopy &copy, char *stage, int index) {
    if (!AllExist && copy.from == nullptr)
      return;
    const int first = Order::first(index, copy.stream) * kSize;
#pragma unroll
    for (int piece = 0; piece < kPieces; piece += Threads) {
      if (kPieces % Threads != 0 && piece + copy.part >= kPieces)
        break;
      const bool exists = Order::kIsWhole || first + (piece + copy.part) * kPiece < kRowBytes;
      if (Past == PastEnd::Left && !exists)
        break;
      copyPiece(stage + ((copy.to + piece * kPiece) ^ copy.swizzle),
                exists ? copy.from + first + piece * kPiece : copy.from, exists);
    }
  }

  /// One piece, or zeros.
  SORTIE_DEVICE void copyPiece(char *target, const char *source, bool exists) {
    if constexpr (kPiece == 2)
      *reinterpret_cast<uint16_t *>(target) =
          exists ? *reinterpret_cast<const uint16_t *>(source) : uint16_t{0};
    else if constexpr (Past == PastEnd::Left || Order::kIsWhole)
      hw::copyAsync<kPiece>(target, source);
    else
      hw::copyAsync<kPiece>(target, source, exists ? kPiece : 0);
  }
};

/// Two neighbouring elements of a stage's row.
SORTIE_DEVICE void loadPair(const float *from, float (&pair)[2]) {
  struct alignas(8) Pair {
    float value[2];
  };
  const Pair loaded = *reinterpret_cast<const Pair *>(from);
  pair[0] = loaded.value[0];
  pair[1] = loaded.value[1];
}
template <typename Weight> SORTIE_DEVICE void loadPair(const Weight *from, float (&pair)[2]) {
  struct alignas(4) Pair {
    Weight value[2];
  };
  const Pair loaded = *reinterpret_cast<const Pair *>(from);
  pair[0] = numerics::widen(loaded.value[0]);
  pair[1] = numerics::widen(loaded.value[1]);
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_FLOATS_STAGES_H
