// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The grouped product of Q4_K weights and int16 activations for sm_90a, persistent and
// warp-specialised: one thread copies, consumer warpgroups decode 64 rows of their own into
// registers and multiply them by the tokens that all share.
//
// A product is of one group, 32 elements of K, with levels as they are: sub-scales come behind it,
// so that there are two products instead of four. Both limbs of a token are neighbouring columns of
// B, and lie in one thread. The minimums are one product more, in fp16, of the digits of the
// tokens' sums: sums of integers below 2^24 are exact.
#pragma once
#include "hardware.cuh"
#include "layout.cuh"
#include <cuda_fp16.h>

/// A kernel has Consumers warpgroups that multiply, of 64 weight rows each, and tiles of at most
/// Most tokens. Registers: at most what a block is launched with, or setmaxnreg waits for ever.
template <int Consumers, int Most> struct Shape {
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
  Item item[2], following;
};
static_assert(sizeof(Head) <= 1024);

struct ProductArguments {
  const uint8_t *weights, *images;
  const Item *items; ///< each expert's tiles, those of the same weights together; then one with -1
  const int *itemCount;
  int *nextItem;    ///< 2 * gridDim.x at the start
  float *out;       ///< [sorted row][weight row]
  uint64_t *clocks; ///< cycles and nanoseconds of the first block
  int rows, k;      ///< of an expert; multiples of 256
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

/// One thread. The index after next and the item after this are looked up while this one is copied:
/// nothing waits for them before the next begins.
template <class S>
__device__ __forceinline__ void produce(const ProductArguments &p, Head &head, uint8_t *stages,
                                        int consumers, int most) {
  const int superBlocks = p.k / superElements, groups = p.rows / groupRows;
  Ring ring, itemRing;
  int next = blockIdx.x;
  const int last = *p.itemCount; // an item without an expert
  const auto look = [&] {
    hopper::copy16(hopper::sharedAddress(&head.following), p.items + min(next, last), true);
  };
  look();
  next += gridDim.x;
  while (true) {
    hopper::waitForCopies();
    const Item item = head.following;
    hopper::wait(&head.itemEmpty[itemRing.stage], itemRing.parity ^ 1);
    head.item[itemRing.stage] = item;
    hopper::arrive(&head.itemFull[itemRing.stage]);
    itemRing.advance<2>();
    if (item.expert < 0)
      return;
    look();
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
    }
  }
}

//===- Consumers ---------------------------------------------------------===//

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

/// The lane's scales of 4 N tokens.
template <int N, int Vector>
__device__ __forceinline__ void loadScales(float (&to)[N], const float *from) {
#pragma unroll
  for (int i = 0; i < N; i += Vector) {
    if constexpr (Vector == 4) {
      const float4 v = *reinterpret_cast<const float4 *>(from + 4 * i);
      to[i] = v.x, to[i + 1] = v.y, to[i + 2] = v.z, to[i + 3] = v.w;
    } else if constexpr (Vector == 2) {
      const float2 v = *reinterpret_cast<const float2 *>(from + 4 * i);
      to[i] = v.x, to[i + 1] = v.y;
    } else {
      to[i] = from[4 * i];
    }
  }
}

/// What a kernel leaves out, to see what it costs; outputs are wrong then.
enum class Without { Nothing, Scaling, Minimums };

