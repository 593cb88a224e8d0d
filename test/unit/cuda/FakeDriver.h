// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A CUDA driver for unit tests: device memory is the host's, kernels are functions of the test, and
// streams do their work as late as they may, when somebody waits.

#ifndef SORTIE_TEST_UNIT_CUDA_FAKEDRIVER_H
#define SORTIE_TEST_UNIT_CUDA_FAKEDRIVER_H

#include "runtime/cuda/Device.h"

#include <array>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sortie::test {

/// Device memory as what it is here.
template <typename T> T *hostPointer(cuda::CUdeviceptr address) {
  return reinterpret_cast<T *>(address); // NOLINT(performance-no-int-to-ptr)
}

/// A launch as a kernel sees it.
struct FakeLaunch {
  std::array<unsigned, 3> grid;
  unsigned threads;
  unsigned sharedBytes;
  std::vector<cuda::CUdeviceptr> pointers;
  std::vector<int32_t> extents;
  cuda::CUdeviceptr progress = 0;
  uint32_t step = 0;

  template <typename T> T *pointer(size_t index) const { return hostPointer<T>(pointers[index]); }
};

/// One machine; tests make it anew. There is one at a time, because the driver's functions have no
/// argument that says which.
class FakeDriver {
public:
  /// A kernel: how many pointers and extents it takes, and what it does when it has written its
  /// step. Anything but success stops the device for good, as a bad address does.
  struct Kernel {
    size_t pointers;
    size_t extents;
    std::function<cuda::CUresult(const FakeLaunch &)> run;
  };
  static constexpr cuda::CUresult kIllegalAddress = 700;

  FakeDriver();
  /// Checks that nothing is left allocated.
  ~FakeDriver();

  const cuda::Driver &driver() const { return functions; }
  /// From now on as a driver whose launches cannot overlap.
  void removeOverlap();
  /// Work of a library on a stream.
  cuda::CUresult enqueue(cuda::CUstream stream, std::function<cuda::CUresult()> work);
  cuda::DevicePtr open() const { return llvm::cantFail(cuda::Device::open(functions, 0)); }

  std::map<std::string, Kernel> kernels; ///< by entry point
  std::pair<int, int> capability = {9, 0};
  int sharedBytes = 232448; ///< most that a block may ask for
  int gpus = 1;
  uint64_t freeBytes = uint64_t{1} << 30;
  bool writesSteps = true; ///< what kernels write as they begin arrives
  std::string refused;     ///< entry point that cannot be launched
  std::string memoryless;  ///< the driver's function that finds no memory: "cuGraphLaunch"
  std::string jitError;    ///< what the PTX compiler says; empty: all is well

  // What happened.
  std::vector<std::string> launched;             ///< entry points, in order of execution
  std::vector<std::array<unsigned, 3>> clusters; ///< of launches that have some
  std::vector<std::string> overlaps; ///< those that may overlap, in order of being enqueued
  std::vector<std::string> loaded;   ///< the bytes of images
  std::map<std::string, int> sharedLimits;
  size_t waits = 0;          ///< for a stream or an event
  size_t pageableCopies = 0; ///< to the host, for which the driver waits
  size_t graphLaunches = 0;
  size_t captures = 0;

  struct World;

private:
  cuda::Driver functions;
  std::unique_ptr<World> state;
};

} // namespace sortie::test

#endif // SORTIE_TEST_UNIT_CUDA_FAKEDRIVER_H
