// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The few-token product in `exact` arithmetic, memory traffic included: a warp takes Rows weight
// rows, a lane 32 elements of each, so that a step is one chunk of 1024. Lanes form integer sums
// with dp4a; then each lane runs the contract's fp32 chain of one (row, token) through the chunk.
#include "check.h"
#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>

namespace decode {
constexpr int chunk = 1024, k = 2048, warps = 8;
constexpr int lineStride =
    36; ///< Words of a lane's line of 32: keeps 16-byte reads free of conflicts.

enum class Kind { Q4_0, Q4_K };

/// Device form of the weights. Nibbles: per row and chunk 32 lanes x 16 bytes, element e of a lane
/// in byte e % 16, low nibble for e < 16. Q4_0: an fp16 scale for each 32. Q4_K: sub-scale and
/// minimum for each 32 in two bytes, fp16 d and dmin for each 256. Little more than the file's.
struct Weights {
  const uint4 *nibbles;
  const uint16_t *group;
  const uint32_t *super; ///< Q4_K: d, dmin.
};

/// Activations: limbs [token][limb][k] with the elements of a lane in the nibbles' order, sums of
/// 32 [token][k / 32], scales [token][k / 128].
struct Activations {
  const uint32_t *limbs;
  const int *sums;
  const float *scales;
};

__device__ __forceinline__ float halfBits(unsigned bits) {
  float value;
  asm("{.reg .b16 h; cvt.u16.u32 h, %1; cvt.f32.f16 %0, h;}" : "=f"(value) : "r"(bits));
  return value;
}

/// Shared memory of a warp: the lines of its (row, token) pairs and of its rows.
template <Kind F, int Rows, int Tokens> struct Lines {
  float sum[Rows * Tokens][lineStride]; ///< Q4_0: F; Q4_K: bits of the integer sub-scale * S
  int minimum[F == Kind::Q4_K ? Rows * Tokens : 1][lineStride]; ///< min * (sum of q)
  float scale[F == Kind::Q4_0 ? Rows : 1][lineStride];
  float2 super[F == Kind::Q4_K ? Rows : 1][6]; ///< d, dmin of four super-blocks
};

template <Kind F, int Rows, int Tokens> constexpr int sharedBytes() {
  return Tokens * (k * 2 + k / 32 * 4 + k / 128 * 4) + warps * int(sizeof(Lines<F, Rows, Tokens>));
}

extern __shared__ __align__(16) unsigned char shared[];

template <Kind F, int Rows, int Tokens>
__global__ void __launch_bounds__(32 * warps, 2)
    product(Weights weights, Activations activations, float *out, int rows) {
  static_assert(Rows * Tokens <= 32, "one lane for each (row, token)");
  constexpr int limbWords = Tokens * k * 2 / 4;
  uint32_t *limbs = reinterpret_cast<uint32_t *>(shared);
  int *sums = reinterpret_cast<int *>(limbs + limbWords);
  float *scales = reinterpret_cast<float *>(sums + Tokens * (k / 32));
  for (int i = threadIdx.x; i < limbWords; i += blockDim.x)
    limbs[i] = activations.limbs[i];
  for (int i = threadIdx.x; i < Tokens * (k / 32); i += blockDim.x)
    sums[i] = activations.sums[i];
  for (int i = threadIdx.x; i < Tokens * (k / 128); i += blockDim.x)
    scales[i] = activations.scales[i];
  __syncthreads();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  auto &lines = reinterpret_cast<Lines<F, Rows, Tokens> *>(scales + Tokens * (k / 128))[warp];
  const int pair = lane < Rows * Tokens ? lane : 0; // the (row, token) whose chain this lane runs

  for (int row = (blockIdx.x * warps + warp) * Rows; row < rows; row += gridDim.x * warps * Rows) {
    float total = -0.0f; // -0.0 + x is x: the first chunk's sum starts the total
#pragma unroll 1
    for (int c = 0; c < k / chunk; ++c) {
      uint4 packed[Rows];
      unsigned group[Rows];
#pragma unroll
      for (int r = 0; r < Rows; ++r) {
        const size_t line = (size_t(row + r) * (k / chunk) + c) * 32 + lane;
        packed[r] = __ldcs(weights.nibbles + line);
        group[r] = __ldcs(weights.group + line);
      }
      if constexpr (F == Kind::Q4_K)
        if (lane < Rows * 4) {
          const unsigned word =
              __ldcs(weights.super + (size_t(row + lane / 4) * (k / chunk) + c) * 4 + lane % 4);
          lines.super[lane / 4][lane % 4] =
              make_float2(halfBits(word & 0xFFFF), halfBits(word >> 16));
        }
      if constexpr (F == Kind::Q4_0)
#pragma unroll
        for (int r = 0; r < Rows; ++r)
          lines.scale[r][lane] = halfBits(group[r]);
#pragma unroll
      for (int t = 0; t < Tokens; ++t) {
        int high[Rows] = {}, low[Rows] = {};
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const uint4 *at = reinterpret_cast<const uint4 *>(limbs) +
                            ((t * 2 * (k / chunk) + c) * 2 + half) * 32 + lane;
          const uint4 hi = at[0], lo = at[(k / chunk) * 2 * 32];
          const unsigned h[4] = {hi.x, hi.y, hi.z, hi.w}, l[4] = {lo.x, lo.y, lo.z, lo.w};
#pragma unroll
          for (int r = 0; r < Rows; ++r) {
            const unsigned words[4] = {packed[r].x, packed[r].y, packed[r].z, packed[r].w};
#pragma unroll
            for (int i = 0; i < 4; ++i) {
              const unsigned levels = words[i] >> (4 * half) & 0x0F0F0F0F;
              high[r] = __dp4a(int(levels), int(h[i]), high[r]);
              low[r] = __dp4a(int(levels), int(l[i]), low[r]);
            }
          }
        }
        const int sum = sums[t * (k / 32) + c * 32 + lane];
#pragma unroll
        for (int r = 0; r < Rows; ++r) {
          const int s = (high[r] << 7) + low[r];
          if constexpr (F == Kind::Q4_0) { // the file's level is the nibble minus 8
            lines.sum[r * Tokens + t][lane] = __int2float_rn(s - 8 * sum);
          } else {
            lines.sum[r * Tokens + t][lane] = __int_as_float(s * int(group[r] & 0xFF));
            lines.minimum[r * Tokens + t][lane] = sum * int(group[r] >> 8);
          }
        }
      }
      __syncwarp();
      // The chain of one (row, token): eight blocks in ascending order.
      const float *scale = scales + pair % Tokens * (k / 128) + c * 8;
      float acc = 0.0f;
#pragma unroll
      for (int b = 0; b < 8; ++b) {
        const float4 s = reinterpret_cast<const float4 *>(lines.sum[pair])[b];
        float t;
        if constexpr (F == Kind::Q4_0) {
          const float4 d = reinterpret_cast<const float4 *>(lines.scale[pair / Tokens])[b];
          t = __fmul_rn(s.x, d.x);
          t = __fmaf_rn(s.y, d.y, t);
          t = __fmaf_rn(s.z, d.z, t);
          t = __fmaf_rn(s.w, d.w, t);
        } else {
          const int4 m = reinterpret_cast<const int4 *>(lines.minimum[pair])[b];
          const float2 d = lines.super[pair / Tokens][b / 2];
          const int whole =
              __float_as_int(s.x) + __float_as_int(s.y) + __float_as_int(s.z) + __float_as_int(s.w);
          t = __fmul_rn(__int2float_rn(whole), d.x);
          t = __fmaf_rn(-__int2float_rn(m.x + m.y + m.z + m.w), d.y, t);
        }
        acc = __fmaf_rn(t, scale[b], acc);
      }
      total = __fadd_rn(total, acc);
      __syncwarp();
    }
    if (lane < Rows * Tokens)
      out[size_t(lane % Tokens) * rows + row + lane / Tokens] = total;
  }
}

