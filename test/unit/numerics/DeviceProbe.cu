// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The probe on a GPU: every word must be what the host computes. Exit status 77 without a GPU.

#include "test/unit/numerics/Probe.h"

#include <cstdio>
#include <vector>

extern "C" void probeNoFma(uint32_t *words);

namespace probe = sortie::test::probe;

static __global__ void probeKernel(uint32_t *words) {
  const int item = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (item < probe::kItems)
    words[item] = probe::probeItem(item);
}

int main() {
  constexpr int kThreads = 32;
  std::vector<uint32_t> expected(probe::kItems);
  std::vector<uint32_t> words(probe::kItems);
  uint32_t *onDevice = nullptr;
  if (cudaMalloc(&onDevice, words.size() * sizeof(uint32_t)) != cudaSuccess) {
    std::printf("skipped: no usable GPU\n");
    return 77;
  }
  probeKernel<<<(probe::kItems + kThreads - 1) / kThreads, kThreads>>>(onDevice);
  const cudaError_t status =
      cudaMemcpy(words.data(), onDevice, words.size() * sizeof(uint32_t), cudaMemcpyDeviceToHost);
  if (status != cudaSuccess) {
    std::printf("failed: %s\n", cudaGetErrorString(status));
    return 1;
  }
  probeNoFma(expected.data());
  int different = 0;
  for (size_t item = 0; item < words.size(); ++item) {
    if (words[item] == expected[item])
      continue;
    std::printf("item %zu, section %zu: GPU %08x, host %08x\n", item,
                item / probe::kItemsPerSection, words[item], expected[item]);
    ++different;
  }
  std::printf("%d of %d words differ\n", different, probe::kItems);
  return different == 0 ? 0 : 1;
}
