// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The contract the plain way, from docs/numerics.md alone: random Q4_K blocks as files have them,
// random activations quantized to int16, the product of one output a thread; and the packing of
// both for the kernel.
#pragma once
#include "layout.cuh"
#include <cuda_fp16.h>

__host__ __device__ inline uint32_t mix(uint64_t x) {
  x = (x ^ x >> 31) * 0x7fb5d329728ea185ull;
  x = (x ^ x >> 27) * 0x81dadef4bc2dd44dull;
  return static_cast<uint32_t>(x ^ x >> 33);
}

/// Blocks of Q4_K with every byte random but d and dmin, which are finite. Of the first expert, row
/// 0 has the largest integers everywhere and row 1 zeros.
__global__ void makeWeights(uint8_t *file, int64_t blocks, int blocksOfRow, uint64_t seed) {
  const int64_t block = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (block >= blocks)
    return;
  const int64_t row = block / blocksOfRow;
  auto *words = reinterpret_cast<uint32_t *>(file + block * fileBytes);
  for (int i = 0; i < fileBytes / 4; ++i)
    words[i] = row == 0 ? 0xFFFFFFFFu : row == 1 ? 0u : mix(seed + block * 64 + i);
  // Halves between 2^-9 and 2^-5, of either sign.
  const auto half = [&](int i) {
    const uint32_t r = mix(seed + block * 64 + 40 + i);
    return (r & 0x83FFu) | (6 + (r >> 16) % 4) << 10;
  };
  words[0] = half(0) | half(1) << 16;
}

/// Activations: normal numbers with now and then a large one; row 0 is the largest everywhere, row
/// 1 the least, row 2 is zero.
__global__ void makeActivations(float *x, int64_t count, int k, uint64_t seed) {
  const int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count)
    return;
  const float u = (mix(seed + 3 * i) + 0.5f) * 0x1p-32f, v = mix(seed + 3 * i + 1) * 0x1p-32f;
  float value = sqrtf(-2.0f * logf(u)) * cospif(2.0f * v);
  if (mix(seed + 3 * i + 2) % 997 == 0)
    value *= 30.0f;
  const int64_t row = i / k;
  x[i] = row == 0 ? 3.0f : row == 1 ? -3.0f : row == 2 ? 0.0f : value;
}

/// q [row][k] and d_a [row][k / 128] of docs/numerics.md, "Activations", and how the kernel has
/// them.
__global__ void quantize(const float *x, int64_t blocks, int16_t *q, float *scales, int8_t *limbs,
                         __half *digits) {
  const int64_t block = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (block >= blocks)
    return;
  const float *from = x + block * blockElements;
  float most = 0.0f;
  for (int i = 0; i < blockElements; ++i)
    most = fmaxf(most, fabsf(from[i]));
  const bool isZero = most < 0x1p-96f;
  const float d = isZero ? 0.0f : __fdiv_rn(most, 16319.0f);
  const float r = isZero ? 0.0f : __fdiv_rn(16319.0f, most);
  scales[block] = d;
  for (int g = 0; g < 4; ++g) {
    int sum = 0;
    for (int i = 32 * g; i < 32 * g + 32; ++i) {
      const int value = __float2int_rn(__fmul_rn(from[i], r));
      const int low = ((value + 64) & 127) - 64;
      q[block * blockElements + i] = static_cast<int16_t>(value);
      limbs[block * 256 + i] = static_cast<int8_t>((value - low) / 128);
      limbs[block * 256 + 128 + i] = static_cast<int8_t>(low);
      sum += value;
    }
    const int low = ((sum + 256) & 511) - 256;
    digits[block * 16 + g] = __int2half_rn((sum - low) / 512);
    digits[block * 16 + 8 + g] = __int2half_rn(low);
    digits[block * 16 + 4 + g] = digits[block * 16 + 12 + g] = __int2half_rn(0);
  }
}

