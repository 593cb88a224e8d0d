// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The grouped product of Q4_K weights and int16 activations for sm_90a, persistent and
// warp-specialised: one thread copies, consumer warpgroups decode 64 rows of their own
// into registers and multiply them by the tokens that all share.
//
// One wgmma has everything that an exact sum needs. A sub-scale is 16 s1 + s0, and level * s1 and
// level * s0 are bytes: rows i and i + 8 of a warp's A are the two of one weight row. Both limbs of a
// token are two neighbouring columns of B. So the four partial sums of an output lie in one thread,
// and after 128 elements of K three instructions join them; no accumulator is shifted between
// products. The minimums are one product more, in fp16, of the digits of the tokens' sums: rows i and
// i + 8 there take the high and the low ones, and sums of integers below 2^24 are exact.
#pragma once
#include "hardware.cuh"
#include "layout.cuh"
#include <cuda_fp16.h>

/// A kernel has Consumers warpgroups that multiply, of 64 weight rows each, tiles of at most Most
/// tokens, and Depth steps under way in a warpgroup. Registers: at most what a block is launched
/// with, which is 504, 512 or 480 a thread of each warpgroup.
template <int Consumers, int Most, int Depth> struct Shape {
  static constexpr int rows = Consumers * groupRows; ///< a matrix may end within a tile
  static constexpr int threads = (Consumers + 1) * 128;
  static constexpr int producerRegisters = 32;
  static constexpr int consumerRegisters = Consumers == 2 ? 232 : Consumers == 3 ? 160 : 112;
  static_assert(Consumers * consumerRegisters + producerRegisters <=
                (Consumers + 1) * (65536 / threads / 8 * 8));

  // Shared memory.
  static constexpr int weights = Consumers * groupBytes;
  static constexpr int stage = (weights + Most * imageBytes + 1023) / 1024 * 1024;
  static constexpr int totals = Consumers * 128 * Most / 2 * 4;
  static constexpr int head = 1024; ///< barriers and items
  static constexpr int limit = 227 * 1024;
  static constexpr int fitting = (limit - 1024 - head - totals) / stage;
  static constexpr int stages = fitting < 8 ? fitting : 8;
  static constexpr int totalsAt = head, stagesAt = head + totals;
  static constexpr int bytes = 1024 + stagesAt + stages * stage; ///< 1024: to align it
};

struct Head {
  uint64_t full[8], empty[8], itemFull[2], itemEmpty[2];
  Item item[2];
};
static_assert(sizeof(Head) <= 1024);

struct ProductArguments {
  const uint8_t *weights, *images;
  const Item *items; ///< each expert's tiles, those of the same weights together
  const int *itemCount;
  int *nextItem; ///< gridDim.x at the start
  float *out;    ///< [sorted row][weight row]
  uint64_t *clocks; ///< cycles and nanoseconds of the first block
  int rows, k;   ///< of an expert; multiples of 256
};

