// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The fake driver's functions.

#include "test/unit/cuda/FakeDriver.h"

#include "test/emulation/driver/Attributes.h"

#include "gtest/gtest.h"

#include <cstdlib>
#include <cstring>
#include <deque>
#include <set>

using namespace sortie::cuda;

namespace sortie::test {

namespace {

using Work = std::function<CUresult()>;

struct FakeEvent {
  size_t reached = 0; ///< work items of its stream that must be done
  struct FakeStream *stream = nullptr;
  uint64_t time = 0;
};

struct FakeStream {
  std::deque<Work> queue;
  size_t done = 0;
  std::vector<Work> *capture = nullptr;
};

struct FakeModule {
  std::string image;
};

struct FakeFunction {
  std::string name;
};

using FakeGraph = std::vector<Work>;

template <typename T, typename Handle> T *as(Handle handle) {
  return reinterpret_cast<T *>(handle);
}

} // namespace

struct FakeDriver::World {
  FakeDriver *driver = nullptr;
  std::map<uint64_t, uint64_t> memory; ///< device and pinned: address and bytes
  std::set<uint64_t> pinned;           ///< addresses of those that are pinned
  uint64_t clock = 0;                  ///< nanoseconds
  CUresult failure = CUDA_SUCCESS;     ///< sticky
  int contexts = 0;
  int scopes = 0;
  int objects = 0; ///< streams, events, modules, graphs
  std::vector<std::unique_ptr<FakeFunction>> functions;

