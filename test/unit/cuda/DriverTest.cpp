// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Machines without a driver or a GPU, names of devices, and kernels that a GPU cannot run.

#include "test/unit/cuda/FakeDriver.h"
#include "test/unit/cuda/TestProgram.h"

#include "runtime/cuda/LoadedKernels.h"
#include "runtime/cuda/StagedUpload.h"

#include "gtest/gtest.h"

#include <cstring>
#include <optional>

using namespace llvm;
using namespace sortie;
using namespace sortie::cuda;
using namespace sortie::test;

namespace {

std::error_code codeOf(Error error, std::string &message) {
  std::error_code code;
  handleAllErrors(std::move(error), [&](const ErrorInfoBase &info) {
    code = info.convertToErrorCode();
    message = info.message();
  });
  return code;
}

/// The message of the error in `value`.
template <typename T> std::string messageOf(Expected<T> value) {
  return value ? "no error" : toString(value.takeError());
}

bool contains(StringRef text, StringRef part) { return text.contains(part); }

BitVector allKernels(const Program &program) { return BitVector(program.kernels.size(), true); }

} // namespace

TEST(Driver, machinesWithoutOneSaySo) {
  std::string message;
  EXPECT_EQ(codeOf(Driver::load("libnone.so.1").takeError(), message),
            std::make_error_code(std::errc::not_supported));
  EXPECT_TRUE(contains(message, "no NVIDIA driver on this machine (libnone.so.1")) << message;
  EXPECT_TRUE(contains(message, "install it or compile for target=cpu")) << message;
}

TEST(Driver, otherLibrariesAreRefused) {
  EXPECT_TRUE(contains(messageOf(Driver::load("libc.so.6")), "has no function cuGraphDestroy"));
}

TEST(Driver, errorsNameDeviceWorkAndCode) {
  const FakeDriver fake;
  const DevicePtr device = fake.open();
  std::string message;
  EXPECT_EQ(codeOf(device->check(FakeDriver::kIllegalAddress, "doing it"), message),
            std::make_error_code(std::errc::state_not_recoverable));
  EXPECT_EQ(message, "cuda:0: doing it: CUDA_ERROR_ILLEGAL_ADDRESS (it failed)");
  EXPECT_EQ(codeOf(device->check(CUDA_ERROR_OUT_OF_MEMORY, "doing it"), message),
            std::make_error_code(std::errc::not_enough_memory));
}

TEST(Device, namesAreParsed) {
  EXPECT_EQ(cantFail(parseDeviceName("cuda")), 0);
  EXPECT_EQ(cantFail(parseDeviceName("cuda:0")), 0);
  EXPECT_EQ(cantFail(parseDeviceName("cuda:12")), 12);
  for (const char *name : {"cpu", "cuda:", "cuda:-1", "cuda:x", "cuda0", "cuda:1:2", "cuda:99999"})
    EXPECT_TRUE(contains(messageOf(parseDeviceName(name)), "there is no device '")) << name;
}

TEST(Device, missingOnesAreNamed) {
  FakeDriver fake;
  EXPECT_EQ(messageOf(Device::open(fake.driver(), 1)),
            "there is no device 'cuda:1': this machine has 1 GPU, counted from 0");
  fake.gpus = 2;
  EXPECT_EQ(cantFail(Device::open(fake.driver(), 1))->describe(), "cuda:1 (Fake GPU)");
}

TEST(LoadedKernels, takeTheImageOfTheGpu) {
  FakeDriver fake;
  addKernels(fake);
  const std::shared_ptr<Program> program = makeProgram();
  {
    const auto kernels = cantFail(LoadedKernels::load(fake.open(), *program, allKernels(*program)));
    EXPECT_EQ(fake.loaded, std::vector<std::string>(4, "sm_90a"));
    // Only what is more than every kernel has.
    EXPECT_EQ(fake.sharedLimits, (std::map<std::string, int>{{"product", 100000}}));
  }
  fake.loaded.clear();
  fake.capability = {8, 9};
  BitVector one(4);
  one.set(2);
  cantFail(LoadedKernels::load(fake.open(), *program, one));
  EXPECT_EQ(fake.loaded, std::vector<std::string>{"scale for sm_80"});
}

