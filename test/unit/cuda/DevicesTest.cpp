// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sessions of a program with functions for the CPU and for two GPUs.

#include "test/unit/cuda/FakeDriver.h"
#include "test/unit/cuda/LoadOn.h"
#include "test/unit/program/DeviceText.h"
#include "test/unit/program/ProgramText.h"

#include "runtime/program/Loader.h"
#include "runtime/session/CpuSession.h"
#include "runtime/session/CudaSession.h"
#include "runtime/session/MemoryPlan.h"
#include "runtime/session/Session.h"

#include "llvm/ADT/StringExtras.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::cuda;
using namespace sortie::test;

namespace {

using Floats = std::vector<float>;

constexpr uint32_t kNormalize = 0, kTimes = 1, kMore = 2, kCount = 3, kKeep = 4;
constexpr uint32_t kOther = 0, kHere = 1, kThere = 2;

CUresult timesKernel(const FakeLaunch &launch) {
  for (int i = 0; i < 3 * launch.extents[0]; ++i)
    launch.pointer<float>(1)[i] =
        launch.pointer<const float>(0)[i] * launch.pointer<const float>(2)[i % 3];
  return CUDA_SUCCESS;
}

CUresult keepKernel(const FakeLaunch &launch) {
  for (int i = 0; i < 3; ++i)
    launch.pointer<float>(1)[i] += launch.pointer<const float>(0)[i];
  return CUDA_SUCCESS;
}

bool reportNothing(uint64_t, uint64_t) { return true; }

TensorView view(const std::string &name, Floats &values) {
  TensorView tensor{name,
                    HostType::F32,
                    reinterpret_cast<std::byte *>(values.data()),
                    {static_cast<int64_t>(values.size()) / 3, 3},
                    {}};
  tensor.strides = contiguousStrides(tensor.shape, sizeof(float));
  return tensor;
}

/// A machine with two GPUs.
class Devices : public testing::Test {
protected:
  Devices() {
    fake.kernels["times"] = {3, 1, timesKernel};
    fake.kernels["keep"] = {2, 0, keepKernel};
    fake.gpus = 2;
    const std::string text = cudaProgramText(kDeviceProgram, kDeviceResources);
    program = cantFail(loadProgram({text, "test"}));
  }

  /// Weights for these functions. Device 0 of the program is GPU 0.
  std::shared_ptr<const LoadedWeights> load(const std::vector<size_t> &functions) {
    const auto pool = cantFail(cpu::ThreadPool::create(1));
    const auto source = makeRandomSource(1);
    std::vector<LoadedWeights::Part> parts;
    for (const uint32_t index : partitionsOf(*program, functions)) {
      const Partition &partition = program->partitions[index];
      const WantedWeights wanted{program, index, weightsOf(*program, index, functions)};
      if (partition.isCuda())
        parts.push_back(cantFail(loadCudaWeightsOn(
            cantFail(Device::open(fake.driver(), static_cast<int>(partition.device))), wanted,
            *source, *pool, reportNothing)));
      else
        parts.push_back(cantFail(loadCpuWeights(wanted, "cpu", *source, *pool, reportNothing)));
    }
    return std::make_shared<const LoadedWeights>(*source, std::move(parts));
  }
  std::unique_ptr<Session> open(const std::vector<size_t> &functions) {
    return cantFail(load(functions)->createSession({}));
  }
  static std::string run(Session &session, uint32_t function, Floats &x, Floats *y) {
    RunObserver nobody;
    return toString(session.run(function, {view("x", x)},
                                y ? ArrayRef(view("y", *y)) : ArrayRef<TensorView>(), nobody));
  }
  static Floats read(Session &from, uint32_t state) {
    Floats values(3, -1);
    cantFail(from.readState(state, {reinterpret_cast<std::byte *>(values.data()), 12}));
    return values;
  }

  FakeDriver fake;
  std::shared_ptr<const Program> program;
  const std::vector<size_t> all = {kNormalize, kTimes, kMore, kCount, kKeep};
};

} // namespace

