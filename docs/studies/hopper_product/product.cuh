// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The grouped product of Q4_K weights and int16 activations for sm_90a, persistent and
// warp-specialised: a producer warpgroup copies, consumer warpgroups decode 64 rows of their own
// into registers and multiply them by the tokens that all share.
//
// One wgmma has everything that an exact sum needs. A sub-scale is 16 s1 + s0, and level * s1 and
// level * s0 are bytes: rows i and i + 8 of a warp's A are the two of one weight row. Both limbs of a
// token are two neighbouring columns of B. So the four partial sums of an output lie in one thread,
// and after 128 elements of K three instructions join them; no accumulator is shifted between
// products. The minimums are one product more, of 32 elements: rows i and i + 8 there take the high
// and the low digit of a token's sums.
#pragma once
#include "hardware.cuh"
#include "layout.cuh"
#include <cuda_fp16.h>

constexpr int consumers = 4;                       ///< warpgroups
constexpr int tileRows = consumers * groupRows;    ///< 256 weight rows
constexpr int threads = (consumers + 1) * 128;     ///< of a block
constexpr int consumerRegisters = 120, producerRegisters = 32;

/// Shared memory of a kernel whose tiles have at most `Most` tokens.
template <int Most> struct Shared {
  static constexpr int weights = consumers * groupBytes;
  static constexpr int limbs = 2 * Most * 256, digits = 2 * Most * 16, scales = 2 * Most * 4;
  static constexpr int limbsAt = weights, digitsAt = limbsAt + limbs, scalesAt = digitsAt + digits;
  static constexpr int stage = (scalesAt + scales + 1023) / 1024 * 1024;
  static constexpr int totals = consumers * 128 * Most / 2 * 4;
  static constexpr int head = 1024; ///< barriers, items, rows of tokens
  static constexpr int limit = 227 * 1024;
  static constexpr int stages = (limit - 1024 - head - totals) / stage;
  static constexpr int totalsAt = head, stagesAt = head + totals;
  static constexpr int bytes = 1024 + stagesAt + stages * stage; ///< 1024: to align it
};

struct Head {
  uint64_t full[8], empty[8], itemFull[2], itemEmpty[2];
  Item item[2];
  int row[2][64];
};
static_assert(sizeof(Head) <= 1024);

