// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks and times the product on one layer's experts: gate and up as one product of 2 * width
// rows, then down. Exit status 1 if an output differs from the contract.
//   harness [--layer NAME] [--tokens N] [--most N] [--repeat N] [--once] [--parts]
#include "product.cuh"
#include "reference.cuh"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

namespace {
void check(cudaError_t error, const char *what) {
  if (error == cudaSuccess)
    return;
  std::printf("error: %s: %s\n", what, cudaGetErrorString(error));
  std::exit(1);
}

template <typename T> class Buffer {
public:
  explicit Buffer(int64_t count) : count(count) {
    check(cudaMalloc(&data, count * sizeof(T)), "cudaMalloc");
    poison();
  }
  explicit Buffer(const std::vector<T> &host) : Buffer(static_cast<int64_t>(host.size())) {
    check(cudaMemcpy(data, host.data(), count * sizeof(T), cudaMemcpyHostToDevice), "copy in");
  }
  Buffer(const Buffer &) = delete;
  ~Buffer() { cudaFree(data); }
  void poison() { check(cudaMemset(data, 0xFF, count * sizeof(T)), "cudaMemset"); }
  T *get() const { return data; }
  int64_t size() const { return count; }
  T first() const {
    T value;
    check(cudaMemcpy(&value, data, sizeof(T), cudaMemcpyDeviceToHost), "copy out");
    return value;
  }

private:
  int64_t count;
  T *data = nullptr;
};

struct Layer {
  const char *name;
  int experts, used, hidden, width;
};
constexpr Layer layers[] = {{"qwen3-30b-a3b", 128, 8, 2048, 768},
                            {"mixtral-8x7b", 8, 2, 4096, 14336},
                            {"deepseek-v3", 256, 8, 7168, 2048},
                            {"small", 16, 4, 1280, 512}}; ///< Only if named: ends within tiles.

/// Of the table in issue 15, microseconds: now, Marlin, aim.
struct Known {
  const char *layer;
  int tokens, now, marlin, aim;
};
constexpr Known known[] = {
    {"qwen3-30b-a3b", 1, 24, 30, 14},         {"qwen3-30b-a3b", 8, 68, 68, 45},
    {"qwen3-30b-a3b", 16, 95, 95, 66},        {"qwen3-30b-a3b", 64, 149, 133, 98},
    {"qwen3-30b-a3b", 128, 168, 144, 105},    {"qwen3-30b-a3b", 512, 386, 264, 165},
    {"qwen3-30b-a3b", 2048, 1148, 790, 520},  {"qwen3-30b-a3b", 8192, 4234, 2640, 1950},
    {"mixtral-8x7b", 1, 76, 81, 55},          {"mixtral-8x7b", 8, 240, 234, 185},
    {"mixtral-8x7b", 16, 249, 256, 205},      {"mixtral-8x7b", 64, 512, 381, 250},
    {"mixtral-8x7b", 128, 753, 495, 330},     {"mixtral-8x7b", 512, 2430, 1476, 1000},
    {"mixtral-8x7b", 2048, 8444, 5167, 3700}, {"mixtral-8x7b", 8192, 33371, 19978, 14500},
    {"deepseek-v3", 1, 73, 83, 55},           {"deepseek-v3", 8, 452, 452, 370},
    {"deepseek-v3", 16, 699, 775, 660},       {"deepseek-v3", 64, 1590, 1653, 1430},
    {"deepseek-v3", 128, 1861, 1932, 1620},   {"deepseek-v3", 512, 3640, 3181, 1900},
    {"deepseek-v3", 2048, 9482, 7077, 4300},  {"deepseek-v3", 8192, 35225, 22566, 15500}};

/// Slots sorted by expert.
struct Routing {
  std::vector<int> offsets, slotOf, expertOf;
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
  Routing r{{0}, {}, {}};
  for (int e = 0; e < layer.experts; ++e) {
    r.slotOf.insert(r.slotOf.end(), slots[e].begin(), slots[e].end());
    r.expertOf.insert(r.expertOf.end(), slots[e].size(), e);
    r.offsets.push_back(static_cast<int>(r.slotOf.size()));
  }
  return r;
}

/// Each expert's tiles of tokens: the widest ones and a rest, or equal ones if those are cheaper. A
/// tile costs what its tokens cost, and decoding, which is about 14 tokens' worth.
std::vector<std::vector<Tile>> makeTiles(const Routing &r, int most) {
  std::vector<std::vector<Tile>> tiles(r.offsets.size() - 1);
  int image = 0;
  for (size_t e = 0; e < tiles.size(); ++e) {
    const int rows = r.offsets[e + 1] - r.offsets[e], count = (rows + most - 1) / most;
    if (rows == 0)
      continue;
    const auto cost = [&](int n) { return widthFor(n, most) + 14; };
    const int rest = rows - (count - 1) * most, equal = (rows + count - 1) / count;
    const bool areEqual = count * cost(equal) < (count - 1) * cost(most) + cost(rest);
    const int step = areEqual ? equal : most;
    for (int first = r.offsets[e]; first < r.offsets[e + 1]; first += step) {
      const int n = std::min(step, r.offsets[e + 1] - first), width = widthFor(n, most);
      tiles[e].push_back({first, n, width, image});
      image += width;
    }
  }
  return tiles;
}

/// Those that read the same weights follow each other.
std::vector<Item> makeItems(const std::vector<std::vector<Tile>> &tiles, int rows, int tileRows) {
  std::vector<Item> items;
  for (size_t e = 0; e < tiles.size(); ++e)
    for (int rowTile = 0; rowTile < (rows + tileRows - 1) / tileRows; ++rowTile)
      for (const Tile &t : tiles[e])
        items.push_back({static_cast<int>(e), t.first, t.image, static_cast<uint16_t>(t.rows),
                         static_cast<uint16_t>(rowTile)});
  return items;
}

/// A kernel of the study.
struct Kernel {
  int consumers, rows, most, stages, stageBytes;
  Without part;
  void (*launch)(const ProductArguments &p, int blocks);
};

template <int Consumers, int Most, Without Part>
void launch(const ProductArguments &p, int blocks) {
  using S = Shape<Consumers, Most>;
  static bool isReady = false;
  if (!isReady)
    check(cudaFuncSetAttribute(product<Consumers, Most, Part>,
                               cudaFuncAttributeMaxDynamicSharedMemorySize, S::bytes),
          "shared memory");
  isReady = true;
  product<Consumers, Most, Part><<<blocks, S::threads, S::bytes>>>(p);
  check(cudaGetLastError(), "launch");
}

template <int Consumers, int Most, Without Part = Without::Nothing> constexpr Kernel kernel() {
  using S = Shape<Consumers, Most>;
  return {Consumers, S::rows, Most, S::stages, S::stage, Part, launch<Consumers, Most, Part>};
}
const std::vector<Kernel> kernels = {kernel<3, 16>(), kernel<4, 16>(), kernel<3, 32>(),
                                     kernel<3, 48>(), kernel<2, 64>(), kernel<2, 72>()};
/// One kernel, and what is left of its time without its parts.
const std::vector<Kernel> parts = {kernel<2, 64>(), kernel<2, 64, Without::Scaling>(),
                                   kernel<2, 64, Without::Minimums>()};

unsigned grid(int64_t n, int block) { return static_cast<unsigned>((n + block - 1) / block); }

/// Weights of one matrix of each expert, as in a file and packed.
struct Weights {
  int rows, k;
  Buffer<uint8_t> file, packed;
  Weights(int experts, int rows, int k, uint64_t seed)
      : rows(rows), k(k), file(int64_t{experts} * rows * k / superElements * fileBytes),
        packed(file.size()) {
    const int64_t blocks = file.size() / fileBytes;
    makeWeights<<<grid(blocks, 256), 256>>>(file.get(), blocks, k / superElements, seed);
    pack<<<grid(blocks, 256), 256>>>(file.get(), packed.get(), int64_t{experts} * rows,
                                     k / superElements);
    check(cudaDeviceSynchronize(), "weights");
  }
};

struct Quantized {
  Buffer<int16_t> q;
  Buffer<float> scales;
  Buffer<int8_t> limbs;
  Buffer<__half> digits;
  Quantized(int rows, int k, uint64_t seed)
      : q(int64_t{rows} * k), scales(q.size() / 128), limbs(q.size() * 2), digits(q.size() / 8) {
    Buffer<float> x(q.size());
    makeActivations<<<grid(q.size(), 256), 256>>>(x.get(), q.size(), k, seed);
    quantize<<<grid(scales.size(), 256), 256>>>(x.get(), scales.size(), q.get(), scales.get(),
                                                limbs.get(), digits.get());
    check(cudaDeviceSynchronize(), "activations");
  }
};

Buffer<uint8_t> *flushed = nullptr; ///< Written between launches: what evicts the L2.
int repeats = 11;
bool once = false, inParts = false;
int64_t wrongs = 0;

/// Microseconds, medians.
struct Time {
  double gather, product;
};
double megahertz = 0; ///< of the last product

/// Times one product and the gathering of its images before it, and checks its outputs after that.
Time measure(const Weights &w, const Quantized &a, const std::vector<int> &rowOf, const Routing &r,
             const Kernel &kernel, unsigned seed) {
  const int sorted = static_cast<int>(rowOf.size());
  const std::vector<std::vector<Tile>> tiles = makeTiles(r, kernel.most);
  std::vector<Tile> flat;
  for (const auto &of : tiles)
    flat.insert(flat.end(), of.begin(), of.end());
  std::vector<Item> items = makeItems(tiles, w.rows, kernel.rows);
  const int count = static_cast<int>(items.size());
  items.push_back({-1, 0, 0, 0, 0});
  int blocks = 0;
  check(cudaDeviceGetAttribute(&blocks, cudaDevAttrMultiProcessorCount, 0), "attribute");
  Buffer<int> rows(rowOf), experts(r.expertOf), next(1);
  Buffer<int> itemCount(std::vector<int>{count});
  Buffer<Item> deviceItems(items);
  Buffer<Tile> deviceTiles(flat);
  Buffer<uint8_t> images(int64_t{flat.back().image + flat.back().width} * (w.k / superElements) *
                         imageBytes);
  Buffer<float> out(int64_t{sorted} * w.rows);
  Buffer<uint64_t> clocks(std::vector<uint64_t>{0, 0});
  const ProductArguments p{w.packed.get(),  images.get(), deviceItems.get(),
                           itemCount.get(), next.get(),   out.get(),
                           clocks.get(),    w.rows,       w.k};
  const auto gather = [&] {
    makeImages<<<dim3(w.k / superElements, static_cast<unsigned>(flat.size())), 256>>>(
        deviceTiles.get(), rows.get(), {a.limbs.get(), a.digits.get(), a.scales.get()}, w.k,
        kernel.consumers, images.get());
    check(cudaGetLastError(), "gather");
  };
  cudaEvent_t events[4];
  for (cudaEvent_t &e : events)
    check(cudaEventCreate(&e), "event");
  std::vector<double> gathers, products;
  for (int i = once ? 0 : -2; i < (once ? 1 : repeats); ++i) {
    out.poison();
    images.poison();
    flushed->poison();
    check(cudaEventRecord(events[0]), "event");
    gather();
    check(cudaEventRecord(events[1]), "event");
    flushed->poison();
    const int taken = 2 * blocks;
    check(cudaMemcpy(next.get(), &taken, sizeof(int), cudaMemcpyHostToDevice), "copy in");
    check(cudaEventRecord(events[2]), "event");
    kernel.launch(p, blocks);
    check(cudaEventRecord(events[3]), "event");
    check(cudaEventSynchronize(events[3]), "product");
    float of[2] = {};
    for (int j = 0; j < 2; ++j)
      check(cudaEventElapsedTime(&of[j], events[2 * j], events[2 * j + 1]), "event");
    if (i >= 0) {
      gathers.push_back(of[0] * 1e3);
      products.push_back(of[1] * 1e3);
    }
  }
  for (cudaEvent_t &e : events)
    cudaEventDestroy(e);
  std::sort(gathers.begin(), gathers.end());
  std::sort(products.begin(), products.end());
  uint64_t read[2];
  check(cudaMemcpy(read, clocks.get(), sizeof(read), cudaMemcpyDeviceToHost), "copy out");
  megahertz = 1e3 * static_cast<double>(read[0]) / static_cast<double>(read[1]);

  const Time time = {gathers[gathers.size() / 2], products[products.size() / 2]};
  if (kernel.part != Without::Nothing)
    return time;
  // All sorted rows, or about 320 of them: the first and last of tiles, and others.
  std::vector<int> sample;
  std::mt19937 random(seed);
  const int part = std::max(1, sorted / 256);
  for (int s = 0; s < sorted; ++s)
    if (part == 1 || random() % part == 0 || s + 1 == sorted || s == 0 ||
        (r.expertOf[s] != r.expertOf[s + 1] && random() % 4 == 0))
      sample.push_back(s);
  Buffer<int> samples(sample);
  Buffer<unsigned long long> wrong(std::vector<unsigned long long>{0});
  compare<<<dim3(grid(w.rows, 128), static_cast<unsigned>(sample.size())), 128>>>(
      w.file.get(), a.q.get(), a.scales.get(), rows.get(), experts.get(), samples.get(), w.rows,
      w.k, out.get(), wrong.get());
  countPoison<<<1024, 256>>>(reinterpret_cast<uint32_t *>(out.get()), out.size(), wrong.get());
  check(cudaDeviceSynchronize(), "compare");
  if (const auto n = wrong.first()) {
    std::printf("WRONG: %llu of %zu x %d outputs\n", n, sample.size(), w.rows);
    wrongs += static_cast<int64_t>(n);
  }
  return time;
}

/// Microseconds between the events of a launch that finds no item.
double timeOfNothing(const Kernel &kernel) {
  Buffer<int> count(std::vector<int>{0}), next(1);
  Buffer<Item> items(std::vector<Item>{{-1, 0, 0, 0, 0}});
  Buffer<uint64_t> clocks(2);
  const ProductArguments p{nullptr, nullptr,      items.get(), count.get(),  next.get(),
                           nullptr, clocks.get(), groupRows,   superElements};
  cudaEvent_t start, stop;
  check(cudaEventCreate(&start), "event");
  check(cudaEventCreate(&stop), "event");
  std::vector<float> times;
  for (int i = 0; i < 21; ++i) {
    flushed->poison();
    check(cudaEventRecord(start), "event");
    kernel.launch(p, 132);
    check(cudaEventRecord(stop), "event");
    check(cudaEventSynchronize(stop), "nothing");
    float ms;
    check(cudaEventElapsedTime(&ms, start, stop), "event");
    times.push_back(ms);
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2] * 1e3;
}
} // namespace