/// Images of one program mix: of an sm_86 each kernel takes the cubin for sm_80 if it fits.
TEST(LoadedKernels, leaveOutImagesThatNeedTooMuchSharedMemory) {
  FakeDriver fake;
  addKernels(fake);
  fake.capability = {8, 6};
  fake.sharedBytes = 101376;
  const std::shared_ptr<Program> program = makeProgram();
  std::vector<KernelImage> &images = program->kernels[3].images;
  images.push_back({"compute_80", 101376, "hash", {'p', 't', 'x', 0}});
  auto load = [&] {
    fake.loaded.clear();
    return messageOf(LoadedKernels::load(fake.open(), *program, allKernels(*program)));
  };
  std::vector<std::string> expected = {"pack for sm_80", "dispatch for sm_80", "scale for sm_80",
                                       "product for sm_80"};
  images[0].shared = 101376;
  EXPECT_EQ(load(), "no error");
  EXPECT_EQ(fake.loaded, expected);

  images[0].shared = 166912;
  expected.back() = "ptx";
  EXPECT_EQ(load(), "no error");
  EXPECT_EQ(fake.loaded, expected);
  EXPECT_EQ(fake.sharedLimits.at("product"), 101376);

  images[2].shared = 101377;
  EXPECT_EQ(load(), "cuda:0 (Fake GPU): kernel 'product' needs 166912 bytes of shared memory, the "
                    "GPU has 101376; compile the program for this GPU");
  fake.capability = {8, 0};
  fake.sharedBytes = 166912;
  expected.back() = "product for sm_80";
  EXPECT_EQ(load(), "no error");
  EXPECT_EQ(fake.loaded, expected);
}

/// Behind all other arguments; null and 0 where nobody wants to know.
TEST(LoadedKernels, areToldWhereToWriteTheirStep) {
  FakeDriver fake;
  addKernels(fake);
  std::vector<std::pair<CUdeviceptr, uint32_t>> seen;
  fake.kernels["scale"].run = [&](const FakeLaunch &launch) {
    seen.emplace_back(launch.progress, launch.step);
    return CUresult{CUDA_SUCCESS};
  };
  const std::shared_ptr<Program> program = makeProgram();
  const DevicePtr device = fake.open();
  const auto kernels = cantFail(LoadedKernels::load(device, *program, allKernels(*program)));
  const Device::Scope scope(*device);
  const Stream stream = cantFail(makeStream(device));
  const PinnedMemory word = cantFail(allocatePinned(device, sizeof(uint32_t), "a word"));
  Launch launch;
  launch.pointers = {0, 0, 0};
  launch.extents = {1};
  EXPECT_EQ(kernels.launch(2, launch, stream.get()), CUDA_SUCCESS);
  launch.progress = reinterpret_cast<CUdeviceptr>(word.get());
  launch.step = 7;
  EXPECT_EQ(kernels.launch(2, launch, stream.get()), CUDA_SUCCESS);
  EXPECT_EQ(fake.driver()->cuStreamSynchronize(stream.get()), CUDA_SUCCESS);
  EXPECT_EQ(seen, (std::vector<std::pair<CUdeviceptr, uint32_t>>{{0, 0}, {launch.progress, 7}}));
  EXPECT_EQ(*static_cast<uint32_t *>(word.get()), 7u);
}

TEST(LoadedKernels, sayWhyTheyCannotRun) {
  FakeDriver fake;
  addKernels(fake);
  const std::shared_ptr<Program> program = makeProgram();
  auto load = [&] {
    return messageOf(LoadedKernels::load(fake.open(), *program, allKernels(*program)));
  };
  fake.capability = {7, 5};
  EXPECT_EQ(load(), "cuda:0 (Fake GPU) is an sm_75, kernel 'pack' has code for sm_80, sm_90a; "
                    "compile the program with chip=sm_75");
  fake.capability = {9, 0};
  program->kernels[3].images[1].shared = 300000;
  EXPECT_TRUE(contains(load(), "kernel 'product' needs 300000 bytes of shared memory, the GPU has "
                               "232448"));
  program->kernels[3].images[1].shared = 0;
  program->kernels[3].entry = "other";
  EXPECT_TRUE(contains(load(), "looking up 'other' in kernel 'product'"));
  fake.jitError = "ptxas fatal : line 3\n";
  EXPECT_EQ(load(), "cuda:0: loading kernel 'pack' (sm_90a): ptxas fatal : line 3: "
                    "CUDA_ERROR_OTHER (it failed)");
}