  /// The allocation that begins at an address or before it.
  std::pair<uint64_t, uint64_t> allocation(uint64_t address) const {
    const auto it = memory.upper_bound(address);
    if (it == memory.begin())
      return {0, 0};
    return *std::prev(it);
  }
  bool holds(uint64_t address, uint64_t bytes) const {
    const auto [first, size] = allocation(address);
    return address + bytes <= first + size;
  }
  bool isPinned(const void *host) const {
    const auto address = reinterpret_cast<uint64_t>(host);
    return holds(address, 1) && pinned.count(allocation(address).first);
  }
  CUresult enqueue(CUstream handle, Work work) {
    EXPECT_GT(scopes, 0) << "no context is current";
    auto *stream = as<FakeStream>(handle);
    if (stream->capture)
      stream->capture->push_back(std::move(work));
    else
      stream->queue.push_back(std::move(work));
    return failure;
  }
  /// Does the stream's work until `count` items are done.
  CUresult work(FakeStream &stream, size_t count) {
    while (stream.done < count && !stream.queue.empty()) {
      const Work next = std::move(stream.queue.front());
      stream.queue.pop_front();
      ++stream.done;
      clock += 1000;
      if (failure == CUDA_SUCCESS)
        failure = next();
    }
    return failure;
  }
};

namespace {

FakeDriver::World *current = nullptr;

FakeDriver &fake() { return *current->driver; }

/// Whether a function is the one that finds no memory.
bool isShort(const char *function) { return fake().memoryless == function; }

CUresult allocateBytes(uint64_t *address, size_t bytes) {
  if (current->failure != CUDA_SUCCESS)
    return current->failure;
  if (bytes > fake().freeBytes)
    return CUDA_ERROR_OUT_OF_MEMORY;
  fake().freeBytes -= bytes;
  void *memory = nullptr;
  EXPECT_EQ(posix_memalign(&memory, 256, bytes), 0);
  std::memset(memory, 0x5a, bytes); // what was not written looks like no valid number
  *address = reinterpret_cast<uint64_t>(memory);
  current->memory[*address] = bytes;
  return CUDA_SUCCESS;
}

CUresult freeBytes(uint64_t address) {
  EXPECT_TRUE(current->memory.count(address)) << "freeing what was not allocated";
  fake().freeBytes += current->memory[address];
  current->memory.erase(address);
  current->pinned.erase(address);
  std::free(hostPointer<void>(address));
  return CUDA_SUCCESS;
}

CUresult copy(void *to, const void *from, size_t bytes, uint64_t device, CUstream stream) {
  EXPECT_TRUE(current->holds(device, bytes)) << "a copy leaves its memory";
  return current->enqueue(stream, [=] {
    std::memcpy(to, from, bytes);
    return CUDA_SUCCESS;
  });
}

/// Ordinary memory may change when this returns.
CUresult copyToDevice(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
  if (current->isPinned(from))
    return copy(hostPointer<void>(to), from, bytes, to, stream);
  EXPECT_TRUE(current->holds(to, bytes)) << "a copy leaves its memory";
  const auto *first = static_cast<const char *>(from);
  return current->enqueue(stream, [=, data = std::vector<char>(first, first + bytes)] {
    std::memcpy(hostPointer<void>(to), data.data(), data.size());
    return CUresult{CUDA_SUCCESS};
  });
}

/// A copy to ordinary memory is complete when the driver returns; other memory must still be there
/// when it comes to the copy.
CUresult copyToHost(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
  if (current->isPinned(to))
    current->enqueue(stream, [=] {
      EXPECT_TRUE(current->isPinned(to)) << "memory was freed before the copy to it";
      return CUresult{CUDA_SUCCESS};
    });
  const CUresult result = copy(to, hostPointer<void>(from), bytes, from, stream);
  if (result != CUDA_SUCCESS || current->isPinned(to))
    return result;
  ++fake().pageableCopies;
  return current->work(*as<FakeStream>(stream), SIZE_MAX);
}

template <typename T, typename Handle> CUresult create(Handle *handle, T *object) {
  if (current->failure != CUDA_SUCCESS) {
    delete object;
    return current->failure;
  }
  *handle = reinterpret_cast<Handle>(object);
  ++current->objects;
  return CUDA_SUCCESS;
}
template <typename T, typename Handle> CUresult destroy(Handle handle) {
  --current->objects;
  delete as<T>(handle);
  return CUDA_SUCCESS;
}

CUresult waitFor(FakeStream &stream, size_t count) {
  EXPECT_FALSE(stream.capture) << "waiting while a graph is captured";
  ++fake().waits;
  return current->work(stream, count);
}

CUresult loadModule(CUmodule *module, const void *image, unsigned count, const int *options,
                    void **values) {
  if (isShort("cuModuleLoadDataEx"))
    return CUDA_ERROR_OUT_OF_MEMORY;
  const auto *text = static_cast<const char *>(image);
  for (unsigned i = 0; i < count; ++i)
    if (options[i] == CU_JIT_ERROR_LOG_BUFFER && !fake().jitError.empty())
      std::strcpy(static_cast<char *>(values[i]), fake().jitError.c_str());
  if (!fake().jitError.empty())
    return 218;
  fake().loaded.emplace_back(text);
  return create(module, new FakeModule{text});
}

CUresult findFunction(CUfunction *function, CUmodule, const char *name) {
  if (!fake().kernels.count(name))
    return 500;
  current->functions.push_back(std::make_unique<FakeFunction>(FakeFunction{name}));
  *function = reinterpret_cast<CUfunction>(current->functions.back().get());
  return CUDA_SUCCESS;
}

/// Copies the arguments now, as the driver does.
CUresult launchKernel(CUfunction function, unsigned x, unsigned y, unsigned z, unsigned threads,
                      unsigned, unsigned, unsigned sharedBytes, CUstream stream, void **parameters,
                      void **) {
  if (isShort("cuLaunchKernel"))
    return CUDA_ERROR_OUT_OF_MEMORY;
  const std::string name = as<FakeFunction>(function)->name;
  if (x == 0 || y == 0 || z == 0 || name == fake().refused)
    return 1;
  const FakeDriver::Kernel &kernel = fake().kernels.at(name);
  FakeLaunch launch{{x, y, z}, threads, sharedBytes, {}, {}, 0, 0};
  for (size_t i = 0; i < kernel.pointers; ++i)
    launch.pointers.push_back(*static_cast<CUdeviceptr *>(*parameters++));
  for (size_t i = 0; i < kernel.extents; ++i)
    launch.extents.push_back(*static_cast<int32_t *>(*parameters++));
  launch.progress = *static_cast<CUdeviceptr *>(*parameters++);
  launch.step = *static_cast<uint32_t *>(*parameters++);
  return current->enqueue(stream, [=] {
    fake().launched.push_back(name);
    if (launch.progress && fake().writesSteps)
      *hostPointer<uint32_t>(launch.progress) = launch.step;
    return fake().kernels.at(name).run(launch);
  });
}

CUresult launchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters,
                        void **extra) {
  EXPECT_GE(config->numAttrs, 1u);
  for (const CUlaunchAttribute &attribute : llvm::ArrayRef(config->attrs, config->numAttrs)) {
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION) {
      const auto [x, y, z] = attribute.value.clusterDim;
      fake().clusters.push_back({x, y, z});
      continue;
    }
    EXPECT_EQ(attribute.id, CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION);
    EXPECT_EQ(attribute.value.programmaticStreamSerializationAllowed, 1);
    fake().overlaps.push_back(as<FakeFunction>(function)->name);
  }
  return launchKernel(function, config->gridDimX, config->gridDimY, config->gridDimZ,
                      config->blockDimX, config->blockDimY, config->blockDimZ,
                      config->sharedMemBytes, config->hStream, parameters, extra);
}

