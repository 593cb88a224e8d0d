// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A session: the memory and the threads with which one caller runs the functions of a program.

#ifndef SORTIE_RUNTIME_SESSION_SESSION_H
#define SORTIE_RUNTIME_SESSION_SESSION_H

#include "runtime/session/Observer.h"
#include "runtime/session/StridedCopy.h"
#include "runtime/support/AlignedBytes.h"
#include "runtime/weights/PackedWeights.h"

#include <memory>

namespace sortie {

struct SessionOptions {
  int threads;
  cpu::Isa isa;
  int64_t maxTokens = 0; ///< 0: the bounds of the program
};

/// Used by one thread at a time.
class Session {
public:
  /// Allocates the arena of the largest function whose weights are there.
  static llvm::Expected<std::unique_ptr<Session>>
  create(std::shared_ptr<const Program> program, std::shared_ptr<const PackedWeights> weights,
         const SessionOptions &options);

  /// Runs a function. Arguments are found by name; every one is given once.
  llvm::Error run(uint32_t function, llvm::ArrayRef<HostTensor> inputs,
                  llvm::ArrayRef<HostTensor> outputs, RunObserver &observer);

private:
  Session() = default;

  std::shared_ptr<const Program> program;
  std::shared_ptr<const PackedWeights> weights;
  std::unique_ptr<cpu::ThreadPool> pool;
  cpu::Isa isa = cpu::Isa::Portable;
  int64_t maxTokens = 0;
  AlignedBytes arena;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_SESSION_H
