// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Puts the steps of one function on a stream.

#ifndef SORTIE_RUNTIME_SESSION_CUDAEXECUTOR_H
#define SORTIE_RUNTIME_SESSION_CUDAEXECUTOR_H

#include "runtime/cuda/Cublas.h"
#include "runtime/cuda/DeviceWeights.h"
#include "runtime/session/BoundFunction.h"
#include "runtime/session/RunProgress.h"

#include <optional>

namespace sortie {

/// The status that a check has read: a numerics::IndexStatus of moert.check_places; of
/// moert.check_ids and moert.check_rows, which have two words, the position of a number that is out
/// of range, or -1, and that number.
struct CheckedStatus {
  int32_t words[numerics::kStatusWords];
};

/// What a program has on a device, shared by sessions.
struct CudaProgram {
  cuda::DevicePtr device;
  cuda::LoadedKernels kernels;
  cuda::DeviceWeights weights;
  const cuda::Cublas *cublas; ///< null where no function uses it
};

/// What of a session the steps of a function use.
struct CudaMemory {
  cuda::CUdeviceptr arena;
  cuda::CUdeviceptr states;                    ///< the block that holds all of them
  llvm::ArrayRef<uint64_t> stateOffsets;       ///< of each state of the program, in the block
  llvm::SmallVector<cuda::CUdeviceptr> inputs; ///< in the order of the function; pinned memory of
                                               ///< those on the host
  llvm::SmallVector<cuda::CUdeviceptr> outputs;
  cuda::CUdeviceptr checks; ///< one CheckedStatus for each check of a function
  RunProgress &progress;
  const cuda::CublasHandle &cublas; ///< there, if a function uses it
};

class CudaExecutor : public BoundFunction {
public:
  CudaExecutor(const Program &program, const Function &function, llvm::ArrayRef<int64_t> symbols,
               const CudaProgram &loaded, const CudaMemory &memory, cuda::CUstream stream);

  /// Before the first step of a run is enqueued.
  void beginRun() { run = memory.progress.beginRun(); }
  /// When all is enqueued.
  cuda::CUresult endRun() const { return memory.progress.endRun(run, stream); }
  /// Whether the device came to the end of the run.
  bool isComplete() const { return memory.progress.isComplete(run); }

  /// Enqueues all steps; nothing is known of their success. For graphs.
  llvm::Error enqueue();
  /// Enqueues step by step, and reports to the observer, for which it waits. Until wait(), errors
  /// of the device may be to come.
  llvm::Error runEagerly(RunObserver &observer);
  /// Waits for the stream; an error names the step.
  llvm::Error wait();
  /// An error that the device reported after steps had been put on the stream, with the name of the
  /// one that failed, as far as the progress tells.
  llvm::Error deviceError(cuda::CUresult result) const;

  /// How many checks of numbers a function has.
  static size_t checksOf(const Function &function);
  /// When all steps are on the stream: enqueues the copy of what the checks found to pinned memory.
  cuda::CUresult fetchChecks(CheckedStatus *found) const;
  /// When that copy is complete: an error if a check found something.
  llvm::Error reportChecks(const CheckedStatus *found) const;

private:
  /// Times and costs of the steps of an observed run.
  class StepLog;

  /// The error of what a check found, if it found something.
  llvm::Error reportCheck(const Step &step, const CheckedStatus &found) const;

  /// Enqueues a step; of one that cannot be, the error. `kernelBefore` as in cuda::Launch.
  llvm::Error enqueueStep(size_t index, std::optional<uint32_t> kernelBefore);
  llvm::Error enqueueProduct(size_t index, const CublasMatmul &product);
  cuda::CUresult enqueueLaunch(size_t index, const KernelLaunch &launch,
                               std::optional<uint32_t> kernelBefore);
  cuda::CUresult enqueueCopy(const Step &step);
  cuda::CUresult enqueueCheck(const Step &step);
  /// What a step is enqueued with that follows the others directly: see cuda::Launch. None where
  /// that is not sure.
  std::optional<uint32_t> kernelBefore(size_t index) const;
  bool isSkipped(const Step &step) const;
  /// Enqueues that a step begins which need not be a kernel; the number behind the last step says
  /// that all are complete.
  llvm::Error markStep(size_t index);
  /// Enqueues a step and the mark of the next, so that no launches overlap.
  llvm::Error runStep(size_t index);
  llvm::Error runObserved(RunObserver &observer, StepLog *log);

  /// Of a step whose enqueueing failed: its error, or that of one before it.
  llvm::Error enqueueError(llvm::Error error);
  /// Which step may have failed if `begun` began last: that one, or a product by cuBLAS behind it,
  /// because the library's kernels do not say that they begin.
  llvm::SmallVector<size_t> suspects(size_t begun) const;
  /// nameStep() behind the name of the function; that alone if there is no such step.
  std::string describeStep(size_t index) const;
  llvm::Error stepError(size_t index, cuda::CUresult result) const {
    return loaded.device->check(result, describeStep(index));
  }
  llvm::Expected<HostBytes> download(BufferId buffer);
  StepCost costOf(const Step &step, const int32_t *offsets) const;
  /// Whether the kernel that writes `buffer` had nothing to work on, so that the buffer is as it
  /// was.
  bool isUnwritten(BufferId buffer) const;

  cuda::CUdeviceptr address(BufferId buffer) const { return addresses[buffer]; }
  bool isOnHost(BufferId buffer) const { return function.buffers[buffer].isOnHost; }
  /// Of a buffer on the host.
  std::byte *hostAddress(BufferId buffer) const {
    return reinterpret_cast<std::byte *>(addresses[buffer]); // NOLINT(performance-no-int-to-ptr)
  }

  const CudaProgram &loaded;
  const cuda::Driver &driver;
  const CudaMemory &memory;
  cuda::CUstream stream;
  llvm::SmallVector<cuda::CUdeviceptr> addresses;
  uint32_t run = 0; ///< its number in the progress
  size_t enqueuedChecks = 0;
  bool marksSteps = false; ///< the stream says itself which step begins
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_CUDAEXECUTOR_H
