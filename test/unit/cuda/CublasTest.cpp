// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Products by cuBLAS: what the library is told, machines without it, and its errors.

#include "test/unit/cuda/FakeDriver.h"
#include "test/unit/cuda/LoadOn.h"

#include "runtime/session/CudaSession.h"
#include "runtime/session/MemoryPlan.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::cuda;
using namespace sortie::test;

namespace {

constexpr int64_t kK = 8, kN = 4, kMaxTokens = 64;

/// What the library was asked for.
struct FakeCublas {
  std::vector<std::string> calls;
  std::vector<CublasProduct> products;
  int handles = 0;
  CUstream stream = nullptr;
  FakeDriver *driver = nullptr;
  CUresult outcome = CUDA_SUCCESS;               ///< of products on the device
  cublasStatus_t status = CUBLAS_STATUS_SUCCESS; ///< of what is called `failing`
  std::string failing;

  cublasStatus_t call(const std::string &name) {
    calls.push_back(name);
    return name == failing ? status : CUBLAS_STATUS_SUCCESS;
  }
};

FakeCublas *fake = nullptr;

Cublas makeCublas() {
  CublasApi api;
  api.cublasCreate = [](cublasHandle_t *handle) {
    *handle = reinterpret_cast<cublasHandle_t>(fake);
    ++fake->handles;
    return fake->call("create");
  };
  api.cublasDestroy = [](cublasHandle_t) {
    --fake->handles;
    return fake->call("destroy");
  };
  api.cublasGetStatusName = [](cublasStatus_t) { return "CUBLAS_STATUS_FAKE"; };
  api.cublasSetStream = [](cublasHandle_t, CUstream stream) {
    fake->stream = stream;
    return fake->call("stream");
  };
  api.cublasSetWorkspace = [](cublasHandle_t, void *, size_t bytes) {
    return fake->call("workspace " + std::to_string(bytes >> 20));
  };
  api.cublasSetMathMode = [](cublasHandle_t, int mode) {
    return fake->call("math " + std::to_string(mode));
  };
  api.cublasGemmEx = [](cublasHandle_t, int, int, int m, int n, int k, const void *, const void *a,
                        int, int, const void *b, int, int, const void *, void *c, int, int, int,
                        int) {
    fake->products.push_back({reinterpret_cast<CUdeviceptr>(b), reinterpret_cast<CUdeviceptr>(a),
                              reinterpret_cast<CUdeviceptr>(c), n, m, k});
    fake->driver->enqueue(fake->stream, [] { return fake->outcome; });
    return fake->call("gemm");
  };
  return Cublas(api);
}

/// y = bf16(x) . w^T with a kernel that rounds.
std::shared_ptr<Program> makeProgram() {
  auto program = std::make_shared<Program>();
  program->name = "test";
  program->target = kCudaTarget.str();
  program->partitions = {{kCudaTarget.str()}};
  program->symbols = {{"tokens", kMaxTokens}};
  program->kernels = {{"round", "round", 1, 1, 0, 256, {}, {{"sm_90", 0, "hash", {'x', 0}}}}};
  WeightSpec weight;
  weight.tensors = {"w"};
  weight.encoding = numerics::Encoding::BF16;
  weight.shape = {kN, kK};
  weight.usesRaw = true;
  program->weights = {weight};

  const Affine tokens{1, 0};
  using Place = Buffer::Place;
  Function function;
  function.name = "dense";
  function.symbols = {0};
  function.inputs = {{"x", 0}};
  function.outputs = {{"y", 1}};
  function.buffers = {{Place::Input, 0, {}, ElementType::F32, {tokens, {0, kK}}, {4 * kK, 0}},
                      {Place::Output, 0, {}, ElementType::F32, {tokens, {0, kN}}, {4 * kN, 0}},
                      {Place::Arena, 0, {}, ElementType::BF16, {tokens, {0, kK}}, {2 * kK, 0}}};
  function.arena = {{64, 0}};
  function.steps = {
      {"moert.matmul", KernelLaunch{0, {{tokens, 1, false, std::nullopt}}, {}, 0}, {0}, {2}},
      {"moert.cublas_matmul", CublasMatmul{WeightForm::Raw}, {2}, {1}, {0}}};
  function.steps[1].label = "w";
  function.weights.resize(1, true);
  function.usesCublas = true;
  program->functions = {function};
  return program;
}

struct CostWatcher : RunObserver {
  std::vector<StepCost> *costs;
  explicit CostWatcher(std::vector<StepCost> &costs) : costs(&costs) {}
  bool wantsSteps() const override { return true; }
  void step(const StepReport &report) override { costs->push_back(report.cost); }
};

/// A session of that program on the fake driver and the fake library.
struct Engine {
  FakeDriver driver;
  FakeCublas cublas;
  Cublas library = makeCublas();
  std::shared_ptr<Program> program = makeProgram();
  std::shared_ptr<const LoadedWeights> weights;
  std::unique_ptr<Session> session;

