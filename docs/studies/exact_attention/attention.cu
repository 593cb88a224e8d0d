// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The inner loop of `exact` attention over a prompt, as section "Attention" of the plan for whole
// models proposes it, without memory traffic: a warpgroup has 64 queries of one head of 128, and
// goes over chunks of 128 keys, of which two lie in shared memory and repeat. Every output is
// compared with the same operations in plain C++, then the loop is timed.
#include "wgmma.cuh"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

namespace {

constexpr int kQueries = 64, kKeys = 128, kHead = 128, kSteps = 4, kPeriod = 2;
constexpr int kThreads = 128; // of a warpgroup
constexpr float kLargest = 16319.0f;

void check(cudaError_t error, const char *what) {
  if (error == cudaSuccess)
    return;
  std::fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
  std::exit(2);
}

/// Bytes of the operands of one product with `rows` rows and 32 columns.
constexpr int tileBytes(int rows) { return rows * 32; }

template <int CacheLimbs> struct Image {
  static constexpr int kQuery = 0; // [2 limbs][kSteps] tiles of 64 rows
  static constexpr int kKey = kQuery + 2 * kSteps * tileBytes(kQueries);
  static constexpr int kLimb = kSteps * tileBytes(kKeys);
  static constexpr int kChunk = CacheLimbs * kLimb;
  static constexpr int kValue = kKey + kPeriod * kChunk;
  static constexpr int kKeyScale = kValue + kPeriod * kChunk;
  static constexpr int kValueScale = kKeyScale + kPeriod * kKeys * 4;
  static constexpr int kQueryScale = kValueScale + kPeriod * kKeys * 4;
  static constexpr int kBytes =
      kQueryScale + (kQueries + 4) * 4; // and d_w and its inverse of each chunk
};

/// What differs between the proposal and variants of it that compute less.
enum class Rules {
  Proposal, ///< p is +0 below 2^-126; w is quantized by the largest w of the chunk
  Cheap,    ///< p is at least 2^-126; the query's scale comes last
  Lean,     ///< the same; w is quantized by the largest d_v of the chunk, which is known
            ///< beforehand, for p is at most 1
};

constexpr bool isCheap(Rules rules) { return rules != Rules::Proposal; }

/// 2^x for x <= 0, by a polynomial.
template <Rules R> __host__ __device__ __forceinline__ float power2(float x) {
  constexpr float kMagic = 12582912.0f; // 1.5 * 2^23
  const float clamped = fmaxf(x, isCheap(R) ? -126.0f : -127.0f);
  const float shifted = clamped + kMagic;
  const float r = clamped - (shifted - kMagic);
  float p = 1.3333558e-3f;
  p = fmaf(p, r, 9.6181291e-3f);
  p = fmaf(p, r, 5.5504109e-2f);
  p = fmaf(p, r, 2.4022651e-1f);
  p = fmaf(p, r, 6.9314718e-1f);
  p = fmaf(p, r, 1.0f);
#ifdef __CUDA_ARCH__
  const float scaled = __int_as_float(__float_as_int(p) + (__float_as_int(shifted) << 23));
#else
  int bits, exponent;
  std::memcpy(&bits, &p, 4);
  std::memcpy(&exponent, &shifted, 4);
  bits = int(unsigned(bits) + (unsigned(exponent) << 23));
  float scaled;
  std::memcpy(&scaled, &bits, 4);
#endif
  if constexpr (isCheap(R))
    return scaled;
  return x < -126.0f ? 0.0f : scaled;
}

extern __shared__ __align__(1024) unsigned char sharedBytes[];

__device__ __forceinline__ void shiftLimb(int (&d)[64]) {
#pragma unroll
  for (int i = 0; i < 64; ++i)
    d[i] <<= 7;
}

/// Products of the high limbs, then of what a shift by 7 adds to them. `lowLow`: scores only.
template <int CacheLimbs>
__device__ __forceinline__ void scores(const unsigned char *query, const unsigned char *key,
                                       int (&sum)[64], int (&lowLow)[64]) {
  constexpr int kQ = kSteps * tileBytes(kQueries), kK = Image<CacheLimbs>::kLimb;
  productFence();
  pin(sum);
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    const uint64_t a = tileDescriptor(query + s * tileBytes(kQueries));
    const uint64_t b = tileDescriptor(key + s * tileBytes(kKeys));
    if (s == 0)
      Wgmma<128>::fromShared<false>(sum, a, b);
    else
      Wgmma<128>::fromShared<true>(sum, a, b);
  }
  productCommit();
  if constexpr (CacheLimbs == 2) {
    pin(lowLow);
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      const uint64_t a = tileDescriptor(query + kQ + s * tileBytes(kQueries));
      const uint64_t b = tileDescriptor(key + kK + s * tileBytes(kKeys));
      if (s == 0)
        Wgmma<128>::fromShared<false>(lowLow, a, b);
      else
        Wgmma<128>::fromShared<true>(lowLow, a, b);
    }
    productCommit();
    productWait<1>();
  } else {
    productWait<0>();
  }
  pin(sum);
  shiftLimb(sum);
  productFence();
  pin(sum);
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    const uint64_t low = tileDescriptor(query + kQ + s * tileBytes(kQueries));
    const uint64_t high = tileDescriptor(query + s * tileBytes(kQueries));
    Wgmma<128>::fromShared<true>(sum, low, tileDescriptor(key + s * tileBytes(kKeys)));
    if constexpr (CacheLimbs == 2)
      Wgmma<128>::fromShared<true>(sum, high, tileDescriptor(key + kK + s * tileBytes(kKeys)));
  }
  productCommit();
  productWait<0>();
  pin(sum);
  if constexpr (CacheLimbs == 2)
    pin(lowLow);
}

