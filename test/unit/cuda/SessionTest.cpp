// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sessions of a GPU: graphs, eager runs, observers, errors.

#include "test/unit/cuda/FakeDriver.h"
#include "test/unit/cuda/LoadOn.h"
#include "test/unit/cuda/TestProgram.h"
#include "test/unit/runtime/ChildProcess.h"

#include "runtime/audit/ValueHash.h"
#include "runtime/session/CudaSession.h"

#include "gtest/gtest.h"

#include <map>

using namespace llvm;
using namespace sortie;
using namespace sortie::cuda;
using namespace sortie::test;

namespace {

using Floats = std::vector<float>;

/// A session of the small program on the fake driver.
struct Engine {
  FakeDriver fake;
  std::shared_ptr<Program> program = makeProgram();
  std::shared_ptr<const LoadedWeights> weights;
  std::unique_ptr<Session> session;
  std::vector<int32_t> ids;

  explicit Engine(bool isEager = false) {
    addKernels(fake);
    cantFail(load());
    cantFail(open(isEager));
    fake.launched.clear();
    fake.waits = 0;
  }

  Error load() {
    Expected<std::shared_ptr<const LoadedWeights>> loaded =
        loadOn(fake.open(), {program, 0, BitVector(2, true)}, *makeRandomSource(1));
    if (!loaded)
      return loaded.takeError();
    weights = std::move(*loaded);
    return Error::success();
  }
  Error open(bool isEager, int64_t maxTokens = 0) {
    SessionOptions options;
    options.isEager = isEager;
    options.maxTokens = maxTokens;
    Expected<std::unique_ptr<Session>> created = weights->createSession(options);
    if (!created)
      return created.takeError();
    session = std::move(*created);
    return Error::success();
  }

  static Floats input(int64_t tokens) {
    Floats x(tokens * kColumns);
    for (size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(i % 23) - 11;
    return x;
  }
  static TensorView view(const std::string &name, HostType type, void *data, int64_t tokens,
                         int64_t columns) {
    TensorView tensor{name, type, static_cast<std::byte *>(data), {tokens, columns}, {}};
    tensor.strides = contiguousStrides(tensor.shape, hostTypeBytes(type));
    return tensor;
  }
  std::vector<TensorView> inputs(Floats &x) {
    const auto tokens = static_cast<int64_t>(x.size()) / kColumns;
    ids.resize(2 * tokens, 1);
    return {view("x", HostType::F32, x.data(), tokens, kColumns),
            view("ids", HostType::I32, ids.data(), tokens, 2)};
  }
  std::vector<TensorView> outputs(Floats &y) {
    return {
        view("y", HostType::F32, y.data(), static_cast<int64_t>(y.size()) / kColumns, kColumns)};
  }
  /// Runs so many tokens and compares the result; "" or the error.
  std::string run(int64_t tokens, RunObserver &&observer = RunObserver(), uint32_t function = 0) {
    Floats x = input(tokens), y(x.size(), -1.0f);
    if (Error error = session->run(function, inputs(x), outputs(y), observer))
      return toString(std::move(error));
    EXPECT_EQ(y, expectedOutput(*program, x)) << tokens << " tokens";
    return "";
  }
};

/// A run that a test submits, with arrays of its own.
struct Submission {
  Floats x, y;
  std::vector<int32_t> ids;
  std::shared_ptr<SubmittedRun> run;

  Submission(Engine &engine, int64_t tokens, int32_t id = 1)
      : x(Engine::input(tokens)), y(x.size(), -1.0f) {
    engine.ids.assign(2 * tokens, id);
    std::vector<TensorView> in = engine.inputs(x);
    ids = engine.ids;
    in[1].data = reinterpret_cast<std::byte *>(ids.data());
    run = cantFail(engine.session->submit(0, in, engine.outputs(y)));
  }
  std::string wait() { return toString(run->wait()); }
};

const std::string kFailure = "CUDA_ERROR_ILLEGAL_ADDRESS (it failed)";
/// Of a run in which the kernel of step 2 failed.
const std::string kScaleFailure = "cuda:0: function 'layer': step 2, moert.rms_norm (kernel "
                                  "'scale') with norm.weight: " +
                                  kFailure;
/// Of a graph of which nothing is known.
const std::string kUnknownFailure =
    "cuda:0: function 'layer': " + kFailure +
    "; run eagerly (sortie-run --eager) to learn which operation failed";

/// How an error for want of pinned memory ends.
const std::string kNoPinnedMemory =
    ": CUDA_ERROR_OUT_OF_MEMORY (out of memory); free memory of the host";

/// Makes the kernel of step 2 fail from launch number `launch` on.
void failAt(Engine &engine, int launch) {
  engine.fake.kernels["scale"].run = [scale = engine.fake.kernels["scale"].run, launch,
                                      count = 0](const FakeLaunch &arguments) mutable {
    return ++count >= launch ? FakeDriver::kIllegalAddress : scale(arguments);
  };
}

/// Logs what a run tells.
struct Watcher : RunObserver {
  bool steps = true, checkpoints = true;
  size_t cancelAt = SIZE_MAX;
  std::vector<std::string> *operations = nullptr;
  std::map<std::string, std::optional<uint64_t>> *hashes = nullptr;
  std::vector<StepCost> *costs = nullptr;

