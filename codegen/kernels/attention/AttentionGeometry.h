// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the kernels of attention need of the machine: how a chunk is cut into pieces that are copied
// one after the other, and where queries, scores and pieces lie in shared memory. The compiler that
// launches the kernels and the kernels themselves compute it. Bits do not depend on any of it.

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENTIONGEOMETRY_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENTIONGEOMETRY_H

#include "codegen/kernels/common/Geometry.h"
#include "runtime/numerics/cache.h"

namespace sortie::kernels {

using numerics::ActivationWidth;
using numerics::kAttentionChunk;
using numerics::kAttentionSpan;

/// Queries that a warp takes together: the columns of an mma, or of two where queries have limbs.
constexpr int kTileQueries = 8;
/// Most tokens whose spans are shared out to thread blocks (AttendSpans.h); more tokens have enough
/// tiles of queries to fill a GPU (AttendPrompt.h).
constexpr int kSplitTokens = 64;
constexpr int kChunksOfSpan = kAttentionSpan / kAttentionChunk;

using numerics::kCachePanelRows;
constexpr int kKeyPanels = kAttentionChunk / kCachePanelRows;
/// Bytes of a quad of each row of a panel.
constexpr int kQuadBytes = kCachePanelRows * numerics::kCacheQuad;
/// Scales of keys and of values, or of both parts of keys: the beginning of a head's part of a
/// page.
constexpr int kScalesBytes = 2 * kAttentionChunk * 4;

/// Heads of a model, and how they are quantized.
struct AttentionHeads {
  ActivationWidth own;    ///< of queries and weights
  ActivationWidth cached; ///< of keys and values
  int key;
  int value;
  int rotated; ///< elements of the second part of keys; 0: they have one
};

SORTIE_NUMERICS_CONSTEXPR int limbsOf(ActivationWidth width) {
  return width == ActivationWidth::Int16 ? 2 : 1;
}

//===- Pieces ------------------------------------------------------------===//

// A piece is what is copied and multiplied at once: of a panel of keys a slice of the elements, of
// a panel of values all positions, with both limbs.

constexpr int kPieceQuads = 32;
constexpr int kPieceLimbBytes = kPieceQuads * kQuadBytes;

/// Quads of an mma: 32 elements of K.
constexpr int kMmaQuads = 8;

/// How the elements of a part of keys are cut into slices of equal length.
struct SliceGeometry {
  int quads;      ///< of a row
  int slices;     ///< 0: there is no such part
  int sliceQuads; ///< whole mma; the last slice may lack some
};

SORTIE_NUMERICS_CONSTEXPR SliceGeometry sliceGeometry(int elements) {
  const int quads = static_cast<int>(ceilDiv(elements, numerics::kCacheQuad));
  const int slices = static_cast<int>(ceilDiv(quads, kPieceQuads));
  if (slices == 0)
    return {0, 0, 0};
  const int sliceQuads = static_cast<int>(numerics::roundedUp(ceilDiv(quads, slices), kMmaQuads));
  return {quads, slices, sliceQuads};
}

SORTIE_NUMERICS_CONSTEXPR int slicesOfKey(const AttentionHeads &heads) {
  return sliceGeometry(heads.key).slices + sliceGeometry(heads.rotated).slices;
}
SORTIE_NUMERICS_CONSTEXPR int valuePanels(int value) {
  return static_cast<int>(ceilDiv(value, kCachePanelRows));
}

//===- Queries -----------------------------------------------------------===//

/// A tile of queries as the B operand of mma: columns [parts][columns][words], sums of the columns
/// [parts][columns], scales [parts][kTileQueries].
struct QueryGeometry {
  int columns;      ///< kTileQueries times limbs
  int keyWords;     ///< of a column. Eight columns of 8 bytes each are in different banks
  int rotatedWords; ///< of a column of the second part
  int rotatedOffset;
  int sumsOffset;
  int scalesOffset;
  int bytes;
};

SORTIE_NUMERICS_CONSTEXPR int columnWords(const SliceGeometry &slices) {
  return static_cast<int>(numerics::roundedUp(slices.slices * slices.sliceQuads, kWarp)) + 8;
}

SORTIE_NUMERICS_CONSTEXPR QueryGeometry queryGeometry(const AttentionHeads &heads) {
  const int parts = heads.rotated != 0 ? 2 : 1;
  QueryGeometry g{};
  g.columns = kTileQueries * limbsOf(heads.own);
  g.keyWords = columnWords(sliceGeometry(heads.key));
  g.rotatedWords = heads.rotated != 0 ? columnWords(sliceGeometry(heads.rotated)) : 0;
  g.rotatedOffset = g.columns * g.keyWords * 4;
  g.sumsOffset = g.rotatedOffset + g.columns * g.rotatedWords * 4;
  g.scalesOffset = g.sumsOffset + parts * g.columns * 4;
  g.bytes = static_cast<int>(numerics::roundedUp(g.scalesOffset + parts * kTileQueries * 4, 128));
  return g;
}

//===- A warp's memory ---------------------------------------------------===//

/// Four numbers of each lane.
constexpr int kLanesBytes = kWarp * 16;
/// What a warp has for the scores of its tile, then its weights, then outputs of a few panels.
constexpr int kWorkBytes = kKeyPanels * kLanesBytes;
constexpr int kPanelsOfWork = kKeyPanels;

/// Bytes from the weights of a query to those of the next, so that four queries are in different
/// banks.
SORTIE_NUMERICS_CONSTEXPR int weightStride(ActivationWidth own) {
  return kAttentionChunk * limbsOf(own) + 16;
}

static_assert(kTileQueries * weightStride(ActivationWidth::Int16) <= kWorkBytes);

//===- AttendSpans.h -----------------------------------------------------===//

constexpr int kSpanThreads = kChunksOfSpan * kWarp;

struct SpansGeometry {
  int stages;       ///< pieces of a warp
  int sumsOffset;   ///< {m, l, D} of each chunk and query
  int workOffset;   ///< of each warp
  int scalesOffset; ///< of each chunk
  int ringOffset;
  int sharedBytes;
};

/// As many stages as leave room for two thread blocks on a multiprocessor with much memory.
SORTIE_NUMERICS_CONSTEXPR SpansGeometry spansGeometry(const AttentionHeads &heads,
                                                      int sharedLimit) {
  constexpr int kMostStages = 4;
  const int pieceBytes = kPieceLimbBytes * limbsOf(heads.cached);
  SpansGeometry g{};
  g.sumsOffset = queryGeometry(heads).bytes;
  g.workOffset = g.sumsOffset + kChunksOfSpan * kTileQueries * 16;
  g.scalesOffset = g.workOffset + kChunksOfSpan * kWorkBytes;
  g.ringOffset = g.scalesOffset + kChunksOfSpan * kScalesBytes;
  const int64_t stages = (sharedLimit - g.ringOffset) / (kChunksOfSpan * pieceBytes);
  g.stages = static_cast<int>(lesser(stages, kMostStages));
  g.sharedBytes = g.ringOffset + g.stages * kChunksOfSpan * pieceBytes;
  return g;
}

/// Floats of the result of a span for a tile: outputs [panels][lanes][4], l and m of each query.
SORTIE_NUMERICS_CONSTEXPR int64_t spanFloats(int value) {
  return int64_t{valuePanels(value)} * kLanesBytes / 4 + 2 * kTileQueries;
}

//===- Attend.h ----------------------------------------------------------===//

/// Of a thread block, which has a prompt's tiles or merges the spans of one tile.
struct AttendGeometry {
  int warps;
  int stages;     ///< of pieces that all warps read
  int together;   ///< pieces of a stage
  int blocks;     ///< thread blocks that a multiprocessor has at once
  int warpBytes;  ///< queries, work, outputs of the span
  int workOffset; ///< in these
  int outputOffset;
  int scalesOffset; ///< of two chunks in turn
  int ringOffset;
  int sharedBytes;
};

namespace detail {
/// 0 stages where so many warps do not fit.
SORTIE_NUMERICS_CONSTEXPR AttendGeometry attendGeometryOf(const AttentionHeads &heads, int warps,
                                                          int sharedLimit) {
  constexpr int kMostStages = 4;
  const int pieceBytes = kPieceLimbBytes * limbsOf(heads.cached);
  AttendGeometry g{};
  g.warps = warps;
  g.workOffset = queryGeometry(heads).bytes;
  g.outputOffset = g.workOffset + kWorkBytes;
  g.warpBytes = g.outputOffset + valuePanels(heads.value) * kLanesBytes;
  g.scalesOffset = warps * g.warpBytes;
  g.ringOffset = g.scalesOffset + 2 * kScalesBytes;
  // Two pieces a stage are half of the barriers.
  const int pieces = (sharedLimit - g.ringOffset) / pieceBytes;
  g.together = pieces >= 6 ? 2 : 1;
  const int stages = pieces / g.together;
  g.stages = stages < 2 ? 0 : stages > kMostStages ? kMostStages : stages;
  g.sharedBytes = g.ringOffset + g.stages * g.together * pieceBytes;
  return g;
}
} // namespace detail

/// Spans that are merged at a time: l and m of eight queries, the factors of both, outputs of a
/// panel for each warp.
SORTIE_NUMERICS_CONSTEXPR int mergedSpans(const AttendGeometry &geometry) {
  constexpr int kMost = 64;
  const int64_t spanBytes = 2 * kTileQueries * 8 + geometry.warps * kLanesBytes;
  return static_cast<int>(lesser(geometry.sharedBytes / spanBytes, kMost));
}

/// Two thread blocks of eight warps on a multiprocessor where its memory allows that, since one
/// multiplies while the other waits at a barrier; else the most warps with three stages.
SORTIE_NUMERICS_CONSTEXPR AttendGeometry attendGeometry(const AttentionHeads &heads,
                                                        int sharedLimit) {
  constexpr int kReserved = 1024; // of each block
  AttendGeometry g = detail::attendGeometryOf(heads, 8, (sharedLimit - kReserved) / 2);
  g.blocks = 2;
  for (int least = 3; g.stages < least && least >= 2; --least)
    for (int warps = 8; g.stages < least && warps >= 1; --warps) {
      g = detail::attendGeometryOf(heads, warps, sharedLimit);
      g.blocks = 1;
    }
  return g;
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENTIONGEOMETRY_H