int main(int argc, char **argv) {
  std::string only;
  std::vector<int> tokenCounts = {64, 512, 2048}, mosts;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--once") {
      once = true;
      continue;
    }
    if (flag == "--parts") {
      inParts = true;
      continue;
    }
    const std::string value = i + 1 < argc ? argv[++i] : "";
    std::vector<int> numbers;
    for (size_t at = 0; flag != "--layer" && at < value.size(); at = value.find(',', at) + 1) {
      numbers.push_back(std::atoi(value.c_str() + at));
      if (value.find(',', at) == std::string::npos)
        break;
    }
    if (flag == "--layer")
      only = value;
    else if (flag == "--tokens")
      tokenCounts = numbers;
    else if (flag == "--most")
      mosts = numbers;
    else if (flag == "--repeat")
      repeats = numbers.at(0);
  }
  flushed = new Buffer<uint8_t>(256 << 20);
  const unsigned seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  for (const Kernel &k : kernels)
    std::printf("tiles of %d x %d: %d stages of %d B\n", k.rows, k.most, k.stages, k.stageBytes);
  std::printf("%-14s %6s %10s | %7s | %8s %8s %8s | %6s %5s %5s | %6s %6s %6s\n", "layer", "tokens",
              "tile", "gather", "gate+up", "down", "sum, us", "TOP/s", "TB/s", "MHz", "now",
              "Marlin", "aim");
  for (const Layer &layer : layers) {
    if (only.empty() ? layer.experts == 16 : only != layer.name)
      continue;
    const Weights up(layer.experts, 2 * layer.width, layer.hidden, seed + 1);
    const Weights down(layer.experts, layer.hidden, layer.width, seed + 2);
    for (int tokens : tokenCounts) {
      const Routing r = route(layer, tokens, seed + tokens);
      const int sorted = tokens * layer.used;
      const Quantized input(tokens, layer.hidden, seed + 3), gated(sorted, layer.width, seed + 4);
      std::vector<int> tokenOf, same(sorted);
      for (int slot : r.slotOf)
        tokenOf.push_back(slot / layer.used);
      std::iota(same.begin(), same.end(), 0);
      int distinct = 0;
      for (int e = 0; e < layer.experts; ++e)
        distinct += r.offsets[e + 1] > r.offsets[e];
      for (const Kernel &kernel : inParts ? parts : kernels) {
        if (!mosts.empty() && std::find(mosts.begin(), mosts.end(), kernel.most) == mosts.end())
          continue;
        const Time first = measure(up, input, tokenOf, r, kernel, seed + 5);
        const Time second = measure(down, gated, same, r, kernel, seed + 6);
        const double time = first.product + second.product;
        const char *const names[] = {"", "without scaling: ", "without minimums: "};
        std::printf("%s", names[static_cast<int>(kernel.part)]);
        const double weights = 3.0 * layer.width * layer.hidden;
        std::printf("%-14s %6d %5d x %2d | %7.1f | %8.1f %8.1f %8.1f | %6.1f %5.2f %5.0f |",
                    layer.name, tokens, kernel.rows, kernel.most, first.gather, first.product,
                    second.product, time, 2 * weights * sorted / time * 1e-6,
                    distinct * weights * 0.5625 / time * 1e-6, megahertz);
        for (const Known &k : known)
          if (k.tokens == tokens && std::strcmp(k.layer, layer.name) == 0)
            std::printf(" %6d %6d %6d", k.now, k.marlin, k.aim);
        std::printf("\n");
        std::fflush(stdout);
      }
    }
  }
  {
    Buffer<uint8_t> data(int64_t{4} << 30);
    const int64_t count = data.size() / fileBytes;
    makeWeights<<<grid(count, 256), 256>>>(data.get(), count, 8, seed);
    Buffer<uint32_t> result(1);
    cudaEvent_t start, stop;
    check(cudaEventCreate(&start), "event");
    check(cudaEventCreate(&stop), "event");
    std::vector<float> times;
    for (int i = 0; i < 7; ++i) {
      check(cudaEventRecord(start), "event");
      readAll<<<132 * 16, 512>>>(reinterpret_cast<uint4 *>(data.get()), data.size() / 16,
                                 result.get());
      check(cudaEventRecord(stop), "event");
      check(cudaEventSynchronize(stop), "read");
      float ms;
      check(cudaEventElapsedTime(&ms, start, stop), "event");
      times.push_back(ms);
    }
    std::sort(times.begin(), times.end());
    std::printf("plain read: %.2f TB/s; a launch without items: %.1f us\n",
                data.size() / times[3] * 1e-9, timeOfNothing(kernels[0]));
  }
  std::printf("%lld wrong outputs\n", static_cast<long long>(wrongs));
  return wrongs != 0;
}
