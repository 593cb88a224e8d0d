// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Times the CPU device on the routed experts of one qwen3-30b-a3b layer: hidden size 2048, 128
// experts of width 768, top 8; gate and up fused with the activation and its quantization, then
// down. Experts are random, distinct for a token, and the same in each repetition. Weights are
// random: how fast integers multiply does not depend on them.
//
//   cpu_kernels [--isa=<name>] [--threads=<n>] [Google Benchmark options]

#include "runtime/support/AlignedBytes.h"
#include "test/unit/cpu/OperationCalls.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <benchmark/benchmark.h>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

using namespace sortie;
using namespace sortie::cpu;
using numerics::Encoding;
using numerics::Format;
using numerics::RowKind;

namespace {

constexpr int64_t kHidden = 2048;
constexpr int64_t kWidth = 768;
constexpr int64_t kExperts = 128;
constexpr int64_t kTop = 8;

/// Memory as the runtime allocates it.
AlignedBytes allocate(uint64_t bytes) {
  return llvm::cantFail(AlignedBytes::allocate(bytes, "a benchmark"));
}

/// A stack of experts with random levels and scales of moderate size.
struct Experts {
  MatrixShape shape;
  AlignedBytes packed;

  Experts(Encoding encoding, int64_t rows, int64_t columns)
      : shape{numerics::formatOf(encoding), kExperts, rows, columns},
        packed(allocate(packedBytes(shape))) {
    const numerics::EncodingInfo info = numerics::encodingInfo(encoding);
    std::vector<uint8_t> raw(static_cast<size_t>(rows * numerics::rowBytes(info, columns)));
    std::mt19937_64 random(1);
    for (uint8_t &byte : raw)
      byte = static_cast<uint8_t>(random() & 0x3f); // no half is infinite or NaN
    for (int64_t expert = 0; expert < kExperts; ++expert)
      packRows(shape, encoding, expert, 0, rows, raw.data(), packed.data());
  }
  Matrix matrix() const { return {shape, packed.data()}; }
};

struct Layer {
  Experts gate;
  Experts up;
  Experts down;
  Encoding encoding;
  explicit Layer(Encoding encoding)
      : gate(encoding, kWidth, kHidden), up(encoding, kWidth, kHidden),
        down(encoding, kHidden, kWidth), encoding(encoding) {}
};

/// One layer at a time is kept: they have hundreds of megabytes.
const Layer &layerOf(Encoding encoding) {
  static std::unique_ptr<Layer> layer;
  if (!layer || layer->encoding != encoding) {
    layer.reset();
    layer = std::make_unique<Layer>(encoding);
  }
  return *layer;
}

struct Routing {
  std::vector<int32_t> permutation;
  std::vector<int32_t> inverse;
  std::vector<int32_t> offsets;

  explicit Routing(int64_t tokens)
      : permutation(static_cast<size_t>(tokens * kTop)), inverse(permutation.size()),
        offsets(kExperts + 1) {
    std::mt19937_64 random(7);
    std::vector<int32_t> ids;
    std::vector<int32_t> all(kExperts);
    std::iota(all.begin(), all.end(), 0);
    for (int64_t t = 0; t < tokens; ++t) {
      std::shuffle(all.begin(), all.end(), random);
      ids.insert(ids.end(), all.begin(), all.begin() + kTop);
    }
    dispatch(ids.data(), tokens * kTop, kExperts, 0, kExperts, permutation.data(), inverse.data(),
             offsets.data());
  }
};

struct Settings {
  Isa isa = bestIsa();
  int threads = 2;
};

Settings &settings() {
  static Settings theSettings;
  return theSettings;
}

ThreadPool &pool() {
  static std::unique_ptr<ThreadPool> thePool =
      llvm::cantFail(ThreadPool::create(settings().threads));
  return *thePool;
}

std::vector<float> randomFloats(int64_t count) {
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<size_t>(count));
  for (float &value : values)
    value = normal(random);
  return values;
}