struct Ring {
  int stage = 0;
  uint32_t parity = 0;
  template <int Stages> __device__ __forceinline__ void advance() {
    if (++stage == Stages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

//===- Producers ---------------------------------------------------------===//

/// One thread. The item that follows is looked up while this one is copied.
template <class S>
__device__ __forceinline__ void produce(const ProductArguments &p, Head &head, uint8_t *stages,
                                        int consumers, int most) {
  const int superBlocks = p.k / superElements;
  const int groups = p.rows / groupRows, itemCount = *p.itemCount;
  Ring ring, itemRing;
  int next = blockIdx.x;
  const Item none{-1, 0, 0, 0, 0};
  Item item = next < itemCount ? p.items[next] : none;
  while (true) {
    hopper::wait(&head.itemEmpty[itemRing.stage], itemRing.parity ^ 1);
    head.item[itemRing.stage] = item;
    hopper::arrive(&head.itemFull[itemRing.stage]);
    itemRing.advance<2>();
    if (item.expert < 0)
      return;
    next = atomicAdd(p.nextItem, 1);
    const int imageSize = widthFor(item.rows, most) * imageBytes;
    const uint8_t *image = p.images + int64_t{item.image} * superBlocks * imageBytes;
    const int group = item.rowTile * consumers, count = min(consumers, groups - group);
    const uint8_t *weights =
        p.weights + (int64_t{item.expert} * groups + group) * superBlocks * groupBytes;
#pragma unroll 1
    for (int super = 0; super < superBlocks; ++super) {
      uint64_t *full = &head.full[ring.stage];
      hopper::wait(&head.empty[ring.stage], ring.parity ^ 1);
      uint8_t *stage = stages + ring.stage * S::stage;
      hopper::arriveExpecting(full, count * groupBytes + imageSize);
#pragma unroll 1
      for (int c = 0; c < count; ++c)
        hopper::copyBulk(stage + c * groupBytes,
                         weights + (int64_t{c} * superBlocks + super) * groupBytes, groupBytes,
                         full);
      hopper::copyBulk(stage + S::weights, image, imageSize, full);
      image += imageSize;
      ring.advance<S::stages>();
      if (super == 0)
        item = next < itemCount ? p.items[next] : none;
    }
  }
}

//===- Consumers ---------------------------------------------------------===//

/// A's fragments of 32 rows and 128 elements, and what their sums are scaled by.
struct Fragments {
  unsigned levels[4][4], minimums[4];
  float d, minusDmin;
};

__device__ __forceinline__ float halfToFloat(unsigned bits) {
  return __half2float(__ushort_as_half(static_cast<unsigned short>(bits)));
}

__device__ __forceinline__ __half2 halves(unsigned bits) {
  return __halves2half2(__ushort_as_half(static_cast<unsigned short>(bits)),
                        __ushort_as_half(static_cast<unsigned short>(bits >> 16)));
}
__device__ __forceinline__ unsigned halfBits(__half2 h) {
  return __half_as_ushort(__low2half(h)) | unsigned{__half_as_ushort(__high2half(h))} << 16;
}

/// `group`: the lane's, of four.
__device__ __forceinline__ void decode(Fragments &f, uint4 words, uint4 scales, int block,
                                       int group) {
  const unsigned rest = scales.z >> (8 * group + 2 * block);
  const unsigned scale0 = scales.x >> (8 * group + 4 * block) & 15, scale1 = rest & 3;
  const unsigned minimum = (scales.y >> (8 * group + 4 * block) & 15) | (rest & 0x30);
  const unsigned word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    const unsigned first = word[step] & 0x0F0F0F0Fu, second = word[step] >> 4 & 0x0F0F0F0Fu;
    f.levels[step][0] = first * scale1;
    f.levels[step][1] = first * scale0;
    f.levels[step][2] = second * scale1;
    f.levels[step][3] = second * scale0;
  }
  // The bits of 1024 + n are 0x6400 + n.
  f.minimums[0] = halfBits(__hsub2(halves(minimum | 0x6400), halves(0x6400)));
  f.minimums[1] = f.minimums[0] << 16;
  f.minimums[2] = f.minimums[3] = 0;
  f.d = halfToFloat(scales.w & 0xFFFF);
  f.minusDmin = -halfToFloat(scales.w >> 16);
}

/// Keeps the compiler from decoding later than here.
__device__ __forceinline__ void pinFragments(Fragments &f) {
#pragma unroll
  for (int i = 0; i < 4; ++i)
    asm volatile(""
                 : "+r"(f.levels[i][0]), "+r"(f.levels[i][1]), "+r"(f.levels[i][2]),
                   "+r"(f.levels[i][3]));
}

/// The lane's scales of 4 N tokens.
template <int N, int Vector>
__device__ __forceinline__ void loadScales(float (&to)[N], const float *from) {
#pragma unroll
  for (int i = 0; i < N; i += Vector) {
    if constexpr (Vector == 4) {
      const float4 v = *reinterpret_cast<const float4 *>(from + 4 * i);
      to[i] = v.x, to[i + 1] = v.y, to[i + 2] = v.z, to[i + 3] = v.w;
    } else {
      const float2 v = *reinterpret_cast<const float2 *>(from + 4 * i);
      to[i] = v.x, to[i + 1] = v.y;
    }
  }
}

/// Multiplies one tile of Width tokens, some of them at a time. A super-block has a part for
/// each block and subtile of 32 rows, and a part has a step for each of these units. Two steps are under way, so
/// that one is scaled while the next multiplies (or one, if Depth is 1), and a part is decoded while
/// the one before multiplies.
template <int Consumers, int Most, int Depth, int Width>
__device__ __forceinline__ void consume(const ProductArguments &p, Head &head, uint8_t *base,
                                        const Item &item, Ring &ring) {
  using S = Shape<Consumers, Most, Depth>;
  constexpr int unitTokens = stepTokens(Consumers, Depth, Width), units = Width / unitTokens;
  constexpr int outputs = unitTokens / 4; // of a thread and step
  constexpr int vector = scaleVector(Consumers, Depth, Width);
  const int thread = threadIdx.x % 128, lane = threadIdx.x % 32, q = lane % 4;
  const int warpgroup = threadIdx.x / 128;
  const int row = thread / 32 * 8 + lane / 4; // in a subtile
  float4 *totals = reinterpret_cast<float4 *>(base + S::totalsAt) + threadIdx.x;
  const int superBlocks = p.k / superElements;

  if (item.rowTile * Consumers + warpgroup >= p.rows / groupRows) { // past the matrix
#pragma unroll 1
    for (int super = 0; super < superBlocks; ++super) {
      hopper::wait(&head.full[ring.stage], ring.parity);
      if (lane == 0)
        hopper::arrive(&head.empty[ring.stage]);
      ring.advance<S::stages>();
    }
    return;
  }

  float sum[2][units][outputs] = {};
#pragma unroll 1
  for (int super = 0; super < superBlocks; ++super) {
    hopper::wait(&head.full[ring.stage], ring.parity);
    const uint8_t *stage = base + S::stagesAt + ring.stage * S::stage;
    const auto *words =
        reinterpret_cast<const uint4 *>(stage + warpgroup * groupBytes) + thread;
    const auto *scales =
        reinterpret_cast<const uint4 *>(stage + warpgroup * groupBytes + levelBytes) + row;
    const auto *tokenScales = reinterpret_cast<const float *>(stage + S::weights + Width * 544) + q * vector;
    // A reduction leaves these in uniform registers, where descriptors must be.
    const uint32_t limbs = __reduce_or_sync(
        ~0u, hopper::operandAt(hopper::sharedAddress(stage) + S::weights));
    const uint32_t digits = __reduce_or_sync(
        ~0u, hopper::operandAt(hopper::sharedAddress(stage) + S::weights + Width * 512));
    Fragments fragments[2];
    int d[Depth][unitTokens];
    float m[Depth][unitTokens / 2];
    uint4 packed[2]; // levels and scales of the part that is decoded next
    const auto loadPart = [&](int part) {
      packed[0] = words[part * 128];
      packed[1] = scales[part % 2 * 32];
    };
    const auto decodePart = [&](int part) {
      decode(fragments[part % 2], packed[0], packed[1], part / 2, q);
      pinFragments(fragments[part % 2]);
    };
    const auto multiply = [&](int step) {
      const int part = step / units, unit = step % units, block = part / 2;
      const Fragments &f = fragments[part % 2];
      const uint32_t b = limbs + (block * Width + unit * unitTokens) * (256 / 16);
      using Limbs = Wgmma<2 * unitTokens>;
      hopper::productFence();
      Limbs::template multiply<false, hopper::swizzledLines>(d[step % Depth], f.levels[0], b);
      Limbs::template multiply<true, hopper::swizzledLines>(d[step % Depth], f.levels[1], b + 2);
      Limbs::template multiply<true, hopper::swizzledLines>(d[step % Depth], f.levels[2], b + 4);
      Limbs::template multiply<true, hopper::swizzledLines>(d[step % Depth], f.levels[3], b + 6);
      Wgmma<unitTokens>::template multiplyHalves<hopper::narrowLines>(
          m[step % Depth], f.minimums, digits + block * Width + unit * unitTokens);
      hopper::productCommit();
    };
    constexpr int steps = 4 * units;
    loadPart(0);
    decodePart(0);
    if (Depth == 2)
      multiply(0);
#pragma unroll
    for (int step = 0; step < steps; ++step) {
      const int part = step / units, unit = step % units, block = part / 2;
      const bool decodes = unit == 0 && part < 3;
      const int ahead = step + Depth - 1;
      const bool decodesFirst = ahead / units > part; // the step ahead needs it
      if (decodes)
        loadPart(part + 1);
      float scale[outputs];
      loadScales<outputs, vector>(scale, tokenScales + block * Width + unit * unitTokens);
      if (decodes && decodesFirst)
        decodePart(part + 1);
      if (ahead < steps)
        multiply(ahead);
      if (decodes && !decodesFirst)
        decodePart(part + 1);
      if (ahead < steps && Depth == 2)
        hopper::productWait<1>();
      else
        hopper::productWait<0>();
      int(&sums)[unitTokens] = d[step % Depth];
      float(&minimums)[unitTokens / 2] = m[step % Depth];
      hopper::pin(sums);
      hopper::pin(minimums);
      const Fragments &f = fragments[part % 2];
#pragma unroll
      for (int o = 0; o < outputs; ++o) {
        const int upper = sums[4 * o] * 128 + sums[4 * o + 1];
        const int lower = sums[4 * o + 2] * 128 + sums[4 * o + 3];
        const int at = o / 2 * 4 + o % 2;
        const float minimum = __fmaf_rn(512.0f, minimums[at], minimums[at + 2]);
        float t = __fmul_rn(__int2float_rn(upper * 16 + lower), f.d);
        t = __fmaf_rn(minimum, f.minusDmin, t);
        float &acc = sum[part % 2][unit][o];
        acc = __fmaf_rn(t, scale[o], acc);
      }
    }
    __syncwarp();
    if (lane == 0)
      hopper::arrive(&head.empty[ring.stage]);
    ring.advance<S::stages>();

    constexpr int superOfChunk = chunkElements / superElements;
    const bool isLast = super + 1 == superBlocks;
    if ((super + 1) % superOfChunk == 0 || isLast) {
      float *flat = &sum[0][0][0];
      if (super >= superOfChunk) {
#pragma unroll
        for (int i = 0; i < Width / 8; ++i) {
          const float4 total = totals[i * Consumers * 128];
          flat[4 * i] = __fadd_rn(total.x, flat[4 * i]);
          flat[4 * i + 1] = __fadd_rn(total.y, flat[4 * i + 1]);
          flat[4 * i + 2] = __fadd_rn(total.z, flat[4 * i + 2]);
          flat[4 * i + 3] = __fadd_rn(total.w, flat[4 * i + 3]);
        }
      }
      if (!isLast) {
#pragma unroll
        for (int i = 0; i < Width / 8; ++i) {
          totals[i * Consumers * 128] =
              make_float4(flat[4 * i], flat[4 * i + 1], flat[4 * i + 2], flat[4 * i + 3]);
          flat[4 * i] = flat[4 * i + 1] = flat[4 * i + 2] = flat[4 * i + 3] = 0.0f;
        }
      }
    }
  }
  float *out = p.out + int64_t{item.first} * p.rows + item.rowTile * S::rows +
               warpgroup * groupRows + row;
#pragma unroll
  for (int subtile = 0; subtile < 2; ++subtile)
#pragma unroll
    for (int unit = 0; unit < units; ++unit)
#pragma unroll
      for (int o = 0; o < outputs; ++o) {
        const int token = unit * unitTokens + 4 * o + q;
        if (token < item.rows)
          out[int64_t{token} * p.rows + subtile * 32] = sum[subtile][unit][o];
      }
}

template <int Consumers, int Most, int Depth>
__global__ void __launch_bounds__(Shape<Consumers, Most, Depth>::threads, 1)
    product(const ProductArguments p) {
  using S = Shape<Consumers, Most, Depth>;
  extern __shared__ uint8_t shared[];
  uint8_t *base = shared + (1024 - hopper::sharedAddress(shared) % 1024) % 1024;
  Head &head = *reinterpret_cast<Head *>(base);
  if (threadIdx.x == 0) {
    for (int i = 0; i < S::stages; ++i) {
      hopper::initBarrier(&head.full[i], 1);
      hopper::initBarrier(&head.empty[i], Consumers * 4);
    }
    for (int i = 0; i < 2; ++i) {
      hopper::initBarrier(&head.itemFull[i], 1);
      hopper::initBarrier(&head.itemEmpty[i], Consumers * 4);
    }
    hopper::publishBarriers();
  }
  __syncthreads();
  const auto readClocks = [&](int64_t sign) {
    if (blockIdx.x != 0 || threadIdx.x != Consumers * 128)
      return;
    uint64_t nanoseconds;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(nanoseconds));
    p.clocks[0] += sign * clock64();
    p.clocks[1] += sign * nanoseconds;
  };
  readClocks(-1);
  if (threadIdx.x >= Consumers * 128) {
    hopper::giveRegisters<S::producerRegisters>();
    if (threadIdx.x == Consumers * 128)
      produce<S>(p, head, base + S::stagesAt, Consumers, Most);
    readClocks(1);
  } else {
    hopper::takeRegisters<S::consumerRegisters>();
    Ring ring, itemRing;
#pragma unroll 1
    while (true) {
      hopper::wait(&head.itemFull[itemRing.stage], itemRing.parity);
      const Item item = head.item[itemRing.stage];
      __syncwarp();
      if (threadIdx.x % 32 == 0)
        hopper::arrive(&head.itemEmpty[itemRing.stage]);
      itemRing.advance<2>();
      if (item.expert < 0)
        return;
      const int width = widthFor(item.rows, Most);
      if (width == 8)
        consume<Consumers, Most, Depth, 8>(p, head, base, item, ring);
      else if (width == 16)
        consume<Consumers, Most, Depth, 16>(p, head, base, item, ring);
      if constexpr (Most > 16) {
        if (width == 24)
          consume<Consumers, Most, Depth, 24>(p, head, base, item, ring);
        else if (width == 32)
          consume<Consumers, Most, Depth, 32>(p, head, base, item, ring);
      }
      if constexpr (Most > 32)
        if (width == 48)
          consume<Consumers, Most, Depth, 48>(p, head, base, item, ring);
      if constexpr (Most > 48)
        if (width == 64)
          consume<Consumers, Most, Depth, 64>(p, head, base, item, ring);
      if constexpr (Most > 64)
        if (width == 96)
          consume<Consumers, Most, Depth, 96>(p, head, base, item, ring);
    }
  }
}
