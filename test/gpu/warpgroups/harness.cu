// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Times the kernels that make_kernels.py has compiled, with warpgroups and without, on the routed
// experts of three layers, and compares all of their outputs, bit by bit. Exit status 1 if one
// differs.
//   harness FOLDER [--layer NAME] [--tokens N,N...] [--repeat N]
#include "codegen/kernels/exact/ExactGeometry.h"
#include "codegen/kernels/rows/RowGeometry.h"
#include "docs/studies/hopper_product/reference.cuh"
#include "runtime/numerics/layout.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace {
using MapEntry = sortie::kernels::Tile;
using sortie::numerics::RowKind;

void check(cudaError_t error, const char *what) {
  if (error == cudaSuccess)
    return;
  std::printf("error: %s: %s\n", what, cudaGetErrorString(error));
  std::exit(2);
}

template <typename T> class Buffer {
public:
  explicit Buffer(int64_t count) : count(count) {
    check(cudaMalloc(&data, bytes()), "cudaMalloc");
    poison();
  }
  explicit Buffer(const std::vector<T> &host) : Buffer(static_cast<int64_t>(host.size())) {
    check(cudaMemcpy(data, host.data(), bytes(), cudaMemcpyHostToDevice), "copy in");
  }
  Buffer(const Buffer &) = delete;
  ~Buffer() { cudaFree(data); }
  void poison() { check(cudaMemset(data, 0xA5, bytes()), "cudaMemset"); }
  T *get() const { return data; }
  int64_t size() const { return count; }
  int64_t bytes() const { return count * static_cast<int64_t>(sizeof(T)); }

private:
  int64_t count;
  T *data = nullptr;
};

//===- Kernels -----------------------------------------------------------===//

/// A line of the manifest.
struct Kernel {
  cudaKernel_t kernel;
  int threads, shared;
  int64_t x, perToken, more, divisor, mostPerToken, most; ///< of the grid
  int rows;                                               ///< of a matrix that it packs

  unsigned gridY(int64_t tokens) const {
    const int64_t blocks = (perToken * tokens + more + divisor - 1) / divisor;
    return static_cast<unsigned>(std::min(blocks, mostPerToken * tokens + most));
  }
  template <typename... Arguments> void launch(dim3 grid, Arguments... arguments) const {
    void *pointers[] = {&arguments...};
    check(cudaLaunchKernel(reinterpret_cast<const void *>(kernel), grid, threads, pointers, shared,
                           nullptr),
          "launch");
  }
};

/// By layer, variant and kind; pack kernels also by their rows.
std::map<std::string, Kernel> loadKernels(const std::string &folder) {
  std::map<std::string, Kernel> kernels;
  std::ifstream manifest(folder + "/manifest");
  std::string layer, variant, kind, file, entry;
  for (Kernel k; manifest >> layer >> variant >> kind >> file >> entry >> k.threads >> k.shared >>
                 k.x >> k.perToken >> k.more >> k.divisor >> k.mostPerToken >> k.most >> k.rows;) {
    cudaLibrary_t library;
    const std::string path = folder + "/" + file;
    check(cudaLibraryLoadFromFile(&library, path.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0),
          path.c_str());
    check(cudaLibraryGetKernel(&k.kernel, library, entry.c_str()), entry.c_str());
    check(cudaFuncSetAttribute(reinterpret_cast<const void *>(k.kernel),
                               cudaFuncAttributeMaxDynamicSharedMemorySize, k.shared),
          "shared memory");
    kernels[layer + " " + variant + " " + kind + (k.rows ? " " + std::to_string(k.rows) : "")] = k;
  }
  if (kernels.empty()) {
    std::printf("error: %s/manifest has no kernels: run make_kernels.py\n", folder.c_str());
    std::exit(2);
  }
  return kernels;
}

//===- Operands ----------------------------------------------------------===//

struct Layer {
  const char *name;
  int experts, used, hidden, width;
};
constexpr Layer layers[] = {{"qwen3-30b-a3b", 128, 8, 2048, 768},
                            {"mixtral-8x7b", 8, 2, 4096, 14336},
                            {"deepseek-v3", 256, 8, 7168, 2048}};

unsigned gridOf(int64_t n, int block) { return static_cast<unsigned>((n + block - 1) / block); }

/// Weights of one matrix of each expert, packed by the product's kernel.
Buffer<uint8_t> *makeMatrix(const Layer &layer, const Kernel &pack, int rows, int k,
                            uint64_t seed) {
  const int64_t blocks = int64_t{layer.experts} * rows * k / superElements;
  Buffer<uint8_t> file(blocks * fileBytes);
  auto *packed = new Buffer<uint8_t>(file.size());
  makeWeights<<<gridOf(blocks, 256), 256>>>(file.get(), blocks, k / superElements, seed);
  check(cudaGetLastError(), "weights");
  const int panels = layer.experts * rows / 16;
  pack.launch(dim3(panels), static_cast<const void *>(file.get()),
              static_cast<void *>(packed->get()), int32_t{0}, int32_t{panels},
              static_cast<uint32_t *>(nullptr), uint32_t{0});
  check(cudaDeviceSynchronize(), "weights");
  return packed;
}