template <int CacheLimbs>
__device__ __forceinline__ void values(const unsigned (&high)[kSteps][4],
                                       const unsigned (&low)[kSteps][4], const unsigned char *value,
                                       int (&sum)[64]) {
  constexpr int kV = Image<CacheLimbs>::kLimb;
  productFence();
  pin(sum);
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    const uint64_t b = tileDescriptor(value + s * tileBytes(kKeys));
    if (s == 0)
      Wgmma<128>::fromRegisters<false>(sum, high[s], b);
    else
      Wgmma<128>::fromRegisters<true>(sum, high[s], b);
  }
  productCommit();
  productWait<0>();
  pin(sum);
  shiftLimb(sum);
  productFence();
  pin(sum);
#pragma unroll
  for (int s = 0; s < kSteps; ++s) {
    Wgmma<128>::fromRegisters<true>(sum, low[s], tileDescriptor(value + s * tileBytes(kKeys)));
    if constexpr (CacheLimbs == 2)
      Wgmma<128>::fromRegisters<true>(sum, high[s],
                                      tileDescriptor(value + kV + s * tileBytes(kKeys)));
  }
  productCommit();
  productWait<0>();
  pin(sum);
}

__device__ __forceinline__ float quadMax(float x) {
  x = fmaxf(x, __shfl_xor_sync(~0u, x, 1));
  return fmaxf(x, __shfl_xor_sync(~0u, x, 2));
}
__device__ __forceinline__ float quadSum(float x) {
  x = x + __shfl_xor_sync(~0u, x, 1);
  return x + __shfl_xor_sync(~0u, x, 2);
}

/// Four integers q + 64 in the low bits of floats, as the bytes of two limbs.
__device__ __forceinline__ void packLimbs(float a, float b, float c, float d, unsigned &high,
                                          unsigned &low) {
  const unsigned ab = __byte_perm(__float_as_uint(a), __float_as_uint(b), 0x5410);
  const unsigned cd = __byte_perm(__float_as_uint(c), __float_as_uint(d), 0x5410);
  high = __byte_perm(ab >> 7 & 0x00ff00ffu, cd >> 7 & 0x00ff00ffu, 0x6420);
  const unsigned lows = __byte_perm(ab & 0x007f007fu, cd & 0x007f007fu, 0x6420);
  low = ((lows | 0x80808080u) - 0x40404040u) ^ 0x80808080u;
}

