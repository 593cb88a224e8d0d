// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The emulated libnvrtc.so.13 and libcuda.so.1, as the compiler and the runtime use them: a kernel
// is compiled, loaded and launched; work happens when it is waited for; errors are the driver's.

#include "runtime/cuda/Driver.h"

#include "test/unit/runtime/ChildProcess.h"

#include <cstring>
#include <dlfcn.h>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <string>
#include <vector>

using namespace sortie::cuda;

namespace {

constexpr CUresult kInvalidValue = 1;
constexpr CUresult kNoBinary = 209;
constexpr CUresult kNotFound = 500;
constexpr CUresult kLaunchFailed = 719;
constexpr CUresult kCaptureUnsupported = 900;

//===- Compilation -------------------------------------------------------===//

/// The functions of NVRTC that the compiler uses.
struct Nvrtc {
  using Program = struct Opaque *;
  int (*create)(Program *, const char *, const char *, int, const char *const *,
                const char *const *);
  int (*compile)(Program, int, const char *const *);
  int (*getSize)(Program, size_t *);
  int (*getCubin)(Program, char *);
  int (*getLogSize)(Program, size_t *);
  int (*getLog)(Program, char *);
  int (*destroy)(Program *);

  Nvrtc() {
    void *library = dlopen(SORTIE_EMULATED_FOLDER "/libnvrtc.so.13", RTLD_NOW | RTLD_LOCAL);
    const auto find = [&](auto &function, const char *name) {
      function = reinterpret_cast<std::decay_t<decltype(function)>>(dlsym(library, name));
      EXPECT_NE(function, nullptr) << name;
    };
    find(create, "nvrtcCreateProgram");
    find(compile, "nvrtcCompileProgram");
    find(getSize, "nvrtcGetCUBINSize");
    find(getCubin, "nvrtcGetCUBIN");
    find(getLogSize, "nvrtcGetProgramLogSize");
    find(getLog, "nvrtcGetProgramLog");
    find(destroy, "nvrtcDestroyProgram");
  }
};

std::string readFile(const char *path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct Compiled {
  int result;
  std::string image;
  std::string log;
};

Compiled compile(const char *source) {
  const Nvrtc nvrtc;
  const std::string contract = readFile(SORTIE_SOURCE "/runtime/numerics/contract.h");
  const std::string convert = readFile(SORTIE_SOURCE "/runtime/numerics/convert.h");
  const std::string floats = readFile(SORTIE_SOURCE "/runtime/numerics/float.h");
  // The device's header, which the library must replace: as it is, the host cannot compile it.
  const std::string hardware = readFile(SORTIE_SOURCE "/codegen/hardware/sortie_hardware.h");
  const char *texts[] = {contract.c_str(), convert.c_str(), floats.c_str(), hardware.c_str()};
  const char *names[] = {"runtime/numerics/contract.h", "runtime/numerics/convert.h",
                         "runtime/numerics/float.h", "sortie_hardware.h"};
  const char *options[] = {"--gpu-architecture=sm_80", "--std=c++20", "-DSORTIE_FACTOR=3"};
  Nvrtc::Program program = nullptr;
  EXPECT_EQ(nvrtc.create(&program, source, "test.cu", 4, texts, names), 0);
  Compiled compiled = {nvrtc.compile(program, 3, options), {}, {}};
  size_t size = 0;
  EXPECT_EQ(nvrtc.getSize(program, &size), 0);
  compiled.image.resize(size);
  EXPECT_EQ(nvrtc.getCubin(program, compiled.image.data()), 0);
  EXPECT_EQ(nvrtc.getLogSize(program, &size), 0);
  compiled.log.resize(size);
  EXPECT_EQ(nvrtc.getLog(program, compiled.log.data()), 0);
  EXPECT_EQ(nvrtc.destroy(&program), 0);
  return compiled;
}

constexpr char kSource[] = R"(
#include <sortie_hardware.h>
using namespace sortie;
SORTIE_KERNEL(64, 1) scale(const hw::int32_t *in, hw::int32_t *out, hw::int32_t offset) {
  auto *shared = hw::sharedMemory<hw::int32_t>();
  const int thread = hw::threadIndex();
  shared[thread] = in[hw::blockIndexX() * 64 + thread];
  hw::syncBlock();
  out[hw::blockIndexX() * 64 + thread] = SORTIE_FACTOR * shared[63 - thread] + offset;
}
SORTIE_EXPORT(scale)
SORTIE_KERNEL(64, 1) hang() {
  if (hw::threadIndex() != 5)
    hw::syncBlock();
}
SORTIE_EXPORT(hang)
)";

/// Compiling takes a good part of a second: once.
const std::string &image() {
  static const Compiled compiled = compile(kSource);
  EXPECT_EQ(compiled.result, 0) << compiled.log;
  return compiled.image;
}

TEST(EmulatedNvrtc, HasTheHeaderOfSm90) {
  const Compiled compiled =
      compile("#include <sortie_hardware_sm90.h>\n"
              "using namespace sortie;\n"
              "SORTIE_KERNEL(1, 1) make(SORTIE_IN_PLACE hw::TensorMap map) {\n"
              "  auto *barrier = hw::sharedMemory<hw::Mbarrier>();\n"
              "  hw::initMbarrier(barrier, 1);\n"
              "  hw::copyBox(barrier + 16, map, 0, 0, barrier);\n"
              "}\n"
              "SORTIE_EXPORT(make)\n");
  EXPECT_EQ(compiled.result, 0) << compiled.log;
}

TEST(EmulatedNvrtc, ReportsWhatTheCompilerSays) {
  const Compiled compiled = compile("#include <sortie_hardware.h>\nint x = undeclared;\n");
  EXPECT_EQ(compiled.result, 6);
  EXPECT_NE(compiled.log.find("undeclared"), std::string::npos) << compiled.log;
}

//===- The driver --------------------------------------------------------===//

/// The driver with a current context, a stream, and the module of kSource.
class EmulatedDriver : public testing::Test {
protected:
  static constexpr int kCount = 128;
  static constexpr size_t kBytes = kCount * sizeof(int32_t);