/// Images of tiles, one thread for 16 bytes of limbs; blockIdx.y: tile, blockIdx.x: super-block.
__global__ void makeImages(const Tile *tiles, const int *rowOf, Activations a, int k, int consumers,
                           uint8_t *images) {
  const Tile tile = tiles[blockIdx.y];
  const int super = blockIdx.x, superBlocks = k / superElements, width = tile.width;
  uint8_t *image =
      images + (int64_t{tile.image} * superBlocks + int64_t{super} * width) * imageBytes;
  const auto source = [&](int t) {
    return int64_t{rowOf[tile.first + t]} * superBlocks * 2 + super * 2;
  };
  for (int i = threadIdx.x; i < width * 32; i += blockDim.x) {
    const int unit = i % 8, limb = i / 8 % 2, block = i / 16 % 2, t = i / 32, line = 2 * t + limb;
    uint4 value = {};
    if (t < tile.rows)
      value = reinterpret_cast<const uint4 *>(a.limbs)[(source(t) + block) * 16 + limb * 8 + unit];
    reinterpret_cast<uint4 *>(image)[(block * width * 2 + line) * 8 + (unit ^ line % 8)] = value;
  }
  const int vector = scaleVector(consumers, width);
  for (int i = threadIdx.x; i < width * 2; i += blockDim.x) {
    const int block = i % 2, t = i / 2;
    uint4 digits[2] = {};
    float scale = 0.0f;
    if (t < tile.rows) {
      for (int limb = 0; limb < 2; ++limb)
        digits[limb] = reinterpret_cast<const uint4 *>(a.digits)[(source(t) + block) * 2 + limb];
      scale = a.scales[source(t) + block];
    }
    for (int limb = 0; limb < 2; ++limb)
      reinterpret_cast<uint4 *>(image + width * 512)[(block * width + t) * 2 + limb] = digits[limb];
    reinterpret_cast<float *>(image + width * 576)[block * width + placeOfScale(t, vector)] = scale;
  }
}

/// Of a block of Q4_K: the level of element i, sub-scale and minimum of group k.
__device__ inline int levelOf(const uint8_t *block, int i) {
  const uint8_t c = block[16 + 32 * (i / 64) + i % 32];
  return i % 64 < 32 ? c & 15 : c >> 4;
}
__device__ inline int scaleOf(const uint8_t *block, int k) {
  const uint8_t *s = block + 4;
  return k < 4 ? s[k] & 63 : (s[k + 4] & 15) + 16 * (s[k - 4] >> 6);
}
__device__ inline int minimumOf(const uint8_t *block, int k) {
  const uint8_t *s = block + 4;
  return k < 4 ? s[k + 4] & 63 : (s[k + 4] >> 4) + 16 * (s[k] >> 6);
}

/// One thread a row and super-block.
__global__ void pack(const uint8_t *file, uint8_t *packed, int64_t rows, int superBlocks) {
  const int64_t index = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const int64_t row = index / superBlocks;
  if (row >= rows)
    return;
  const int super = static_cast<int>(index % superBlocks);
  const uint8_t *block = file + index * fileBytes;
  uint8_t *group = packed + (row / groupRows * superBlocks + super) * groupBytes;
  const int r = static_cast<int>(row % groupRows);
  for (int b = 0; b < 2; ++b)
    for (int step = 0; step < 4; ++step)
      for (int q = 0; q < 4; ++q)
        for (int e = 0; e < 4; ++e) {
          const int i = 128 * b + 32 * step + 4 * q + e;
          const int thread = r / 16 * 32 + r % 8 * 4 + q;
          const int word = ((b * 2 + step / 2) * 128 + thread) * 4 + step % 2 * 2 + r % 16 / 8;
          group[word * 4 + e] =
              static_cast<uint8_t>(levelOf(block, i) | levelOf(block, i + 16) << 4);
        }
  uint8_t *scales = group + levelBytes + r * 16;
  for (int g = 0; g < 4; ++g) {
    const int s[] = {scaleOf(block, g), scaleOf(block, g + 4)};
    const int m[] = {minimumOf(block, g), minimumOf(block, g + 4)};
    scales[g] = static_cast<uint8_t>((s[0] & 15) | (s[1] & 15) << 4);
    scales[4 + g] = static_cast<uint8_t>((m[0] & 15) | (m[1] & 15) << 4);
    scales[8 + g] =
        static_cast<uint8_t>(s[0] >> 4 | s[1] >> 4 << 2 | m[0] >> 4 << 4 | m[1] >> 4 << 6);
    scales[12 + g] = block[g];
  }
}