  Engine() {
    fake = &cublas;
    cublas.driver = &driver;
    driver.kernels["round"] = {2, 0, [](const FakeLaunch &) { return CUresult{CUDA_SUCCESS}; }};
  }
  Error load(GetCublas getCublas) {
    Expected<std::shared_ptr<const LoadedWeights>> loaded = loadOn(
        driver.open(), {program, 0, BitVector(1, true)}, *makeRandomSource(1), nullptr, getCublas);
    if (!loaded)
      return loaded.takeError();
    weights = std::move(*loaded);
    return Error::success();
  }
  Error open(bool isEager) {
    if (Error error = load([&]() -> Expected<const Cublas *> { return &library; }))
      return error;
    SessionOptions options;
    options.isEager = isEager;
    Expected<std::unique_ptr<Session>> created = weights->createSession(options);
    if (!created)
      return created.takeError();
    session = std::move(*created);
    return Error::success();
  }
  std::string run(int64_t tokens, RunObserver &&observer = RunObserver()) {
    std::vector<float> x(tokens * kK), y(tokens * kN);
    auto view = [&](const char *name, std::vector<float> &data, int64_t columns) {
      TensorView tensor{
          name, HostType::F32, reinterpret_cast<std::byte *>(data.data()), {tokens, columns}, {}};
      tensor.strides = contiguousStrides(tensor.shape, 4);
      return tensor;
    };
    return toString(session->run(0, view("x", x, kK), view("y", y, kN), observer));
  }
};

class CublasSessions : public testing::TestWithParam<bool> {};

} // namespace

INSTANTIATE_TEST_SUITE_P(, CublasSessions, testing::Values(false, true),
                         [](const auto &info) { return info.param ? "eager" : "graphs"; });

TEST_P(CublasSessions, haveAHandleAndMultiply) {
  Engine engine;
  cantFail(engine.open(GetParam()));
  // The stream resets the workspace, so it comes first.
  EXPECT_EQ(engine.cublas.calls,
            (std::vector<std::string>{"create", "stream", "workspace 32", "math 16"}));
  for (const int64_t tokens : {3, 3, 64})
    EXPECT_EQ(engine.run(tokens), "");
  // A graph has the product from its capture.
  ASSERT_EQ(engine.cublas.products.size(), GetParam() ? 3u : 2u);
  const CublasProduct &last = engine.cublas.products.back();
  EXPECT_EQ(last.rows, 64);
  EXPECT_EQ(last.n, kN);
  EXPECT_EQ(last.k, kK);
  EXPECT_NE(last.x, last.y);
  engine.session.reset();
  EXPECT_EQ(engine.cublas.handles, 0);
}

TEST_P(CublasSessions, zeroTokensAskForNothing) {
  Engine engine;
  cantFail(engine.open(GetParam()));
  EXPECT_EQ(engine.run(0), "");
  EXPECT_TRUE(engine.cublas.products.empty());
}

TEST_P(CublasSessions, errorsOfTheLibraryNameTheStep) {
  Engine engine;
  cantFail(engine.open(GetParam()));
  engine.cublas.failing = "gemm";
  engine.cublas.status = 15;
  EXPECT_EQ(engine.run(2), "cuda:0: function 'dense': step 1, moert.cublas_matmul with w: "
                           "CUBLAS_STATUS_FAKE");
  engine.cublas.failing.clear();
  EXPECT_EQ(engine.run(2), "");
}

/// The library's kernels do not say that they begin, so in a graph the kernel before a product may
/// be meant as well.
TEST_P(CublasSessions, failuresOfTheDeviceNameTheProduct) {
  Engine engine;
  cantFail(engine.open(GetParam()));
  EXPECT_EQ(engine.run(2), "");
  engine.cublas.outcome = FakeDriver::kIllegalAddress;
  EXPECT_EQ(engine.run(2),
            GetParam() ? "cuda:0: function 'dense': step 1, moert.cublas_matmul with w: "
                         "CUDA_ERROR_ILLEGAL_ADDRESS (it failed)"
                       : "cuda:0: function 'dense': step 0, moert.matmul (kernel 'round') or step "
                         "1, moert.cublas_matmul with w: CUDA_ERROR_ILLEGAL_ADDRESS (it failed); "
                         "run eagerly (sortie-run --eager) to learn which operation failed");
}