  static const Driver &driver() {
    static const Driver instance =
        llvm::cantFail(Driver::load(SORTIE_EMULATED_FOLDER "/libcuda.so.1"));
    return instance;
  }

  void SetUp() override {
    CUcontext context = nullptr;
    ok(api->cuDevicePrimaryCtxRetain(&context, 0));
    ok(api->cuCtxPushCurrent(context));
    ok(api->cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    ok(api->cuModuleLoadDataEx(&module, image().data(), 0, nullptr, nullptr));
    ok(api->cuModuleGetFunction(&scale, module, "scale"));
    ok(api->cuMemAlloc(&in, kBytes));
    ok(api->cuMemAlloc(&out, kBytes));
    ok(api->cuMemHostAlloc(&pinned, kBytes, 0));
    host = static_cast<int32_t *>(pinned);
  }

  void TearDown() override {
    // Memory is freed even after a failed kernel, but the result then says that it failed.
    api->cuStreamDestroy(stream);
    api->cuMemFreeHost(pinned);
    api->cuMemFree(in);
    api->cuMemFree(out);
    ok(api->cuModuleUnload(module));
    CUcontext context = nullptr;
    ok(api->cuCtxPopCurrent(&context));
  }

  static void ok(CUresult result) { EXPECT_EQ(driver().describe(result), driver().describe(0)); }

  void launchScale(int32_t offset) {
    void *parameters[] = {&in, &out, &offset};
    ok(api->cuLaunchKernel(scale, kCount / 64, 1, 1, 64, 1, 1, 256, stream, parameters, nullptr));
  }

  void expectScaled(const int32_t *result, int32_t first, int32_t offset) {
    for (int i = 0; i < kCount; ++i)
      EXPECT_EQ(result[i], 3 * (first + i / 64 * 64 + 63 - i % 64) + offset) << i;
  }

  void fill(int32_t first) {
    for (int i = 0; i < kCount; ++i)
      host[i] = first + i;
  }

  const DriverApi *api = &*driver();
  CUstream stream = nullptr;
  CUmodule module = nullptr;
  CUfunction scale = nullptr;
  CUdeviceptr in = 0, out = 0;
  void *pinned = nullptr;
  int32_t *host = nullptr;
};

TEST_F(EmulatedDriver, BelongsToTheProcessThatStartedIt) {
  // driver() has loaded the library, which is now found by its name.
  const auto get = [] { return toString(Driver::get().takeError()); };
  ASSERT_EQ(get(), "");
  EXPECT_EQ(sortie::test::inChild(get),
            "CUDA was started by process " + std::to_string(getpid()) +
                ", from which this one was forked; it does not work here. Fork before the first "
                "weights are loaded onto a GPU");
  EXPECT_EQ(get(), "");
}

TEST_F(EmulatedDriver, RunsAKernel) {
  fill(7);
  ok(api->cuMemcpyHtoDAsync(in, host, kBytes, stream));
  launchScale(1000);
  std::vector<int32_t> result(kCount);
  ok(api->cuMemcpyDtoHAsync(result.data(), out, kBytes, stream));
  expectScaled(result.data(), 7, 1000);
}

TEST_F(EmulatedDriver, ModulesDoNotSeeEachOther) {
  const Compiled other = compile("#include <sortie_hardware.h>\n"
                                 "SORTIE_KERNEL(1, 1) scale(int *out) { *out = 42; }\n"
                                 "SORTIE_EXPORT(scale)\n");
  CUmodule second = nullptr;
  CUfunction sameName = nullptr;
  ok(api->cuModuleLoadDataEx(&second, other.image.data(), 0, nullptr, nullptr));
  ok(api->cuModuleGetFunction(&sameName, second, "scale"));
  void *parameters[] = {&out};
  ok(api->cuLaunchKernel(sameName, 1, 1, 1, 1, 1, 1, 0, stream, parameters, nullptr));
  ok(api->cuModuleUnload(second)); // the launch still needs it
  ok(api->cuMemcpyDtoHAsync(host, out, sizeof(int32_t), stream));
  ok(api->cuStreamSynchronize(stream));
  EXPECT_EQ(host[0], 42);
  fill(2);
  ok(api->cuMemcpyHtoDAsync(in, host, kBytes, stream));
  launchScale(1);
  ok(api->cuMemcpyDtoHAsync(host, out, kBytes, stream));
  ok(api->cuStreamSynchronize(stream));
  expectScaled(host, 2, 1);
}

TEST_F(EmulatedDriver, WorkHappensWhenItIsWaitedFor) {
  fill(1);
  ok(api->cuMemcpyHtoDAsync(in, host, kBytes, stream));
  launchScale(0);
  ok(api->cuMemcpyDtoHAsync(host, out, kBytes, stream));
  EXPECT_EQ(host[0], 1); // pinned memory: the copy out has not happened
  fill(50);              // and what was to be copied in is still read from here
  ok(api->cuStreamSynchronize(stream));
  expectScaled(host, 50, 0);
}

TEST_F(EmulatedDriver, OrdinaryMemoryIsReadAtOnce) {
  std::vector<int32_t> values(kCount, 4);
  ok(api->cuMemcpyHtoDAsync(in, values.data(), kBytes, stream));
  values.assign(kCount, 0);
  ok(api->cuMemcpyDtoHAsync(values.data(), in, kBytes, stream));
  EXPECT_EQ(values, std::vector<int32_t>(kCount, 4));
}

TEST_F(EmulatedDriver, AGraphRunsWhatWasCaptured) {
  CUgraph graph = nullptr;
  CUgraphExec executable = nullptr;
  ok(api->cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  ok(api->cuMemcpyHtoDAsync(in, host, kBytes, stream));
  launchScale(-5);
  ok(api->cuMemcpyDtoHAsync(host, out, kBytes, stream));
  EXPECT_EQ(api->cuStreamSynchronize(stream), kCaptureUnsupported);
  CUdeviceptr address = 0;
  EXPECT_EQ(api->cuMemAlloc(&address, 16), kCaptureUnsupported);
  ok(api->cuStreamEndCapture(stream, &graph));
  ok(api->cuGraphInstantiate(&executable, graph, 0));
  ok(api->cuGraphDestroy(graph));
  for (const int32_t first : {3, 90}) {
    fill(first);
    ok(api->cuGraphLaunch(executable, stream));
    ok(api->cuStreamSynchronize(stream));
    expectScaled(host, first, -5);
  }
  ok(api->cuGraphExecDestroy(executable));
}

TEST_F(EmulatedDriver, EventsMarkPointsOfAStream) {
  CUevent before = nullptr;
  CUevent after = nullptr;
  ok(api->cuEventCreate(&before, CU_EVENT_DEFAULT));
  ok(api->cuEventCreate(&after, CU_EVENT_DEFAULT));
  ok(api->cuMemsetD8Async(out, 1, kBytes, stream));
  ok(api->cuEventRecord(before, stream));
  ok(api->cuMemsetD8Async(out, 2, kBytes, stream));
  ok(api->cuMemcpyDtoHAsync(host, out, kBytes, stream));
  ok(api->cuEventRecord(after, stream));
  host[0] = 0;
  ok(api->cuEventSynchronize(before));
  EXPECT_EQ(host[0], 0);
  float milliseconds = -1;
  EXPECT_EQ(api->cuEventElapsedTime(&milliseconds, before, after), CUDA_ERROR_NOT_READY);
  ok(api->cuEventQuery(before));
  ok(api->cuEventSynchronize(after));
  EXPECT_EQ(host[0], 0x02020202);
  ok(api->cuEventElapsedTime(&milliseconds, before, after));
  EXPECT_GE(milliseconds, 0);
  ok(api->cuEventDestroy(before));
  ok(api->cuEventDestroy(after));
}

TEST_F(EmulatedDriver, AskingForAnEventDoesOnePieceOfWork) {
  CUevent event = nullptr;
  ok(api->cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
  ok(api->cuEventQuery(event)); // one that was never recorded counts as past
  ok(api->cuMemsetD8Async(out, 1, kBytes, stream));
  ok(api->cuMemcpyDtoHAsync(host, out, kBytes, stream));
  ok(api->cuEventRecord(event, stream));
  host[0] = 0;
  EXPECT_EQ(api->cuEventQuery(event), CUDA_ERROR_NOT_READY);
  EXPECT_EQ(host[0], 0);
  EXPECT_EQ(api->cuEventQuery(event), CUDA_ERROR_NOT_READY);
  EXPECT_EQ(host[0], 0x01010101);
  ok(api->cuEventQuery(event));
  ok(api->cuEventDestroy(event));
}

TEST_F(EmulatedDriver, KnowsPinnedMemory) {
  const auto typeOf = [&](const void *address, unsigned &type) {
    return api->cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE,
                                      reinterpret_cast<CUdeviceptr>(address));
  };
  unsigned type = 0;
  ok(typeOf(host + 1, type));
  EXPECT_EQ(type, CU_MEMORYTYPE_HOST);
  EXPECT_EQ(typeOf(&type, type), kInvalidValue);
}

TEST_F(EmulatedDriver, WritesValuesToPinnedMemory) {
  CUdeviceptr address = 0;
  ok(api->cuMemHostGetDevicePointer(&address, host, 0));
  ok(api->cuStreamWriteValue32(stream, address + 8, 77, CU_STREAM_WRITE_VALUE_DEFAULT));
  ok(api->cuStreamWriteValue64(stream, address + 16, uint64_t{5} << 32 | 6,
                               CU_STREAM_WRITE_VALUE_DEFAULT));
  ok(api->cuStreamSynchronize(stream));
  EXPECT_EQ(host[2], 77);
  EXPECT_EQ(host[4], 6);
  EXPECT_EQ(host[5], 5);
  EXPECT_EQ(api->cuStreamWriteValue64(stream, address + 12, 0, CU_STREAM_WRITE_VALUE_DEFAULT),
            kInvalidValue);
}

TEST_F(EmulatedDriver, RefusesCopiesOutsideOfAnAllocation) {
  EXPECT_EQ(api->cuMemcpyHtoDAsync(in + 4, host, kBytes, stream), kInvalidValue);
  EXPECT_EQ(api->cuMemcpyDtoHAsync(host, out, kBytes + 1, stream), kInvalidValue);
  EXPECT_EQ(api->cuMemcpyDtoDAsync(out, in - 1, 1, stream), kInvalidValue);
  EXPECT_EQ(api->cuMemsetD8Async(out + kBytes, 0, 1, stream), kInvalidValue);
  ok(api->cuMemFree(in));
  EXPECT_EQ(api->cuMemFree(in), kInvalidValue);
  EXPECT_EQ(api->cuMemcpyDtoHAsync(host, in, 1, stream), kInvalidValue);
  in = 0;
}

TEST_F(EmulatedDriver, RefusesMoreMemoryThanThereIs) {
  size_t free = 0, total = 0;
  ok(api->cuMemGetInfo(&free, &total));
  EXPECT_LT(free, total);
  CUdeviceptr address = 0;
  EXPECT_EQ(api->cuMemAlloc(&address, free + 1), CUDA_ERROR_OUT_OF_MEMORY);
}

TEST_F(EmulatedDriver, RefusesImagesAndNamesThatItDoesNotKnow) {
  std::vector<char> cubin(image().begin(), image().end());
  cubin[18] = static_cast<char>(190); // the ELF machine of NVIDIA's cubins
  char log[200] = "";
  const int options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void *values[] = {log, reinterpret_cast<void *>(sizeof log)}; // NOLINT(performance-no-int-to-ptr)
  CUmodule other = nullptr;
  EXPECT_EQ(api->cuModuleLoadDataEx(&other, cubin.data(), 2, options, values), kNoBinary);
  EXPECT_NE(std::strstr(log, "emulated NVRTC"), nullptr) << log;
  CUfunction function = nullptr;
  EXPECT_EQ(api->cuModuleGetFunction(&function, module, "scales"), kNotFound);
}

TEST_F(EmulatedDriver, SharedMemoryAbove48KiBMustBeAskedFor) {
  int32_t offset = 0;
  void *parameters[] = {&in, &out, &offset};
  const auto launch = [&](unsigned shared) {
    return api->cuLaunchKernel(scale, 1, 1, 1, 64, 1, 1, shared, stream, parameters, nullptr);
  };
  EXPECT_EQ(launch(48 * 1024 + 1), kInvalidValue);
  ok(api->cuFuncSetAttribute(scale, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 64 * 1024));
  ok(launch(64 * 1024));
  ok(api->cuStreamSynchronize(stream));
  EXPECT_EQ(
      api->cuFuncSetAttribute(scale, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 164 * 1024),
      kInvalidValue);
}

/// The last test of the context: a failed kernel spoils it.
TEST_F(EmulatedDriver, ZzAFailedKernelShowsAtTheNextWait) {
  CUfunction hang = nullptr;
  ok(api->cuModuleGetFunction(&hang, module, "hang"));
  testing::internal::CaptureStderr();
  ok(api->cuLaunchKernel(hang, 1, 1, 1, 64, 1, 1, 0, stream, nullptr, nullptr));
  EXPECT_EQ(api->cuStreamSynchronize(stream), kLaunchFailed);
  const std::string message = testing::internal::GetCapturedStderr();
  EXPECT_NE(message.find("kernel hang: block (0, 0, 0): deadlock"), std::string::npos) << message;
  EXPECT_NE(message.find("threads 5 to 5 have ended"), std::string::npos) << message;
  EXPECT_EQ(api->cuStreamSynchronize(stream), kLaunchFailed);
  CUdeviceptr address = 0;
  EXPECT_EQ(api->cuMemAlloc(&address, 1), kLaunchFailed);
}

} // namespace
