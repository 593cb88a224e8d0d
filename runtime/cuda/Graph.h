// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// CUDA graphs: what was enqueued once, launched again with one call.

#ifndef SORTIE_RUNTIME_CUDA_GRAPH_H
#define SORTIE_RUNTIME_CUDA_GRAPH_H

#include "runtime/cuda/Device.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/SmallVector.h"

#include <list>

namespace sortie::cuda {

/// Records what `enqueue` puts on `stream` instead of doing it. `what` names it in errors.
llvm::Expected<GraphExec> captureGraph(const DevicePtr &device, CUstream stream,
                                       const llvm::Twine &what,
                                       llvm::function_ref<llvm::Error()> enqueue);

/// What a graph of a function was captured for: it holds addresses, and launches whose grids follow
/// from the function's symbols.
struct GraphKey {
  llvm::SmallVector<int64_t, 2> symbols;
  llvm::SmallVector<CUdeviceptr> arguments; ///< addresses of inputs, then outputs

  bool operator==(const GraphKey &) const = default;
};

/// The graphs of one function that were used last. Each function has its own, because a model calls
/// its functions in turn: a bound for all would drop each graph just before it is wanted again.
class GraphCache {
public:
  static constexpr size_t kCapacity = 16;

  /// Null if there is none.
  CUgraphExec find(const GraphKey &key);
  /// Drops the one that was not used for longest where there are kCapacity.
  CUgraphExec insert(GraphKey key, GraphExec graph);

private:
  std::list<std::pair<GraphKey, GraphExec>> entries; ///< last used first
};

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_GRAPH_H
