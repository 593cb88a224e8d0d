// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sessions of a GPU whose states have sizes of the session's own: their memory, what kernels are
// told of them, and graphs of functions with several symbols.

#include "test/unit/cuda/FakeDriver.h"
#include "test/unit/cuda/LoadOn.h"
#include "test/unit/program/ProgramText.h"

#include "runtime/program/Loader.h"

#include "gmock/gmock.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::cuda;
using namespace sortie::test;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

/// put: the rows of x become those of both caches that index names; the kernel is told how many
/// rows a cache has.
constexpr const char *kProgram = R"(
  moert.symbol @copies max(4)
  moert.symbol @pages max(1048576)
  moert.kernel @put_0 "put" reads(2) writes(2) extents(3) threads(32) images [
    #moert.image<arch = "sm_90", shared = 0, hash = "06bddef0b75d6e6154882f051f965fac",
                 data = dense_resource<image> : tensor<3xi8>>]
  moert.state @first : !moert.buffer<pages x 2 x i32>
  moert.state @second : !moert.buffer<pages x 2 x i32>
  moert.func @put("x" %x: !moert.buffer<copies x 2 x i32>, "index" %index: !moert.buffer<copies x i32>)
      outs() arena(0) {
    %first = moert.state_buffer @first : !moert.buffer<pages x 2 x i32>
    %second = moert.state_buffer @second : !moert.buffer<pages x 2 x i32>
    moert.launch @put_0 grid(copies, pages ceildiv 2 max 3) reads(%x, %index) writes(%first, %second)
      extents(copies, pages, 2*pages+1) work("moert.write_rows")
      : !moert.buffer<copies x 2 x i32>, !moert.buffer<copies x i32>,
        !moert.buffer<pages x 2 x i32>, !moert.buffer<pages x 2 x i32>
    moert.return
  })";
constexpr const char *kResources = R"(
{-#
  dialect_resources: {builtin: {image: "0x04000000050600"}}
#-}
)";

using Ints = std::vector<int32_t>;

class CudaSessionSymbols : public testing::Test {
protected:
  CudaSessionSymbols() {
    fake.kernels["put"] = {4, 3, [this](const FakeLaunch &launch) { return put(launch); }};
    program = cantFail(loadProgram({cudaProgramText(kProgram, kResources), "test"}));
    weights = cantFail(loadOn(fake.open(), {program, 0, {}}, *makeRandomSource(1)));
  }

  CUresult put(const FakeLaunch &launch) {
    launches.push_back(launch);
    for (int32_t i = 0; i < launch.extents[0]; ++i) {
      const int32_t row = launch.pointer<const int32_t>(1)[i];
      if (row < 0 || row >= launch.extents[1])
        return FakeDriver::kIllegalAddress;
      for (const size_t cache : {2, 3})
        std::copy_n(launch.pointer<const int32_t>(0) + 2 * i, 2,
                    launch.pointer<int32_t>(cache) + 2 * row);
    }
    return CUDA_SUCCESS;
  }

  Expected<std::unique_ptr<Session>> open(std::vector<SymbolChoice> symbols) {
    SessionOptions options;
    options.symbols = std::move(symbols);
    return weights->createSession(options);
  }
  static Error run(Session &session, Ints x, Ints index) {
    const auto view = [](const char *name, Ints &values, SmallVector<int64_t> shape) {
      TensorView tensor{name, HostType::I32, reinterpret_cast<std::byte *>(values.data()), {}, {}};
      tensor.shape.assign(shape.begin(), shape.end());
      tensor.strides = contiguousStrides(tensor.shape, sizeof(int32_t));
      return tensor;
    };
    const auto count = static_cast<int64_t>(index.size());
    RunObserver nobody;
    return session.run(0, {view("x", x, {count, 2}), view("index", index, {count})}, {}, nobody);
  }
  static Ints read(Session &session, uint32_t state, size_t count) {
    Ints values(count, -1);
    cantFail(session.readState(
        state, {reinterpret_cast<std::byte *>(values.data()), count * sizeof(int32_t)}));
    return values;
  }