/// Multiplies one tile of Width tokens. Its super-blocks have products [block][unit of tokens][four
/// groups, minimums]; two are under way, so that the sums of one are scaled while the next
/// multiplies. Where there are registers for it, that of the minimums is part of the fourth
/// group's.
template <int Consumers, int Most, Without Part, int Width>
__device__ __forceinline__ void consume(const ProductArguments &p, Head &head, uint8_t *base,
                                        const Item &item, Ring &ring) {
  using S = Shape<Consumers, Most>;
  constexpr int unitTokens = unitTokensOf(Consumers, Width), units = Width / unitTokens;
  constexpr int outputs = unitTokens / 4; // of a thread, row and unit
  constexpr int vector = scaleVector(Consumers, Width);
  constexpr bool apart = areMinimumsApart(Consumers, Width);
  constexpr int steps = apart ? 4 : 5; // of a unit
  const int thread = threadIdx.x % 128, lane = threadIdx.x % 32, q = lane % 4;
  const int warpgroup = threadIdx.x / 128;
  const int row = thread / 32 * 16 + lane / 4; // and 8 more
  float2 *totals = reinterpret_cast<float2 *>(base + S::totalsAt) + threadIdx.x;
  const int superBlocks = p.k / superElements;

  if (item.rowTile * Consumers + warpgroup >= p.rows / groupRows) { // past the matrix
#pragma unroll 1
    for (int super = 0; super < superBlocks; ++super) {
      hopper::wait(&head.full[ring.stage], ring.parity);
      hopper::arrive(&head.empty[ring.stage]);
      ring.advance<S::stages>();
    }
    return;
  }

  // Bytes 2 q and 2 q + 1 as halves, biased by 1024. Columns have zeros where q > 1.
  const unsigned pairOfBytes = q % 2 ? 0x4342 : 0x4140;
  float sum[units][outputs][2] = {};
#pragma unroll 1
  for (int super = 0; super < superBlocks; ++super) {
    hopper::wait(&head.full[ring.stage], ring.parity);
    const uint8_t *stage = base + S::stagesAt + ring.stage * S::stage;
    const auto *words = reinterpret_cast<const uint4 *>(stage + warpgroup * groupBytes) + thread;
    const auto *records =
        reinterpret_cast<const uint4 *>(stage + warpgroup * groupBytes + levelBytes) + row;
    const auto *tokenScales =
        reinterpret_cast<const float *>(stage + S::weights + Width * 576) + q * vector;
    // A reduction leaves these in uniform registers, where descriptors must be.
    const uint32_t limbs =
        __reduce_or_sync(~0u, hopper::operandAt(hopper::sharedAddress(stage) + S::weights));
    const uint32_t digits = __reduce_or_sync(
        ~0u, hopper::operandAt(hopper::sharedAddress(stage) + S::weights + Width * 512));

    uint4 packed[2];
    unsigned levels[4][4], minimums[4] = {}; // A's fragments
    int scales[2][4];
    float d[2], minusDmin[2];
    int sums[2][unitTokens], scaled[outputs][2];
    int ownOffsets[apart ? unitTokens : 1];

    const auto loadBlock = [&](int block) {
      packed[0] = words[block * 256];
      packed[1] = words[block * 256 + 128];
    };
    const auto unpackScales = [&](int block) {
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const uint4 record = records[8 * r];
        d[r] = halfToFloat(record.w & 0xFFFF);
        minusDmin[r] = -halfToFloat(record.w >> 16);
        const unsigned rest = record.z >> (2 * block);
        const unsigned all = (record.x >> (4 * block) & 0x0F0F0F0Fu) | (rest << 4 & 0x30303030u);
#pragma unroll
        for (int g = 0; g < 4; ++g)
          scales[r][g] = static_cast<int>(__byte_perm(all, 0, 0x4440 + g));
        const unsigned minimum = (record.y >> (4 * block) & 0x0F0F0F0Fu) | (rest & 0x30303030u);
        // The bits of 1024 + n are 0x6400 + n.
        const unsigned biased = __byte_perm(minimum, 0x64646464u, pairOfBytes);
        minimums[r] = halfBits(__hsub2(halves(biased), halves(0x64006400u)));
      }
    };
    const auto decode = [&](int g) {
      const unsigned first = g % 2 ? packed[g / 2].z : packed[g / 2].x;
      const unsigned second = g % 2 ? packed[g / 2].w : packed[g / 2].y;
      levels[g][0] = first & 0x0F0F0F0Fu;
      levels[g][1] = second & 0x0F0F0F0Fu;
      levels[g][2] = first >> 4 & 0x0F0F0F0Fu;
      levels[g][3] = second >> 4 & 0x0F0F0F0Fu;
    };
    constexpr int products = 2 * units * steps;
    const auto multiply = [&](int product) {
      const int block = product / (steps * units), unit = product / steps % units;
      const int g = product % steps, column = 2 * (block * Width + unit * unitTokens);
      using Product = Wgmma<2 * unitTokens>;
      if (g < 4 && unit == 0)
        decode(g);
      if (g == steps - 1 && unit == 0 && block == 0)
        loadBlock(1);
      hopper::productFence();
      if (g < 4)
        Product::template multiply<false, hopper::swizzledLines>(sums[product % 2], levels[g],
                                                                 limbs + column * 8 + 2 * g);
      if (g == steps - 1 && Part != Without::Minimums) {
        if constexpr (apart)
          Product::template multiplyHalves<hopper::narrowLines>(ownOffsets, minimums,
                                                                digits + column);
        else
          Product::template multiplyHalves<hopper::narrowLines>(sums[product % 2], minimums,
                                                                digits + column);
      }
      hopper::productCommit();
    };

    loadBlock(0);
    multiply(0);
#pragma unroll
    for (int product = 0; product < products; ++product) {
      const int block = product / (steps * units), unit = product / steps % units;
      const int g = product % steps;
      if (product + 1 < products)
        multiply(product + 1);
      float scale[outputs];
      if (g == steps - 1)
        loadScales<outputs, vector>(scale, tokenScales + block * Width + unit * unitTokens);
      if (g == 0 && unit == 0)
        unpackScales(block);
      if (product + 1 < products)
        hopper::productWait<1>();
      else
        hopper::productWait<0>();
      int (&of)[unitTokens] = sums[product % 2];
      hopper::pin(of);
      if (Part == Without::Scaling)
        continue;
      if (g < 4)
#pragma unroll
        for (int o = 0; o < outputs; ++o)
#pragma unroll
          for (int r = 0; r < 2; ++r)
            scaled[o][r] = (of[4 * o + 2 * r] * 128 + of[4 * o + 2 * r + 1]) * scales[r][g] +
                           (g == 0 ? 0 : scaled[o][r]);
      if (g == steps - 1) {
        if constexpr (apart)
          hopper::pin(ownOffsets);
#pragma unroll
        for (int o = 0; o < outputs; ++o)
#pragma unroll
          for (int r = 0; r < 2; ++r) {
            const int at = 4 * o + 2 * r;
            const float high = __int_as_float(apart ? ownOffsets[apart ? at : 0] : of[at]);
            const float low = __int_as_float(apart ? ownOffsets[apart ? at + 1 : 0] : of[at + 1]);
            float t = __fmul_rn(__int2float_rn(scaled[o][r]), d[r]);
            if (Part != Without::Minimums)
              t = __fmaf_rn(__fmaf_rn(512.0f, high, low), minusDmin[r], t);
            sum[unit][o][r] = __fmaf_rn(t, scale[o], sum[unit][o][r]);
          }
      }
    }
    hopper::arrive(&head.empty[ring.stage]);
    ring.advance<S::stages>();

    constexpr int superOfChunk = chunkElements / superElements;
    const bool isLast = super + 1 == superBlocks;
    if ((super + 1) % superOfChunk == 0 || isLast) {
      float2 *flat = reinterpret_cast<float2 *>(sum);
      if (super >= superOfChunk) {
#pragma unroll
        for (int i = 0; i < Width / 4; ++i) {
          const float2 total = totals[i * Consumers * 128];
          flat[i] = {__fadd_rn(total.x, flat[i].x), __fadd_rn(total.y, flat[i].y)};
        }
      }
      if (!isLast) {
#pragma unroll
        for (int i = 0; i < Width / 4; ++i) {
          totals[i * Consumers * 128] = flat[i];
          flat[i] = {0.0f, 0.0f};
        }
      }
    }
  }
  float *out =
      p.out + int64_t{item.first} * p.rows + item.rowTile * S::rows + warpgroup * groupRows + row;