/// Reads everything once: the bandwidth that a kernel can have.
__global__ void __launch_bounds__(256) readAll(const uint4 *from, size_t count, unsigned *out) {
  unsigned mix = 0;
  const size_t step = size_t(gridDim.x) * 256;
  size_t i = size_t(blockIdx.x) * 256 + threadIdx.x;
  for (; i + 3 * step < count; i += 4 * step) {
    const uint4 a = __ldcs(from + i), b = __ldcs(from + i + step), c = __ldcs(from + i + 2 * step),
                d = __ldcs(from + i + 3 * step);
    mix ^= a.x ^ a.y ^ a.z ^ a.w ^ b.x ^ b.y ^ b.z ^ b.w ^ c.x ^ c.y ^ c.z ^ c.w ^ d.x ^ d.y ^ d.z ^
           d.w;
  }
  out[blockIdx.x * 256 + threadIdx.x] = mix;
}

/// Random weights and activations, on the host and on the device.
struct Data {
  static constexpr int rows = 1 << 18; // 302 MB as Q4_0: five times the L2 cache
  static constexpr int tokens = 8;
  std::vector<uint4> nibbles;
  std::vector<uint16_t> scales, subs;
  std::vector<uint32_t> super, limbs;
  std::vector<int> sums, q;
  std::vector<float> columnScales;