/// out: [warpgroups of all blocks][64 queries][128], then l and m of each query.
template <Rules R, int CacheLimbs, int Warpgroups>
__global__ void __launch_bounds__(Warpgroups *kThreads, 1)
    attention(const uint4 *image, float *out, int chunks) {
  using I = Image<CacheLimbs>;
  for (int i = threadIdx.x; i < I::kBytes / 16; i += blockDim.x)
    reinterpret_cast<uint4 *>(sharedBytes)[i] = image[i];
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  const int thread = threadIdx.x % kThreads, quad = thread % 4;
  const int row = thread / 32 * 16 + thread % 32 / 4;
  const float *queryScale = reinterpret_cast<const float *>(sharedBytes + I::kQueryScale);
  const float dq[2] = {queryScale[row], queryScale[row + 8]};
  const float *valueScale = queryScale + kQueries;
  float o[64] = {};
  float l[2] = {}, m[2] = {-INFINITY, -INFINITY};
#pragma unroll 1
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const int at = chunk % kPeriod;
    int sum[64], lowLow[64];
    scores<CacheLimbs>(sharedBytes + I::kQuery, sharedBytes + I::kKey + at * I::kChunk, sum,
                       lowLow);
    const float2 *dk =
        reinterpret_cast<const float2 *>(sharedBytes + I::kKeyScale) + at * kKeys / 2;
    const float2 *dv =
        reinterpret_cast<const float2 *>(sharedBytes + I::kValueScale) + at * kKeys / 2;
    float s[64], mc[2] = {-INFINITY, -INFINITY};
#pragma unroll
    for (int j = 0; j < 16; ++j) {
      const float2 d = dk[j * 4 + quad];
#pragma unroll
      for (int i = 4 * j; i < 4 * j + 4; ++i) {
        float f = static_cast<float>(sum[i]);
        if constexpr (CacheLimbs == 2)
          f = fmaf(128.0f, f, static_cast<float>(lowLow[i]));
        const int h = i >> 1 & 1;
        s[i] = f * (i & 1 ? d.y : d.x);
        if constexpr (!isCheap(R))
          s[i] = s[i] * dq[h];
        mc[h] = fmaxf(mc[h], s[i]);
      }
    }
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      mc[h] = quadMax(mc[h]);
      if constexpr (isCheap(R))
        mc[h] = mc[h] * dq[h];
    }
    float lc[2] = {}, wm[2] = {};
#pragma unroll
    for (int j = 0; j < 16; ++j) {
      const float2 d = dv[j * 4 + quad];
#pragma unroll
      for (int i = 4 * j; i < 4 * j + 4; ++i) {
        const int h = i >> 1 & 1;
        const float p = power2<R>(isCheap(R) ? fmaf(s[i], dq[h], -mc[h]) : s[i] - mc[h]);
        lc[h] = lc[h] + p;
        s[i] = p * (i & 1 ? d.y : d.x);
        if constexpr (R != Rules::Lean)
          wm[h] = fmaxf(wm[h], s[i]);
      }
    }
    unsigned high[kSteps][4], low[kSteps][4];
    float dw[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      lc[h] = quadSum(lc[h]);
      float inverse;
      if constexpr (R == Rules::Lean) {
        dw[h] = valueScale[2 * at];
        inverse = valueScale[2 * at + 1];
      } else {
        wm[h] = quadMax(wm[h]);
        dw[h] = wm[h] / kLargest;
        inverse = kLargest / wm[h];
      }
      const auto place = [&](int i) { return fmaf(s[i], inverse, 8388608.0f + 64.0f); };
#pragma unroll
      for (int step = 0; step < kSteps; ++step)
#pragma unroll
        for (int k = 0; k < 2; ++k) {
          const int i = (4 * step + 2 * k) * 4 + 2 * h;
          packLimbs(place(i), place(i + 1), place(i + 4), place(i + 5), high[step][2 * k + h],
                    low[step][2 * k + h]);
        }
    }
    values<CacheLimbs>(high, low, sharedBytes + I::kValue + at * I::kChunk, sum);
    float factor[2], alpha[2];
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      const float most = fmaxf(m[h], mc[h]);
      alpha[h] = power2<R>(m[h] - most);
      const float beta = power2<R>(mc[h] - most);
      factor[h] = dw[h] * beta;
      l[h] = fmaf(lc[h], beta, l[h] * alpha[h]);
      m[h] = most;
    }
