// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The arguments of a run on a GPU that its function has in host memory: steps copy them.

#ifndef SORTIE_RUNTIME_SESSION_HOSTARGUMENTS_H
#define SORTIE_RUNTIME_SESSION_HOSTARGUMENTS_H

#include "runtime/session/Arguments.h"
#include "runtime/session/RunSlot.h"

namespace sortie {

class HostArguments {
public:
  /// Finds each such argument a place in pinned memory: the array itself where it is pinned, else
  /// memory of the slot, with a copy of it if it is an input. A stream reaches no other memory
  /// without making the host wait, and a graph keeps its address.
  static llvm::Expected<HostArguments> place(const Function &function, const Arguments &arguments,
                                             const cuda::Device &device, RunSlot &slot);

  /// Where the steps find an argument, by its number; null if it is on the device.
  std::byte *input(size_t index) const { return inputs[index].pinned; }
  std::byte *output(size_t index) const { return outputs[index].pinned; }

  /// After the run: to arrays that are not pinned.
  void finish() const;

private:
  struct Place {
    std::byte *array = nullptr;
    std::byte *pinned = nullptr;
    uint64_t bytes = 0;
  };

  llvm::SmallVector<Place> inputs;
  llvm::SmallVector<Place> outputs;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_HOSTARGUMENTS_H
