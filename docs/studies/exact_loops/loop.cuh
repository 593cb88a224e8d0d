// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The inner loop of a prefill kernel in `exact` arithmetic, without memory traffic: one warpgroup
// computes 64 weight rows x Columns tokens over a K as long as one likes. Operands are two
// activation blocks that lie in shared memory and repeat.
#pragma once
#include "wgmma.cuh"

constexpr int period = 2;         ///< Activation blocks in shared memory.
constexpr int tileRows = 64;      ///< Rows of one `wgmma`.
constexpr int groupThreads = 128; ///< Threads of a warpgroup.

/// How a weight's scale reaches the sum.
enum class Scaling {
  Float32,    ///< One fp32 scale for 32 elements (Q4_0, Q8_0, MXFP4, ...).
  Multiply32, ///< Integer sub-scale for 32: multiply-add after each product of 32.
  Folded,     ///< level * sub-scale as int8 limbs: the tensor cores do it all.
};
enum class Minimum {
  None,
  Float,   ///< For each 32, in fp32 (Q4_1, Q5_1).
  Integer, ///< K-quants; M from int8 products, one for each int8 limb of the sums.
  Half,    ///< K-quants; M from fp16 products, which are exact: every partial sum is below 2^24.
};
/// Where the weight operand comes from.
enum class Source {
  Nibbles,       ///< Registers, decoded from packed unsigned nibbles.
  HighNibbles,   ///< Registers, decoded from packed signed nibbles to 16 * level.
  BiasedNibbles, ///< Registers, decoded from packed level + 8 to level.
  Bytes,         ///< Registers, loaded as int8.
  Shared,        ///< Shared memory.
};
enum class TotalHome { Registers, Shared };
/// How the two activation limbs meet.
enum class Limbs {
  One,      ///< `int8`: there is one.
  InPlace,  ///< One accumulator: high product, shift by 7, low product on top.
  Combined, ///< Two accumulators, combined in integers.
  Apart,    ///< Two accumulators, converted one by one: F = fma(128, RN(S_hi), RN(S_lo)).
};
enum class Convert {
  Instruction, ///< I2F.
  Magic,       ///< |S| < 2^22: the shift adds the bits of 1.5 * 2^23, a subtraction takes it off.
};

struct Shape {
  Scaling scaling;
  Limbs limbs;
  Source source;
  int weightLimbs = 1;
  Minimum minimum = Minimum::None;
  Convert convert = Convert::Instruction;
  int depth = 1; ///< Accumulator generations: 2 lets the next product run under the arithmetic.
  int columns = 64;
  int warpgroups = 4;
  int chunkBlocks = 8; ///< Activation blocks in a chunk; 0: K is one chunk.
  int blockSteps = 4;  ///< Products of 32 in an activation block: 4 is the contract's 128.
  TotalHome total = TotalHome::Shared;

  constexpr int activationLimbs() const { return limbs == Limbs::One ? 1 : 2; }
  constexpr int accumulators() const {
    return limbs == Limbs::Combined || limbs == Limbs::Apart ? 2 : 1;
  }
  /// Limbs of the sum of the activations of a sub-block: 20 bits, or 13 for `int8`.
  constexpr int sumLimbs() const { return activationLimbs() == 2 ? 3 : 2; }
  /// Tiles of sums: int8 limbs; or fp16 halves of 512 * h + l, which one product takes together
  /// where |M| < 2^24 (`int8`).
  constexpr int sumTiles() const {
    return minimum == Minimum::Integer ? sumLimbs() : activationLimbs();
  }
  constexpr bool integerMinimum() const {
    return minimum == Minimum::Integer || minimum == Minimum::Half;
  }
  constexpr int threads() const { return warpgroups * groupThreads; }
};

/// Byte offsets of the operands in shared memory.
struct Layout {
  int activations, weights, groupScale, rowScale, columnScale, groupMin, groupSum, minTile, sumTile,
      minScale, totals, bytes;
  int activationTile, weightTile; ///< Bytes of one product's operand.
};

