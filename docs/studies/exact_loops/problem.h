// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The operands of a loop, as a kernel would find them and as the contract names them, and the
// contract's answer computed the plain way.
#pragma once
#include "loop.cuh"
#include <cmath>
#include <cstring>
#include <cuda_fp16.h>
#include <random>
#include <vector>

/// What the loops need to know of a weight format.
struct Format {
  const char *name;
  int lowest, highest; ///< Levels.
  int subBlock = 0;    ///< Elements under one integer sub-scale; 0: fp32 scale for each 32.
  int lowestSub = 0, highestSub = 0;
  int highestMin = 0;    ///< Integer minimums of sub-blocks, 0 ... highestMin.
  bool floatMin = false; ///< A float minimum for each 32.
  bool negate = false;   ///< Fold -(level * sub-scale): only that fits int8 (Q3_K).
};

/// 64 rows, Columns tokens, `period` activation blocks, which repeat.
struct Problem {
  int block = 128; ///< Elements of K in an activation block; the contract's is 128.
  int k = period * block;
  std::vector<int> level, sub, minSub, q;  // [row][k], [row][k], [row][k], [column][k]
  std::vector<float> groupScale, groupMin; // [row][k / 32]
  std::vector<float> rowScale, minScale;   // [row][k / block]
  std::vector<float> columnScale;          // [column][k / block]
};

inline float halfPrecision(float x) { // 11 significant bits
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  bits &= 0xFFFFE000u;
  std::memcpy(&x, &bits, 4);
  return x;
}

inline Problem makeProblem(const Format &f, int columns, bool int16, int block, unsigned seed) {
  std::mt19937 random(seed);
  auto between = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  auto scale = [&](float size) {
    return halfPrecision(size * std::uniform_real_distribution<float>(0.25f, 1.0f)(random));
  };
  std::normal_distribution<float> normal;
  const int limit = int16 ? 16319 : 127;
  Problem p;
  p.block = block;
  p.k = period * block;
  // Rows 0 and 1 and columns 0 and 1 hold the extremes, so that a sum that can overflow does.
  for (int row = 0; row < tileRows; ++row)
    for (int k = 0; k < p.k; ++k) {
      const bool newSub = f.subBlock && k % f.subBlock == 0;
      const bool extreme = row < 2;
      p.level.push_back(row == 0 ? f.lowest : row == 1 ? f.highest : between(f.lowest, f.highest));
      p.sub.push_back(!newSub    ? (f.subBlock ? p.sub.back() : 1)
                      : row == 0 ? f.lowestSub
                      : row == 1 ? f.highestSub
                                 : between(f.lowestSub, f.highestSub));
      p.minSub.push_back(!newSub   ? (f.subBlock ? p.minSub.back() : 0)
                         : extreme ? f.highestMin
                                   : between(0, f.highestMin));
      if (k % 32 == 0) {
        p.groupScale.push_back(scale(0.01f));
        p.groupMin.push_back(-scale(0.05f));
      }
      if (k % block == 0) {
        p.rowScale.push_back(scale(0.001f));
        p.minScale.push_back(scale(0.002f));
      }
    }
  for (int column = 0; column < columns; ++column)
    for (int k = 0; k < p.k; ++k) {
      const float x = std::clamp(normal(random) / 3.5f, -1.0f, 1.0f);
      p.q.push_back(column == 0 ? limit : column == 1 ? -limit : int(std::rint(x * limit)));
      if (k % block == 0)
        p.columnScale.push_back(std::uniform_real_distribution<float>(1.0f, 4.0f)(random) / limit);
    }
  return p;
}