void runExperts(benchmark::State &state, Encoding encoding, RowKind kind) {
  const int64_t tokens = state.range(0);
  const int64_t rows = tokens * kTop;
  const Layer &layer = layerOf(encoding);
  const Routing routing(tokens);
  const Device device = deviceOf({settings().isa, pool()});
  const std::vector<float> hidden = randomFloats(tokens * kHidden);
  const std::vector<float> weights(static_cast<size_t>(rows), 0.125f);
  const AlignedBytes input =
      allocate(static_cast<uint64_t>(tokens * numerics::actRowBytes(kind, kHidden)));
  const AlignedBytes act =
      allocate(static_cast<uint64_t>(rows * numerics::actRowBytes(kind, kWidth)));
  std::vector<float> output(static_cast<size_t>(rows * kHidden));
  if (kind != RowKind::F32)
    quantize(hidden.data(), tokens, kHidden, kind, input.data(), device);
  else
    std::memcpy(input.data(), hidden.data(), hidden.size() * sizeof(float));

  GluMatmulOp glu{};
  glu.gate = layer.gate.matrix();
  glu.up = layer.up.matrix();
  glu.inputKind = kind;
  glu.input = input.data();
  glu.rows = rows;
  glu.map = {routing.offsets.data(), routing.permutation.data(), kTop, true};
  glu.outputKind = kind;
  glu.output = act.data();
  MatmulOp down{};
  down.weights = layer.down.matrix();
  down.inputKind = kind;
  down.input = act.data();
  down.rows = rows;
  down.map = {routing.offsets.data(), routing.permutation.data(), kTop, false};
  down.scale = weights.data();
  down.output = output.data();

  for (auto _ : state) {
    gluMatmul(glu, device);
    matmul(down, device);
    benchmark::ClobberMemory();
  }

  const auto used = std::count_if(routing.offsets.begin(), routing.offsets.end() - 1,
                                  [&](const int32_t &offset) { return (&offset)[1] > offset; });
  const double products = 3.0 * static_cast<double>(rows * kHidden * kWidth);
  const double bytes =
      static_cast<double>(used) / kExperts * static_cast<double>(packedBytes(layer.gate.shape) * 3);
  using benchmark::Counter;
  state.counters["GOP/s"] = Counter(2e-9 * products, Counter::kIsIterationInvariantRate);
  state.counters["GB/s"] = Counter(1e-9 * bytes, Counter::kIsIterationInvariantRate);
}

void registerExperts(Encoding encoding, RowKind kind, const char *kindName) {
  const std::string name =
      std::string("experts/") + numerics::encodingInfo(encoding).name + "/" + kindName;
  auto *benchmark = benchmark::RegisterBenchmark(
      name.c_str(), [=](benchmark::State &state) { runExperts(state, encoding, kind); });
  for (int64_t tokens : {1, 2, 4, 8, 32, 128, 512})
    benchmark->Arg(tokens);
  benchmark->ArgName("tokens")->Unit(benchmark::kMillisecond)->UseRealTime();
}

//===- The operations around the experts ---------------------------------===//

void runRouter(benchmark::State &state) {
  const int64_t tokens = state.range(0);
  const Device device = deviceOf({settings().isa, pool()});
  const MatrixShape shape{Format::F32, 1, kExperts, kHidden};
  const std::vector<float> weights = randomFloats(kExperts * kHidden);
  const AlignedBytes packed = allocate(packedBytes(shape));
  packRows(shape, Encoding::F32, 0, 0, kExperts, reinterpret_cast<const uint8_t *>(weights.data()),
           packed.data());
  const std::vector<float> hidden = randomFloats(tokens * kHidden);
  std::vector<float> logits(static_cast<size_t>(tokens * kExperts));
  MatmulOp op{};
  op.weights = {shape, packed.data()};
  op.inputKind = RowKind::F32;
  op.input = hidden.data();
  op.rows = tokens;
  op.output = logits.data();
  for (auto _ : state) {
    matmul(op, device);
    benchmark::ClobberMemory();
  }
}