TEST_F(Devices, areThoseOfTheFunctions) {
  ASSERT_EQ(program->partitions.size(), 3u);
  EXPECT_EQ(program->functions[kCount].partition, program->functions[kNormalize].partition);
  EXPECT_EQ(program->functions[kKeep].partition, program->functions[kTimes].partition);
  EXPECT_EQ(program->partitionOf(program->functions[kNormalize]).target, "cpu");
  EXPECT_EQ(program->partitionOf(program->functions[kMore]).device, 1u);
  // States count in their partition; one that nobody uses lies in the first.
  const SymbolLimits bounds = boundsOf(*program);
  const StateLayout first = layoutStates(*program, 0, bounds);
  EXPECT_EQ(first.offsets[kOther], 0u);
  EXPECT_EQ(first.offsets[kHere], 256u);
  EXPECT_EQ(first.bytes, 2u * 256);
  const uint32_t partition = program->functions[kKeep].partition;
  EXPECT_EQ(layoutStates(*program, partition, bounds).offsets[kThere], 0u);
  EXPECT_EQ(program->states[kThere].partition, program->functions[kKeep].partition);
}

TEST_F(Devices, functionsRunInOneSessionAndGiveTheBitsOfEach) {
  const auto session = open(all);
  EXPECT_EQ(load(all)->describeDevice(), "cpu, cuda:0 (Fake GPU), cuda:1 (Fake GPU)");
  Floats x = {1, -2, 3, 0.5f, 4, 5}, n(6), y(6), again(6);
  EXPECT_EQ(run(*session, kNormalize, x, &n), "");
  EXPECT_EQ(run(*session, kTimes, n, &y), "");
  EXPECT_EQ(run(*session, kMore, n, &again), "");
  EXPECT_EQ(again, y);

  // Each function alone, in a session of its own.
  Floats alone(6);
  EXPECT_EQ(run(*open({kNormalize}), kNormalize, x, &alone), "");
  EXPECT_EQ(alone, n);
  EXPECT_EQ(run(*open({kTimes}), kTimes, n, &alone), "");
  EXPECT_EQ(alone, y);
}

TEST_F(Devices, weightsAreOnEachDeviceThatReadsThem) {
  const uint64_t onCpu = 3 * sizeof(float), onGpu = 256;
  EXPECT_EQ(weightBytes(*program, 0), onCpu + 2 * onGpu);
  EXPECT_EQ(planMemory(*program, {kTimes}, boundsOf(*program)).weights, onGpu);
  EXPECT_EQ(planMemory(*program, {kNormalize, kTimes}, boundsOf(*program)).weights, onCpu + onGpu);
  EXPECT_EQ(planMemory(*program, {kNormalize, kTimes}, boundsOf(*program)).states, 3u * 256);
  EXPECT_EQ(planMemory(*program, {kMore}, boundsOf(*program)).states, 0u);
}

/// Runs of all devices are complete in the order of their submission.
TEST_F(Devices, submittedRunsKeepTheirOrder) {
  const auto session = open(all);
  Floats x = {1, 2, 3}, first(3), second(3), third(3);
  fake.waits = 0;
  const auto a = cantFail(session->submit(kTimes, {view("x", x)}, {view("y", first)}));
  const auto b = cantFail(session->submit(kNormalize, {view("x", x)}, {view("y", second)}));
  const auto c = cantFail(session->submit(kMore, {view("x", x)}, {view("y", third)}));
  EXPECT_EQ(fake.waits, 0u);
  EXPECT_FALSE(b->isComplete()); // the one before is not
  EXPECT_EQ(toString(b->wait()), "");
  EXPECT_TRUE(a->isComplete());
  EXPECT_EQ(toString(session->wait()), "");
  EXPECT_EQ(third, first);
}