/// t of one output in one activation block: the contract up to the activation's scale.
inline float blockTerm(const Format &f, const Problem &p, bool int16, int row, int column,
                       int block) {
  const int *level = &p.level[row * p.k + block * p.block];
  const int *sub = &p.sub[row * p.k + block * p.block];
  const int *minSub = &p.minSub[row * p.k + block * p.block];
  const int *q = &p.q[column * p.k + block * p.block];
  // F of elements [from, to): limbs apart, which is the contract's definition for every format.
  auto run = [&](int from, int to) {
    int64_t high = 0, low = 0;
    for (int k = from; k < to; ++k) {
      const int lo = int16 ? ((q[k] + 64) & 127) - 64 : q[k];
      const int hi = int16 ? (q[k] - lo) >> 7 : 0;
      high += int64_t(sub[k]) * level[k] * hi;
      low += int64_t(sub[k]) * level[k] * lo;
    }
    return int16 ? std::fmaf(128.0f, float(high), float(low)) : float(low);
  };
  const int groups = p.block / 32;
  float t;
  if (f.subBlock) {
    t = run(0, p.block) * p.rowScale[row * period + block];
  } else {
    const float *scale = &p.groupScale[(row * period + block) * groups];
    t = run(0, 32) * scale[0];
    for (int g = 1; g < groups; ++g)
      t = std::fmaf(run(32 * g, 32 * g + 32), scale[g], t);
  }
  if (f.highestMin) {
    int64_t m = 0;
    for (int k = 0; k < p.block; ++k)
      m += int64_t(minSub[k]) * q[k];
    t = std::fmaf(-float(m), p.minScale[row * period + block], t);
  }
  if (f.floatMin)
    for (int g = 0; g < groups; ++g) {
      int sum = 0;
      for (int k = 0; k < 32; ++k)
        sum += q[32 * g + k];
      t = std::fmaf(float(sum), p.groupMin[(row * period + block) * groups + g], t);
    }
  return t;
}

/// The contract's result for every (row, column) over `blocks` activation blocks, with chunks of
/// `chunkBlocks` (0: no chunks). [row][column].
inline std::vector<float> reference(const Format &f, const Problem &p, bool int16, int columns,
                                    int blocks, int chunkBlocks) {
  std::vector<float> out;
  for (int row = 0; row < tileRows; ++row)
    for (int column = 0; column < columns; ++column) {
      float t[period];
      for (int b = 0; b < period; ++b)
        t[b] = blockTerm(f, p, int16, row, column, b);
      const float *scale = &p.columnScale[column * period];
      float total = 0, acc = 0;
      for (int b = 0; b < blocks; ++b) {
        acc = std::fmaf(t[b % period], scale[b % period], acc);
        if (chunkBlocks && (b + 1) % chunkBlocks == 0) {
          total = b + 1 == chunkBlocks ? acc : total + acc;
          acc = 0;
        }
      }
      out.push_back(chunkBlocks ? total : acc);
    }
  return out;
}