  std::vector<FakeLaunch> launches;
  FakeDriver fake;
  std::shared_ptr<const Program> program;
  std::shared_ptr<const LoadedWeights> weights;
};

} // namespace

TEST_F(CudaSessionSymbols, SizeStatesAndAreToldToKernels) {
  const auto small = cantFail(open({{"pages", 3}}));
  const auto large = cantFail(open({{"pages", 70}}));
  cantFail(run(*small, {1, 2, 3, 4}, {2, 0}));
  cantFail(run(*large, {5, 6}, {69}));
  for (const uint32_t state : {0, 1}) {
    EXPECT_THAT(read(*small, state, 6), ElementsAre(3, 4, 0, 0, 1, 2));
    const Ints values = read(*large, state, 140);
    EXPECT_EQ(values[138], 5);
    EXPECT_EQ(std::count(values.begin(), values.end(), 0), 138);
  }
  ASSERT_EQ(launches.size(), 2u);
  EXPECT_THAT(launches[0].extents, ElementsAre(2, 3, 7));
  EXPECT_THAT(launches[0].grid, ElementsAre(2u, 2u, 1u));
  EXPECT_THAT(launches[1].extents, ElementsAre(1, 70, 141));
  EXPECT_THAT(launches[1].grid, ElementsAre(1u, 3u, 1u));
  // One behind the other, at multiples of 256 bytes.
  EXPECT_EQ(launches[0].pointers[3] - launches[0].pointers[2], 256u);
  EXPECT_EQ(launches[1].pointers[3] - launches[1].pointers[2], 768u);
}

TEST_F(CudaSessionSymbols, GraphsAreOfTheSymbolsOfARun) {
  const auto session = cantFail(open({{"pages", 3}}));
  cantFail(run(*session, {1, 2}, {0}));
  cantFail(run(*session, {3, 4, 5, 6}, {1, 2}));
  EXPECT_EQ(fake.captures, 2u);
  cantFail(run(*session, {7, 8}, {1}));
  EXPECT_EQ(fake.captures, 2u);
  EXPECT_THAT(read(*session, 0, 6), ElementsAre(1, 2, 7, 8, 5, 6));
}

TEST_F(CudaSessionSymbols, LimitsOfASymbolReserveLess) {
  const auto session = cantFail(open({{"pages", 3}, {"copies", 1}}));
  cantFail(run(*session, {1, 2}, {0}));
  EXPECT_THAT(toString(run(*session, {1, 2, 3, 4}, {0, 1})),
              HasSubstr("'copies' is 2, at most 1 were reserved by this session"));
}

TEST_F(CudaSessionSymbols, StatesAreCopiedBetweenSessionsOfOneSize) {
  const auto from = cantFail(open({{"pages", 3}}));
  const auto equal = cantFail(open({{"pages", 3}}));
  const auto other = cantFail(open({{"pages", 4}}));
  cantFail(run(*from, {1, 2}, {1}));
  cantFail(equal->copyStates(*from));
  EXPECT_THAT(read(*equal, 1, 6), ElementsAre(0, 0, 1, 2, 0, 0));
  EXPECT_THAT(toString(other->copyStates(*from)),
              HasSubstr("whose 'pages' is 3 to one where it is 4"));
}

TEST_F(CudaSessionSymbols, WantOfMemorySaysWhatStatesTake) {
  fake.freeBytes = 1 << 20;
  EXPECT_THAT(
      toString(open({{"pages", 1048576}}).takeError()),
      HasSubstr(", states 16.00 MiB for pages = 1048576; run fewer functions or tokens, take fewer "
                "pages of caches, or free memory"));
  EXPECT_THAT(toString(open({}).takeError()), HasSubstr("sizes of states depend on 'pages'"));
}
