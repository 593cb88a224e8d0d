// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The router's product in `float` arithmetic: scores[token][expert] = x[token] . w[expert] in fp32.
// Chunks of 1024; in a chunk, partial j takes every k = j mod Partials by ascending fma; the
// partials meet in a pairwise tree; chunk sums are added in ascending order.
//
// Unlike the prefill loops this is a whole kernel, memory traffic included. A thread keeps PerLane
// neighbouring partials of a TokenTile x ExpertTile tile of outputs in registers; the lanes that
// share outputs hold the other partials.
#include "check.h"
#include <cmath>
#include <cstring>
#include <random>

constexpr int chunk = 1024;
constexpr int stageDepth = 64;               ///< Elements of K in a stage of shared memory.
constexpr int stageStride = stageDepth + 16; ///< Neighbouring rows start 16 banks apart.
constexpr int stages = 4;

struct Tiling {
  int partials, perLane;
  int tokenTile, expertTile; ///< Outputs of a thread.
  int tokenLanes;            ///< Lane groups of a warp along tokens.
  int tokenWarps, expertWarps;

  constexpr int lanes() const { return partials / perLane; } ///< That share outputs.
  constexpr int expertLanes() const { return 32 / lanes() / tokenLanes; }
  constexpr int tokens() const { return tokenTile * tokenLanes * tokenWarps; }
  constexpr int experts() const { return expertTile * expertLanes() * expertWarps; }
  constexpr int threads() const { return 32 * tokenWarps * expertWarps; }
  constexpr int outputs() const { return tokenTile * expertTile; }
  constexpr int stageFloats() const { return (tokens() + experts()) * stageStride; }
  constexpr int sharedBytes() const { return stages * stageFloats() * 4; }
};

extern __shared__ __align__(16) float shared[];

/// Copies stages of Rows x stageDepth floats to shared memory, sixteen bytes a thread and turn.
/// Everything that does not change from stage to stage is computed once.
template <int Rows, int Threads> class RowCopy {
  static constexpr int parts = stageDepth / 4, rowsPerTurn = Threads / parts;
  static_assert(Rows % rowsPerTurn == 0, "every turn copies whole rows");
  const float *from;
  unsigned to;
  size_t turn; ///< Floats between two turns' rows.

public:
  __device__ __forceinline__ RowCopy(float *stage, const float *rows, int k)
      : from(rows + size_t(threadIdx.x / parts) * k + threadIdx.x % parts * 4),
        to(__cvta_generic_to_shared(stage + threadIdx.x / parts * stageStride +
                                    threadIdx.x % parts * 4)),
        turn(size_t(rowsPerTurn) * k) {}

  /// Starts the copy of the next stage into the buffer at `offset` bytes.
  __device__ __forceinline__ void next(unsigned offset) {
    const float *row = from;
#pragma unroll
    for (int i = 0; i < Rows / rowsPerTurn; ++i, row += turn)
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(
                       to + offset + i * rowsPerTurn * stageStride * 4),
                   "l"(row));
    from += stageDepth;
  }
};

/// PerLane neighbouring floats.
template <int PerLane>
__device__ __forceinline__ void loadValues(float (&v)[PerLane], const float *from) {
  if constexpr (PerLane == 4)
    *reinterpret_cast<float4 *>(v) = *reinterpret_cast<const float4 *>(from);
  else if constexpr (PerLane == 2)
    *reinterpret_cast<float2 *>(v) = *reinterpret_cast<const float2 *>(from);
  else
    v[0] = *from;
}

/// What a thread needs of Partials elements of K. Two generations alternate, so that the loads of
/// one step run under the arithmetic of the step before: two warps a scheduler hide no latency.
template <Tiling T> struct Operands {
  float x[T.tokenTile][T.perLane], w[T.expertTile][T.perLane];

  __device__ __forceinline__ void load(const float *xs, const float *ws) {
#pragma unroll
    for (int a = 0; a < T.tokenTile; ++a)
      loadValues(x[a], xs + a * T.tokenLanes * stageStride);
#pragma unroll
    for (int b = 0; b < T.expertTile; ++b)
      loadValues(w[b], ws + b * T.expertLanes() * stageStride);
  }
};