TEST_P(CublasSessions, failuresOfTheKernelBeforeAProduct) {
  Engine engine;
  engine.driver.kernels["round"].run = [](const FakeLaunch &) {
    return FakeDriver::kIllegalAddress;
  };
  cantFail(engine.open(GetParam()));
  const std::string message = engine.run(2);
  EXPECT_TRUE(StringRef(message).starts_with(
      "cuda:0: function 'dense': step 0, moert.matmul (kernel 'round')"))
      << message;
  EXPECT_EQ(StringRef(message).contains(" or step 1, "), !GetParam()) << message;
}

TEST(Cublas, costsAreThoseOfTheProduct) {
  Engine engine;
  cantFail(engine.open(/*isEager=*/false));
  std::vector<StepCost> costs;
  EXPECT_EQ(engine.run(3, CostWatcher(costs)), "");
  ASSERT_EQ(costs.size(), 2u);
  EXPECT_EQ(costs[1].operations, 2u * 3 * kN * kK);
  EXPECT_EQ(costs[1].bytes, 3u * kK * 2 + 3u * kN * 4 + kN * kK * 2);
}

TEST(Cublas, doesNotStart) {
  for (const char *call : {"create", "stream", "workspace 32", "math 16"}) {
    Engine engine;
    engine.cublas.failing = call;
    engine.cublas.status = 1;
    EXPECT_EQ(toString(engine.open(false)), "cuda:0: starting cuBLAS: CUBLAS_STATUS_FAKE") << call;
  }
}

/// CUBLAS_STATUS_ALLOC_FAILED of any call.
TEST(Cublas, wantOfMemoryStatesThePlan) {
  const StringRef plan = "cuBLAS 32.00 MiB for as many tokens as it takes; run fewer functions or "
                         "tokens, or free memory";
  Engine engine;
  engine.cublas.failing = "create";
  engine.cublas.status = CUBLAS_STATUS_ALLOC_FAILED;
  std::string message = toString(engine.open(false));
  EXPECT_TRUE(StringRef(message).starts_with("cuda:0: starting cuBLAS: CUBLAS_STATUS_FAKE; "))
      << message;
  EXPECT_TRUE(StringRef(message).ends_with(plan)) << message;

  engine.cublas.failing = "gemm";
  cantFail(engine.open(false));
  message = engine.run(2);
  EXPECT_TRUE(StringRef(message).contains("step 1, moert.cublas_matmul with w: CUBLAS_STATUS_FAKE"))
      << message;
  EXPECT_TRUE(StringRef(message).ends_with(plan)) << message;
}

TEST(Cublas, isOnlyAskedForWhereAFunctionNeedsIt) {
  Engine engine;
  const auto none = []() -> Expected<const Cublas *> {
    return createStringError("no library today");
  };
  EXPECT_EQ(toString(engine.load(none)), "no library today");
  engine.program->functions[0].usesCublas = false;
  engine.program->functions[0].steps.pop_back();
  cantFail(engine.load(none));
}

TEST(Cublas, itsWorkspaceIsInThePlan) {
  const std::shared_ptr<Program> program = makeProgram();
  EXPECT_EQ(planMemory(*program, {0}, boundsOf(*program)).library, uint64_t{32} << 20);
  EXPECT_TRUE(StringRef(planMemory(*program, {0}, boundsOf(*program)).describe())
                  .contains(", cuBLAS 32.00 MiB"));
  EXPECT_EQ(planMemory(*program, {}, boundsOf(*program)).library, 0u);
}

TEST(Cublas, machinesWithoutItSaySo) {
  const std::string message =
      toString(Cublas::load({"libnone.so.13", "libnone.so.12"}).takeError());
  EXPECT_TRUE(StringRef(message).starts_with(
      "the program has products for cuBLAS, which cannot be loaded (libnone.so.13: "))
      << message;
  EXPECT_TRUE(StringRef(message).contains("; libnone.so.12: ")) << message;
  EXPECT_TRUE(
      StringRef(message).ends_with("); install it and add its folder to LD_LIBRARY_PATH, or "
                                   "compile the program without the option cublas"))
      << message;
}

TEST(Cublas, otherLibrariesAreRefused) {
  EXPECT_EQ(toString(Cublas::load({"libc.so.6"}).takeError()),
            "cuBLAS (libc.so.6) has no function cublasGemmEx; install version 12 or 13");
}