constexpr Layout layoutOf(const Shape &s) {
  Layout l{};
  l.activationTile = s.columns * 32;
  const bool whole = s.source == Source::Bytes || s.source == Source::Shared;
  l.weightTile = tileRows * 32 / (whole ? 1 : 2);
  int at = 0;
  auto take = [&](int bytes) {
    const int offset = at;
    at += (bytes + 127) / 128 * 128;
    return offset;
  };
  l.activations = take(period * s.activationLimbs() * s.blockSteps * l.activationTile);
  l.weights = take(period * s.weightLimbs * s.blockSteps * l.weightTile);
  l.groupScale = take(period * s.blockSteps * tileRows * 4);
  l.rowScale = take(period * tileRows * 4);
  l.columnScale = take(period * s.columns * 4);
  if (s.minimum == Minimum::Float) {
    l.groupMin = take(period * s.blockSteps * tileRows * 4);
    l.groupSum = take(period * s.blockSteps * s.columns * 4);
  }
  if (s.integerMinimum()) {
    l.minTile = take(period * tileRows * 32);
    l.sumTile = take(period * s.sumTiles() * s.columns * 32);
    l.minScale = take(period * tileRows * 4);
  }
  l.totals = at;
  if (s.total == TotalHome::Shared && s.chunkBlocks != 0)
    take(s.warpgroups * tileRows * s.columns * 4);
  l.bytes = at;
  return l;
}

extern __shared__ __align__(1024) unsigned char sharedBytes[];