#pragma unroll
    for (int i = 0; i < 64; ++i)
      o[i] = fmaf(static_cast<float>(sum[i]), factor[i >> 1 & 1], o[i] * alpha[i >> 1 & 1]);
  }
  float *mine = out + size_t(blockIdx.x * Warpgroups + threadIdx.x / kThreads) * 64 * 130;
#pragma unroll
  for (int i = 0; i < 64; ++i)
    mine[(row + (i >> 1 & 1) * 8) * 130 + i / 4 * 8 + quad * 2 + (i & 1)] = o[i];
  if (quad == 0)
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      mine[(row + h * 8) * 130 + 128] = l[h];
      mine[(row + h * 8) * 130 + 129] = m[h];
    }
}

struct Problem {
  std::vector<int> q, k, v; // integers
  std::vector<float> dq, dk, dv;
};

Problem makeProblem(int cacheLimbs, unsigned seed) {
  std::mt19937 random(seed);
  const int most = cacheLimbs == 2 ? 16319 : 127;
  std::normal_distribution<float> normal;
  const auto fill = [&](std::vector<int> &x, int rows, int largest) {
    x.resize(rows * kHead);
    for (int &value : x)
      value = std::clamp(int(normal(random) * largest / 3), -largest, largest);
    std::fill_n(x.begin(), kHead, largest); // the extremes
    std::fill_n(x.begin() + kHead, kHead, -largest);
  };
  Problem p;
  fill(p.q, kQueries, 16319);
  fill(p.k, kPeriod * kKeys, most);
  fill(p.v, kPeriod * kKeys, most);
  std::uniform_real_distribution<float> uniform(0.5f, 1.5f);
  const auto scale = [&](std::vector<float> &x, int rows, float size) {
    x.resize(rows);
    for (float &value : x)
      value = uniform(random) * size;
  };
  scale(p.dq, kQueries, 0.4f / 16319);
  scale(p.dk, kPeriod * kKeys, 1.0f / most);
  scale(p.dv, kPeriod * kKeys, 1.0f / most);
  return p;
}

int lowLimb(int q) { return (q + 64 & 127) - 64; }
int highLimb(int q) { return (q - lowLimb(q)) / 128; }

/// The key that stands at a place of a product's K: what makes a thread's scores its operand.
int keyAt(int step, int place) {
  const int quad = place % 16 / 4, t = place % 4;
  return 32 * step + place / 16 * 16 + t / 2 * 8 + quad * 2 + t % 2;
}

float largestScale(const Problem &p, int chunk) {
  return *std::max_element(&p.dv[chunk * kKeys], &p.dv[chunk * kKeys] + kKeys);
}

template <int CacheLimbs> std::vector<uint4> makeImage(const Problem &p) {
  using I = Image<CacheLimbs>;
  std::vector<uint4> image(I::kBytes / 16);
  auto *bytes = reinterpret_cast<signed char *>(image.data());
  for (int r = 0; r < kQueries; ++r)
    for (int c = 0; c < kHead; ++c) {
      const int q = p.q[r * kHead + c], at = c / 32 * tileBytes(kQueries) + tileOffset(r, c % 32);
      bytes[at] = highLimb(q);
      bytes[kSteps * tileBytes(kQueries) + at] = lowLimb(q);
    }
  for (int chunk = 0; chunk < kPeriod; ++chunk)
    for (int r = 0; r < kKeys; ++r)
      for (int c = 0; c < kHead; ++c) {
        const int k = p.k[(chunk * kKeys + r) * kHead + c];
        auto *to =
            bytes + I::kKey + chunk * I::kChunk + c / 32 * tileBytes(kKeys) + tileOffset(r, c % 32);
        to[0] = CacheLimbs == 2 ? highLimb(k) : k;
        if (CacheLimbs == 2)
          to[I::kLimb] = lowLimb(k);
        // Transposed: row r is a column of the head, column c a place of K.
        const int v = p.v[(chunk * kKeys + keyAt(c / 32, c % 32)) * kHead + r];
        to = bytes + I::kValue + chunk * I::kChunk + c / 32 * tileBytes(kKeys) +
             tileOffset(r, c % 32);
        to[0] = CacheLimbs == 2 ? highLimb(v) : v;
        if (CacheLimbs == 2)
          to[I::kLimb] = lowLimb(v);
      }
  std::memcpy(bytes + I::kKeyScale, p.dk.data(), p.dk.size() * 4);
  std::memcpy(bytes + I::kValueScale, p.dv.data(), p.dv.size() * 4);
  std::memcpy(bytes + I::kQueryScale, p.dq.data(), p.dq.size() * 4);
  for (int chunk = 0; chunk < kPeriod; ++chunk) {
    const float most = largestScale(p, chunk), scale[2] = {most / kLargest, kLargest / most};
    std::memcpy(bytes + I::kQueryScale + (kQueries + 2 * chunk) * 4, scale, 8);
  }
  return image;
}