struct ProductArguments {
  const uint8_t *weights;
  Activations activations;
  const int *rowOf;  ///< of a sorted row: its row of activations
  const Item *items; ///< each expert's tiles, those of the same weights together
  const int *itemCount;
  int *nextItem; ///< gridDim.x at the start
  float *out;    ///< [sorted row][weight row]
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

/// The item that follows is looked up while this one is copied.
template <int Most>
__device__ __forceinline__ void produce(const ProductArguments &p, Head &head, uint8_t *stages) {
  using S = Shared<Most>;
  const int thread = threadIdx.x % 128;
  const int superBlocks = p.k / superElements, blocks = p.k / blockElements;
  const int itemCount = *p.itemCount;
  const int line = thread / 8, unit = thread % 8; // of 16 lines a pass
  const int token = thread % 64, half = thread / 64;
  Ring ring, itemRing;
  int next = blockIdx.x;
  Item item, pending;
  int pendingRow = -1;
  const auto look = [&] {
    pending = next < itemCount ? p.items[next] : Item{-1, 0, 0, 0};
    next = atomicAdd(p.nextItem, 1);
  };
  const auto publish = [&] {
    if (thread == 0) {
      hopper::wait(&head.itemEmpty[itemRing.stage], itemRing.parity ^ 1);
      head.item[itemRing.stage] = pending;
      hopper::arrive(&head.itemFull[itemRing.stage]);
    }
    hopper::meet<1, 128>();
    item = head.item[itemRing.stage];
    pendingRow = thread < item.rows ? p.rowOf[item.first + thread] : -1;
  };
  if (thread == 0)
    look();
  publish();
#pragma unroll 1
  while (item.expert >= 0) {
    int *rowOf = head.row[itemRing.stage];
    itemRing.advance<2>();
    if (thread < Most)
      rowOf[thread] = pendingRow;
    hopper::meet<1, 128>();
    if (thread == 0)
      look();
    const int width = widthFor(item.rows, Most);
    const int row = token < Most ? rowOf[token] : -1;
    const uint8_t *weights =
        p.weights + (int64_t{item.expert} * (p.rows / groupRows) + item.rowTile * consumers) *
                        superBlocks * groupBytes;
#pragma unroll 1
    for (int super = 0; super < superBlocks; ++super) {
      uint64_t *full = &head.full[ring.stage];
      hopper::wait(&head.empty[ring.stage], ring.parity ^ 1);
      uint8_t *stage = stages + ring.stage * S::stage;
      if (thread == 0) {
        hopper::arriveExpecting(full, S::weights);
        for (int c = 0; c < consumers; ++c)
          hopper::copyBulk(stage + c * groupBytes,
                           weights + (int64_t{c} * superBlocks + super) * groupBytes, groupBytes,
                           full);
      }
      uint32_t to = hopper::sharedAddress(stage) + S::limbsAt + line * 128 + (unit ^ (line & 7)) * 16;
      const int8_t *from = p.activations.limbs + super * 512 + (line & 1) * 128 + unit * 16;
#pragma unroll 1
      for (int t = line / 2; t < width; t += 8) {
        const int r = rowOf[t];
        const int8_t *source = from + int64_t{r < 0 ? 0 : r} * p.k * 2;
        hopper::copy16(to, source, r >= 0);
        hopper::copy16(to + width * 256, source + 256, r >= 0);
        to += 16 * 128;
      }
      if (token < width) {
        const int64_t at = int64_t{row < 0 ? 0 : row} * blocks + super * 2 + half;
        // Columns of the minimums' product lie so that its accumulators match those of the limbs.
        const int place = token / 8 * 8 + token % 4 * 2 + token / 4 % 2;
        hopper::copy16(hopper::sharedAddress(stage) + S::digitsAt + (half * Most + place) * 16,
                       p.activations.digits + at * 16, row >= 0);
        hopper::copy4(hopper::sharedAddress(stage) + S::scalesAt + (half * Most + token) * 4,
                      p.activations.scales + at, row >= 0);
      }
      hopper::arriveWithCopies(full);
      ring.advance<S::stages>();
      if (super == 0)
        publish();
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

/// `factor`, `high` and `low`: what the lane's minimums are multiplied by and masked with.
__device__ __forceinline__ void decode(Fragments &f, uint4 words, uint4 scales, int block,
                                       unsigned factor, unsigned high, unsigned low) {
  const unsigned s0 = scales.x >> (4 * block) & 0x0F0F0F0Fu;
  const unsigned s1 = scales.z >> (2 * block) & 0x03030303u;
  const unsigned minimums =
      (scales.y >> (4 * block) & 0x0F0F0F0Fu) | (scales.z >> (2 * block) & 0x30303030u);
  const unsigned word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    const unsigned first = word[step] & 0x0F0F0F0Fu, second = word[step] >> 4 & 0x0F0F0F0Fu;
    const unsigned scale1 = __byte_perm(s1, 0, 0x4440 + step);
    const unsigned scale0 = __byte_perm(s0, 0, 0x4440 + step);
    f.levels[step][0] = first * scale1;
    f.levels[step][1] = first * scale0;
    f.levels[step][2] = second * scale1;
    f.levels[step][3] = second * scale0;
  }
  const unsigned scaled = minimums * factor;
  f.minimums[0] = scaled & high;
  f.minimums[1] = scaled & low;
  f.minimums[2] = f.minimums[3] = 0;
  f.d = halfToFloat(scales.w & 0xFFFF);
  f.minusDmin = -halfToFloat(scales.w >> 16);
}

/// Multiplies one tile: Units * UnitTokens tokens, UnitTokens at a time.
template <int Most, int Units, int UnitTokens>
__device__ __forceinline__ void consume(const ProductArguments &p, Head &head, uint8_t *base,
                                        const Item &item, Ring &ring) {
  using S = Shared<Most>;
  constexpr int width = Units * UnitTokens;
  constexpr int outputs = UnitTokens / 4; // of a thread, subtile and unit
  const int thread = threadIdx.x % 128, lane = threadIdx.x % 32, q = lane % 4;
  const int warpgroup = threadIdx.x / 128;
  const int row = thread / 32 * 8 + lane / 4; // in a subtile
  const unsigned factor = q & 1 ? 1 : 4;
  const unsigned high = q < 2 ? ~0u : 0u, low = ~high;
  float4 *totals = reinterpret_cast<float4 *>(base + S::totalsAt) + threadIdx.x;
  const int superBlocks = p.k / superElements;

  float sum[2][Units][outputs] = {};
#pragma unroll 1
  for (int super = 0; super < superBlocks; ++super) {
    hopper::wait(&head.full[ring.stage], ring.parity);
    hopper::fenceShared();
    const uint8_t *stage = base + S::stagesAt + ring.stage * S::stage;
    const uint8_t *weights = stage + warpgroup * groupBytes;
    const uint32_t address = hopper::sharedAddress(stage);
#pragma unroll 1
    for (int block = 0; block < 2; ++block) {
      const auto *words = reinterpret_cast<const uint4 *>(weights) + block * 256 + thread;
      const auto *scales = reinterpret_cast<const uint4 *>(weights + levelBytes) + row;
      const auto *tokenScales =
          reinterpret_cast<const float *>(stage + S::scalesAt) + block * Most + q;
      const uint64_t limbs =
          hopper::swizzledOperand(address + S::limbsAt + block * (width * 256));
      const uint64_t digits =
          hopper::narrowOperand(address + S::digitsAt + block * (Most * 16));
#pragma unroll
      for (int subtile = 0; subtile < 2; ++subtile) {
        Fragments f;
        decode(f, words[subtile * 128], scales[subtile * 32], block, factor, high, low);
#pragma unroll
        for (int unit = 0; unit < Units; ++unit) {
          int d[UnitTokens], m[UnitTokens / 2];
          const uint64_t b = limbs + unit * (UnitTokens * 256 / 16);
          hopper::productFence();
          Wgmma<2 * UnitTokens>::template multiply<false>(d, f.levels[0], b);
          Wgmma<2 * UnitTokens>::template multiply<true>(d, f.levels[1], b + 2);
          Wgmma<2 * UnitTokens>::template multiply<true>(d, f.levels[2], b + 4);
          Wgmma<2 * UnitTokens>::template multiply<true>(d, f.levels[3], b + 6);
          Wgmma<UnitTokens>::template multiply<false>(m, f.minimums,
                                                      digits + unit * UnitTokens);
          hopper::productCommit();
          hopper::productWait<0>();
          hopper::pin(d);
          hopper::pin(m);
#pragma unroll
          for (int o = 0; o < outputs; ++o) {
            const int upper = d[4 * o] * 16 + d[4 * o + 2];
            const int lower = d[4 * o + 1] * 16 + d[4 * o + 3];
            const int minimum = m[o / 2 * 4 + o % 2] * 1024 + m[o / 2 * 4 + o % 2 + 2];
            float t = __fmul_rn(__int2float_rn(upper * 128 + lower), f.d);
            t = __fmaf_rn(__int2float_rn(minimum), f.minusDmin, t);
            float &acc = sum[subtile][unit][o];
            acc = __fmaf_rn(t, tokenScales[unit * UnitTokens + 4 * o], acc);
          }
        }
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
        for (int i = 0; i < width / 8; ++i) {
          const float4 total = totals[i * consumers * 128];
          flat[4 * i] = __fadd_rn(total.x, flat[4 * i]);
          flat[4 * i + 1] = __fadd_rn(total.y, flat[4 * i + 1]);
          flat[4 * i + 2] = __fadd_rn(total.z, flat[4 * i + 2]);
          flat[4 * i + 3] = __fadd_rn(total.w, flat[4 * i + 3]);
        }
      }
      if (!isLast) {
#pragma unroll
        for (int i = 0; i < width / 8; ++i) {
          totals[i * consumers * 128] =
              make_float4(flat[4 * i], flat[4 * i + 1], flat[4 * i + 2], flat[4 * i + 3]);
          flat[4 * i] = flat[4 * i + 1] = flat[4 * i + 2] = flat[4 * i + 3] = 0.0f;
        }
      }
    }
  }
  float *out = p.out + int64_t{item.first} * p.rows + item.rowTile * tileRows +
               warpgroup * groupRows + row;
#pragma unroll
  for (int subtile = 0; subtile < 2; ++subtile)
#pragma unroll
    for (int unit = 0; unit < Units; ++unit)
#pragma unroll
      for (int o = 0; o < outputs; ++o) {
        const int token = unit * UnitTokens + 4 * o + q;
        if (token < item.rows)
          out[int64_t{token} * p.rows + subtile * 32] = sum[subtile][unit][o];
      }
}

template <int Most>
__global__ void __launch_bounds__(threads, 1) product(const ProductArguments p) {
  using S = Shared<Most>;
  extern __shared__ uint8_t shared[];
  uint8_t *base = shared + (1024 - hopper::sharedAddress(shared) % 1024) % 1024;
  Head &head = *reinterpret_cast<Head *>(base);
  if (threadIdx.x == 0) {
    for (int i = 0; i < S::stages; ++i) {
      hopper::initBarrier(&head.full[i], 1 + 128);
      hopper::initBarrier(&head.empty[i], consumers * 4);
    }
    for (int i = 0; i < 2; ++i) {
      hopper::initBarrier(&head.itemFull[i], 1);
      hopper::initBarrier(&head.itemEmpty[i], consumers * 4);
    }
    hopper::publishBarriers();
  }
  __syncthreads();
  if (threadIdx.x >= consumers * 128) {
    hopper::giveRegisters<producerRegisters>();
    produce<Most>(p, head, base + S::stagesAt);
  } else {
    hopper::takeRegisters<consumerRegisters>();
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
        consume<Most, 1, 8>(p, head, base, item, ring);
      else if (width == 16)
        consume<Most, 1, 16>(p, head, base, item, ring);
      if constexpr (Most > 16) {
        if (width == 24)
          consume<Most, 1, 24>(p, head, base, item, ring);
        else if (width == 32)
          consume<Most, 1, 32>(p, head, base, item, ring);
      }
      if constexpr (Most > 32) {
        if (width == 48)
          consume<Most, 2, 24>(p, head, base, item, ring);
        else if (width == 64)
          consume<Most, 2, 32>(p, head, base, item, ring);
      }
    }
  }
}