/// One warpgroup's loop. A thread holds, for each group j of 8 columns, four outputs i = 4 * j + c:
/// row `lane / 4` (+ 8 if c & 2) of its warp's 16, column 8 * j + lane % 4 * 2 (+ 1 if c & 1).
template <Shape S> class TileLoop {
  static constexpr int regs = S.columns / 2;
  static constexpr Layout layout = layoutOf(S);
  static constexpr int magicBits = 0x4B400000; // 1.5 * 2^23
  static constexpr float magic = 12582912.0f;
  using Product = Wgmma<S.columns>;

  struct PerRow {
    float first, second;
    __device__ float at(int c) const { return (c & 2) ? second : first; }
  };

  const int thread = threadIdx.x % groupThreads;
  const int row = thread / 32 * 16 + thread % 32 / 4;
  const int column = thread % 4 * 2;
  int d[S.depth][S.accumulators()][regs];
  int run[S.limbs == Limbs::Apart && S.scaling == Scaling::Multiply32 ? 2 : 1][regs];
  float t[regs];
  float acc[regs];

  __device__ __forceinline__ uint64_t activation(int block, int limb, int step) const {
    return tileDescriptor(sharedBytes + layout.activations +
                          ((block % period * S.activationLimbs() + limb) * S.blockSteps + step) *
                              layout.activationTile);
  }

  __device__ __forceinline__ PerRow rowValues(int offset, int index) const {
    const float *values = reinterpret_cast<const float *>(sharedBytes + offset) + index * tileRows;
    return {values[row], values[row + 8]};
  }

  __device__ __forceinline__ float2 columnValues(int offset, int index, int j) const {
    const float *values = reinterpret_cast<const float *>(sharedBytes + offset);
    return *reinterpret_cast<const float2 *>(values + index * S.columns + 8 * j + column);
  }

  /// Four int8 levels from the low, or the high, nibbles of a word.
  static __device__ __forceinline__ unsigned lowLevels(unsigned word) {
    if constexpr (S.source == Source::HighNibbles)
      return (word << 4) & 0xF0F0F0F0u;
    else if constexpr (S.source == Source::BiasedNibbles)
      return (((word & 0x0F0F0F0Fu) | 0x80808080u) - 0x08080808u) ^ 0x80808080u;
    else
      return word & 0x0F0F0F0Fu;
  }
  static __device__ __forceinline__ unsigned highLevels(unsigned word) {
    if constexpr (S.source == Source::HighNibbles)
      return word & 0xF0F0F0F0u;
    else
      return lowLevels(word >> 4);
  }

  /// The A operand of one product: registers, or a tile in shared memory.
  struct Weights {
    unsigned fragment[4];
    uint64_t tile;
  };

  __device__ __forceinline__ Weights load(int block, int limb, int step) const {
    const unsigned char *tile =
        sharedBytes + layout.weights +
        ((block % period * S.weightLimbs + limb) * S.blockSteps + step) * layout.weightTile;
    if constexpr (S.source == Source::Shared)
      return {.tile = tileDescriptor(tile)};
    if constexpr (S.source == Source::Bytes) {
      const uint4 v = reinterpret_cast<const uint4 *>(tile)[thread];
      return {.fragment = {v.x, v.y, v.z, v.w}};
    }
    const uint2 v = reinterpret_cast<const uint2 *>(tile)[thread];
    return {.fragment = {lowLevels(v.x), highLevels(v.x), lowLevels(v.y), highLevels(v.y)}};
  }

  /// d (+)= weights x activations of (block, limb, step).
  template <bool Accumulate>
  __device__ __forceinline__ void product(int (&into)[regs], const Weights &weights, int block,
                                          int limb, int step) const {
    const uint64_t b = activation(block, limb, step);
    if constexpr (S.source == Source::Shared)
      Product::template fromShared<Accumulate>(into, weights.tile, b);
    else
      Product::template fromRegisters<Accumulate>(into, weights.fragment, b);
  }

  /// Makes room for the low limb. With Magic the result is the bits of a float.
  static __device__ __forceinline__ void shift(int (&d)[regs]) {
#pragma unroll
    for (int i = 0; i < regs; ++i)
      d[i] = S.convert == Convert::Magic ? d[i] * 128 + magicBits : d[i] << 7;
  }

  static __device__ __forceinline__ float toFloat(int s) {
    return S.convert == Convert::Magic ? __fsub_rn(__int_as_float(s), magic) : __int2float_rn(s);
  }

  // Groups of 32 (Float32 and Multiply32): first() starts everything that needs no wait, second()
  // what must follow it.
  __device__ __forceinline__ void first(int (&d)[S.accumulators()][regs], const Weights &weights,
                                        int block, int g) {
    productFence();
#pragma unroll
    for (int a = 0; a < S.accumulators(); ++a) {
      pin(d[a]);
      product<false>(d[a], weights, block, a, g);
    }
    productCommit();
  }
  __device__ __forceinline__ void second(int (&d)[S.accumulators()][regs], const Weights &weights,
                                         int block, int g) {
    if constexpr (S.limbs == Limbs::InPlace) {
      productWait<0>();
      pin(d[0]);
      shift(d[0]);
      productFence();
      pin(d[0]);
      product<true>(d[0], weights, block, 1, g);
      productCommit();
    }
  }

  /// The sum of group g, both limbs, in integers.
  static __device__ __forceinline__ int whole(const int (&d)[S.accumulators()][regs], int i) {
    if constexpr (S.limbs == Limbs::Combined)
      return (d[0][i] << 7) + d[1][i];
    else
      return d[0][i];
  }

  /// Uses the sums of group g.
  template <bool First>
  __device__ __forceinline__ void consume(int (&d)[S.accumulators()][regs], int block, int g) {
#pragma unroll
    for (int a = 0; a < S.accumulators(); ++a)
      pin(d[a]);
    const PerRow scale = rowValues(layout.groupScale, block % period * S.blockSteps + g);
#pragma unroll
    for (int i = 0; i < regs; ++i) {
      if constexpr (S.scaling == Scaling::Float32) {
        float f;
        if constexpr (S.limbs == Limbs::Apart)
          f = __fmaf_rn(128.0f, __int2float_rn(d[0][i]), __int2float_rn(d[1][i]));
        else
          f = toFloat(whole(d, i));
        t[i] = First ? __fmul_rn(f, scale.at(i)) : __fmaf_rn(f, scale.at(i), t[i]);
      } else {
        const int sub = __float_as_int(scale.at(i));
        if constexpr (S.limbs == Limbs::Apart) {
#pragma unroll
          for (int a = 0; a < 2; ++a)
            run[a][i] = First ? d[a][i] * sub : run[a][i] + d[a][i] * sub;
        } else {
          run[0][i] = First ? whole(d, i) * sub : run[0][i] + whole(d, i) * sub;
        }
      }
    }
  }

  /// The exact integer M of every output, on the tensor cores: one product a limb of the sums.
  __device__ __forceinline__ void minimumSums(int (&m)[regs], int block) {
    const uint64_t a =
        tileDescriptor(sharedBytes + layout.minTile + block % period * tileRows * 32);
#pragma unroll
    for (int limb = 0; limb < S.sumLimbs(); ++limb) {
      const uint64_t b =
          tileDescriptor(sharedBytes + layout.sumTile +
                         (block % period * S.sumLimbs() + limb) * layout.activationTile);
      productFence();
      pin(m);
      if (limb == 0)
        Product::template fromShared<false>(m, a, b);
      else
        Product::template fromShared<true>(m, a, b);
      productCommit();
      productWait<0>();
      pin(m);
      if (limb + 1 < S.sumLimbs())
#pragma unroll
        for (int i = 0; i < regs; ++i)
          m[i] <<= 7;
    }
  }

  /// RN(M) of every output by fp16 products: M = 512 * M_h + M_l, each exact in fp32.
  __device__ __forceinline__ void minimumHalves(int (&spare)[regs], int block) {
    const uint64_t a =
        tileDescriptor(sharedBytes + layout.minTile + block % period * tileRows * 32);
    float m[S.sumTiles()][regs];
#pragma unroll
    for (int i = 0; i < regs; ++i)
      m[0][i] = __int_as_float(spare[i]);
    productFence();
#pragma unroll
    for (int tile = 0; tile < S.sumTiles(); ++tile) {
      pin(m[tile]);
      Product::halves(
          m[tile], a,
          tileDescriptor(sharedBytes + layout.sumTile +
                         (block % period * S.sumTiles() + tile) * layout.activationTile));
    }
    productCommit();
    productWait<0>();
#pragma unroll
    for (int tile = 0; tile < S.sumTiles(); ++tile)
      pin(m[tile]);
#pragma unroll
    for (int i = 0; i < regs; ++i)
      spare[i] = __float_as_int(
          S.sumTiles() == 1 ? m[0][i] : __fmaf_rn(512.0f, m[0][i], m[S.sumTiles() - 1][i]));
  }

  /// End of an activation block: t from the integer run, minimums, acc = fma(t, d_a, acc).
  /// `spare` is an accumulator that nobody needs any more.
  __device__ __forceinline__ void endBlock(const int (&high)[regs], const int (&low)[regs],
                                           int (&spare)[regs], int block) {
    if constexpr (S.scaling != Scaling::Float32) {
      const PerRow scale = rowValues(layout.rowScale, block % period);
#pragma unroll
      for (int i = 0; i < regs; ++i) {
        float f = __int2float_rn(high[i]);
        if constexpr (S.limbs == Limbs::Apart)
          f = __fmaf_rn(128.0f, f, __int2float_rn(low[i]));
        t[i] = __fmul_rn(f, scale.at(i));
      }
    }
    if constexpr (S.integerMinimum()) {
      constexpr bool half = S.minimum == Minimum::Half;
      if constexpr (half)
        minimumHalves(spare, block);
      else
        minimumSums(spare, block);
      const PerRow scale = rowValues(layout.minScale, block % period);
#pragma unroll
      for (int i = 0; i < regs; ++i) {
        const float m = half ? __int_as_float(spare[i]) : __int2float_rn(spare[i]);
        t[i] = __fmaf_rn(-m, scale.at(i), t[i]);
      }
    }
    if constexpr (S.minimum == Minimum::Float) {
#pragma unroll
      for (int g = 0; g < S.blockSteps; ++g) {
        const int index = block % period * S.blockSteps + g;
        const PerRow minimum = rowValues(layout.groupMin, index);
#pragma unroll
        for (int j = 0; j < regs / 4; ++j) {
          const float2 sum = columnValues(layout.groupSum, index, j);
#pragma unroll
          for (int c = 0; c < 4; ++c)
            t[4 * j + c] = __fmaf_rn((c & 1) ? sum.y : sum.x, minimum.at(c), t[4 * j + c]);
        }
      }
    }
#pragma unroll
    for (int j = 0; j < regs / 4; ++j) {
      const float2 scale = columnValues(layout.columnScale, block % period, j);
#pragma unroll
      for (int c = 0; c < 4; ++c)
        acc[4 * j + c] = __fmaf_rn(t[4 * j + c], (c & 1) ? scale.y : scale.x, acc[4 * j + c]);
    }
  }

  /// A block in groups of 32. Nothing is in flight at its start and end: the assembler serializes
  /// products whose accumulators are read while others are in flight around a loop's back edge.
  __device__ __forceinline__ void groupedBlock(int block) {
    Weights weights = load(block, 0, 0);
    if constexpr (S.depth == 2) {
      first(d[0], weights, block, 0);
      second(d[0], weights, block, 0);
    }
#pragma unroll
    for (int g = 0; g < S.blockSteps; ++g) {
      auto &now = d[g % S.depth];
      const bool more = g + 1 < S.blockSteps;
      if (S.depth == 1) {
        first(now, weights, block, g);
        second(now, weights, block, g);
      }
      if (more)
        weights = load(block, 0, g + 1);
      if (S.depth == 2 && more) {
        first(d[(g + 1) % S.depth], weights, block, g + 1);
        productWait<1>();
      } else {
        productWait<0>();
      }
      g == 0 ? consume<true>(now, block, g) : consume<false>(now, block, g);
      if (S.depth == 2 && more)
        second(d[(g + 1) % S.depth], weights, block, g + 1);
    }
    endBlock(run[0], run[sizeof(run) / sizeof(run[0]) - 1], d[0][0], block);
  }

  /// Stage `Stage` of a folded block: the products of weight 128^(Stages - 1 - Stage).
  template <int Stage>
  __device__ __forceinline__ void foldedStage(int (&d)[S.accumulators()][regs], int block) {
    productFence();
#pragma unroll
    for (int a = 0; a < S.accumulators(); ++a)
      pin(d[a]);
#pragma unroll
    for (int step = 0; step < S.blockSteps; ++step) {
      if constexpr (S.limbs == Limbs::InPlace) {
#pragma unroll
        for (int w = 0; w < S.weightLimbs; ++w) {
          const int limb = Stage - w;
          if (limb < 0 || limb > 1)
            continue;
          const Weights weights = load(block, w, step);
          if (Stage == 0 && step == 0)
            product<false>(d[0], weights, block, limb, step);
          else
            product<true>(d[0], weights, block, limb, step);
        }
      } else {
        const Weights weights = load(block, Stage, step);
#pragma unroll
        for (int a = 0; a < S.accumulators(); ++a) {
          if (Stage == 0 && step == 0)
            product<false>(d[a], weights, block, a, step);
          else
            product<true>(d[a], weights, block, a, step);
        }
      }
    }
    productCommit();
  }
  static constexpr int stages = S.limbs == Limbs::InPlace ? S.weightLimbs + 1 : S.weightLimbs;

  template <int Stage = 1>
  __device__ __forceinline__ void laterStages(int (&d)[S.accumulators()][regs], int block) {
    if constexpr (Stage < stages) {
      productWait<0>();
#pragma unroll
      for (int a = 0; a < S.accumulators(); ++a) {
        pin(d[a]);
        shift(d[a]);
      }
      foldedStage<Stage>(d, block);
      laterStages<Stage + 1>(d, block);
    }
  }

  __device__ __forceinline__ void foldedEnd(int (&d)[S.accumulators()][regs], int block) {
#pragma unroll
    for (int a = 0; a < S.accumulators(); ++a)
      pin(d[a]);
    endBlock(d[0], d[S.accumulators() - 1], d[0], block);
  }

  /// Two blocks whose weights carry their sub-scales.
  __device__ __forceinline__ void foldedPair(int block) {
    if constexpr (S.depth == 2) {
      foldedStage<0>(d[0], block);
      laterStages(d[0], block);
      foldedStage<0>(d[1], block + 1);
      productWait<1>();
      foldedEnd(d[0], block);
      laterStages(d[1], block + 1);
      productWait<0>();
      foldedEnd(d[1], block + 1);
    } else {
#pragma unroll 1
      for (int b = 0; b < 2; ++b) {
        foldedStage<0>(d[0], block + b);
        laterStages(d[0], block + b);
        productWait<0>();
        foldedEnd(d[0], block + b);
      }
    }
  }

public:
  /// Blocks must be a multiple of the chunk's, and even. Writes out[i * 128 + thread].
  __device__ __forceinline__ void execute(int blocks, float *out) {
    constexpr bool chunked = S.chunkBlocks != 0;
    constexpr bool shared = S.total == TotalHome::Shared;
    const int chunkBlocks = chunked ? S.chunkBlocks : blocks;
    // -0.0 + x is x for every x: the first chunk's sum starts the total.
    float total[chunked && !shared ? regs : 1];
    float4 *sharedTotal = reinterpret_cast<float4 *>(sharedBytes + layout.totals) +
                          threadIdx.x / groupThreads * (regs / 4) * groupThreads + thread;
    if constexpr (chunked && shared)
      for (int j = 0; j < regs / 4; ++j)
        sharedTotal[j * groupThreads] = make_float4(-0.0f, -0.0f, -0.0f, -0.0f);
    if constexpr (chunked && !shared)
      for (float &x : total)
        x = -0.0f;

#pragma unroll 1
    for (int block = 0; block < blocks;) {
#pragma unroll
      for (float &x : acc)
        x = 0.0f;
#pragma unroll 1
      for (const int end = block + chunkBlocks; block < end;) {
        if constexpr (S.scaling == Scaling::Folded) {
          foldedPair(block);
          block += 2;
        } else {
          groupedBlock(block);
          ++block;
        }
      }
      if constexpr (chunked && shared) {
#pragma unroll
        for (int j = 0; j < regs / 4; ++j) {
          float4 sum = sharedTotal[j * groupThreads];
          sum.x = __fadd_rn(sum.x, acc[4 * j]);
          sum.y = __fadd_rn(sum.y, acc[4 * j + 1]);
          sum.z = __fadd_rn(sum.z, acc[4 * j + 2]);
          sum.w = __fadd_rn(sum.w, acc[4 * j + 3]);
          sharedTotal[j * groupThreads] = sum;
        }
      }
      if constexpr (chunked && !shared)
#pragma unroll
        for (int i = 0; i < regs; ++i)
          total[i] = __fadd_rn(total[i], acc[i]);
    }
#pragma unroll
    for (int i = 0; i < regs; ++i) {
      float value = acc[i];
      if constexpr (chunked && shared)
        value = reinterpret_cast<const float *>(sharedTotal + i / 4 * groupThreads)[i % 4];
      if constexpr (chunked && !shared)
        value = total[i];
      out[i * groupThreads + thread] = value;
    }
  }
};