/// One query by the same operations, one after the other.
template <Rules R>
void reference(const Problem &p, int cacheLimbs, int query, int chunks, float *out) {
  float o[kHead] = {}, l = 0, m = -INFINITY;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const int first = chunk % kPeriod * kKeys;
    float w[kKeys], mc = -INFINITY, lq[4] = {}, wm = 0;
    for (int key = 0; key < kKeys; ++key) {
      long long all = 0, lowLow = 0;
      for (int c = 0; c < kHead; ++c) {
        const int q = p.q[query * kHead + c], k = p.k[(first + key) * kHead + c];
        all += 1LL * q * k;
        lowLow += 1LL * lowLimb(q) * lowLimb(k);
      }
      float f = static_cast<float>(all);
      if (cacheLimbs == 2)
        f = std::fmaf(128.0f, static_cast<float>((all - lowLow) / 128), static_cast<float>(lowLow));
      w[key] = f * p.dk[first + key];
      if (!isCheap(R))
        w[key] = w[key] * p.dq[query];
      mc = std::max(mc, w[key]);
    }
    if (isCheap(R))
      mc = mc * p.dq[query];
    for (int key = 0; key < kKeys; ++key) {
      const float e = power2<R>(isCheap(R) ? std::fmaf(w[key], p.dq[query], -mc) : w[key] - mc);
      lq[key % 8 / 2] += e;
      w[key] = e * p.dv[first + key];
      wm = std::max(wm, w[key]);
    }
    if (R == Rules::Lean)
      wm = largestScale(p, chunk % kPeriod);
    const float lc = (lq[0] + lq[1]) + (lq[2] + lq[3]), dw = wm / kLargest, inverse = kLargest / wm;
    int q[kKeys];
    for (int key = 0; key < kKeys; ++key)
      q[key] = int(std::fmaf(w[key], inverse, 8388608.0f) - 8388608.0f);
    const float most = std::max(m, mc), alpha = power2<R>(m - most), beta = power2<R>(mc - most);
    for (int c = 0; c < kHead; ++c) {
      long long all = 0;
      for (int key = 0; key < kKeys; ++key) {
        const int v = p.v[(first + key) * kHead + c];
        all += 1LL * q[key] * v - (cacheLimbs == 2 ? lowLimb(q[key]) * lowLimb(v) : 0);
      }
      const float f = static_cast<float>(cacheLimbs == 2 ? all / 128 : all);
      o[c] = std::fmaf(f, dw * beta, o[c] * alpha);
    }
    l = std::fmaf(lc, beta, l * alpha);
    m = most;
  }
  std::memcpy(out, o, sizeof o);
  out[128] = l;
  out[129] = m;
}

