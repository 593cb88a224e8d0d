// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Capturing and caching of graphs.

#include "runtime/cuda/Graph.h"

#include "llvm/ADT/STLExtras.h"

using namespace llvm;

namespace sortie::cuda {

Expected<GraphExec> captureGraph(const DevicePtr &device, CUstream stream, const Twine &what,
                                 function_ref<Error()> enqueue) {
  const Device::Scope scope(*device);
  const Driver &driver = device->driver();
  if (Error error =
          device->check(driver->cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL),
                        what + ": capturing its graph"))
    return error;
  Error failure = enqueue();
  CUgraph captured = nullptr;
  const CUresult ended = driver->cuStreamEndCapture(stream, &captured); // also after a failure
  const Owner<CUgraph, &DriverApi::cuGraphDestroy> graph(device, captured);
  if (failure)
    return failure;
  if (Error error = device->check(ended, what + ": capturing its graph"))
    return error;
  CUgraphExec executable = nullptr;
  if (Error error = device->check(driver->cuGraphInstantiate(&executable, captured, /*flags=*/0),
                                  what + ": instantiating its graph"))
    return error;
  return GraphExec(device, executable);
}

CUgraphExec GraphCache::find(const GraphKey &key) {
  const auto it = find_if(entries, [&](const auto &entry) { return entry.first == key; });
  if (it == entries.end())
    return nullptr;
  entries.splice(entries.begin(), entries, it);
  return entries.front().second.get();
}

CUgraphExec GraphCache::insert(GraphKey key, GraphExec graph) {
  if (entries.size() == kCapacity)
    entries.pop_back();
  entries.emplace_front(std::move(key), std::move(graph));
  return entries.front().second.get();
}

} // namespace sortie::cuda
