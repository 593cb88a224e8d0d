// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// States of sessions of a GPU: their memory, order with submitted runs, copies, checks of rows.

#include "test/unit/cuda/FakeDriver.h"
#include "test/unit/cuda/LoadOn.h"
#include "test/unit/program/ProgramText.h"

#include "runtime/program/Loader.h"
#include "runtime/session/CudaSession.h"

#include "gtest/gtest.h"

#include <array>

using namespace llvm;
using namespace sortie;
using namespace sortie::cuda;
using namespace sortie::test;

namespace {

using Floats = std::vector<float>;

/// accumulate: sum += x in place; keep: row index[0] of a table becomes x; tell: a status is what
/// the caller passes.
constexpr const char *kProgram = R"(
  moert.kernel @accumulate_0 "accumulate" reads(1) writes(1) threads(32) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "06bddef0b75d6e6154882f051f965fac",
                 data = dense_resource<image> : tensor<3xi8>>]
  moert.kernel @keep_0 "keep" reads(2) writes(2) threads(32) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "06bddef0b75d6e6154882f051f965fac",
                 data = dense_resource<image> : tensor<3xi8>>]
  moert.kernel @tell_0 "tell" reads(1) writes(1) threads(32) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "06bddef0b75d6e6154882f051f965fac",
                 data = dense_resource<image> : tensor<3xi8>>]
  moert.kernel @use_0 "use" reads(1) writes(1) threads(32) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "06bddef0b75d6e6154882f051f965fac",
                 data = dense_resource<image> : tensor<3xi8>>]
  moert.state @other : !moert.buffer<2 x i32>
  moert.state @sum : !moert.buffer<3 x f32>
  moert.state @table : !moert.buffer<4 x 3 x f32>
  moert.func @accumulate("x" %x: !moert.buffer<3 x f32>) outs() arena(0) {
    %sum = moert.state_buffer @sum : !moert.buffer<3 x f32>
    moert.launch @accumulate_0 grid(1) reads(%x) writes(%sum) work("moert.add")
      : !moert.buffer<3 x f32>, !moert.buffer<3 x f32>
    moert.return
  }
  moert.func @keep("x" %x: !moert.buffer<1 x 3 x f32>, "index" %index: !moert.buffer<1 x i32>) outs()
      arena(64) {
    %table = moert.state_buffer @table : !moert.buffer<4 x 3 x f32>
    %status = moert.buffer offset(0) : !moert.buffer<2 x i32>
    moert.launch @keep_0 grid(2) reads(%x, %index) writes(%table, %status) work("moert.write_rows")
      : !moert.buffer<1 x 3 x f32>, !moert.buffer<1 x i32>, !moert.buffer<4 x 3 x f32>,
        !moert.buffer<2 x i32>
    moert.check_rows %status rows(4) : !moert.buffer<2 x i32>
    moert.return
  }
  moert.func @tell("x" %x: !moert.buffer<4 x i32>) outs() arena(64) {
    %other = moert.state_buffer @other : !moert.buffer<2 x i32>
    %status = moert.buffer offset(0) : !moert.buffer<4 x i32>
    moert.launch @tell_0 grid(1) reads(%x) writes(%status) work("moert.append")
      : !moert.buffer<4 x i32>, !moert.buffer<4 x i32>
    moert.launch @use_0 grid(1) reads(%status) writes(%other) work("moert.append")
      : !moert.buffer<4 x i32>, !moert.buffer<2 x i32>
    moert.check_places %status : !moert.buffer<4 x i32>
    moert.return
  })";
constexpr const char *kResources = R"(
{-#
  dialect_resources: {builtin: {image: "0x04000000050600"}}
#-}
)";
constexpr uint32_t kAccumulate = 0, kKeep = 1, kTell = 2;
constexpr uint32_t kSum = 1, kTable = 2;

CUresult accumulateKernel(const FakeLaunch &launch) {
  for (int i = 0; i < 3; ++i)
    launch.pointer<float>(1)[i] += launch.pointer<const float>(0)[i];
  return CUDA_SUCCESS;
}

CUresult keepKernel(const FakeLaunch &launch) {
  const int32_t row = *launch.pointer<const int32_t>(1);
  const bool isRow = row >= 0 && row < 4;
  launch.pointer<int32_t>(3)[0] = isRow ? -1 : 0;
  launch.pointer<int32_t>(3)[1] = row;
  if (isRow)
    std::copy_n(launch.pointer<const float>(0), 3, launch.pointer<float>(2) + 3 * row);
  return CUDA_SUCCESS;
}