  Data()
      : nibbles(size_t(rows) * k / 32), scales(nibbles.size()), subs(nibbles.size()),
        super(size_t(rows) * k / 256), limbs(tokens * k / 2) {
    std::mt19937 random(3);
    // A counter-based mix is enough for the bulk, and fast.
    uint64_t state = 1;
    auto next = [&] {
      uint64_t z = state += 0x9E3779B97F4A7C15u;
      z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
      z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
      return z ^ (z >> 31);
    };
    auto half = [&] { return uint16_t(0x1C00 | (next() & 0x03FF)); }; // 1/256 ... 1/128
    for (size_t i = 0; i < nibbles.size(); ++i) {
      const uint64_t a = next(), b = next();
      nibbles[i] = {unsigned(a), unsigned(a >> 32), unsigned(b), unsigned(b >> 32)};
      scales[i] = half();
      subs[i] = next() & 0x3F3F;
    }
    for (uint32_t &s : super)
      s = half() | uint32_t(half()) << 16;
    std::normal_distribution<float> normal;
    auto *bytes = reinterpret_cast<int8_t *>(limbs.data());
    for (int t = 0; t < tokens; ++t)
      for (int i = 0; i < k; ++i) {
        q.push_back(int(std::rint(std::clamp(normal(random) / 3.5f, -1.0f, 1.0f) * 16319)));
        const int lo = ((q.back() + 64) & 127) - 64, c = i / chunk, lane = i % chunk / 32,
                  e = i % 32;
        for (int limb = 0; limb < 2; ++limb)
          bytes[((((t * 2 + limb) * (k / chunk) + c) * 2 + e / 16) * 32 + lane) * 16 + e % 16] =
              limb ? lo : (q.back() - lo) >> 7;
        if (i % 32 == 0)
          sums.push_back(0);
        sums.back() += q.back();
        if (i % 128 == 0)
          columnScales.push_back(std::uniform_real_distribution<float>(1, 4)(random) / 16319);
      }
  }
};