TEST_F(Devices, lostGpusFailTheirOwnRunsAlone) {
  const auto session = open(all);
  Floats x = {1, 2, 3}, y(3);
  fake.kernels["keep"].run = [](const FakeLaunch &) { return FakeDriver::kIllegalAddress; };
  EXPECT_NE(run(*session, kKeep, x, nullptr).find("CUDA_ERROR_ILLEGAL_ADDRESS"), std::string::npos);
  EXPECT_NE(run(*session, kTimes, x, &y).find("not run, because a run before it failed"),
            std::string::npos);
  EXPECT_EQ(run(*session, kNormalize, x, &y), "");
}

TEST_F(Devices, statesAreWhereTheirFunctionsRun) {
  const auto session = open(all);
  Floats x = {1, 2, 3};
  for (const uint32_t function : {kCount, kKeep, kKeep})
    EXPECT_EQ(run(*session, function, x, nullptr), "");
  EXPECT_EQ(read(*session, kHere), Floats({1, 2, 3}));
  EXPECT_EQ(read(*session, kThere), Floats({2, 4, 6}));
  const auto copy = open(all);
  cantFail(copy->copyStates(*session));
  cantFail(session->resetStates());
  for (const uint32_t state : {kHere, kThere})
    EXPECT_EQ(read(*session, state), Floats(3));
  EXPECT_EQ(read(*copy, kHere), Floats({1, 2, 3}));
  EXPECT_EQ(read(*copy, kThere), Floats({2, 4, 6}));

  // A session without the GPU takes what it has; one with it wants all.
  const auto part = open({kCount});
  cantFail(part->copyStates(*copy));
  EXPECT_EQ(read(*part, kHere), Floats({1, 2, 3}));
  const std::string missing =
      "state 'there' belongs to device 0 of target 'cuda', for which nothing has been loaded; name "
      "a function of that device when the weights are created";
  EXPECT_EQ(toString(copy->copyStates(*part)), missing);
  EXPECT_EQ(toString(part->resetState(kThere)), missing);
  std::vector<std::byte> bytes(12);
  EXPECT_EQ(toString(part->readState(kThere, bytes)), missing);
  EXPECT_EQ(toString(part->writeState(kThere, bytes)), missing);
}

TEST_F(Devices, whatIsNotLoadedIsNamed) {
  const auto session = open({kNormalize});
  Floats x = {1, 2, 3}, y(3);
  EXPECT_EQ(run(*session, kNormalize, x, &y), "");
  EXPECT_EQ(run(*session, kMore, x, &y),
            "function 'more' belongs to device 1 of target 'cuda', for which nothing has been "
            "loaded; name a function of that device when the weights are created");
}

TEST_F(Devices, arraysOfAGpuAreForItsFunctions) {
  const auto session = open(all);
  Floats x = {1, 2, 3}, y(3);
  TensorView input = view("x", x);
  input.space = MemorySpace::Device;
  RunObserver nobody;
  EXPECT_EQ(toString(session->run(kNormalize, {input}, {view("y", y)}, nobody)),
            "function 'normalize': input 'x' is in device memory, which the CPU does not read; "
            "copy it to the host");
}

TEST_F(Devices, namesSayWhereDeviceZeroLies) {
  const auto weights = load(all);
  const auto error = [&](const std::string &device) {
    SessionOptions options;
    options.device = device;
    return toString(weights->createSession(options).takeError());
  };
  EXPECT_EQ(error("cuda"), "");
  EXPECT_EQ(error("cpu"), "");
  EXPECT_EQ(error("cuda:1"), "a session on 'cuda:1' is asked for, its weights are on 'cuda:0'; "
                             "load them there, too");
  EXPECT_EQ(error("tpu"),
            "device 'tpu' is asked for, test runs what is to be loaded on 'cpu', 'cuda'");
  EXPECT_EQ(error("cuda:x"),
            "there is no device 'cuda:x'; give cpu, cuda, or cuda:N for GPU number N");
}

