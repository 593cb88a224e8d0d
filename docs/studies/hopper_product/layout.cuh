// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How the operands of the product lie in memory.
#pragma once
#include <cstdint>
#include <cuda_fp16.h>

constexpr int blockElements = 128;      ///< of an activation block
constexpr int superElements = 256;      ///< of a block of Q4_K
constexpr int chunkElements = 1024;     ///< of a chunk of the contract
constexpr int fileBytes = 144;          ///< of a block of Q4_K in a file
constexpr int groupRows = 64;           ///< rows whose weights lie together: those of a warpgroup
constexpr int levelBytes = 8192;        ///< of a row group and super-block
constexpr int groupBytes = 8192 + 1024; ///< with scales: 4.5 bits a weight, as in the file

/// Packed weights are [row group][super-block] of groupBytes:
///   levels [block 2][half 2][thread 128][step 2][row 2] words: A's fragments of wgmma, a group in
///     each step. With q = thread % 4, byte e of a word has the levels of elements 4 * q + e (low
///     half) and of those 16 later, of row thread / 32 * 16 + thread % 32 / 4 (+ 8);
///   scales [row 64] of four words: sub-scales modulo 16, minimums modulo 16 (byte g: group g low,
///     group g + 4 high), what is left of them (byte g, pairs of bits from the lowest on: sub-scale
///     g, sub-scale g + 4, minimum g, minimum g + 4), d and dmin as halves.

/// Quantized activations of a row, K elements: `limbs` [block][high, low][128], `digits`
/// [block][high, low][8] in fp16, `scales` [block]. A group's sum is 512 high + low, two integers
/// that fp16 holds exactly, low in [-256, 255]; a column has them of four groups, then zeros.
struct Activations {
  const int8_t *limbs;
  const __half *digits;
  const float *scales;
};

/// Sorted rows of an expert, in the order in which the product wants them: an image. It begins at
/// padded row `image`, each row of which has imageBytes for a super-block; and has [super-block]:
///   limbs [block 2][token][high, low][128], 16-byte units of line l at unit ^ l % 8;
///   digits [block 2][token][high, low][8]; scales [block 2], at placeOfScale().
struct Tile {
  int first, rows, width, image;
};
constexpr int imageBytes = 512 + 64 + 8;

/// A tile of tokens times the kernel's weight rows from the `rowTile`th tile of them on.
struct alignas(16) Item {
  int expert, first, image;
  uint16_t rows, rowTile;
};

/// The width of a tile of `rows` tokens where kernels have no wider ones than `most`. Twice as many
/// columns, or a part of them, must be a width of wgmma.
__host__ __device__ constexpr int widthFor(int rows, int most) {
  const int width = rows <= 16   ? (rows + 3) / 4 * 4
                    : rows <= 32 ? (rows + 7) / 8 * 8
                    : rows <= 48 ? 48
                    : rows <= 64 ? 64
                                 : 72;
  return width < most ? width : most;
}

/// Tokens that a warpgroup multiplies at a time, a factor of the tile's width: fewer where a thread
/// has fewer registers.
__host__ __device__ constexpr int unitTokensOf(int consumers, int width) {
  return width <= 16       ? width
         : consumers > 3   ? (width % 16 == 0 ? 16 : 8)
         : width % 24 == 0 ? 24
         : consumers == 3  ? 16
                           : 32;
}
/// Whether the minimums' product has accumulators of its own, beside those of the groups.
__host__ __device__ constexpr bool areMinimumsApart(int consumers, int width) {
  return consumers == 2 ? width <= 64 : consumers == 3 && width <= 32;
}
/// How many scales of tokens a thread loads at a time.
__host__ __device__ constexpr int scaleVector(int consumers, int width) {
  const int outputs = unitTokensOf(consumers, width) / 4;
  return outputs % 4 == 0 ? 4 : outputs % 2 == 0 ? 2 : 1;
}
/// Where the scale of token `t` lies: a thread's outputs have the tokens 4 o + q.
__host__ __device__ constexpr int placeOfScale(int t, int vector) {
  const int o = t / 4;
  return (o / vector * 4 + t % 4) * vector + o % vector;
}