struct Routing {
  std::vector<int> offsets = {0}, permutation;
  std::vector<MapEntry> tiles;
};

Routing route(const Layer &layer, int tokens, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::vector<int>> slots(layer.experts);
  std::vector<int> ids(layer.experts);
  std::iota(ids.begin(), ids.end(), 0);
  for (int t = 0; t < tokens; ++t)
    for (int i = 0; i < layer.used; ++i) {
      std::swap(ids[i], ids[std::uniform_int_distribution<int>(i, layer.experts - 1)(random)]);
      slots[ids[i]].push_back(t * layer.used + i);
    }
  Routing r;
  for (int e = 0; e < layer.experts; ++e) {
    const int rows = static_cast<int>(slots[e].size());
    for (int row = 0; row < rows; row += 64)
      r.tiles.push_back({e, r.offsets.back() + row, std::min(64, rows - row), 0});
    r.permutation.insert(r.permutation.end(), slots[e].begin(), slots[e].end());
    r.offsets.push_back(static_cast<int>(r.permutation.size()));
  }
  r.tiles.resize(static_cast<size_t>(layer.used) * tokens / 64 + layer.experts + 2, MapEntry{});
  return r;
}

__global__ void countDifferences(const uint32_t *a, const uint32_t *b, int64_t count,
                                 unsigned long long *different) {
  for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count;
       i += int64_t{gridDim.x} * blockDim.x)
    if (a[i] != b[i])
      atomicAdd(different, 1ull);
}

//===- Measurement -------------------------------------------------------===//

int repeats = 9;

/// The median of launches with a cold L2, microseconds.
template <typename Launch> double timeOf(Buffer<uint8_t> &flushed, Launch launch) {
  cudaEvent_t start, stop;
  check(cudaEventCreate(&start), "event");
  check(cudaEventCreate(&stop), "event");
  std::vector<float> times;
  for (int i = -1; i < repeats; ++i) {
    flushed.poison();
    check(cudaEventRecord(start), "event");
    launch();
    check(cudaEventRecord(stop), "event");
    check(cudaEventSynchronize(stop), "product");
    float ms;
    check(cudaEventElapsedTime(&ms, start, stop), "event");
    if (i >= 0)
      times.push_back(ms);
  }
  cudaEventDestroy(start);
  cudaEventDestroy(stop);
  std::sort(times.begin(), times.end());
  return times[times.size() / 2] * 1e3;
}

struct Matrices {
  Buffer<uint8_t> *gate, *up, *down;
};