TEST_F(Devices, weightsAreSharedByDevice) {
  const auto source = makeRandomSource(1);
  const auto loadForCpu = [&](const std::shared_ptr<const LoadedWeights> &share) {
    return LoadedWeights::create(program, {"", {kNormalize}, 1, share}, *source, reportNothing);
  };
  EXPECT_EQ(toString(loadForCpu(load({kTimes, kMore})).takeError()),
            "the weights to share are on 'cuda:0', 'cuda:1', those to be loaded on 'cpu'; share "
            "weights of the same device");
  const auto shared = cantFail(loadForCpu(load(all)));
  EXPECT_EQ(shared->bytes().own, 0u);
  EXPECT_EQ(shared->bytes().shared, 12u);
}

//===- Arguments in host memory ------------------------------------------===//

namespace {

/// In a function for the GPU, a = x, b = a * w, y = b on the host, and z = a on the device.
constexpr const char *kHostProgram = R"(
  moert.symbol @tokens max(16)
  moert.kernel @times_0 "times" reads(1) writes(1) weights(floats) extents(1) threads(32) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "06bddef0b75d6e6154882f051f965fac",
                 data = dense_resource<image> : tensor<3xi8>>]
  moert.weight @w "w" : 3xf32
  moert.func @f("x" %x: !moert.buffer<tokens x 3 x f32, space = "host">)
      outs("y" %y: !moert.buffer<tokens x 3 x f32, space = "host">,
           "z" %z: !moert.buffer<tokens x 3 x f32>) arena(128*tokens) {
    %a = moert.buffer offset(0) : !moert.buffer<tokens x 3 x f32>
    moert.copy %x outs(%a) : !moert.buffer<tokens x 3 x f32, space = "host">, !moert.buffer<tokens x 3 x f32>
    %b = moert.buffer offset(64*tokens) : !moert.buffer<tokens x 3 x f32>
    moert.launch @times_0 grid(tokens) reads(%a) writes(%b) weights(@w) extents(tokens)
      work("moert.mul") : !moert.buffer<tokens x 3 x f32>, !moert.buffer<tokens x 3 x f32>
    moert.copy %b outs(%y) : !moert.buffer<tokens x 3 x f32>, !moert.buffer<tokens x 3 x f32, space = "host">
    moert.copy %a outs(%z) : !moert.buffer<tokens x 3 x f32>, !moert.buffer<tokens x 3 x f32>
    moert.return
  })";

struct HashWatcher : RunObserver {
  std::vector<uint64_t> hashes;
  bool wantsCheckpoints() const override { return true; }
  void checkpoint(const std::string &, std::optional<uint64_t> hash) override {
    hashes.push_back(hash.value());
  }
};

class HostMemory : public testing::Test {
protected:
  HostMemory() {
    fake.kernels["times"] = {3, 1, timesKernel};
    const std::string text = cudaProgramText(kHostProgram, kDeviceResources);
    program = cantFail(loadProgram({text, "test"}));
    session = open(/*isEager=*/false);
  }
  std::unique_ptr<Session> open(bool isEager) {
    const auto weights =
        cantFail(loadOn(fake.open(), {program, 0, BitVector(1, true)}, *makeRandomSource(1)));
    SessionOptions options;
    options.isEager = isEager;
    return cantFail(weights->createSession(options));
  }
  std::string run(Session &with, Floats &x, RunObserver &&observer = RunObserver()) {
    y.assign(x.size(), -1);
    z.assign(x.size(), -1);
    return toString(with.run(0, {view("x", x)}, {view("y", y), view("z", z)}, observer));
  }

  FakeDriver fake;
  std::shared_ptr<const Program> program;
  std::unique_ptr<Session> session;
  Floats y, z;
};

} // namespace