/// Loads a program's kernels, launches "scale" after `before`, and waits for it.
static CUresult launchScale(FakeDriver &fake, const Program &program,
                            std::optional<uint32_t> before = std::nullopt) {
  const DevicePtr device = fake.open();
  const auto kernels = cantFail(LoadedKernels::load(device, program, allKernels(program)));
  const Device::Scope scope(*device);
  const Stream stream = cantFail(makeStream(device));
  Launch launch;
  launch.pointers = {0, 0, 0};
  launch.extents = {1};
  launch.kernelBefore = before;
  const CUresult result = kernels.launch(2, launch, stream.get());
  EXPECT_EQ(fake.driver()->cuStreamSynchronize(stream.get()), CUDA_SUCCESS);
  return result;
}

/// Launches "scale" after `before`, where the GPU has `capability`; whether the two may overlap.
static bool overlaps(FakeDriver &fake, std::pair<int, int> capability,
                     std::optional<uint32_t> before) {
  const std::shared_ptr<Program> program = makeProgram();
  // "dispatch" has no code but for older chips.
  program->kernels[1].images.pop_back();
  program->kernels[1].images.push_back({"compute_80", 0, "hash", {'p', 't', 'x', 0}});
  addKernels(fake);
  fake.kernels["scale"].run = [](const FakeLaunch &) { return CUresult{CUDA_SUCCESS}; };
  fake.capability = capability;
  fake.overlaps.clear();
  EXPECT_EQ(launchScale(fake, *program, before), CUDA_SUCCESS);
  return !fake.overlaps.empty();
}

/// Launches "scale" with 384 threads and clusters of two on an sm_90, and waits for it.
static CUresult launchClusters(FakeDriver &fake) {
  addKernels(fake);
  fake.capability = {9, 0};
  fake.kernels["scale"].run = [](const FakeLaunch &launch) {
    EXPECT_EQ(launch.threads, 384u);
    return CUresult{CUDA_SUCCESS};
  };
  const std::shared_ptr<Program> program = makeProgram();
  KernelImage &image = program->kernels[2].images[1];
  image.threads = 384;
  image.cluster = {2, 1, 1};
  return launchScale(fake, *program);
}

/// Threads and clusters are those of the image.
TEST(LoadedKernels, areLaunchedAsTheirImageSays) {
  FakeDriver fake;
  EXPECT_EQ(launchClusters(fake), CUDA_SUCCESS);
  EXPECT_EQ(fake.launched, std::vector<std::string>{"scale"});
  EXPECT_EQ(fake.clusters, (std::vector<std::array<unsigned, 3>>{{2, 1, 1}}));
  EXPECT_TRUE(fake.overlaps.empty());
}

TEST(LoadedKernels, clustersNeedADriverThatKnowsThem) {
  FakeDriver fake;
  fake.removeOverlap();
  EXPECT_EQ(launchClusters(fake), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_TRUE(fake.launched.empty());
}

TEST(LoadedKernels, overlapWhereBothWaitThemselves) {
  FakeDriver fake;
  const uint32_t dispatch = 1, product = 3;
  EXPECT_TRUE(overlaps(fake, {9, 0}, product));
  EXPECT_FALSE(overlaps(fake, {9, 0}, std::nullopt));
  EXPECT_FALSE(overlaps(fake, {9, 0}, dispatch)); // PTX
  EXPECT_FALSE(overlaps(fake, {8, 9}, product));
  fake.removeOverlap();
  EXPECT_FALSE(overlaps(fake, {9, 0}, product));
}

TEST(StagedUpload, doesNotReuseBuffersTooEarly) {
  const FakeDriver fake;
  const DevicePtr device = fake.open();
  const DeviceMemory memory = cantFail(allocate(device, 100 * sizeof(int), "numbers"));
  StagedUpload upload = cantFail(StagedUpload::create(device, sizeof(int)));
  for (int i = 0; i < 100; ++i) {
    std::memcpy(cantFail(upload.next()), &i, sizeof(i));
    cantFail(upload.upload(memory.get() + i * sizeof(int), sizeof(int)));
  }
  EXPECT_LE(fake.waits, 98u); // the first two are free
  cantFail(upload.finish());
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(hostPointer<int>(memory.get())[i], i);
}
