// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Do instructions of other warps cost time while the tensor cores multiply? Two warpgroups do
// nothing but products, in turn; two others nothing but one kind of instruction, as many as take
// the same time alone. Together they take that time (1.00) if they do not disturb each other, and
// twice that time if one waits for the other.
#include "wgmma_generated.cuh" // of the study of exact loops
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime.h>
#include <vector>

namespace {
void check(cudaError_t error) {
  if (error == cudaSuccess)
    return;
  std::printf("error: %s\n", cudaGetErrorString(error));
  std::exit(1);
}

enum class Op { Fma, Multiply, IntegerMultiplyAdd, ShiftAdd, Logic, Convert, Scaling };
constexpr const char *opNames[] = {"FFMA", "FMUL", "IMAD", "LEA", "LOP3", "I2FP", "all"};
/// A from registers or shared memory, columns, sums added to or begun anew by each product.
enum class Tensor { Add64, New64, Add128, AddShared128, NewShared64 };
constexpr const char *tensorNames[] = {
    "A in registers, N = 64, sums added to", "A in registers, N = 64, sums begun anew",
    "A in registers, N = 128, sums added to", "A in shared memory, N = 128, sums added to",
    "A in shared memory, N = 64, sums begun anew"};
constexpr bool isNew(Tensor t) { return t == Tensor::New64 || t == Tensor::NewShared64; }
constexpr int columnsOf(Tensor t) { return t == Tensor::Add64 || isNew(t) ? 64 : 128; }
/// Products of a turn: of several into the same new sums the compiler would leave out all but one.
constexpr int productsOf(Tensor t) { return isNew(t) ? 2 : 4; }

constexpr int registers = 16;

template <Op O> __device__ __forceinline__ void doOne(int &x, int a, int b) {
  if constexpr (O == Op::Fma)
    asm volatile("{.reg .f32 f, g, h; mov.b32 f, %0; mov.b32 g, %1; mov.b32 h, %2;\n"
                 "fma.rn.f32 f, f, g, h; mov.b32 %0, f;}"
                 : "+r"(x)
                 : "r"(a), "r"(b));
  else if constexpr (O == Op::Multiply)
    asm volatile("{.reg .f32 f, g; mov.b32 f, %0; mov.b32 g, %1;\n"
                 "mul.rn.f32 f, f, g; mov.b32 %0, f;}"
                 : "+r"(x)
                 : "r"(a));
  else if constexpr (O == Op::IntegerMultiplyAdd)
    asm volatile("mad.lo.s32 %0, %0, %1, %2;" : "+r"(x) : "r"(a), "r"(b));
  else if constexpr (O == Op::ShiftAdd)
    asm volatile("{.reg .b32 t; shl.b32 t, %0, 7; add.s32 %0, t, %1;}" : "+r"(x) : "r"(a));
  else if constexpr (O == Op::Logic)
    asm volatile("lop3.b32 %0, %0, %1, %2, 0x96;" : "+r"(x) : "r"(a), "r"(b));
  else if constexpr (O == Op::Convert)
    asm volatile("{.reg .f32 f; cvt.rn.f32.s32 f, %0; mov.b32 %0, f;}" : "+r"(x));
  else { // what the product's kernel does for an output and block
    for (int i = 0; i < 4; ++i) {
      doOne<Op::ShiftAdd>(x, a, b);
      doOne<Op::IntegerMultiplyAdd>(x, a, b);
    }
    doOne<Op::Convert>(x, a, b);
    doOne<Op::Multiply>(x, a, b);
    for (int i = 0; i < 3; ++i)
      doOne<Op::Fma>(x, a, b);
  }
}

template <int R> __device__ __forceinline__ void keep(int (&d)[R]) {
#pragma unroll
  for (int i = 0; i < R; ++i)
    asm volatile("" : "+r"(d[i])::"memory");
}
__device__ __forceinline__ uint64_t operand(const void *p) {
  const uint64_t address = __cvta_generic_to_shared(p);
  return (address & 0x3FFFF) >> 4 | uint64_t{1} << 16 | uint64_t{64} << 32 | uint64_t{1} << 62;
}

template <Tensor T>
__device__ __forceinline__ void multiply(int iterations, uint8_t *shared, int *out) {
  constexpr int columns = columnsOf(T);
  using Product = Wgmma<columns>;
  int d[isNew(T) ? 2 : 1][columns / 2] = {};
  const unsigned a[4] = {threadIdx.x * 7919u, threadIdx.x * 104729u, threadIdx.x * 31u, 77u};
  const uint64_t b = operand(shared), left = operand(shared + 65536);
#pragma unroll 1
  for (int i = 0; i < iterations; ++i) {
    asm volatile("wgmma.fence.sync.aligned;" ::: "memory");
    for (auto &sums : d)
      keep(sums);
#pragma unroll
    for (int k = 0; k < productsOf(T); ++k) {
      auto &sums = d[isNew(T) ? k : 0];
      if constexpr (T == Tensor::AddShared128 || T == Tensor::NewShared64)
        Product::template fromShared<!isNew(T)>(sums, left + 2 * k, b + 2 * k);
      else
        Product::template fromRegisters<!isNew(T)>(sums, a, b + 2 * k);
    }
    asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");
    asm volatile("wgmma.wait_group.sync.aligned 0;" ::: "memory");
    for (auto &sums : d)
      keep(sums);
  }
  for (int i = 0; i < columns / 2; ++i)
    for (auto &sums : d)
      out[threadIdx.x] += sums[i];
}

template <Tensor T, Op O>
__global__ void __launch_bounds__(512, 1) both(int products, int instructions, int *out) {
  extern __shared__ __align__(1024) uint8_t shared[];
  for (int i = threadIdx.x; i < (128 << 10) / 4; i += blockDim.x)
    reinterpret_cast<uint32_t *>(shared)[i] = (i * 2654435761u) & 0x3F3F3F3Fu;
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
  __syncthreads();
  if (threadIdx.x < 256) {
    multiply<T>(products, shared, out);
  } else {
    int x[registers];
    for (int i = 0; i < registers; ++i)
      x[i] = threadIdx.x * (i + 1);
    const int a = out[0], b = out[1];
#pragma unroll 1
    for (int n = 0; n < instructions; ++n)
#pragma unroll
      for (int j = 0; j < 8; ++j)
#pragma unroll
        for (int i = 0; i < registers; ++i)
          doOne<O>(x[i], a, b);
    int sum = 0;
    for (int i = 0; i < registers; ++i)
      sum += x[i];
    out[threadIdx.x] += sum;
  }
}

template <Tensor T, Op O> double time(int products, int instructions, int *out) {
  check(cudaFuncSetAttribute(both<T, O>, cudaFuncAttributeMaxDynamicSharedMemorySize, 128 << 10));
  cudaEvent_t start, stop;
  check(cudaEventCreate(&start));
  check(cudaEventCreate(&stop));
  std::vector<float> times;
  for (int i = 0; i < 5; ++i) {
    check(cudaEventRecord(start));
    both<T, O><<<132, 512, 128 << 10>>>(products, instructions, out);
    check(cudaGetLastError());
    check(cudaEventRecord(stop));
    check(cudaEventSynchronize(stop));
    float ms;
    check(cudaEventElapsedTime(&ms, start, stop));
    times.push_back(ms);
  }
  std::sort(times.begin(), times.end());
  return times[2] * 1e3;
}

double rates[3]; ///< Instructions a nanosecond and scheduler: FMUL, IMAD, all.

template <Tensor T, Op O> void compare(int *out) {
  constexpr double microseconds = 400;
  const int tryProducts = 2000, tryInstructions = 2000;
  const double fixed = time<T, O>(0, 0, out);
  const int products =
      static_cast<int>(tryProducts * microseconds / (time<T, O>(tryProducts, 0, out) - fixed));
  const int instructions = static_cast<int>(tryInstructions * microseconds /
                                            (time<T, O>(0, tryInstructions, out) - fixed));
  const double alone = time<T, O>(products, 0, out) - fixed;
  const double other = time<T, O>(0, instructions, out) - fixed;
  const double together = time<T, O>(products, instructions, out) - fixed;
  std::printf(" %5.2f", together / std::max(alone, other));
  constexpr int ofOne = O == Op::Scaling ? 13 : 1;
  if (O == Op::Multiply || O == Op::IntegerMultiplyAdd || O == Op::Scaling) // two warps a scheduler
    rates[O == Op::Multiply  ? 0
          : O == Op::Scaling ? 2
                             : 1] = 2.0 * instructions * 8 * registers * ofOne / (other * 1e3);
  if (O == Op::Scaling)
    std::printf("   %.0f TOP/s; %.2f, %.2f, %.2f\n",
                2.0 * 2 * productsOf(T) * 64 * columnsOf(T) * 32 * products * 132 / alone * 1e-6,
                rates[0], rates[1], rates[2]);
}
template <Tensor T> void compareAll(int *out) {
  std::printf("%-46s", tensorNames[static_cast<int>(T)]);
  compare<T, Op::Fma>(out);
  compare<T, Op::Multiply>(out);
  compare<T, Op::IntegerMultiplyAdd>(out);
  compare<T, Op::ShiftAdd>(out);
  compare<T, Op::Logic>(out);
  compare<T, Op::Convert>(out);
  compare<T, Op::Scaling>(out);
}
} // namespace

int main() {
  int *out;
  check(cudaMalloc(&out, 4096));
  check(cudaMemset(out, 1, 4096));
  std::printf("%-46s", "time together over time alone");
  for (const char *name : opNames)
    std::printf(" %5s", name);
  std::printf("   alone: products; FMUL, IMAD, all a ns and scheduler\n");
  compareAll<Tensor::Add64>(out);
  compareAll<Tensor::New64>(out);
  compareAll<Tensor::Add128>(out);
  compareAll<Tensor::AddShared128>(out);
  compareAll<Tensor::NewShared64>(out);
}