CUresult record(CUevent handle, CUstream stream) {
  auto *event = as<FakeEvent>(handle);
  const CUresult result = current->enqueue(stream, [=] {
    event->time = current->clock;
    return CUDA_SUCCESS;
  });
  event->stream = as<FakeStream>(stream);
  event->reached = event->stream->done + event->stream->queue.size();
  return result;
}

CUresult beginCapture(CUstream stream, int) {
  if (isShort("cuStreamBeginCapture"))
    return CUDA_ERROR_OUT_OF_MEMORY;
  if (current->failure != CUDA_SUCCESS)
    return current->failure;
  as<FakeStream>(stream)->capture = new FakeGraph();
  ++current->objects;
  ++fake().captures;
  return CUDA_SUCCESS;
}

CUresult endCapture(CUstream handle, CUgraph *graph) {
  auto *stream = as<FakeStream>(handle);
  *graph = reinterpret_cast<CUgraph>(stream->capture);
  stream->capture = nullptr;
  return current->failure;
}

CUresult instantiate(CUgraphExec *executable, CUgraph graph, unsigned long long) {
  if (isShort("cuGraphInstantiate"))
    return CUDA_ERROR_OUT_OF_MEMORY;
  return create(executable, new FakeGraph(*as<FakeGraph>(graph)));
}

CUresult launchGraph(CUgraphExec graph, CUstream stream) {
  if (isShort("cuGraphLaunch"))
    return CUDA_ERROR_OUT_OF_MEMORY;
  ++fake().graphLaunches;
  for (const Work &work : *as<FakeGraph>(graph))
    if (const CUresult result = current->enqueue(stream, work); result != CUDA_SUCCESS)
      return result;
  return current->failure;
}

CUresult attribute(int *value, int number, CUdevice) {
  const auto [major, minor] = fake().capability;
  const std::optional<int> found =
      emulation::attributeOf({major, minor, fake().sharedBytes, 4096}, number);
  *value = found.value_or(0);
  return found ? CUDA_SUCCESS : 1;
}

CUresult errorName(CUresult error, const char **name) {
  *name = error == CUDA_ERROR_OUT_OF_MEMORY      ? "CUDA_ERROR_OUT_OF_MEMORY"
          : error == FakeDriver::kIllegalAddress ? "CUDA_ERROR_ILLEGAL_ADDRESS"
                                                 : "CUDA_ERROR_OTHER";
  return CUDA_SUCCESS;
}

CUresult errorText(CUresult error, const char **text) {
  *text = error == CUDA_ERROR_OUT_OF_MEMORY ? "out of memory" : "it failed";
  return CUDA_SUCCESS;
}