/// The dot product of docs/numerics.md, class SubScale32 with minimums, int16, limbs apart.
__device__ inline float dot(const uint8_t *row, const int16_t *q, const float *scales, int k) {
  float total = 0.0f, acc = 0.0f;
  for (int b = 0; b < k / blockElements; ++b) {
    const uint8_t *block = row + b / 2 * fileBytes;
    int high = 0, low = 0, minimums = 0;
    for (int g = 0; g < 4; ++g) {
      const int scale = scaleOf(block, b % 2 * 4 + g), minimum = minimumOf(block, b % 2 * 4 + g);
      for (int i = 0; i < 32; ++i) {
        const int value = q[b * blockElements + 32 * g + i];
        const int weight = scale * levelOf(block, b % 2 * 128 + 32 * g + i);
        const int lo = ((value + 64) & 127) - 64, hi = (value - lo) / 128;
        high += weight * hi;
        low += weight * lo;
        minimums += minimum * value;
      }
    }
    const float d = __half2float(__ushort_as_half(block[0] | block[1] << 8));
    const float dmin = __half2float(__ushort_as_half(block[2] | block[3] << 8));
    const float f = __fmaf_rn(128.0f, __int2float_rn(high), __int2float_rn(low));
    float t = __fmul_rn(f, d);
    t = __fmaf_rn(-__int2float_rn(minimums), dmin, t);
    acc = __fmaf_rn(t, scales[b], acc);
    if ((b + 1) % (chunkElements / blockElements) == 0 || b + 1 == k / blockElements) {
      total = b < chunkElements / blockElements ? acc : __fadd_rn(total, acc);
      acc = 0.0f;
    }
  }
  return total;
}

/// Counts the outputs of sampled sorted rows that differ from the contract.
__global__ void compare(const uint8_t *file, const int16_t *q, const float *scales,
                        const int *rowOf, const int *expertOf, const int *sample, int rows, int k,
                        const float *out, unsigned long long *wrong) {
  const int sorted = sample[blockIdx.y], row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= rows)
    return;
  const int64_t a = rowOf[sorted];
  const float expected =
      dot(file + (int64_t{expertOf[sorted]} * rows + row) * (k / superElements) * fileBytes,
          q + a * k, scales + a * (k / blockElements), k);
  if (__float_as_uint(expected) != __float_as_uint(out[int64_t{sorted} * rows + row]))
    atomicAdd(wrong, 1ull);
}

/// Counts outputs that nobody wrote.
__global__ void countPoison(const uint32_t *out, int64_t count, unsigned long long *poisoned) {
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count;
       i += int64_t{gridDim.x} * blockDim.x)
    if (out[i] == 0xFFFFFFFFu)
      atomicAdd(poisoned, 1ull);
}

/// Reads all of `data`; the ceiling of the same run.
__global__ void readAll(const uint4 *data, int64_t count, uint32_t *out) {
  uint32_t x = 0;
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count;
       i += int64_t{gridDim.x} * blockDim.x) {
    const uint4 v = __ldcs(data + i);
    x ^= v.x ^ v.y ^ v.z ^ v.w;
  }
  if (x == 0x12345678u)
    *out = x;
}
