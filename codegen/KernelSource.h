// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The sources of kernels: a few lines each, which instantiate a template of codegen/kernels for one
// shape, format, fusion and chip. There is a function for each kind; those of rows by themselves
// are in passes/selection/RowKernels.cpp, beside their launches. Buffers are parameters r0, r1,
// ... (read) and w0, w1, ... (written), weights g0, g1, ..., extents e0, e1, ..., in that order;
// writeSource() adds where the kernel notes that its step begins, and the step's number.

#ifndef SORTIE_CODEGEN_KERNELSOURCE_H
#define SORTIE_CODEGEN_KERNELSOURCE_H

#include "runtime/numerics/activation.h"
#include "runtime/numerics/encoding.h"
#include "runtime/numerics/layout.h"
#include "runtime/numerics/route.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>
#include <vector>

namespace sortie::codegen {

struct Chip;

/// A kernel for one chip, but for its name. Equal kernels do the same.
struct KernelCode {
  std::string kind;                 ///< in its name
  std::vector<std::string> headers; ///< of codegen/kernels
  std::string definitions;          ///< lines in front of the #include: macros
  std::string declarations;         ///< lines in front of the kernel
  std::vector<std::string> parameters;
  std::string call; ///< what it does
  /// The call has a function `begin` as an argument and calls it in every thread, before it touches
  /// what launches before have written.
  bool beginsItself = false;
  /// Which buffers it reads before that, by their numbers.
  std::vector<int64_t> early;
  int threads = 0;      ///< of a block
  int blocks = 1;       ///< that a multiprocessor has at once: registers are made to last
  int shared = 0;       ///< bytes of dynamic shared memory of a block
  std::string schedule; ///< what was chosen for the chip, for people

  bool operator==(const KernelCode &) const = default;
};

/// The text that NVRTC compiles, with a kernel of the name `entry`.
std::string writeSource(const KernelCode &code, llvm::StringRef entry);

/// The same kernel where buffer number `read` of those that it reads is number `write` of those
/// that it writes: it has one parameter for both.
KernelCode inPlace(KernelCode code, unsigned read, unsigned write);

//===----------------------------------------------------------------------===//
// Routing
//===----------------------------------------------------------------------===//

/// reads(logits) writes(ids, weights) weights(bias?) extents(tokens); grid (tokens ceildiv
/// kRouteTokens).
KernelCode routeKernel(const numerics::RouteParams &params, bool hasBias);

/// Of `total` experts, slots are sorted by `count` neighbours. Which one is the first of these, an
/// extent says.
struct ExpertCounts {
  int64_t total;
  int64_t count;
};

/// reads(ids) writes(histogram) extents(slots, first expert); grid (slots floordiv
/// kDispatchSegment).
KernelCode dispatchCountKernel(const ExpertCounts &experts);

/// reads(ids, histogram) writes(permutation, inverse, offsets, tiles, status) extents(slots,
/// entries of tiles, first expert); grid (slots + 1 ceildiv kDispatchSegment).
KernelCode dispatchScatterKernel(const ExpertCounts &experts);

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// A product with its gather and its epilogue.
struct Product {
  numerics::Format first;
  numerics::Format second; ///< of up; equal to `first` in a plain product
  numerics::RowKind input;
  numerics::RowKind output;
  int64_t rows;    ///< N of an expert
  int64_t columns; ///< K
  /// Of a product of heads, which has no experts: how many heads the rows of a token are, each with
  /// a matrix of its own. 0: it is another product.
  int64_t heads = 0;
  bool isGated = false;
  bool isGrouped = false;
  bool hasSettledTiles = false; ///< the launch before did not write the tile map
  bool hasPermutation = false;
  int64_t slots = 0; ///< 0: input rows are sorted
  bool hasScale = false;
  bool hasFirstExpertScale = false;
  bool hasSecondExpertScale = false;
  bool hasFirstBias = false;
  bool hasSecondBias = false;
  numerics::Glu glu = {};
  int64_t experts = 0; ///< that its offsets are of, if it is grouped