float halfToFloat(unsigned h) { // normal numbers only
  const uint32_t bits = (h & 0x8000) << 16 | (((h >> 10 & 31) + 112) << 23) | (h & 0x3FF) << 13;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

float reference(const Data &data, Kind kind, int row, int token) {
  float total = 0, acc = 0;
  for (int b = 0; b < k / 128; ++b) {
    float t = 0;
    int64_t whole[2] = {}, minimum = 0;
    for (int g = 0; g < 4; ++g) {
      const size_t line = size_t(row) * (k / 32) + b * 4 + g;
      const auto *bytes = reinterpret_cast<const uint8_t *>(&data.nibbles[line]);
      int64_t s[2] = {}, sum = 0;
      for (int e = 0; e < 32; ++e) {
        const int level = (bytes[e % 16] >> (e / 16 * 4) & 15) - (kind == Kind::Q4_0 ? 8 : 0);
        const int q = data.q[token * k + b * 128 + g * 32 + e];
        const int lo = ((q + 64) & 127) - 64;
        s[0] += level * ((q - lo) >> 7);
        s[1] += level * lo;
        sum += q;
      }
      if (kind == Kind::Q4_0) {
        const float f = std::fmaf(128.0f, float(s[0]), float(s[1]));
        const float d = halfToFloat(data.scales[line]);
        t = g == 0 ? f * d : std::fmaf(f, d, t);
      }
      for (int limb = 0; limb < 2; ++limb)
        whole[limb] += s[limb] * (data.subs[line] & 0xFF);
      minimum += sum * (data.subs[line] >> 8);
    }
    if (kind == Kind::Q4_K) {
      const uint32_t super = data.super[size_t(row) * (k / 256) + b / 2];
      t = std::fmaf(128.0f, float(whole[0]), float(whole[1])) * halfToFloat(super & 0xFFFF);
      t = std::fmaf(-float(minimum), halfToFloat(super >> 16), t);
    }
    acc = std::fmaf(t, data.columnScales[token * (k / 128) + b], acc);
    if (b % 8 == 7) {
      total = b == 7 ? acc : total + acc;
      acc = 0;
    }
  }
  return total;
}

struct DeviceData {
  DeviceBuffer<uint4> nibbles;
  DeviceBuffer<uint16_t> scales, subs;
  DeviceBuffer<uint32_t> super, limbs;
  DeviceBuffer<int> sums;
  DeviceBuffer<float> columnScales;
  explicit DeviceData(const Data &d)
      : nibbles(d.nibbles), scales(d.scales), subs(d.subs), super(d.super), limbs(d.limbs),
        sums(d.sums), columnScales(d.columnScales) {}
};

int wrongKernels = 0;

template <Kind F, int Rows, int Tokens> void bench(const Data &data, const DeviceData &device) {
  const Weights weights{device.nibbles.get(),
                        F == Kind::Q4_0 ? device.scales.get() : device.subs.get(),
                        device.super.get()};
  const Activations activations{device.limbs.get(), device.sums.get(), device.columnScales.get()};
  DeviceBuffer<float> out(size_t(Tokens) * Data::rows);
  auto *kernel = product<F, Rows, Tokens>;
  constexpr int bytes = sharedBytes<F, Rows, Tokens>();
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
        "shared memory");
  cudaFuncAttributes attributes;
  check(cudaFuncGetAttributes(&attributes, kernel), "cudaFuncGetAttributes");
  int resident = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel, 32 * warps, bytes),
        "occupancy");
  const Timing time = timeLaunches(15, [&] {
    kernel<<<multiprocessors() * resident, 32 * warps, bytes>>>(weights, activations, out.get(),
                                                                Data::rows);
  });
  const std::vector<float> actual = out.read();
  size_t wrong = 0, checked = 0;
  for (int token = 0; token < Tokens; ++token)
    for (int row = 0; row < Data::rows; row += 61, ++checked) {
      const float expected = reference(data, F, row, token);
      wrong += std::memcmp(&expected, &actual[size_t(token) * Data::rows + row], 4) != 0;
    }
  wrongKernels += wrong != 0;
  const double weightsCount = double(Data::rows) * k;
  const double read = weightsCount / 32 * 18 + (F == Kind::Q4_K ? weightsCount / 256 * 4 : 0);
  std::printf(
      "decode %s int16, %d tokens, %d rows a warp: regs %3d spill %2zu, %d CTAs/SM %7.1f us "
      "(%.1f .. %.1f) %5.2f TB/s %6.2f T weights/s, %zu of %zu wrong\n",
      F == Kind::Q4_0 ? "Q4_0" : "Q4_K", Tokens, Rows, attributes.numRegs,
      attributes.localSizeBytes, resident, time.median * 1e3, time.least * 1e3, time.most * 1e3,
      read / time.median * 1e-9, weightsCount / time.median * 1e-9, wrong, checked);
}

template <Kind F> void benchAll(const Data &data, const DeviceData &device) {
  bench<F, 4, 1>(data, device);
  bench<F, 8, 1>(data, device);
  bench<F, 4, 2>(data, device);
  bench<F, 8, 2>(data, device);
  bench<F, 4, 3>(data, device);
  bench<F, 4, 4>(data, device);
  bench<F, 8, 4>(data, device);
  bench<F, 4, 6>(data, device);
  bench<F, 4, 8>(data, device);
}
} // namespace decode

int main() {
  using namespace decode;
  const Data data;
  const DeviceData device(data);
  DeviceBuffer<unsigned> out(size_t(multiprocessors()) * 8 * 256);
  const Timing read = timeLaunches(15, [&] {
    readAll<<<multiprocessors() * 8, 256>>>(device.nibbles.get(), data.nibbles.size(), out.get());
  });
  std::printf("plain read: %.2f TB/s\n", data.nibbles.size() * 16.0 / read.median * 1e-9);
  benchAll<Kind::Q4_0>(data, device);
  benchAll<Kind::Q4_K>(data, device);
  return wrongKernels != 0;
}