template <Tiling T>
__global__ void __launch_bounds__(T.threads(), 1)
    routerScores(const float *x, const float *w, float *out, int k, int experts) {
  constexpr int lanes = T.lanes(), step = T.partials;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int part = lane % lanes, group = lane / lanes;
  const int tokenBase = (warp % T.tokenWarps) * T.tokenTile * T.tokenLanes + group % T.tokenLanes;
  const int expertBase =
      (warp / T.tokenWarps) * T.expertTile * T.expertLanes() + group / T.tokenLanes;
  const int stageCount = k / stageDepth;
  RowCopy<T.tokens(), T.threads()> xCopy(shared, x + size_t(blockIdx.x) * T.tokens() * k, k);
  RowCopy<T.experts(), T.threads()> wCopy(shared + T.tokens() * stageStride,
                                          w + size_t(blockIdx.y) * T.experts() * k, k);
  auto copyStage = [&](int stage) {
    if (stage < stageCount) {
      const unsigned offset = stage % stages * T.stageFloats() * 4;
      xCopy.next(offset);
      wCopy.next(offset);
    }
    asm volatile("cp.async.commit_group;");
  };

  float p[T.outputs()][T.perLane];
  constexpr int mine = T.outputs() / lanes; // outputs that this lane ends up with
  float total[mine];
  for (float &sum : total)
    sum = -0.0f; // -0.0 + x is x: the first chunk's sum starts the total
  for (int stage = 0; stage < stages - 1; ++stage)
    copyStage(stage);

#pragma unroll 1
  for (int stage = 0; stage < stageCount; ++stage) {
    if (stage % (chunk / stageDepth) == 0)
#pragma unroll
      for (int o = 0; o < T.outputs(); ++o)
#pragma unroll
        for (int j = 0; j < T.perLane; ++j)
          p[o][j] = 0.0f;
    asm volatile("cp.async.wait_group %0;" ::"n"(stages - 2) : "memory");
    __syncthreads();
    copyStage(stage + stages - 1);
    const float *base = shared + stage % stages * T.stageFloats() + part * T.perLane;
    const float *xs = base + tokenBase * stageStride;
    const float *ws = base + (T.tokens() + expertBase) * stageStride;
    Operands<T> operands[2];
    operands[0].load(xs, ws);
#pragma unroll
    for (int s = 0; s < stageDepth / step; ++s) {
      const Operands<T> &now = operands[s % 2];
      if (s + 1 < stageDepth / step)
        operands[(s + 1) % 2].load(xs + (s + 1) * step, ws + (s + 1) * step);
#pragma unroll
      for (int b = 0; b < T.expertTile; ++b)
#pragma unroll
        for (int a = 0; a < T.tokenTile; ++a)
#pragma unroll
          for (int j = 0; j < T.perLane; ++j)
            p[a * T.expertTile + b][j] =
                __fmaf_rn(now.x[a][j], now.w[b][j], p[a * T.expertTile + b][j]);
    }
    if ((stage + 1) % (chunk / stageDepth) != 0)
      continue;
    // The tree, level by level. Between lanes: each keeps half of its outputs and sends the other
    // half, so that the work halves too. `+` commutes, so both partners compute the same bits.
    int live = T.outputs();
#pragma unroll
    for (int mask = lanes / 2; mask >= 1; mask /= 2) {
      live /= 2;
      const bool upper = part & mask;
#pragma unroll
      for (int o = 0; o < T.outputs() / 2; ++o) {
        if (o >= live)
          break;
#pragma unroll
        for (int j = 0; j < T.perLane; ++j) {
          const float keep = upper ? p[o + live][j] : p[o][j];
          const float send = upper ? p[o][j] : p[o + live][j];
          p[o][j] = __fadd_rn(keep, __shfl_xor_sync(~0u, send, mask));
        }
      }
    }
#pragma unroll
    for (int o = 0; o < mine; ++o) {
#pragma unroll
      for (int half = T.perLane / 2; half >= 1; half /= 2)
#pragma unroll
        for (int j = 0; j < half; ++j)
          p[o][j] = __fadd_rn(p[o][j], p[o][j + half]);
      total[o] = __fadd_rn(total[o], p[o][0]);
    }
  }

  // Which outputs this lane kept: one bit of `part` chose a half at each level.
  int first = 0;
  for (int mask = lanes / 2, half = T.outputs() / 2; mask >= 1; mask /= 2, half /= 2)
    first += part & mask ? half : 0;
#pragma unroll
  for (int o = 0; o < mine; ++o) {
    const int a = (first + o) / T.expertTile, b = (first + o) % T.expertTile;
    const size_t token = size_t(blockIdx.x) * T.tokens() + tokenBase + a * T.tokenLanes;
    const int expert = blockIdx.y * T.experts() + expertBase + b * T.expertLanes();
    out[token * experts + expert] = total[o];
  }
}