template <Rules R, int CacheLimbs, int Warpgroups> bool bench(int ctas) {
  using I = Image<CacheLimbs>;
  const Problem problem = makeProblem(CacheLimbs, 20261130 + CacheLimbs);
  const std::vector<uint4> image = makeImage<CacheLimbs>(problem);
  uint4 *deviceImage;
  float *out;
  const size_t outputs = size_t(ctas) * Warpgroups * 64 * 130;
  check(cudaMalloc(&deviceImage, I::kBytes), "memory");
  check(cudaMalloc(&out, outputs * 4), "memory");
  check(cudaMemcpy(deviceImage, image.data(), I::kBytes, cudaMemcpyHostToDevice), "copy");
  auto *kernel = attention<R, CacheLimbs, Warpgroups>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, I::kBytes),
        "shared memory");
  cudaFuncAttributes attributes;
  check(cudaFuncGetAttributes(&attributes, kernel), "attributes");
  const int checked = 7, chunks = 4096;
  check(cudaMemset(out, 0xff, outputs * 4), "poison");
  kernel<<<ctas, Warpgroups * kThreads, I::kBytes>>>(deviceImage, out, checked);
  std::vector<float> actual(outputs);
  check(cudaMemcpy(actual.data(), out, outputs * 4, cudaMemcpyDeviceToHost), "run");
  size_t wrong = 0;
  std::vector<float> expected(64 * 130);
  for (int query = 0; query < kQueries; ++query)
    reference<R>(problem, CacheLimbs, query, checked, &expected[query * 130]);
  for (size_t i = 0; i < outputs; ++i)
    wrong += std::memcmp(&actual[i], &expected[i % (64 * 130)], 4) != 0;
  std::vector<float> times;
  for (int run = 0; run < 9; ++run) {
    cudaEvent_t begin, end;
    check(cudaEventCreate(&begin), "event");
    check(cudaEventCreate(&end), "event");
    check(cudaEventRecord(begin), "event");
    kernel<<<ctas, Warpgroups * kThreads, I::kBytes>>>(deviceImage, out, chunks);
    check(cudaEventRecord(end), "event");
    check(cudaEventSynchronize(end), "run");
    float time;
    check(cudaEventElapsedTime(&time, begin, end), "time");
    if (run >= 2)
      times.push_back(time);
  }
  std::sort(times.begin(), times.end());
  const double operations = 4.0 * kQueries * kKeys * kHead * chunks * Warpgroups * ctas;
  std::printf(
      "%-8s cache %-5s %d warpgroups  regs %3d spill %3zu  %7.1f TFLOP/s (%.1f .. %.1f), %5.0f "
      "clocks a chunk at 1980 MHz  %s\n",
      R == Rules::Lean ? "lean"
      : isCheap(R)     ? "cheap"
                       : "proposal",
      CacheLimbs == 2 ? "int16" : "int8", Warpgroups, attributes.numRegs, attributes.localSizeBytes,
      operations / times[times.size() / 2] * 1e-9, operations / times.back() * 1e-9,
      operations / times.front() * 1e-9, times[times.size() / 2] * 1e-3 * 1.98e9 / chunks,
      wrong ? "WRONG" : "bits equal");
  if (wrong)
    std::printf("  %zu of %zu outputs, first %g expected %g\n", wrong, outputs, actual[0],
                expected[0]);
  check(cudaFree(deviceImage), "free");
  check(cudaFree(out), "free");
  return wrong == 0;
}

} // namespace

int main() {
  cudaDeviceProp device;
  check(cudaGetDeviceProperties(&device, 0), "device");
  const int ctas = device.multiProcessorCount;
  bool good = true;
  good &= bench<Rules::Proposal, 2, 1>(ctas);
  good &= bench<Rules::Proposal, 2, 2>(ctas);
  good &= bench<Rules::Proposal, 1, 2>(ctas);
  good &= bench<Rules::Proposal, 1, 3>(ctas);
  good &= bench<Rules::Cheap, 2, 1>(ctas);
  good &= bench<Rules::Cheap, 2, 2>(ctas);
  good &= bench<Rules::Cheap, 1, 2>(ctas);
  good &= bench<Rules::Cheap, 1, 3>(ctas);
  good &= bench<Rules::Lean, 2, 1>(ctas);
  good &= bench<Rules::Lean, 2, 2>(ctas);
  good &= bench<Rules::Lean, 1, 2>(ctas);
  good &= bench<Rules::Lean, 1, 3>(ctas);
  return good ? 0 : 1;
}