/// The operands as the kernel of shape `s` reads them from shared memory.
inline std::vector<uint4> makeImage(const Shape &s, const Format &f, const Problem &p) {
  const Layout l = layoutOf(s);
  std::vector<uint4> image(l.totals / 16);
  auto *bytes = reinterpret_cast<unsigned char *>(image.data());
  auto put = [&](int offset, int index, auto value) {
    std::memcpy(bytes + offset + index * 4, &value, 4);
  };
  // An integer that fp16 holds exactly.
  auto putHalf = [&](int offset, int value) {
    const __half half = __float2half_rn(float(value));
    std::memcpy(bytes + offset, &half, 2);
  };
  const int limbs = s.activationLimbs();
  // Limb `limb` of `count` of an integer, most significant first, base 128, signed.
  auto limbOf = [](int value, int limb, int count) {
    int digit = 0;
    for (int i = count - 1; i >= limb; --i) {
      digit = i == 0 ? value : ((value + 64) & 127) - 64;
      value = (value - digit) >> 7;
    }
    return digit;
  };
  for (int b = 0; b < period; ++b)
    for (int k = 0; k < p.block; ++k) {
      const int at = b * p.block + k, step = k / 32, inner = k % 32;
      for (int column = 0; column < s.columns; ++column)
        for (int limb = 0; limb < limbs; ++limb)
          bytes[l.activations + ((b * limbs + limb) * s.blockSteps + step) * l.activationTile +
                tileOffset(column, inner)] = limbOf(p.q[column * p.k + at], limb, limbs);
      for (int row = 0; row < tileRows; ++row) {
        const int level = p.level[row * p.k + at];
        const int weight = s.scaling != Scaling::Folded
                               ? level
                               : level * p.sub[row * p.k + at] * (f.negate ? -1 : 1);
        // The thread and byte of `wgmma`'s A fragment that hold (row, inner).
        const int thread = row / 16 * 32 + row % 8 * 4 + inner % 16 / 4;
        const int word = inner / 16 * 2 + row % 16 / 8, byte = inner % 4;
        for (int limb = 0; limb < s.weightLimbs; ++limb) {
          unsigned char *tile =
              bytes + l.weights + ((b * s.weightLimbs + limb) * s.blockSteps + step) * l.weightTile;
          const int digit = limbOf(weight, limb, s.weightLimbs);
          if (s.source == Source::Shared)
            tile[tileOffset(row, inner)] = digit;
          else if (s.source == Source::Bytes)
            tile[thread * 16 + word * 4 + byte] = digit;
          else
            tile[thread * 8 + word / 2 * 4 + byte] |=
                ((digit + (s.source == Source::BiasedNibbles ? 8 : 0)) & 15) << word % 2 * 4;
        }
      }
    }
  for (int row = 0; row < tileRows; ++row)
    for (int b = 0; b < period; ++b) {
      const float sign = s.scaling == Scaling::Folded && f.negate ? -1.0f : 1.0f;
      put(l.rowScale, b * tileRows + row, sign * p.rowScale[row * period + b]);
      for (int g = 0; g < s.blockSteps; ++g) {
        const int to = (b * s.blockSteps + g) * tileRows + row,
                  from = (row * period + b) * s.blockSteps + g;
        const float levelUnit = s.source == Source::HighNibbles ? 0.0625f : 1.0f;
        if (s.scaling == Scaling::Float32)
          put(l.groupScale, to, p.groupScale[from] * levelUnit);
        else
          put(l.groupScale, to, p.sub[row * p.k + b * p.block + g * 32]);
        if (s.minimum == Minimum::Float)
          put(l.groupMin, to, p.groupMin[from]);
      }
      if (s.integerMinimum()) {
        put(l.minScale, b * tileRows + row, p.minScale[row * period + b]);
        const int subBlocks = p.block / f.subBlock, tile = l.minTile + b * tileRows * 32;
        for (int i = 0; i < subBlocks; ++i) {
          const int minimum = p.minSub[row * p.k + b * p.block + i * f.subBlock];
          if (s.minimum == Minimum::Integer)
            bytes[tile + tileOffset(row, i)] = minimum;
          else
            putHalf(tile + tileOffset(row, 2 * i), minimum);
          if (s.minimum == Minimum::Half && s.sumTiles() == 1)
            putHalf(tile + tileOffset(row, 2 * (i + subBlocks)), 512 * minimum);
        }
      }
    }
  for (int column = 0; column < s.columns; ++column)
    for (int b = 0; b < period; ++b) {
      const int *q = &p.q[column * p.k + b * p.block];
      auto sum = [&](int from, int count) {
        int total = 0;
        for (int k = from; k < from + count; ++k)
          total += q[k];
        return total;
      };
      put(l.columnScale, b * s.columns + column, p.columnScale[column * period + b]);
      if (s.minimum == Minimum::Float)
        for (int g = 0; g < s.blockSteps; ++g)
          put(l.groupSum, (b * s.blockSteps + g) * s.columns + column, float(sum(32 * g, 32)));
      const int subBlocks = f.subBlock ? p.block / f.subBlock : 0;
      if (s.minimum == Minimum::Half)
        for (int i = 0; i < subBlocks; ++i) {
          const int whole = sum(i * f.subBlock, f.subBlock);
          const int low = ((whole + 256) & 511) - 256, high = (whole - low) >> 9;
          const bool together = s.sumTiles() == 1;
          const int tile = l.sumTile + b * s.sumTiles() * l.activationTile;
          putHalf(tile + tileOffset(column, 2 * (together ? i + subBlocks : i)), high);
          putHalf(tile + (together ? 0 : l.activationTile) + tileOffset(column, 2 * i), low);
        }
      if (s.minimum == Minimum::Integer)
        for (int i = 0; i < subBlocks; ++i)
          for (int limb = 0; limb < s.sumLimbs(); ++limb)
            bytes[l.sumTile + (b * s.sumLimbs() + limb) * l.activationTile +
                  tileOffset(column, i)] =
                limbOf(sum(i * f.subBlock, f.subBlock), limb, s.sumLimbs());
    }
  return image;
}