/// Runs both variants on one number of tokens. Returns how many words differ.
unsigned long long measure(const Layer &layer, const std::map<std::string, Kernel> &kernels,
                           const Matrices &weights, int tokens, unsigned seed,
                           Buffer<uint8_t> &flushed) {
  const Routing routing = route(layer, tokens, seed);
  const int64_t sorted = int64_t{tokens} * layer.used;
  const int64_t actBytes = sortie::numerics::actRowBytes(RowKind::Int16, layer.width);
  Buffer<int> offsets(routing.offsets), permutation(routing.permutation);
  Buffer<MapEntry> tiles(routing.tiles);
  std::vector<float> factors(sorted);
  for (int64_t i = 0; i < sorted; ++i)
    factors[i] = static_cast<float>(i % 97 + 1) / 97.0f;
  Buffer<float> scale(factors), x(int64_t{tokens} * layer.hidden);
  makeActivations<<<gridOf(x.size(), 256), 256>>>(x.get(), x.size(), layer.hidden, seed);
  Buffer<uint8_t> input(tokens * sortie::numerics::actRowBytes(RowKind::Int16, layer.hidden));
  const std::string name = layer.name;
  uint32_t *progress = nullptr;
  const uint32_t step = 0;
  const Kernel &quantize = kernels.at(name + " mma quantize");
  quantize.launch(dim3(tokens, static_cast<unsigned>(
                                   sortie::kernels::quantizeBlocks(layer.hidden))),
                  static_cast<const float *>(x.get()), static_cast<void *>(input.get()), progress,
                  step);
  check(cudaDeviceSynchronize(), "quantize");
  Buffer<unsigned long long> different(std::vector<unsigned long long>{0});

  Buffer<uint8_t> activations[2] = {Buffer<uint8_t>(sorted * actBytes),
                                    Buffer<uint8_t>(sorted * actBytes)};
  Buffer<float> outputs[2] = {Buffer<float>(sorted * layer.hidden),
                              Buffer<float>(sorted * layer.hidden)};
  double times[2][2];
  for (int v = 0; v < 2; ++v) {
    const std::string variant = v == 0 ? " mma " : " warpgroups ";
    const Kernel &glu = kernels.at(name + variant + "glu_matmul");
    const Kernel &matmul = kernels.at(name + variant + "matmul");
    times[v][0] = timeOf(flushed, [&] {
      glu.launch(dim3(glu.x, glu.gridY(tokens)), static_cast<const void *>(input.get()),
                 static_cast<const int *>(offsets.get()), static_cast<const MapEntry *>(tiles.get()),
                 static_cast<const int *>(permutation.get()),
                 static_cast<void *>(activations[v].get()),
                 static_cast<const void *>(weights.gate->get()),
                 static_cast<const void *>(weights.up->get()), progress, step);
    });
    // Both read the activations of the first variant: a wrong one must not hide another.
    times[v][1] = timeOf(flushed, [&] {
      matmul.launch(dim3(matmul.x, matmul.gridY(tokens)),
                    static_cast<const void *>(activations[0].get()),
                    static_cast<const int *>(offsets.get()), static_cast<const MapEntry *>(tiles.get()),
                    static_cast<const int *>(permutation.get()),
                    static_cast<const float *>(scale.get()), static_cast<void *>(outputs[v].get()),
                    static_cast<const void *>(weights.down->get()), progress, step);
    });
  }
  countDifferences<<<1024, 256>>>(reinterpret_cast<uint32_t *>(activations[0].get()),
                                  reinterpret_cast<uint32_t *>(activations[1].get()),
                                  sorted * actBytes / 4, different.get());
  countDifferences<<<1024, 256>>>(reinterpret_cast<uint32_t *>(outputs[0].get()),
                                  reinterpret_cast<uint32_t *>(outputs[1].get()),
                                  sorted * layer.hidden, different.get());
  unsigned long long wrong = 0;
  check(cudaMemcpy(&wrong, different.get(), sizeof wrong, cudaMemcpyDeviceToHost), "compare");
  const double mma = times[0][0] + times[0][1], own = times[1][0] + times[1][1];
  std::printf("%-14s %6d | %8.1f %8.1f %9.1f | %8.1f %8.1f %9.1f | %5.2f | %5.0f | %llu\n",
              layer.name, tokens, times[0][0], times[0][1], mma, times[1][0], times[1][1], own,
              mma / own, 6.0 * layer.width * layer.hidden * sorted / own * 1e-6, wrong);
  std::fflush(stdout);
  return wrong;
}
} // namespace

int main(int argc, char **argv) {
  std::string only;
  std::vector<int> counts = {1, 8, 16, 64, 128, 512, 2048, 8192};
  if (argc < 2) {
    std::printf("harness FOLDER [--layer NAME] [--tokens N,N...] [--repeat N]\n");
    return 2;
  }
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--layer")
      only = argv[i + 1];
    if (flag == "--repeat")
      repeats = std::atoi(argv[i + 1]);
    if (flag == "--tokens") {
      counts.clear();
      std::stringstream list(argv[i + 1]);
      for (std::string number; std::getline(list, number, ',');)
        counts.push_back(std::atoi(number.c_str()));
    }
  }
  const std::map<std::string, Kernel> kernels = loadKernels(argv[1]);
  Buffer<uint8_t> flushed(int64_t{256} << 20);
  const unsigned seed = std::random_device{}();
  std::printf("seed %u; us, medians of %d; TOP/s of the last\n", seed, repeats);
  std::printf("%-14s %6s | %8s %8s %9s | %8s %8s %9s | %5s | %5s | %s\n", "layer", "tokens",
              "gate+up", "down", "mma", "gate+up", "down", "warpgrps", "times", "TOP/s",
              "words that differ");
  unsigned long long wrong = 0;
  for (const Layer &layer : layers) {
    if (!only.empty() && only != layer.name)
      continue;
    const std::string packs = std::string(layer.name) + " mma pack_q4_K ";
    const Kernel &wide = kernels.at(packs + std::to_string(layer.width));
    const Kernel &narrow = kernels.at(packs + std::to_string(layer.hidden));
    const Matrices weights = {makeMatrix(layer, wide, layer.width, layer.hidden, seed + 1),
                              makeMatrix(layer, wide, layer.width, layer.hidden, seed + 2),
                              makeMatrix(layer, narrow, layer.hidden, layer.width, seed + 3)};
    for (int tokens : counts)
      wrong += measure(layer, kernels, weights, tokens, seed + tokens, flushed);
    delete weights.gate;
    delete weights.up;
    delete weights.down;
  }
  std::printf("%llu words differ\n", wrong);
  return wrong != 0;
}