  bool isOutputQuantized() const { return output != numerics::RowKind::F32; }
  /// Whether it takes its rows, or factors of them, by the permutation, or has a tile map. The
  /// kernels of other products of floats are simpler, or made for few rows.
  bool isMapped() const { return isGrouped || hasPermutation; }
  /// Matrices that a row of a token is multiplied with where there are no experts.
  int64_t groups() const { return heads == 0 ? 1 : heads; }
};

/// reads(x, offsets?, tiles?, permutation?, scale?) writes(y) weights(first, second?, first bias?,
/// second bias?, first scale by expert?, second scale by expert?) extents(rows if not grouped:
/// tokens, times heads if there are some). Offsets and tiles are there if it is grouped, which
/// scales by expert need; the kernel needs no offsets, reports do. `slices` is into how many few
/// tokens cut K, a power of two (NarrowTile.h).
KernelCode exactProductKernel(const Product &product, int slices, const Chip &chip);

/// Whether a chip has products of warpgroups and they can do this one, and its kernel, which takes
/// the same operands: few rows as exactProductKernel() has them, more with warpgroups.
bool hasWarpgroupKernel(const Product &product, const Chip &chip);
KernelCode warpgroupProductKernel(const Product &product, int slices, const Chip &chip);

/// Columns of the output of a thread block of an exact product that does not cut K.
int exactColumns(const Product &product);

/// The same operands. The formats are of floats, and equal.
KernelCode floatProductKernel(const Product &product);

/// The same in `bf16` arithmetic.
KernelCode bf16ProductKernel(const Product &product);

//===----------------------------------------------------------------------===//
// Attention
//===----------------------------------------------------------------------===//

/// Attention over a cache of pages.
struct Attention {
  numerics::ActivationWidth own;    ///< of queries and weights
  numerics::ActivationWidth cached; ///< of keys and values
  int64_t heads;
  int64_t kvHeads; ///< heads of keys
  int64_t key;     ///< elements of a head
  int64_t value;
  int64_t rotated = 0; ///< elements of the second part of keys, whose first is the value; 0: none
  float scale;         ///< kappa
  int64_t window = 0;  ///< positions that a query sees; 0: all
  int64_t pages;       ///< of a sequence
  bool hasSinks = false;
  int64_t splitTokens = 0; ///< most tokens whose spans are shared out

  /// Tiles of queries of a token and a head of keys.
  int64_t tilesOfToken() const;
  /// Spans of a sequence.
  int64_t spans() const;
  /// Floats that the results of all spans of a token have.
  int64_t resultFloats() const;
  /// The best `splitTokens` for runs of up to `maxTokens`, whose results take a limited amount of
  /// memory.
  int64_t chooseSplitTokens(int64_t maxTokens) const;
};

/// reads(queries, rotated queries?, cache, positions, sequences, pages, status) writes(results)
/// extents(tokens); grid (tiles of a token * tokens, at most those of splitTokens; kvHeads; spans).
KernelCode attendSpansKernel(const Attention &attention, const Chip &chip);

/// reads(queries, rotated queries?, cache, positions, sequences, pages, results, status) writes(y)
/// weights(sinks?) extents(tokens); the grid is (tokens * heads / kvHeads ceildiv queries of a
/// block, and the tiles of splitTokens tokens; kvHeads; blocks of a tile).
KernelCode attendKernel(const Attention &attention, const Chip &chip);

/// What its grid consists of.
struct AttendGrid {
  int64_t queriesOfBlock;
  int64_t blocksOfTile; ///< each has some elements of the output
};
AttendGrid attendGrid(const Attention &attention, const Chip &chip);

//===----------------------------------------------------------------------===//
// Operands of cuBLAS
//===----------------------------------------------------------------------===//

/// reads(x) writes(x in bf16); grid (rows).
KernelCode roundBf16Kernel(int64_t columns);

/// Packs a matrix of floats as one in bf16, row-major: a panel is a row. Operands are those of
/// packKernel().
KernelCode packBf16Kernel(numerics::Format format, int64_t columns);

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

/// reads(raw) writes(packed) extents(first panel, panels); grid (panels).
KernelCode packKernel(numerics::Encoding encoding, int64_t rows, int64_t columns);

/// Bytes of a panel of a matrix with rows of `columns` elements.
int64_t panelBytes(numerics::Format format, int64_t columns);

/// Rows of a panel.
int64_t panelRows();

/// Most bytes of a packed matrix: products number its units of 16 bytes in 32 bits.
constexpr int64_t kMostPackedBytes = int64_t{16} << 32;

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_KERNELSOURCE_H