TEST_F(HostMemory, isCopiedByTheSteps) {
  Floats x = {1, -2, 3, 0.5f, 4, 5};
  EXPECT_EQ(run(*session, x), "");
  EXPECT_EQ(z, x);
  const Floats expected = y;
  EXPECT_NE(expected, x);
  EXPECT_EQ(fake.captures, 1u);
  EXPECT_EQ(fake.pageableCopies, 1u); // of z, which the runtime copies

  // The graph serves arrays that lie elsewhere, since they go through one place.
  Floats other = x;
  EXPECT_EQ(run(*session, other), "");
  EXPECT_EQ(y, expected);
  EXPECT_EQ(fake.captures, 1u);
  const auto eager = open(/*isEager=*/true);
  EXPECT_EQ(run(*eager, x), "");
  EXPECT_EQ(y, expected);
  Floats none;
  EXPECT_EQ(run(*session, none), "");
}

TEST_F(HostMemory, belongsToEachSubmittedRun) {
  std::vector<Floats> x = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}, yOf(3, Floats(3)), zOf(3, Floats(3));
  for (size_t i = 0; i < 3; ++i)
    cantFail(session->submit(0, {view("x", x[i])}, {view("y", yOf[i]), view("z", zOf[i])}));
  EXPECT_EQ(toString(session->wait()), "");
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(run(*session, x[i]), "");
    EXPECT_EQ(yOf[i], y);
    EXPECT_EQ(zOf[i], x[i]);
  }
}

TEST_F(HostMemory, thatIsPinnedIsUsedInPlace) {
  const PinnedMemory pinned = cantFail(allocatePinned(fake.open(), 24, "a test"));
  auto *values = static_cast<float *>(pinned.get());
  Floats x = {1, -2, 3};
  std::copy(x.begin(), x.end(), values);
  EXPECT_EQ(run(*session, x), "");
  const Floats expected = y;
  TensorView in = view("x", x), out = view("y", y);
  in.data = reinterpret_cast<std::byte *>(values);
  out.data = reinterpret_cast<std::byte *>(values + 3);
  RunObserver nobody;
  EXPECT_EQ(toString(session->run(0, {in}, {out, view("z", z)}, nobody)), "");
  EXPECT_EQ(Floats(values + 3, values + 6), expected);
  EXPECT_EQ(fake.captures, 2u); // for other addresses
}

TEST_F(HostMemory, wantOfPinnedMemoryIsTold) {
  Floats x = {1, -2, 3};
  fake.memoryless = "cuMemHostAlloc";
  EXPECT_EQ(run(*session, x),
            "cuda:0: allocating 128 bytes of pinned host memory for arguments in host memory: "
            "CUDA_ERROR_OUT_OF_MEMORY (out of memory); free memory of the host");
  fake.memoryless.clear();
  EXPECT_EQ(run(*session, x), "");
}

TEST_F(HostMemory, outputsAreHashed) {
  Floats x = {1, -2, 3};
  HashWatcher onHost;
  y.assign(3, -1);
  z.assign(3, -1);
  EXPECT_EQ(toString(session->run(0, {view("x", x)}, {view("y", y), view("z", z)}, onHost)), "");
  ASSERT_EQ(onHost.hashes.size(), 2u);
  EXPECT_NE(onHost.hashes[0], onHost.hashes[1]);
  // z is x, which is also what a run on y's values would begin with.
  Floats again = y;
  HashWatcher second;
  EXPECT_EQ(toString(session->run(0, {view("x", again)}, {view("y", y), view("z", z)}, second)),
            "");
  EXPECT_EQ(second.hashes[1], onHost.hashes[0]);
}

TEST_F(HostMemory, isNoMemoryOfADevice) {
  Floats x = {1, -2, 3};
  y.assign(3, -1);
  z.assign(3, -1);
  TensorView input = view("x", x);
  input.space = MemorySpace::Device;
  RunObserver nobody;
  EXPECT_EQ(toString(session->run(0, {input}, {view("y", y), view("z", z)}, nobody)),
            "function 'f': input 'x' is in device memory, the function has it in host memory; copy "
            "it to the host");
  EXPECT_EQ(planMemory(*program, {0}, boundsOf(*program)).arguments,
            256u); // z alone: 16 rows of 12 bytes
}