/// Functions of devices, contexts and errors.
void addDevice(DriverApi &api) {
  api.cuInit = [](unsigned) { return CUresult{CUDA_SUCCESS}; };
  api.cuGetErrorName = errorName;
  api.cuGetErrorString = errorText;
  api.cuDeviceGetCount = [](int *count) {
    *count = fake().gpus;
    return CUresult{CUDA_SUCCESS};
  };
  api.cuDeviceGet = [](CUdevice *device, int ordinal) {
    *device = 10 + ordinal;
    return CUresult{CUDA_SUCCESS};
  };
  api.cuDeviceGetName = [](char *name, int length, CUdevice) {
    std::strncpy(name, "Fake GPU", length);
    return CUresult{CUDA_SUCCESS};
  };
  api.cuDeviceGetAttribute = attribute;
  api.cuDevicePrimaryCtxRetain = [](CUcontext *context, CUdevice) {
    *context = reinterpret_cast<CUcontext>(current);
    ++current->contexts;
    return CUresult{CUDA_SUCCESS};
  };
  api.cuDevicePrimaryCtxRelease = [](CUdevice) {
    --current->contexts;
    return CUresult{CUDA_SUCCESS};
  };
  api.cuCtxPushCurrent = [](CUcontext) {
    ++current->scopes;
    return CUresult{CUDA_SUCCESS};
  };
  api.cuCtxPopCurrent = [](CUcontext *) {
    --current->scopes;
    return CUresult{CUDA_SUCCESS};
  };
}

/// Functions of memory.
void addMemory(DriverApi &api) {
  api.cuMemGetInfo = [](size_t *free, size_t *total) {
    *free = fake().freeBytes;
    *total = uint64_t{1} << 30;
    return CUresult{CUDA_SUCCESS};
  };
  api.cuMemAlloc = allocateBytes;
  api.cuMemFree = freeBytes;
  api.cuMemHostAlloc = [](void **address, size_t bytes, unsigned) {
    if (isShort("cuMemHostAlloc"))
      return CUresult{CUDA_ERROR_OUT_OF_MEMORY};
    const CUresult result = allocateBytes(reinterpret_cast<uint64_t *>(address), bytes);
    if (result == CUDA_SUCCESS)
      current->pinned.insert(reinterpret_cast<uint64_t>(*address));
    return result;
  };
  api.cuMemFreeHost = [](void *address) { return freeBytes(reinterpret_cast<uint64_t>(address)); };
  api.cuMemHostGetDevicePointer = [](CUdeviceptr *device, void *host, unsigned) {
    *device = reinterpret_cast<CUdeviceptr>(host);
    return CUresult{CUDA_SUCCESS};
  };
  api.cuPointerGetAttribute = [](void *data, int attribute, CUdeviceptr address) {
    EXPECT_EQ(attribute, CU_POINTER_ATTRIBUTE_MEMORY_TYPE);
    if (!current->isPinned(hostPointer<void>(address)))
      return CUresult{1};
    *static_cast<unsigned *>(data) = CU_MEMORYTYPE_HOST;
    return CUresult{CUDA_SUCCESS};
  };
  api.cuMemcpyHtoDAsync = copyToDevice;
  api.cuMemcpyDtoHAsync = copyToHost;
  api.cuMemcpyDtoDAsync = [](CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    EXPECT_TRUE(current->holds(to, bytes)) << "a copy leaves its memory";
    return copy(hostPointer<void>(to), hostPointer<void>(from), bytes, from, stream);
  };
  api.cuMemsetD8Async = [](CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) {
    EXPECT_TRUE(current->holds(to, bytes)) << "a memset leaves its memory";
    return current->enqueue(stream, [=] {
      std::memset(hostPointer<void>(to), value, bytes);
      return CUresult{CUDA_SUCCESS};
    });
  };
}