CUresult tellKernel(const FakeLaunch &launch) {
  std::copy_n(launch.pointer<const int32_t>(0), 4, launch.pointer<int32_t>(1));
  return CUDA_SUCCESS;
}

class CudaStates : public testing::TestWithParam<bool> {
protected:
  CudaStates() {
    fake.kernels["accumulate"] = {2, 0, accumulateKernel};
    fake.kernels["keep"] = {4, 0, keepKernel};
    fake.kernels["tell"] = {2, 0, tellKernel};
    fake.kernels["use"] = {2, 0, [](const FakeLaunch &) { return CUDA_SUCCESS; }};
    const std::string text = cudaProgramText(kProgram, kResources);
    program = cantFail(loadProgram({text, "test"}));
    session = open();
  }

  std::unique_ptr<Session> open(int gpu = 0) {
    const auto weights = cantFail(
        loadOn(cantFail(Device::open(fake.driver(), gpu)), {program, 0, {}}, *makeRandomSource(1)));
    SessionOptions options;
    options.isEager = GetParam();
    return cantFail(weights->createSession(options));
  }
  static TensorView view(const std::string &name, HostType type, void *data,
                         std::initializer_list<int64_t> shape) {
    TensorView tensor{name, type, static_cast<std::byte *>(data), shape, {}};
    tensor.strides = contiguousStrides(tensor.shape, hostTypeBytes(type));
    return tensor;
  }
  void accumulate(Floats x) {
    RunObserver nobody;
    cantFail(session->run(kAccumulate, {view("x", HostType::F32, x.data(), {3})}, {}, nobody));
  }
  std::string keep(Floats x, int32_t row) {
    RunObserver nobody;
    return toString(session->run(
        kKeep,
        {view("x", HostType::F32, x.data(), {1, 3}), view("index", HostType::I32, &row, {1})}, {},
        nobody));
  }
  std::string tell(std::array<int32_t, 4> status) {
    RunObserver nobody;
    return toString(
        session->run(kTell, {view("x", HostType::I32, status.data(), {4})}, {}, nobody));
  }
  static Floats read(Session &from, uint32_t state, size_t count) {
    Floats values(count, -1);
    cantFail(from.readState(state, {reinterpret_cast<std::byte *>(values.data()), 4 * count}));
    return values;
  }
  Floats sum() const { return read(*session, kSum, 3); }

  FakeDriver fake;
  std::shared_ptr<const Program> program;
  std::unique_ptr<Session> session;
};

} // namespace

INSTANTIATE_TEST_SUITE_P(, CudaStates, testing::Values(false, true),
                         [](const auto &info) { return info.param ? "eager" : "graphs"; });

TEST_P(CudaStates, areZeroAtFirstAndStayBetweenRuns) {
  EXPECT_EQ(sum(), Floats({0, 0, 0}));
  accumulate({1, 2, 3});
  accumulate({10, 20, 30});
  EXPECT_EQ(sum(), Floats({11, 22, 33}));
  // A graph keeps the addresses of states.
  EXPECT_EQ(fake.captures, GetParam() ? 0u : 1u);
}

TEST_P(CudaStates, canBeResetSavedAndRestored) {
  accumulate({1, 2, 3});
  EXPECT_EQ(keep({4, 5, 6}, 2), "");
  cantFail(session->resetState(kSum));
  EXPECT_EQ(sum(), Floats({0, 0, 0}));
  const Floats saved = read(*session, kTable, 12);
  EXPECT_EQ(saved, Floats({0, 0, 0, 0, 0, 0, 4, 5, 6, 0, 0, 0}));
  cantFail(session->resetStates());
  EXPECT_EQ(read(*session, kTable, 12), Floats(12));
  cantFail(session->writeState(
      kTable, {reinterpret_cast<const std::byte *>(saved.data()), 4 * saved.size()}));
  EXPECT_EQ(read(*session, kTable, 12), saved);
  EXPECT_EQ(sum(), Floats({0, 0, 0}));
}

TEST_P(CudaStates, badRowsAreNamed) {
  EXPECT_EQ(keep({4, 5, 6}, 4),
            "function 'keep': step 0, moert.write_rows (kernel 'keep_0') with table: position 0 of "
            "its index has row 4, rows are 0 to 3; correct the index that the caller passes");
  EXPECT_EQ(keep({4, 5, 6}, 3), "");
}