  bool wantsSteps() const override { return steps; }
  void step(const StepReport &report) override {
    EXPECT_LT(report.beginNanoseconds, report.endNanoseconds);
    operations->push_back(report.step.operation);
    costs->push_back(report.cost);
  }
  bool wantsCheckpoints() const override { return checkpoints; }
  void checkpoint(const std::string &name, std::optional<uint64_t> hash) override {
    (*hashes)[name] = hash;
  }
  bool isCancelled(size_t step, size_t) override { return step == cancelAt; }
};

uint64_t hashOf(const Floats &values) {
  return hashRows(reinterpret_cast<const std::byte *>(values.data()), 1, 4 * values.size());
}

class CudaSessions : public testing::TestWithParam<bool> {};

} // namespace

INSTANTIATE_TEST_SUITE_P(, CudaSessions, testing::Values(false, true),
                         [](const auto &info) { return info.param ? "eager" : "graphs"; });

TEST_P(CudaSessions, run) {
  Engine engine(GetParam());
  for (const int64_t tokens : {1, 5, 64, 5})
    EXPECT_EQ(engine.run(tokens), "");
  EXPECT_EQ(engine.fake.launched.size(), 4u * 3);
  // One wait a run, at its end.
  EXPECT_EQ(engine.fake.waits, 4u);
  EXPECT_EQ(engine.weights->describeDevice(), "cuda:0 (Fake GPU)");
}

TEST_P(CudaSessions, zeroTokensLaunchNothing) {
  Engine engine(GetParam());
  // No dispatch runs, either: what the arena holds says nothing about ids and offsets.
  EXPECT_EQ(engine.run(0), "");
  std::vector<std::string> operations;
  std::map<std::string, std::optional<uint64_t>> hashes;
  std::vector<StepCost> costs;
  Watcher watcher;
  watcher.operations = &operations, watcher.hashes = &hashes, watcher.costs = &costs;
  EXPECT_EQ(engine.run(0, std::move(watcher)), "");
  EXPECT_EQ(costs[3].operations, 0u);
  EXPECT_TRUE(engine.fake.launched.empty());
}

TEST_P(CudaSessions, useDeviceMemoryInPlace) {
  Engine engine(GetParam());
  const DevicePtr device = engine.fake.open();
  Floats x = Engine::input(3);
  const DeviceMemory memory = cantFail(allocate(device, 512, "arguments"));
  auto *deviceX = hostPointer<float>(memory.get());
  auto *deviceY = deviceX + 64;
  std::copy(x.begin(), x.end(), deviceX);
  std::vector<TensorView> in = engine.inputs(x);
  in[0] = Engine::view("x", HostType::F32, deviceX, 3, kColumns);
  std::vector<TensorView> out = {Engine::view("y", HostType::F32, deviceY, 3, kColumns)};
  in[0].space = out[0].space = MemorySpace::Device;
  RunObserver nobody;
  cantFail(engine.session->run(0, in, out, nobody));
  EXPECT_EQ(Floats(deviceY, deviceY + x.size()), expectedOutput(*engine.program, x));
  // A graph holds addresses: the same function with other ones is another graph.
  EXPECT_EQ(engine.run(3), "");
  EXPECT_EQ(engine.fake.captures, GetParam() ? 0u : 2u);

  auto error = [&] { return toString(engine.session->run(0, in, out, nobody)); };
  in[0].data += 4;
  EXPECT_EQ(error(),
            "function 'layer': input 'x' is not aligned to 64 bytes in device memory; copy "
            "it to memory that is");
  in[0].data -= 4;
  in[0].strides[0] *= 2;
  EXPECT_EQ(error(), "function 'layer': input 'x' has gaps or another order in device memory; make "
                     "it contiguous");
  in[0].type = HostType::F16;
  EXPECT_EQ(error(), "function 'layer': input 'x' holds f16 in device memory, f32 is needed there; "
                     "convert it");
}

TEST_P(CudaSessions, badExpertIdsAreNamedAsOnTheCpu) {
  Engine engine(GetParam());
  engine.ids = {0, 1, 0, 7, 9, 0};
  EXPECT_EQ(engine.run(3),
            "function 'layer': slot 3 (token 1, choice 1) has expert id 7, ids are 0 "
            "to 1; correct the ids that the caller passes");
  engine.ids = {0, 1, 0, 1, 0, -5};
  EXPECT_EQ(engine.run(3), "function 'layer': slot 5 (token 2, choice 1) has expert id -5, ids are "
                           "0 to 1; correct the ids that the caller passes");
  engine.ids = {0, 1, 0, 1, 0, 1};
  EXPECT_EQ(engine.run(3), "");
}

TEST_P(CudaSessions, timeRepetitions) {
  Engine engine(GetParam());
  Floats x = Engine::input(2), y(x.size());
  std::vector<uint64_t> times(7);
  cantFail(engine.session->time(0, engine.inputs(x), engine.outputs(y), times));
  EXPECT_EQ(y, expectedOutput(*engine.program, x));
  for (const uint64_t time : times)
    EXPECT_GT(time, 1000u * 4);
  EXPECT_EQ(engine.fake.graphLaunches, GetParam() ? 0u : 8u);
  EXPECT_EQ(engine.fake.launched.size(), 8u * 3);
}

/// Nothing is between the kernels "scale" and "product", checkpoints are no work; before the others
/// there are copies. Eager runs tell how far they are between launches, unless they are timed.
TEST_P(CudaSessions, overlapLaunchesThatFollowEachOther) {
  Engine engine(GetParam());
  EXPECT_TRUE(engine.fake.overlaps.empty()); // packing, which follows uploads
  EXPECT_EQ(engine.run(3), "");
  EXPECT_EQ(engine.run(3), "");
  EXPECT_EQ(engine.fake.overlaps, std::vector<std::string>(GetParam() ? 0 : 1, "product"));

  engine.fake.overlaps.clear();
  Floats x = Engine::input(2), y(x.size());
  std::vector<uint64_t> times(3);
  cantFail(engine.session->time(0, engine.inputs(x), engine.outputs(y), times));
  EXPECT_EQ(y, expectedOutput(*engine.program, x));
  EXPECT_EQ(engine.fake.overlaps, std::vector<std::string>(GetParam() ? 3 : 1, "product"));
}

TEST_P(CudaSessions, overlapNothingUnlessTheLaunchSaysSo) {
  Engine engine(GetParam());
  std::get<KernelLaunch>(engine.program->functions[0].steps[5].action).overlaps = false;
  Floats x = Engine::input(2), y(x.size());
  std::vector<uint64_t> times(3);
  cantFail(engine.session->time(0, engine.inputs(x), engine.outputs(y), times));
  EXPECT_EQ(y, expectedOutput(*engine.program, x));
  EXPECT_TRUE(engine.fake.overlaps.empty());
}

/// A launch of no thread blocks is no work either.
TEST_P(CudaSessions, overlapLaunchesAcrossOneThatIsSkipped) {
  Engine engine(GetParam());
  std::vector<Step> &steps = engine.program->functions[0].steps;
  const auto scale =
      find_if(steps, [](const Step &step) { return step.operation == "moert.rms_norm"; });
  ASSERT_NE(scale, steps.end());
  Step skipped = *scale;
  std::get<KernelLaunch>(skipped.action).grid = {{{1, 0}, 1000, /*roundsDown=*/true, std::nullopt}};
  steps.insert(std::next(scale), skipped);

  Floats x = Engine::input(2), y(x.size());
  std::vector<uint64_t> times(3);
  cantFail(engine.session->time(0, engine.inputs(x), engine.outputs(y), times));
  EXPECT_EQ(y, expectedOutput(*engine.program, x));
  EXPECT_EQ(engine.fake.overlaps, std::vector<std::string>(GetParam() ? 3 : 1, "product"));
}

TEST(CudaSession, graphsAreCapturedOnceForEachNumberOfTokens) {
  Engine engine;
  for (int round = 0; round < 3; ++round)
    for (int64_t tokens = 1; tokens <= 16; ++tokens)
      EXPECT_EQ(engine.run(tokens), "");
  EXPECT_EQ(engine.fake.captures, 16u);
  EXPECT_EQ(engine.fake.graphLaunches, 48u);
  // The one that was not used for longest goes: 1, then (as 1 is captured again) 2, but not 16.
  EXPECT_EQ(engine.run(17), "");
  EXPECT_EQ(engine.run(16), "");
  EXPECT_EQ(engine.fake.captures, 17u);
  EXPECT_EQ(engine.run(1), "");
  EXPECT_EQ(engine.fake.captures, 18u);
}

/// As a model does it that decodes token by token.
TEST(CudaSession, graphsOfFunctionsThatRunInTurnAreKept) {
  Engine engine;
  const Function layer = engine.program->functions[0];
  engine.program->functions.resize(48, layer);
  cantFail(engine.open(false));
  for (int round = 0; round < 3; ++round)
    for (uint32_t function = 0; function < 48; ++function)
      EXPECT_EQ(engine.run(1, RunObserver(), function), "");
  EXPECT_EQ(engine.fake.captures, 48u);
  EXPECT_EQ(engine.fake.graphLaunches, 3u * 48);
  // Other numbers of tokens push out graphs of their own function only.
  for (int64_t tokens = 2; tokens <= 17; ++tokens)
    EXPECT_EQ(engine.run(tokens, RunObserver(), 5), "");
  EXPECT_EQ(engine.fake.captures, 48u + 16);
  EXPECT_EQ(engine.run(1, RunObserver(), 6), "");
  EXPECT_EQ(engine.fake.captures, 48u + 16);
  EXPECT_EQ(engine.run(1, RunObserver(), 5), "");
  EXPECT_EQ(engine.fake.captures, 48u + 17);
}

TEST_P(CudaSessions, observersSeeStepsAndCheckpoints) {
  Engine engine(GetParam());
  std::vector<std::string> operations;
  std::map<std::string, std::optional<uint64_t>> hashes;
  std::vector<StepCost> costs;
  Watcher watcher;
  watcher.operations = &operations, watcher.hashes = &hashes, watcher.costs = &costs;
  EXPECT_EQ(engine.run(6, std::move(watcher)), "");
  EXPECT_EQ(engine.fake.captures, 0u);
  EXPECT_TRUE(engine.fake.overlaps.empty()); // there are events between launches

  EXPECT_EQ(operations, (std::vector<std::string>{"moert.dispatch", "moert.check_ids",
                                                  "moert.rms_norm", "moert.matmul", "moert.copy"}));
  const Floats x = Engine::input(6);
  EXPECT_EQ(hashes.size(), 3u);
  EXPECT_EQ(hashes.at("act"), hashOf(expectedAct(*engine.program, x)));
  EXPECT_EQ(hashes.at("fused"), std::nullopt);
  EXPECT_EQ(hashes.at("layer:y"), hashOf(expectedOutput(*engine.program, x)));

  // ids, status and offsets; x, act and the norm; act, offsets, result, and one of two experts.
  EXPECT_EQ(costs[0].bytes, 48u + 8 + 12);
  EXPECT_EQ(costs[2].bytes, 192u + 192 + 32);
  EXPECT_EQ(costs[3].bytes, 192u + 12 + 192 + 3 * (16 + 3 * 32));
  EXPECT_EQ(costs[3].operations, 6u * 128);
  EXPECT_EQ(costs[4].bytes, 2u * 192);
}

TEST_P(CudaSessions, canBeCancelled) {
  Engine engine(GetParam());
  Watcher watcher;
  watcher.steps = watcher.checkpoints = false;
  watcher.cancelAt = 0;
  EXPECT_EQ(engine.run(2, Watcher(watcher)), "function 'layer': cancelled before step 0 of 7");
  if (GetParam()) {
    watcher.cancelAt = 3;
    EXPECT_EQ(engine.run(2, Watcher(watcher)), "function 'layer': cancelled before step 3 of 7");
  }
  EXPECT_EQ(engine.run(2), "");
}

/// In the first launch of a graph and in later ones, with one token and with more.
TEST_P(CudaSessions, nameTheKernelThatFailed) {
  for (const int64_t tokens : {1, 5})
    for (const int launch : {1, 2, 4}) {
      Engine engine(GetParam());
      failAt(engine, launch);
      for (int i = 1; i < launch; ++i)
        EXPECT_EQ(engine.run(tokens), "");
      EXPECT_EQ(engine.run(tokens), kScaleFailure) << tokens << " tokens, launch " << launch;
      EXPECT_EQ(engine.fake.captures, GetParam() ? 0u : 1u);
    }
}

TEST_P(CudaSessions, nameTheFirstAndTheLastKernel) {
  for (const auto &[kernel, name] :
       {std::pair<const char *, const char *>{"dispatch",
                                              "step 0, moert.dispatch (kernel 'dispatch'): "},
        {"product", "step 5, moert.matmul (kernel 'product') with "
                    "matrix.weight: "}}) {
    Engine engine(GetParam());
    engine.fake.kernels[kernel].run = [](const FakeLaunch &) {
      return FakeDriver::kIllegalAddress;
    };
    EXPECT_EQ(engine.run(2), std::string("cuda:0: function 'layer': ") + name + kFailure);
  }
}

TEST_P(CudaSessions, timedRunsNameTheKernelThatFailed) {
  Engine engine(GetParam());
  failAt(engine, 3);
  Floats x = Engine::input(2), y(x.size());
  std::vector<uint64_t> times(3);
  EXPECT_EQ(toString(engine.session->time(0, engine.inputs(x), engine.outputs(y), times)),
            kScaleFailure);
}

/// Behind a grouped product, whose offsets are on their way to pinned memory of the run.
TEST_P(CudaSessions, memoryOfACancelledRunIsKeptWhileItIsCopiedTo) {
  Engine engine(GetParam());
  std::vector<std::string> operations;
  std::vector<StepCost> costs;
  Watcher watcher;
  watcher.checkpoints = false, watcher.cancelAt = 6;
  watcher.operations = &operations, watcher.costs = &costs;
  EXPECT_EQ(engine.run(2, std::move(watcher)), "function 'layer': cancelled before step 6 of 7");
  EXPECT_EQ(engine.fake.launched, (std::vector<std::string>{"dispatch", "scale", "product"}));
  EXPECT_TRUE(operations.empty());
  EXPECT_EQ(engine.run(2), "");
}

TEST(CudaSession, observedRunsNameTheKernelThatFailed) {
  Engine engine;
  engine.fake.kernels["scale"].run = [](const FakeLaunch &) { return FakeDriver::kIllegalAddress; };
  std::map<std::string, std::optional<uint64_t>> hashes;
  Watcher watcher;
  watcher.steps = false;
  watcher.hashes = &hashes;
  EXPECT_TRUE(StringRef(engine.run(2, std::move(watcher))).contains("step 2, moert.rms_norm"));
  EXPECT_TRUE(hashes.empty());
}

/// Where no kernel has said that it began, what was known of runs before does not count. Eager runs
/// do not rely on kernels.
TEST_P(CudaSessions, doNotBlameStepsOfRunsBefore) {
  for (const size_t repetitions : {0, 2}) {
    Engine engine(GetParam());
    Floats x = Engine::input(2), y(x.size());
    std::vector<uint64_t> times(repetitions);
    cantFail(engine.session->time(0, engine.inputs(x), engine.outputs(y), times));
    engine.fake.writesSteps = false;
    failAt(engine, 1);
    EXPECT_EQ(engine.run(2), GetParam() ? kScaleFailure : kUnknownFailure) << repetitions;
  }
}

/// An eager run, because it is observed, in a session of graphs.
TEST(CudaSession, aRunThatIsGivenUpIsNotBlamed) {
  Engine engine;
  Watcher watcher;
  std::map<std::string, std::optional<uint64_t>> hashes;
  watcher.steps = false, watcher.hashes = &hashes, watcher.cancelAt = 4;
  EXPECT_EQ(engine.run(2, std::move(watcher)), "function 'layer': cancelled before step 4 of 7");
  engine.fake.writesSteps = false;
  failAt(engine, 1);
  EXPECT_EQ(engine.run(2), kUnknownFailure);
}

/// A run that meets the failure of another session's, which it cannot name: its own steps have not
/// begun.
TEST_P(CudaSessions, aDeviceThatFailedEarlierHasNoStep) {
  Engine engine(GetParam());
  std::unique_ptr<Session> other = std::move(engine.session);
  cantFail(engine.open(GetParam()));
  failAt(engine, 1);
  EXPECT_EQ(engine.run(2), kScaleFailure);
  std::swap(engine.session, other);
  Floats x, y;
  RunObserver nobody; // without copies, the steps are what fails
  EXPECT_EQ(toString(engine.session->run(0, engine.inputs(x), engine.outputs(y), nobody)),
            GetParam() ? std::string("cuda:0: function 'layer': ") + kFailure : kUnknownFailure);
}

TEST_P(CudaSessions, launchesThatAreRefusedAreNamed) {
  Engine engine(GetParam());
  engine.fake.refused = "product";
  EXPECT_EQ(engine.run(2), "cuda:0: function 'layer': step 5, moert.matmul (kernel 'product') with "
                           "matrix.weight: CUDA_ERROR_OTHER (it failed)");
  engine.fake.refused.clear();
  EXPECT_EQ(engine.run(2), "");
}

/// Each of the ways to lose the device, then each of the ways to meet that.
TEST_P(CudaSessions, runsAfterALostDeviceSayWhy) {
  const std::string notRun =
      "function 'layer': not run, because a run before it failed: " + kScaleFailure;
  for (const std::string lost : {"run", "time", "submit"}) {
    Engine engine(GetParam());
    Floats x = Engine::input(2), y(x.size());
    std::vector<uint64_t> times(2);
    auto time = [&] {
      return toString(engine.session->time(0, engine.inputs(x), engine.outputs(y), times));
    };
    failAt(engine, lost == "time" ? 2 : 1); // the second is a repetition
    if (lost == "submit")
      Submission(engine, 2).run.reset();
    else
      EXPECT_EQ(lost == "time" ? time() : engine.run(2), kScaleFailure);
    EXPECT_EQ(engine.run(2), notRun) << lost;
    EXPECT_EQ(time(), notRun) << lost;
    EXPECT_EQ(toString(engine.session->submit(0, engine.inputs(x), engine.outputs(y)).takeError()),
              notRun)
        << lost;
  }
}

/// What is wrong with one run only is not held against later ones.
TEST_P(CudaSessions, runsAfterARefusedLaunchHaveTheirOwnErrors) {
  Engine engine(GetParam());
  engine.fake.refused = "product";
  EXPECT_TRUE(StringRef(engine.run(2)).contains("step 5, moert.matmul (kernel 'product')"));
  engine.fake.refused.clear();
  engine.ids = {0, 7, 0, 0};
  EXPECT_TRUE(StringRef(engine.run(2)).contains("has expert id 7"));
  engine.ids.clear();
  failAt(engine, 1);
  EXPECT_EQ(engine.run(2), kScaleFailure);
}

TEST(CudaSession, wantOfMemoryStatesThePlan) {
  Engine engine;
  engine.session.reset();
  engine.fake.freeBytes = 5000;
  EXPECT_EQ(
      toString(engine.open(false)),
      "cuda:0: allocating 8320 bytes for intermediate values: CUDA_ERROR_OUT_OF_MEMORY (out of "
      "memory); 5000 bytes of the GPU's 1.00 GiB are free; the program needs weights 1024 "
      "bytes, intermediate values 8320 bytes, inputs and outputs 4608 bytes for as many tokens "
      "as it takes; run fewer functions or tokens, or free memory");
  cantFail(engine.open(false, /*maxTokens=*/2));
  EXPECT_EQ(engine.run(2), "");
  EXPECT_EQ(engine.run(3), "function 'layer': 'tokens' is 3, at most 2 were reserved by this "
                           "session; make one with more");
  engine.fake.freeBytes = 100;
  const std::string message = toString(engine.load());
  EXPECT_TRUE(StringRef(message).contains("allocating 1024 bytes for weights")) << message;
  EXPECT_TRUE(StringRef(message).contains("the program needs weights 1024 bytes")) << message;
}

const StringRef kPlan = " of the GPU's 1.00 GiB are free; the program needs weights 1024 bytes, "
                        "intermediate values 8320 bytes, inputs and outputs 4608 bytes for as "
                        "many tokens as it takes; run fewer functions or tokens, or free memory";

TEST(CudaSession, wantOfMemoryForKernelsAndEventsStatesThePlan) {
  Engine engine;
  for (const auto &[function, what] :
       {std::pair<const char *, const char *>{"cuModuleLoadDataEx", "loading kernel 'pack'"},
        {"cuEventCreate", "making an event"}}) {
    engine.fake.memoryless = function;
    const std::string message = toString(engine.load());
    EXPECT_TRUE(StringRef(message).contains(what)) << message;
    EXPECT_TRUE(StringRef(message).ends_with(kPlan)) << message;
  }
  const std::string message = toString(engine.open(false));
  EXPECT_TRUE(StringRef(message).contains("making an event")) << message;
  EXPECT_TRUE(StringRef(message).ends_with(kPlan)) << message;
}

TEST_P(CudaSessions, wantOfMemoryInRunsStatesThePlan) {
  Engine engine(GetParam());
  using Functions = std::vector<const char *>;
  int64_t tokens = 0;
  for (const char *function : GetParam() ? Functions{"cuLaunchKernel"}
                                         : Functions{"cuStreamBeginCapture", "cuLaunchKernel",
                                                     "cuGraphInstantiate", "cuGraphLaunch"}) {
    engine.fake.memoryless = function;
    const std::string message = engine.run(++tokens); // those of no graph
    EXPECT_TRUE(StringRef(message).starts_with("cuda:0: function 'layer': ")) << message;
    EXPECT_TRUE(StringRef(message).ends_with(kPlan)) << message;
    engine.fake.memoryless.clear();
    EXPECT_EQ(engine.run(tokens), "") << function;
  }
  Floats x = Engine::input(2), y(x.size());
  std::vector<uint64_t> times(1);
  const uint64_t free = std::exchange(engine.fake.freeBytes, 100);
  const std::string message =
      toString(engine.session->time(0, engine.inputs(x), engine.outputs(y), times));
  EXPECT_TRUE(StringRef(message).contains("for emptying the cache")) << message;
  EXPECT_TRUE(StringRef(message).ends_with(("; 100 bytes" + kPlan).str())) << message;
  engine.fake.freeBytes = free;
  EXPECT_EQ(engine.run(2), "");
}

TEST_P(CudaSessions, wantOfMemoryInSubmissionsStatesThePlan) {
  Engine engine(GetParam());
  Submission first(engine, 2); // has the slot that there is
  Floats x = Engine::input(2), y(x.size());
  engine.fake.memoryless = "cuEventCreate";
  const std::string message =
      toString(engine.session->submit(0, engine.inputs(x), engine.outputs(y)).takeError());
  EXPECT_TRUE(StringRef(message).contains("making an event")) << message;
  EXPECT_TRUE(StringRef(message).ends_with(kPlan)) << message;
  EXPECT_EQ(first.wait(), "");
}

/// What is left when the arena, arguments and checks have their memory, or the progress as well.
/// The GPU's memory would explain nothing.
TEST(CudaSession, wantOfPinnedMemory) {
  Engine engine;
  engine.session.reset();
  for (const auto &[bytes, what] :
       {std::pair<uint64_t, const char *>{7,
                                          "8 bytes of pinned host memory for the progress of runs"},
        {8 + 15, "16 bytes of pinned host memory for checks of expert ids"}}) {
    engine.fake.freeBytes = 8320 + 4608 + 16 + bytes;
    const std::string message = toString(engine.open(false));
    EXPECT_TRUE(StringRef(message).contains(what)) << message;
    EXPECT_TRUE(StringRef(message).ends_with(kNoPinnedMemory)) << message;
  }
  engine.fake.memoryless = "cuMemHostAlloc";
  EXPECT_EQ(toString(engine.load()), "cuda:0: allocating 512 bytes of pinned host memory for "
                                     "uploading weights" +
                                         kNoPinnedMemory);
}

TEST(CudaSession, devicesMustAgree) {
  Engine engine;
  SessionOptions options;
  options.device = "cuda:1";
  EXPECT_EQ(
      toString(engine.weights->createSession(options).takeError()),
      "a session on 'cuda:1' is asked for, its weights are on 'cuda:0'; load them there, too");
  options.device = "cpu";
  EXPECT_EQ(toString(engine.weights->createSession(options).takeError()),
            "device 'cpu' is asked for, test is compiled for 'cuda'");
  options.device = "cuda";
  cantFail(engine.weights->createSession(options));
}

//===- Submitted runs ----------------------------------------------------===//

TEST_P(CudaSessions, submittedRunsAreNotWaitedFor) {
  Engine engine(GetParam());
  std::vector<Submission> runs;
  for (const int64_t tokens : {3, 64, 3})
    runs.emplace_back(engine, tokens);
  EXPECT_FALSE(runs[0].run->isComplete());
  EXPECT_FALSE(engine.session->isIdle());
  EXPECT_LT(engine.fake.launched.size(), 3u);
  EXPECT_EQ(engine.fake.waits + engine.fake.pageableCopies, 0u);
  for (const Submission &run : runs)
    EXPECT_EQ(run.y, Floats(run.x.size(), -1.0f));

  EXPECT_EQ(runs[1].wait(), "");
  EXPECT_TRUE(runs[0].run->isComplete()); // they are in order
  EXPECT_FALSE(runs[2].run->isComplete());
  EXPECT_EQ(toString(engine.session->wait()), "");
  EXPECT_TRUE(engine.session->isIdle());
  for (const Submission &run : runs)
    EXPECT_EQ(run.y, expectedOutput(*engine.program, run.x));
  EXPECT_EQ(engine.fake.launched.size(), 3u * 3);
  EXPECT_EQ(engine.fake.pageableCopies, 0u);
}

TEST_P(CudaSessions, askingOftenEnoughCompletesARun) {
  Engine engine(GetParam());
  Submission first(engine, 2), second(engine, 5);
  while (!second.run->isComplete())
    ;
  EXPECT_EQ(engine.fake.waits, 2u); // of those that were past
  EXPECT_TRUE(engine.session->isIdle());
  EXPECT_EQ(first.y, expectedOutput(*engine.program, first.x));
  EXPECT_EQ(second.y, expectedOutput(*engine.program, second.x));
}

TEST_P(CudaSessions, pinnedMemoryOfSubmittedRunsIsKept) {
  Engine engine(GetParam());
  const uint64_t before = engine.fake.freeBytes;
  Submission(engine, 4).wait();
  const uint64_t after = engine.fake.freeBytes;
  EXPECT_LT(after, before);
  for (const int64_t tokens : {4, 1, 3})
    EXPECT_EQ(Submission(engine, tokens).wait(), "");
  EXPECT_EQ(engine.fake.freeBytes, after);
  engine.fake.freeBytes = 100;
  Floats x = Engine::input(64), y(x.size());
  EXPECT_EQ(toString(engine.session->submit(0, engine.inputs(x), engine.outputs(y)).takeError()),
            "cuda:0: allocating 4608 bytes of pinned host memory for arguments of a submitted run" +
                kNoPinnedMemory);
  engine.fake.freeBytes = after;
}

TEST_P(CudaSessions, pinnedArraysAreUsedInPlace) {
  Engine engine(GetParam());
  Floats x = Engine::input(3), y(x.size());
  std::vector<TensorView> in = engine.inputs(x), out = engine.outputs(y);
  const PinnedMemory memory = cantFail(allocatePinned(engine.fake.open(), 512, "arguments"));
  auto *pinnedX = static_cast<float *>(memory.get());
  auto *pinnedIds = reinterpret_cast<int32_t *>(pinnedX + 32), *pinnedY = pinnedIds + 32;
  std::copy(x.begin(), x.end(), pinnedX);
  std::copy(engine.ids.begin(), engine.ids.end(), pinnedIds);
  in[0].data = reinterpret_cast<std::byte *>(pinnedX);
  in[1].data = reinterpret_cast<std::byte *>(pinnedIds);
  out[0].data = reinterpret_cast<std::byte *>(pinnedY);
  const uint64_t before = engine.fake.freeBytes;
  const auto run = cantFail(engine.session->submit(0, in, out));
  EXPECT_EQ(engine.fake.freeBytes, before);
  EXPECT_EQ(toString(run->wait()), "");
  EXPECT_EQ(Floats(reinterpret_cast<float *>(pinnedY), reinterpret_cast<float *>(pinnedY) + 24),
            expectedOutput(*engine.program, x));
}

TEST_P(CudaSessions, errorsBelongToTheRunThatHasThem) {
  Engine engine(GetParam());
  const std::string message = "function 'layer': slot 0 (token 0, choice 0) has expert id 7, ids "
                              "are 0 to 1; correct the ids that the caller passes";
  Submission good(engine, 2), bad(engine, 3, /*id=*/7), last(engine, 3), worse(engine, 1, 7);
  EXPECT_EQ(last.wait(), "");
  EXPECT_EQ(last.y, expectedOutput(*engine.program, last.x));
  EXPECT_EQ(good.wait(), "");
  EXPECT_EQ(bad.wait(), message);
  EXPECT_EQ(bad.wait(), message);
  EXPECT_EQ(toString(engine.session->wait()), message) << "of the last one";
  EXPECT_EQ(toString(engine.session->wait()), "");
  EXPECT_EQ(worse.wait(), message);
  Submission third(engine, 1, 7), fourth(engine, 2, 7);
  EXPECT_EQ(toString(engine.session->wait()), message);
  EXPECT_EQ(fourth.wait(), message);
  EXPECT_EQ(toString(engine.session->wait()), "");
  EXPECT_EQ(Submission(engine, 2).wait(), "");
}

TEST_P(CudaSessions, failuresOfTheDeviceBelongToTheirRun) {
  Engine engine(GetParam());
  failAt(engine, 2);
  Submission first(engine, 2), second(engine, 3), third(engine, 3);
  const std::string notRun =
      "function 'layer': not run, because a run before it failed: " + kScaleFailure;
  EXPECT_EQ(third.wait(), notRun);
  EXPECT_EQ(second.wait(), kScaleFailure);
  EXPECT_EQ(first.wait(), "");
  EXPECT_EQ(first.y, expectedOutput(*engine.program, first.x));
  Floats x = Engine::input(2), y(x.size());
  EXPECT_EQ(toString(engine.session->submit(0, engine.inputs(x), engine.outputs(y)).takeError()),
            notRun);
}

TEST_P(CudaSessions, aFailureThatASubmissionMeetsIsNotItsOwn) {
  Engine engine(GetParam());
  failAt(engine, 1);
  Submission first(engine, 2);
  while (!first.run->isComplete())
    ;
  Floats x = Engine::input(2), y(x.size());
  const std::string message =
      toString(engine.session->submit(0, engine.inputs(x), engine.outputs(y)).takeError());
  EXPECT_EQ(message, "function 'layer': not run, because a run before it failed: " + first.wait());
}

TEST_P(CudaSessions, refusedLaunchesAreErrorsOfTheSubmission) {
  Engine engine(GetParam());
  Submission first(engine, 2);
  engine.fake.refused = "product";
  Floats x = Engine::input(3), y(x.size());
  EXPECT_EQ(toString(engine.session->submit(0, engine.inputs(x), engine.outputs(y)).takeError()),
            "cuda:0: function 'layer': step 5, moert.matmul (kernel 'product') with "
            "matrix.weight: CUDA_ERROR_OTHER (it failed)");
  engine.fake.refused.clear();
  EXPECT_EQ(first.wait(), "");
  EXPECT_EQ(first.y, expectedOutput(*engine.program, first.x));
}

TEST_P(CudaSessions, runsThatWaitCompleteThoseBefore) {
  Engine engine(GetParam());
  Submission first(engine, 2);
  EXPECT_EQ(engine.run(3), "");
  EXPECT_EQ(first.y, expectedOutput(*engine.program, first.x));
  Submission second(engine, 2);
  Floats x = Engine::input(2), y(x.size());
  uint64_t time = 0;
  cantFail(engine.session->time(0, engine.inputs(x), engine.outputs(y), time));
  EXPECT_EQ(second.y, expectedOutput(*engine.program, second.x));
}

TEST_P(CudaSessions, mayGoBeforeTheirRuns) {
  Engine engine(GetParam());
  Submission forgotten(engine, 4), kept(engine, 2), bad(engine, 1, 9);
  forgotten.run.reset();
  engine.session.reset();
  EXPECT_EQ(forgotten.y, expectedOutput(*engine.program, forgotten.x));
  EXPECT_TRUE(kept.run->isComplete());
  EXPECT_EQ(kept.wait(), "");
  EXPECT_EQ(kept.y, expectedOutput(*engine.program, kept.x));
  EXPECT_TRUE(StringRef(bad.wait()).contains("has expert id 9"));
}

//===- Sharing and forks -------------------------------------------------===//

namespace {

/// Weights of another program of the same kind that share those of `engine`, from `source`.
std::shared_ptr<const LoadedWeights> shareWeights(Engine &engine, WeightSource &source) {
  return cantFail(loadOn(engine.fake.open(), {makeProgram(), 0, BitVector(2, true)}, source,
                         engine.weights.get()));
}

} // namespace

TEST(CudaSession, weightsOfAnotherProgramAreUsedInPlace) {
  Engine engine;
  const auto source = makeCallbackSource([](StringRef tensor, uint64_t, uint64_t, uint8_t *) {
    ADD_FAILURE() << tensor.str() << " is read again";
    return false;
  });
  const uint64_t free = engine.fake.freeBytes;
  std::shared_ptr<const LoadedWeights> shared = shareWeights(engine, *source);
  EXPECT_LE(free - engine.fake.freeBytes, 16u); // what cannot be empty
  EXPECT_EQ(shared->bytes().own, 0u);
  EXPECT_GT(shared->bytes().shared, 512u);
  // The first ones go, their memory stays.
  engine.session.reset();
  engine.weights = shared;
  engine.program = std::make_shared<Program>(*shared->program());
  shared.reset();
  cantFail(engine.open(/*isEager=*/false));
  EXPECT_EQ(engine.run(9), "");
}

/// The device runs a program that was made of the loaded one, and sessions are of the latter.
TEST(CudaSession, weightsOfAProgramWithVariantsAreOfThatProgram) {
  Engine engine;
  std::get<KernelLaunch>(engine.program->functions[0].steps[5].action).variants = {
      {"sm_90a", {{{3, 0}, 1, /*roundsDown=*/false, std::nullopt}}}};
  cantFail(engine.load());
  cantFail(engine.open(/*isEager=*/false));
  EXPECT_EQ(engine.weights->program(), engine.program);
  EXPECT_NE(engine.weights->partOn("cuda:0")->program(), engine.program);
  EXPECT_EQ(engine.run(5), "");
  const std::unique_ptr<Session> first = std::move(engine.session);
  cantFail(engine.load());
  cantFail(engine.open(/*isEager=*/false));
  cantFail(engine.session->copyStates(*first));
}

TEST(CudaSession, sharedWeightsMustBeOfTheSameModelAndDevice) {
  Engine engine;
  auto load = [&](std::shared_ptr<Program> program, WeightSource &source) {
    WeightsOptions options{"", {0}, 1, engine.weights};
    return toString(
        LoadedWeights::create(std::move(program), options, source, [](uint64_t, uint64_t) {
          return true;
        }).takeError());
  };
  std::shared_ptr<Program> forCpu = makeProgram();
  forCpu->partitions = {{kCpuTarget.str()}};
  EXPECT_EQ(load(forCpu, *makeRandomSource(1)),
            "the weights to share are on 'cuda:0', those to be loaded on 'cpu'; share weights of "
            "the same device");
  EXPECT_EQ(
      load(makeProgram(), *makeRandomSource(2)),
      "random:seed=2: holds other tensors (random:seed=2) than what the weights to share were "
      "loaded from (random:seed=1); share weights of the same model");
}

TEST(CudaSession, nothingOfAGpuIsTouchedInAForkedProcess) {
  Engine engine;
  EXPECT_EQ(engine.run(5), "");
  EXPECT_EQ(inChild([&] {
              (void)engine.session.release(); // as SharedSession does
              std::string message = toString(engine.open(/*isEager=*/false));
              const uint64_t free = engine.fake.freeBytes;
              engine.weights.reset();
              if (engine.fake.freeBytes != free)
                message += " and memory of the parent was freed";
              return message;
            }),
            "cuda:0: was opened by process " + std::to_string(getpid()) +
                ", from which this one was forked; CUDA does not work in it. Load weights in the "
                "process that runs them");
  EXPECT_EQ(engine.run(5), "");
}