void runRoute(benchmark::State &state) {
  const int64_t tokens = state.range(0);
  const Device device = deviceOf({settings().isa, pool()});
  const std::vector<float> logits = randomFloats(tokens * kExperts);
  numerics::RouteParams params{};
  params.experts = kExperts;
  params.selected = kTop;
  params.normalize = true;
  std::vector<int32_t> ids(static_cast<size_t>(tokens * kTop));
  std::vector<float> weights(ids.size());
  for (auto _ : state) {
    route(logits.data(), nullptr, tokens, params, ids.data(), weights.data(), device);
    benchmark::ClobberMemory();
  }
}

void runNormAndQuantize(benchmark::State &state) {
  const int64_t tokens = state.range(0);
  const Device device = deviceOf({settings().isa, pool()});
  const std::vector<float> hidden = randomFloats(tokens * kHidden);
  const std::vector<float> weight(kHidden, 1.0f);
  std::vector<float> normed(hidden.size());
  const AlignedBytes rows =
      allocate(static_cast<uint64_t>(tokens * numerics::actRowBytes(RowKind::Int16, kHidden)));
  for (auto _ : state) {
    rmsNorm(hidden.data(), weight.data(), 1e-6f, tokens, kHidden, normed.data(), device);
    quantize(normed.data(), tokens, kHidden, RowKind::Int16, rows.data(), device);
    benchmark::ClobberMemory();
  }
}

void runCombine(benchmark::State &state) {
  const int64_t tokens = state.range(0);
  const Device device = deviceOf({settings().isa, pool()});
  const Routing routing(tokens);
  const std::vector<float> rows = randomFloats(tokens * kTop * kHidden);
  std::vector<float> output(static_cast<size_t>(tokens * kHidden));
  for (auto _ : state) {
    combine(rows.data(), routing.inverse.data(), nullptr, tokens, kTop, kHidden, output.data(),
            device);
    benchmark::ClobberMemory();
  }
}

/// Takes our own options out of the command line; false when one is wrong.
bool parseOptions(int &argc, char **argv) {
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    llvm::StringRef argument = argv[i];
    if (argument.consume_front("--isa=")) {
      const std::optional<Isa> isa = parseIsa(argument);
      if (!isa || !isAvailable(*isa)) {
        llvm::errs() << "cpu_kernels: --isa=" << argument << ": no such instruction set here\n";
        return false;
      }
      settings().isa = *isa;
    } else if (argument.consume_front("--threads=")) {
      if (argument.getAsInteger(10, settings().threads) || settings().threads < 1) {
        llvm::errs() << "cpu_kernels: --threads=" << argument << ": expected a number from 1\n";
        return false;
      }
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  return true;
}

} // namespace

int main(int argc, char **argv) {
  if (!parseOptions(argc, argv))
    return 1;
  for (const numerics::EncodingInfo &info : numerics::kEncodings) {
    if (!numerics::isQuantized(info)) {
      registerExperts(info.encoding, RowKind::F32, "float");
      continue;
    }
    registerExperts(info.encoding, RowKind::Int8, "int8");
    registerExperts(info.encoding, RowKind::Int16, "int16");
  }
  using Function = void (*)(benchmark::State &);
  for (auto [name, function] : std::initializer_list<std::pair<const char *, Function>>{
           {"router_product", runRouter},
           {"route", runRoute},
           {"norm_and_quantize", runNormAndQuantize},
           {"combine", runCombine}})
    benchmark::RegisterBenchmark(name, function)
        ->ArgName("tokens")
        ->Arg(1)
        ->Arg(32)
        ->Arg(512)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  benchmark::AddCustomContext("isa", isaName(settings().isa).str());
  benchmark::AddCustomContext("threads", std::to_string(settings().threads));
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv))
    return 1;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