#pragma unroll
  for (int unit = 0; unit < units; ++unit)
#pragma unroll
    for (int o = 0; o < outputs; ++o) {
      const int token = unit * unitTokens + 4 * o + q;
      if (token < item.rows)
#pragma unroll
        for (int r = 0; r < 2; ++r)
          out[int64_t{token} * p.rows + 8 * r] = sum[unit][o][r];
    }
}

template <int Consumers, int Most, Without Part>
__global__ void __launch_bounds__(Shape<Consumers, Most>::threads, 1)
    product(const ProductArguments p) {
  using S = Shape<Consumers, Most>;
  extern __shared__ uint8_t shared[];
  uint8_t *base = shared + (1024 - hopper::sharedAddress(shared) % 1024) % 1024;
  Head &head = *reinterpret_cast<Head *>(base);
  if (threadIdx.x == 0) {
    for (int i = 0; i < S::stages; ++i) {
      hopper::initBarrier(&head.full[i], 1);
      hopper::initBarrier(&head.empty[i], Consumers * 128);
    }
    for (int i = 0; i < 2; ++i) {
      hopper::initBarrier(&head.itemFull[i], 1);
      hopper::initBarrier(&head.itemEmpty[i], Consumers * 128);
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
      hopper::arrive(&head.itemEmpty[itemRing.stage]);
      itemRing.advance<2>();
      if (item.expert < 0)
        return;
      const int width = widthFor(item.rows, Most);
      if (width == 4)
        consume<Consumers, Most, Part, 4>(p, head, base, item, ring);
      else if (width == 8)
        consume<Consumers, Most, Part, 8>(p, head, base, item, ring);
      else if (width == 12)
        consume<Consumers, Most, Part, 12>(p, head, base, item, ring);
      else if (width == 16)
        consume<Consumers, Most, Part, 16>(p, head, base, item, ring);
      if constexpr (Most > 16) {
        if (width == 24)
          consume<Consumers, Most, Part, 24>(p, head, base, item, ring);
        else if (width == 32)
          consume<Consumers, Most, Part, 32>(p, head, base, item, ring);
      }
      if constexpr (Most > 32)
        if (width == 48)
          consume<Consumers, Most, Part, 48>(p, head, base, item, ring);
      if constexpr (Most > 48)
        if (width == 64)
          consume<Consumers, Most, Part, 64>(p, head, base, item, ring);
      if constexpr (Most > 64)
        if (width == 72)
          consume<Consumers, Most, Part, 72>(p, head, base, item, ring);
    }
  }
}
