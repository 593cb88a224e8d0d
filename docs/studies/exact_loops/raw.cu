// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "bench.h"

namespace {
template <int Columns, int Warpgroups, Source From> void raw(const char *how) {
  constexpr int bytes = rawSteps * (tileRows + Columns) * 32, blocks = 8192;
  const int ctas = multiprocessors();
  std::mt19937 random(1);
  std::vector<uint4> host(bytes / 16);
  for (uint4 &x : host)
    x = {unsigned(random()), unsigned(random()), unsigned(random()), unsigned(random())};
  const DeviceBuffer<uint4> image(host);
  DeviceBuffer<int> out(size_t(ctas) * Columns / 2 * Warpgroups * groupThreads);
  auto *kernel = rawProducts<Columns, Warpgroups, From>;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes),
        "shared memory");
  const Timing time = timeLaunches(7, [&] {
    kernel<<<ctas, Warpgroups * groupThreads, bytes>>>(image.get(), out.get(), blocks);
  });
  std::printf("raw wgmma s8, %s, %d x %d: %7.1f TOP/s\n", how, Warpgroups, Columns,
              2.0 * tileRows * Columns * 128 * blocks * Warpgroups * ctas / time.median * 1e-9);
}
} // namespace

void rawLoops() {
  raw<256, 2, Source::Shared>("both shared");
  raw<128, 2, Source::Shared>("both shared");
  raw<64, 4, Source::Shared>("both shared");
  raw<128, 2, Source::Bytes>("weights in registers");
  raw<96, 3, Source::Bytes>("weights in registers");
  raw<64, 4, Source::Bytes>("weights in registers");
  raw<64, 3, Source::Bytes>("weights in registers");
}
