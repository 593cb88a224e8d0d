// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Uploading and packing of weights.

#include "test/unit/cuda/FakeDriver.h"
#include "test/unit/cuda/TestProgram.h"

#include "runtime/cuda/DeviceWeights.h"

#include "gtest/gtest.h"

#include <cstring>

using namespace llvm;
using namespace sortie;
using namespace sortie::cuda;
using namespace sortie::test;

namespace {

bool keepGoing(uint64_t, uint64_t) { return true; }

struct Upload {
  FakeDriver fake;
  std::shared_ptr<Program> program = makeProgram();
  std::unique_ptr<cpu::ThreadPool> pool = cantFail(cpu::ThreadPool::create(3));

  Upload() { addKernels(fake); }
  Expected<DeviceWeights> load(uint64_t slabBytes, ReportProgress report = keepGoing) {
    const DevicePtr device = fake.open();
    const BitVector wanted(program->weights.size(), true);
    const auto kernels =
        cantFail(LoadedKernels::load(device, *program, BitVector(program->kernels.size(), true)));
    return DeviceWeights::load(device, *program, WeightPlan(*program, wanted), kernels,
                               *makeRandomSource(1), *pool, report, slabBytes);
  }
  std::vector<uint8_t> fileBytes(WeightId id) {
    const WeightSpec &spec = program->weights[id];
    std::vector<uint8_t> bytes(spec.bytes());
    cantFail(makeRandomSource(1)->rows(spec, 0, spec.rows(), bytes.data()));
    return bytes;
  }
};

} // namespace

TEST(WeightPlan, layoutHasEveryFormOnce) {
  const std::shared_ptr<Program> program = makeProgram();
  program->weights[0].usesRaw = true;
  const WeightPlan plan(*program, BitVector(2, true));
  // Raw bytes of the norm, its floats, then 2 x 3 panels of the matrix, each at a multiple of 256.
  ASSERT_EQ(plan.weights().size(), 3u);
  EXPECT_EQ(plan.find(0, WeightForm::Raw)->bytes, 16u);
  EXPECT_EQ(plan.find(0, WeightForm::Floats)->offset, 256u);
  EXPECT_EQ(plan.find(0, WeightForm::Floats)->bytes, 32u);
  EXPECT_EQ(plan.find(1, WeightForm::Packed)->offset, 512u);
  EXPECT_EQ(plan.find(1, WeightForm::Packed)->bytes, 6u * (16 + 3 * 32));
  EXPECT_EQ(plan.find(1, WeightForm::Floats), nullptr);
  EXPECT_EQ(plan.bytes(), 512u + 768);
  EXPECT_EQ(WeightPlan(*program, BitVector(2)).bytes(), 0u);
}

TEST(WeightPlan, panelsEndWithTheirExpert) {
  const Panels panels = panelsOf(makeProgram()->weights[1]);
  EXPECT_EQ(panels.count, 6);
  const int64_t rows[] = {0, 3, 6, 8, 11, 14, 16};
  for (int64_t panel = 0; panel <= panels.count; ++panel)
    EXPECT_EQ(panels.firstRow(panel), rows[panel]);
}

namespace {

/// The forms of both weights on the device are those of their rows, whatever is uploaded together.
void expectForms(Upload &upload) {
  upload.program->weights[1].usesRaw = true;
  for (const uint64_t slabBytes : {1, 100, 200, 330, 1 << 20}) {
    const DeviceWeights weights = cantFail(upload.load(slabBytes));

    const std::vector<uint8_t> norm = upload.fileBytes(0), matrix = upload.fileBytes(1);
    const auto *floats = hostPointer<const float>(weights.address(0, WeightForm::Floats));
    for (int64_t i = 0; i < kColumns; ++i) {
      uint32_t bits;
      std::memcpy(&bits, &floats[i], sizeof(bits));
      EXPECT_EQ(bits, static_cast<uint32_t>(norm[2 * i] | norm[2 * i + 1] << 8) << 16);
    }
    EXPECT_EQ(std::memcmp(hostPointer<void>(weights.address(1, WeightForm::Raw)), matrix.data(),
                          matrix.size()),
              0);
    const auto *packed = hostPointer<const std::byte>(weights.address(1, WeightForm::Packed));
    const Panels panels = panelsOf(upload.program->weights[1]);
    for (int64_t panel = 0; panel < panels.count; ++panel) {
      const int64_t first = panels.firstRow(panel);
      int64_t number;
      std::memcpy(&number, packed + panel * panels.bytes, sizeof(number));
      EXPECT_EQ(number, panel);
      EXPECT_EQ(std::memcmp(packed + panel * panels.bytes + 16, matrix.data() + first * 32,
                            (panels.firstRow(panel + 1) - first) * 32),
                0)
          << "panel " << panel << ", slabs of " << slabBytes;
    }
  }
}

} // namespace

TEST(DeviceWeights, formsDoNotDependOnSlabs) {
  Upload upload;
  expectForms(upload);
}