/// The contract's dot product with `partials` partials.
float reference(const float *x, const float *w, int k, int partials) {
  float total = 0;
  for (int from = 0; from < k; from += chunk) {
    float p[32] = {};
    for (int i = 0; i < chunk; ++i)
      p[i % partials] = std::fmaf(x[from + i], w[from + i], p[i % partials]);
    for (int half = partials / 2; half >= 1; half /= 2)
      for (int j = 0; j < half; ++j)
        p[j] += p[j + half];
    total = from == 0 ? p[0] : total + p[0];
  }
  return total;
}

int wrongKernels = 0;

template <Tiling T> void bench(int tokens, int experts, int k) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<float> x(size_t(tokens) * k), w(size_t(experts) * k);
  for (float &v : x)
    v = normal(random);
  for (float &v : w)
    v = 0.02f * normal(random);
  const DeviceBuffer<float> dx(x), dw(w);
  DeviceBuffer<float> out(size_t(tokens) * experts);
  auto *kernel = routerScores<T>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, T.sharedBytes()),
        "shared memory");
  const dim3 grid(tokens / T.tokens(), experts / T.experts());
  const Timing time = timeLaunches(31, [&] {
    kernel<<<grid, T.threads(), T.sharedBytes()>>>(dx.get(), dw.get(), out.get(), k, experts);
  });
  const std::vector<float> actual = out.read();
  size_t wrong = 0, checked = 0;
  for (int token = 0; token < tokens; token += 13)
    for (int expert = 0; expert < experts; ++expert, ++checked) {
      const float expected =
          reference(&x[size_t(token) * k], &w[size_t(expert) * k], k, T.partials);
      wrong += std::memcmp(&expected, &actual[size_t(token) * experts + expert], 4) != 0;
    }
  wrongKernels += wrong != 0;
  cudaFuncAttributes attributes;
  check(cudaFuncGetAttributes(&attributes, kernel), "cudaFuncGetAttributes");
  const double operations = 2.0 * tokens * experts * k;
  std::printf(
      "router %d x %d x %d, %2d partials, %d a lane, thread %2d x %-2d, CTA %2d x %-3d: regs "
      "%3d spill %2zu %7.2f us (%.2f .. %.2f) %5.1f TFLOP/s %zu of %zu wrong\n",
      tokens, experts, k, T.partials, T.perLane, T.tokenTile, T.expertTile, T.tokens(), T.experts(),
      attributes.numRegs, attributes.localSizeBytes, time.median * 1e3, time.least * 1e3,
      time.most * 1e3, operations / time.median * 1e-9, wrong, checked);
}

/// The ceiling: fma alone, 64 independent chains a thread.
__global__ void __launch_bounds__(256, 2) fmaOnly(const float *in, float *out, int rounds) {
  float v[64];
  const float a = in[threadIdx.x], b = in[threadIdx.x + 256];
  for (int i = 0; i < 64; ++i)
    v[i] = a * i;
#pragma unroll 1
  for (int r = 0; r < rounds; ++r)
#pragma unroll
    for (int i = 0; i < 64; ++i)
      v[i] = __fmaf_rn(v[i], b, a);
  float sum = 0;
  for (float x : v)
    sum += x;
  out[blockIdx.x * 256 + threadIdx.x] = sum;
}
int main() {
  const int ctas = multiprocessors() * 2, rounds = 4096;
  std::vector<float> seed(512);
  for (size_t i = 0; i < seed.size(); ++i)
    seed[i] = 0.5f + float(i) / 1024;
  const DeviceBuffer<float> in(seed);
  DeviceBuffer<float> out(size_t(ctas) * 256);
  const Timing peak = timeLaunches(9, [&] { fmaOnly<<<ctas, 256>>>(in.get(), out.get(), rounds); });
  std::printf("fma alone: %.1f TFLOP/s\n", 2.0 * 64 * rounds * 256 * ctas / peak.median * 1e-9);

  for (int k : {2048, 7168}) {
    bench<Tiling{16, 1, 8, 16, 2, 2, 4}>(2048, 128, k); // warp 16 x 16, CTA 32 x 64
    bench<Tiling{16, 2, 8, 8, 2, 2, 4}>(2048, 128, k);
    bench<Tiling{16, 1, 8, 8, 2, 2, 8}>(2048, 128, k); // half the tile, 16 warps
    bench<Tiling{16, 4, 4, 8, 4, 2, 4}>(2048, 128, k);
    bench<Tiling{8, 1, 8, 16, 2, 1, 4}>(2048, 128, k); // warp 16 x 32, CTA 16 x 128
    bench<Tiling{32, 1, 8, 16, 1, 4, 2}>(2048, 128, k);
    bench<Tiling{32, 2, 8, 8, 2, 2, 4}>(2048, 128, k);
    bench<Tiling{16, 2, 8, 4, 2, 2, 8}>(2048, 128, k); // 16 warps
  }
  return wrongKernels != 0;
}