/// Functions of streams, events and graphs.
void addStreams(DriverApi &api) {
  api.cuStreamCreate = [](CUstream *stream, unsigned) { return create(stream, new FakeStream()); };
  api.cuStreamDestroy = destroy<FakeStream, CUstream>;
  api.cuStreamSynchronize = [](CUstream stream) {
    return waitFor(*as<FakeStream>(stream), SIZE_MAX);
  };
  api.cuStreamWriteValue32 = [](CUstream stream, CUdeviceptr address, uint32_t value, unsigned) {
    return current->enqueue(stream, [=] {
      *hostPointer<uint32_t>(address) = value;
      return CUresult{CUDA_SUCCESS};
    });
  };
  api.cuStreamWriteValue64 = [](CUstream stream, CUdeviceptr address, uint64_t value, unsigned) {
    return current->enqueue(stream, [=] {
      *hostPointer<uint64_t>(address) = value;
      return CUresult{CUDA_SUCCESS};
    });
  };
  api.cuEventCreate = [](CUevent *event, unsigned) {
    return isShort("cuEventCreate") ? CUresult{CUDA_ERROR_OUT_OF_MEMORY}
                                    : create(event, new FakeEvent());
  };
  api.cuEventDestroy = destroy<FakeEvent, CUevent>;
  api.cuEventRecord = record;
  api.cuEventSynchronize = [](CUevent handle) {
    const auto *event = as<FakeEvent>(handle);
    return event->stream ? waitFor(*event->stream, event->reached) : current->failure;
  };
  // Whoever asks often enough sees the event.
  api.cuEventQuery = [](CUevent handle) {
    const auto *event = as<FakeEvent>(handle);
    if (!event->stream || event->stream->done >= event->reached)
      return current->failure;
    const CUresult result = current->work(*event->stream, event->stream->done + 1);
    return result != CUDA_SUCCESS || event->stream->done >= event->reached
               ? result
               : CUresult{CUDA_ERROR_NOT_READY};
  };
  api.cuEventElapsedTime = [](float *milliseconds, CUevent begin, CUevent end) {
    *milliseconds =
        1e-6f * static_cast<float>(as<FakeEvent>(end)->time - as<FakeEvent>(begin)->time);
    return current->failure;
  };
  api.cuStreamBeginCapture = beginCapture;
  api.cuStreamEndCapture = endCapture;
  api.cuGraphInstantiate = instantiate;
  api.cuGraphLaunch = launchGraph;
  api.cuGraphExecDestroy = destroy<FakeGraph, CUgraphExec>;
  api.cuGraphDestroy = destroy<FakeGraph, CUgraph>;
}

/// Functions of modules and kernels.
void addKernels(DriverApi &api) {
  api.cuModuleLoadDataEx = loadModule;
  api.cuModuleUnload = destroy<FakeModule, CUmodule>;
  api.cuModuleGetFunction = findFunction;
  api.cuFuncSetAttribute = [](CUfunction function, int attribute, int value) {
    EXPECT_EQ(attribute, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
    fake().sharedLimits[as<FakeFunction>(function)->name] = value;
    return CUresult{CUDA_SUCCESS};
  };
  api.cuLaunchKernel = launchKernel;
  api.cuLaunchKernelEx = launchKernelEx;
}

DriverApi makeApi() {
  DriverApi api;
  addDevice(api);
  addMemory(api);
  addStreams(api);
  addKernels(api);
  return api;
}

} // namespace

FakeDriver::FakeDriver() : functions(makeApi()), state(std::make_unique<World>()) {
  state->driver = this;
  current = state.get();
}

void FakeDriver::removeOverlap() {
  DriverApi api = *functions;
  api.cuLaunchKernelEx = nullptr;
  functions = Driver(api);
}

CUresult FakeDriver::enqueue(CUstream stream, std::function<CUresult()> work) {
  return state->enqueue(stream, std::move(work));
}

FakeDriver::~FakeDriver() {
  EXPECT_TRUE(state->memory.empty()) << "memory was not freed";
  EXPECT_EQ(state->contexts, 0);
  EXPECT_EQ(state->scopes, 0);
  EXPECT_EQ(state->objects, 0) << "streams, events, modules or graphs were not destroyed";
  current = nullptr;
}

} // namespace sortie::test