TEST(DeviceWeights, slabsReachOverPartsAndTensors) {
  Upload upload;
  WeightSpec &norm = upload.program->weights[0], &matrix = upload.program->weights[1];
  norm.columnPart = {4, 4 + kColumns};
  matrix.tensors = {"first", "second"};
  matrix.rowPart = {3, 4 + kColumns};
  expectForms(upload);
}

TEST(DeviceWeights, progressCountsTheFile) {
  Upload upload;
  std::vector<uint64_t> done;
  cantFail(upload.load(100, [&](uint64_t bytes, uint64_t total) {
    EXPECT_EQ(total, 16u + 512);
    done.push_back(bytes);
    return true;
  }));
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_EQ(done.size(), 7u); // the norm, six panels
  EXPECT_EQ(done.back(), 528u);
}

TEST(DeviceWeights, canBeCancelled) {
  Upload upload;
  Expected<DeviceWeights> weights =
      upload.load(100, [](uint64_t done, uint64_t) { return done < 200; });
  EXPECT_EQ(toString(weights.takeError()), "cancelled while weights were being packed");
}

TEST(DeviceWeights, failuresOfPackingAreErrors) {
  Upload upload;
  upload.fake.kernels["pack"].run = [](const FakeLaunch &) { return FakeDriver::kIllegalAddress; };
  EXPECT_TRUE(
      StringRef(toString(upload.load(1 << 20).takeError())).contains("CUDA_ERROR_ILLEGAL_ADDRESS"));
}

TEST(DeviceWeights, whatOthersHaveIsNotReadAgain) {
  Upload upload;
  const DeviceWeights first = cantFail(upload.load(1 << 20));
  const uint64_t whole = WeightPlan(*upload.program, BitVector(2, true)).bytes();
  EXPECT_EQ(first.bytes().own, whole);
  EXPECT_EQ(first.bytes().shared, 0u);

  Program another = *upload.program;
  another.weights[1].usesRaw = true; // a form that the first program has not
  const BitVector wanted(2, true);
  const DeviceWeights shared = DeviceWeights::share(another, wanted, first);
  EXPECT_EQ(shared.address(0, WeightForm::Floats), first.address(0, WeightForm::Floats));
  EXPECT_EQ(shared.address(1, WeightForm::Packed), first.address(1, WeightForm::Packed));
  EXPECT_EQ(shared.find(1, WeightForm::Raw), nullptr);
  EXPECT_EQ(shared.bytes().shared, 32u + 6 * (16 + 3 * 32));

  // What compiled the program does not matter. A pack kernel with other code for a chip, for
  // another chip, or with other panels, and another tensor do.
  another.producer = "another";
  EXPECT_NE(DeviceWeights::share(another, wanted, first).find(1, WeightForm::Packed), nullptr);
  auto packs = [&](Program program, function_ref<void(Program &)> change) {
    change(program);
    return DeviceWeights::share(program, wanted, first).find(1, WeightForm::Packed) != nullptr;
  };
  const uint32_t pack = another.weights[1].pack->kernel;
  EXPECT_FALSE(packs(another, [&](Program &p) { p.kernels[pack].images[1].hash = "another"; }));
  EXPECT_FALSE(packs(another, [&](Program &p) { p.kernels[pack].images[1].arch = "sm_90"; }));
  EXPECT_FALSE(packs(another, [&](Program &p) { p.kernels[pack].images.pop_back(); }));
  EXPECT_FALSE(packs(another, [](Program &p) { p.weights[1].pack->rows = 4; }));
  EXPECT_TRUE(packs(another, [&](Program &p) { p.kernels[pack + 1].images[0].hash = "another"; }));
  another.weights[0].tensors = {"another"};
  EXPECT_EQ(DeviceWeights::share(another, wanted, first).find(0, WeightForm::Floats), nullptr);
  EXPECT_EQ(DeviceWeights::share(*upload.program, BitVector(2), first).bytes().shared, 0u);
}

TEST(DeviceWeights, slabsOfLargeExpertsEndWithThem) {
  Upload upload;
  std::vector<uint64_t> sizes;
  uint64_t last = 0;
  // Two panels of three rows fit into a slab, an expert has three panels of three, three and two.
  cantFail(upload.load(2 * 3 * 32, [&](uint64_t done, uint64_t) {
    sizes.push_back(done - last);
    last = done;
    return true;
  }));
  EXPECT_EQ(sizes, std::vector<uint64_t>({16, 6 * 32, 2 * 32, 6 * 32, 2 * 32}));
}

TEST(DeviceWeights, slabsOfAWeightAreOfOneSize) {
  Upload upload;
  std::vector<uint64_t> done;
  // Six panels, of which four fit into a slab: three and three, not four and two.
  cantFail(upload.load(4 * 96, [&](uint64_t bytes, uint64_t) {
    done.push_back(bytes);
    return true;
  }));
  EXPECT_EQ(done, std::vector<uint64_t>({16, 16 + 256, 16 + 512}));
}