/// The operation is the one that uses the status.
TEST_P(CudaStates, badPlacesAreNamed) {
  const auto expectError = [&](std::array<int32_t, 4> status, const std::string &what) {
    EXPECT_EQ(tell(status),
              "function 'tell': step 1, moert.append (kernel 'use_0') with other: " + what);
  };
  const std::string correct = "; correct the positions, sequences or pages that the caller passes";
  expectError({1, 2, 7, 5}, "position 2 of its index has row 7, rows are 0 to 4; correct the index "
                            "that the caller passes");
  expectError({2, 3, -1, 2},
              "token 3 has sequence -1, the page table has sequences 0 to 1" + correct);
  expectError({2, 3, 0, 0}, "token 3 has sequence 0, the page table has none" + correct);
  expectError({3, 0, 256, 256},
              "token 0 has position 256, the page table has places for 256 positions" + correct);
  expectError({4, 9, 5, 5}, "token 9 sees page 5, the cache has pages 0 to 4" + correct);
  expectError({5, 1, 4, 8}, "token 1 and token 4 have one place in the cache" + correct);
  for (const int32_t fault : {-1, 6, 77})
    expectError({fault, 0, 0, 0}, "tells of fault " + std::to_string(fault) +
                                      ", which is none; the program is damaged, compile it again");
  EXPECT_EQ(tell({0, 5, 5, 5}), "");
}

/// The sum of submitted runs is there when it is read, without anybody having waited.
TEST_P(CudaStates, areReadBehindSubmittedRuns) {
  Floats x = {1, 2, 3};
  for (int i = 0; i < 3; ++i)
    cantFail(session->submit(kAccumulate, {view("x", HostType::F32, x.data(), {3})}, {}));
  EXPECT_EQ(sum(), Floats({3, 6, 9}));
  cantFail(session->submit(kAccumulate, {view("x", HostType::F32, x.data(), {3})}, {}));
  cantFail(session->resetStates());
  EXPECT_EQ(sum(), Floats({0, 0, 0}));
}

TEST_P(CudaStates, areCopiedBetweenSessions) {
  fake.gpus = 2;
  accumulate({1, 2, 3});
  for (const int gpu : {0, 1}) {
    const std::unique_ptr<Session> other = open(gpu);
    EXPECT_EQ(read(*other, kSum, 3), Floats({0, 0, 0}));
    cantFail(other->copyStates(*session));
    EXPECT_EQ(read(*other, kSum, 3), Floats({1, 2, 3}));
  }
}

TEST_P(CudaStates, failuresOfTheDeviceNameTheState) {
  Floats x = {1, 2, 3};
  fake.kernels["accumulate"].run = [](const FakeLaunch &) { return FakeDriver::kIllegalAddress; };
  cantFail(session->submit(kAccumulate, {view("x", HostType::F32, x.data(), {3})}, {}));
  std::vector<std::byte> bytes(12);
  EXPECT_EQ(toString(session->readState(kSum, bytes)),
            "cuda:0: reading state 'sum': CUDA_ERROR_ILLEGAL_ADDRESS (it failed)");
  EXPECT_EQ(toString(session->writeState(kSum, bytes)),
            "cuda:0: writing state 'sum': CUDA_ERROR_ILLEGAL_ADDRESS (it failed)");
  EXPECT_EQ(toString(session->resetState(kSum)),
            "cuda:0: resetting state 'sum': CUDA_ERROR_ILLEGAL_ADDRESS (it failed)");
  // The run keeps its own error.
  EXPECT_NE(toString(session->wait()).find("moert.add (kernel 'accumulate_0')"), std::string::npos);
}

TEST_P(CudaStates, wantOfMemoryStatesThePlan) {
  session.reset();
  fake.freeBytes = 300;
  Expected<std::shared_ptr<const LoadedWeights>> weights =
      loadOn(fake.open(), {program, 0, {}}, *makeRandomSource(1));
  ASSERT_TRUE(bool(weights)) << toString(weights.takeError());
  Expected<std::unique_ptr<Session>> created = (*weights)->createSession({});
  ASSERT_FALSE(bool(created));
  const std::string message = toString(created.takeError());
  EXPECT_NE(message.find("allocating 768 bytes for states"), std::string::npos) << message;
  EXPECT_NE(message.find(", states 768 bytes"), std::string::npos) << message;
}
