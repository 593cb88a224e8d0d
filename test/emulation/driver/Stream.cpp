// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Streams, events and graphs.

#include "test/emulation/driver/Stream.h"

#include "test/emulation/driver/State.h"

#include <chrono>
#include <deque>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace sortie::cuda {

struct CUgraph_st {
  std::vector<emulation::Operation> operations;
};
struct CUgraphExec_st {
  std::vector<emulation::Operation> operations;
};

struct CUstream_st {
  std::deque<emulation::Operation> queue;
  std::unique_ptr<CUgraph_st> capture; ///< null unless the stream is captured
};

struct CUevent_st {
  struct Record {
    bool isDone = false;
    std::chrono::steady_clock::time_point time;
  };
  std::shared_ptr<Record> record; ///< of the last cuEventRecord
  CUstream stream = nullptr;
};

} // namespace sortie::cuda

namespace sortie::emulation {

using namespace cuda;

thread_local bool isCapturing = false;

namespace {
struct Streams {
  CUstream_st defaultStream;
  std::set<CUstream> all = {&defaultStream};
};
} // namespace

static Streams &streams() {
  static Streams instance;
  return instance;
}

static CUstream resolve(CUstream stream) {
  return stream != nullptr ? stream : &streams().defaultStream;
}

bool isStreamCapturing(CUstream stream) { return resolve(stream)->capture != nullptr; }

CUresult enqueue(CUstream handle, Operation operation) {
  CUstream stream = resolve(handle);
  if (streams().all.count(stream) == 0)
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream->capture != nullptr)
    stream->capture->operations.push_back(std::move(operation));
  else
    stream->queue.push_back(std::move(operation));
  return CUDA_SUCCESS;
}

/// Does the work up to the point where `isEnough()`.
template <typename Predicate> static CUresult flushUntil(CUstream stream, Predicate isEnough) {
  State &device = state();
  while (!stream->queue.empty() && !isEnough()) {
    const Operation operation = std::move(stream->queue.front());
    stream->queue.pop_front();
    if (device.failure == CUDA_SUCCESS)
      device.failure = operation();
  }
  return device.failure;
}

CUresult flush(CUstream handle) {
  CUstream stream = resolve(handle);
  if (streams().all.count(stream) == 0)
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream->capture != nullptr)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  return flushUntil(stream, [] { return false; });
}

CUresult flushAll() {
  for (CUstream stream : streams().all)
    flushUntil(stream, [] { return false; });
  return state().failure;
}

} // namespace sortie::emulation

namespace sortie::cuda {

using namespace sortie::emulation;

//===- Streams -----------------------------------------------------------===//

CUresult cuStreamCreate(CUstream *stream, unsigned /*flags*/) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  *stream = new CUstream_st;
  streams().all.insert(*stream);
  return CUDA_SUCCESS;
}

CUresult cuStreamDestroy(CUstream stream) {
  const Call call;
  if (streams().all.count(stream) == 0)
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream->capture == nullptr && call.status() == CUDA_SUCCESS)
    flush(stream);
  streams().all.erase(stream);
  delete stream;
  return call.status();
}

CUresult cuStreamSynchronize(CUstream stream) {
  const Call call;
  return call.status() != CUDA_SUCCESS ? call.status() : flush(stream);
}

CUresult cuLaunchHostFunc(CUstream stream, void (*function)(void *), void *data) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  return enqueue(stream, [=] {
    function(data);
    return CUresult{CUDA_SUCCESS};
  });
}

//===- Capture and graphs ------------------------------------------------===//

CUresult cuStreamBeginCapture(CUstream stream, int /*mode*/) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  if (stream == nullptr || streams().all.count(stream) == 0)
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  if (stream->capture != nullptr)
    return CUDA_ERROR_ILLEGAL_STATE;
  stream->capture = std::make_unique<CUgraph_st>();
  isCapturing = true;
  return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *graph) {
  const Call call;
  *graph = nullptr;
  if (streams().all.count(stream) == 0)
    return CUDA_ERROR_INVALID_HANDLE;
  if (stream->capture == nullptr)
    return CUDA_ERROR_ILLEGAL_STATE;
  *graph = stream->capture.release();
  isCapturing = false;
  return call.status();
}

CUresult cuGraphInstantiate(CUgraphExec *executable, CUgraph graph, unsigned long long /*flags*/) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  *executable = new CUgraphExec_st{graph->operations};
  return CUDA_SUCCESS;
}

CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  for (const Operation &operation : executable->operations)
    if (const CUresult result = enqueue(stream, operation); result != CUDA_SUCCESS)
      return result;
  return CUDA_SUCCESS;
}

CUresult cuGraphExecDestroy(CUgraphExec executable) {
  delete executable;
  return CUDA_SUCCESS;
}
CUresult cuGraphDestroy(CUgraph graph) {
  delete graph;
  return CUDA_SUCCESS;
}

//===- Events ------------------------------------------------------------===//

CUresult cuEventCreate(CUevent *event, unsigned /*flags*/) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  *event = new CUevent_st;
  return CUDA_SUCCESS;
}

CUresult cuEventDestroy(CUevent event) {
  delete event;
  return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent event, CUstream stream) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  event->record = std::make_shared<CUevent_st::Record>();
  event->stream = stream;
  return enqueue(stream, [record = event->record] {
    record->isDone = true;
    record->time = std::chrono::steady_clock::now();
    return CUresult{CUDA_SUCCESS};
  });
}

/// Whether nothing is left to be done before an event.
static bool isPast(CUevent event) {
  // A stream does its work before it is destroyed.
  return event->record == nullptr || event->record->isDone ||
         streams().all.count(resolve(event->stream)) == 0;
}

CUresult cuEventSynchronize(CUevent event) {
  const Call call;
  if (call.status() != CUDA_SUCCESS || isPast(event))
    return call.status();
  return flushUntil(resolve(event->stream), [&] { return event->record->isDone; });
}

/// Does one piece of work, so that whoever asks often enough sees the event.
CUresult cuEventQuery(CUevent event) {
  const Call call;
  if (call.status() != CUDA_SUCCESS || isPast(event))
    return call.status();
  bool hasWorked = false;
  const CUresult result =
      flushUntil(resolve(event->stream), [&] { return std::exchange(hasWorked, true); });
  return result == CUDA_SUCCESS && !isPast(event) ? CUDA_ERROR_NOT_READY : result;
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent begin, CUevent end) {
  const Call call;
  if (call.status() != CUDA_SUCCESS)
    return call.status();
  if (begin->record == nullptr || end->record == nullptr)
    return CUDA_ERROR_INVALID_HANDLE;
  if (!begin->record->isDone || !end->record->isDone)
    return CUDA_ERROR_NOT_READY;
  *milliseconds =
      std::chrono::duration<float, std::milli>(end->record->time - begin->record->time).count();
  return CUDA_SUCCESS;
}

} // namespace sortie::cuda