/// Copies the operands' image to shared memory and runs every warpgroup's loop on it.
/// `out`: [block][warpgroup][Columns / 2][128].
template <Shape S>
__global__ void __launch_bounds__(S.threads(), 1)
    exactLoop(const uint4 *image, float *out, int blocks) {
  constexpr Layout layout = layoutOf(S);
  for (int i = threadIdx.x; i < layout.totals / 16; i += S.threads())
    reinterpret_cast<uint4 *>(sharedBytes)[i] = image[i];
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  TileLoop<S> loop;
  const int group = blockIdx.x * S.warpgroups + threadIdx.x / groupThreads;
  loop.execute(blocks, out + size_t(group) * tileRows * S.columns);
}

/// The tensor cores alone: products of 32, four to a commit, into one accumulator.
constexpr int rawSteps = 4;
template <int Columns, int Warpgroups, Source From>
__global__ void __launch_bounds__(Warpgroups *groupThreads, 1)
    rawProducts(const uint4 *image, int *out, int blocks) {
  constexpr int bytes = rawSteps * (tileRows + Columns) * 32;
  for (int i = threadIdx.x; i < bytes / 16; i += blockDim.x)
    reinterpret_cast<uint4 *>(sharedBytes)[i] = image[i];
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  int d[Columns / 2] = {};
  const uint4 v = image[threadIdx.x];
  const unsigned a[4] = {v.x, v.y, v.z, v.w};
#pragma unroll 1
  for (int block = 0; block < blocks; ++block) {
    productFence();
    pin(d);
#pragma unroll
    for (int step = 0; step < rawSteps; ++step) {
      const uint64_t b =
          tileDescriptor(sharedBytes + rawSteps * tileRows * 32 + step * Columns * 32);
      if constexpr (From == Source::Shared)
        Wgmma<Columns>::template fromShared<true>(
            d, tileDescriptor(sharedBytes + step * tileRows * 32), b);
      else
        Wgmma<Columns>::template fromRegisters<true>(d, a, b);
    }
    productCommit();
    productWait<0>();
    pin(d);
  }
#pragma unroll
  for (int i = 0; i < Columns / 2; ++i)
    out[(size_t(blockIdx.x) * Columns / 2 + i) * blockDim.x + threadIdx.x] = d[i];
}
