// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A function for some values of its symbols, and what executors of all devices report of it.

#ifndef SORTIE_RUNTIME_SESSION_BOUNDFUNCTION_H
#define SORTIE_RUNTIME_SESSION_BOUNDFUNCTION_H

#include "runtime/numerics/status.h"
#include "runtime/session/Observer.h"
#include "runtime/support/AlignedBytes.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"

namespace sortie {

class BoundFunction {
public:
  BoundFunction(const Program &program, const Function &function, llvm::ArrayRef<int64_t> symbols)
      : program(program), function(function), symbols(symbols.begin(), symbols.end()) {}

  int64_t extent(BufferId buffer, size_t dimension) const {
    return function.buffers[buffer].shape[dimension].at(symbols);
  }
  /// Where a buffer of the arena lies, from its start.
  uint64_t arenaOffset(const Buffer &buffer) const;

  /// Product of all extents but the last.
  int64_t rows(BufferId buffer) const;
  int64_t columns(BufferId buffer) const {
    return function.buffers[buffer].shape.back().at(symbols);
  }
  uint64_t bytes(BufferId buffer) const {
    return buffer == kNoBuffer ? 0 : function.buffers[buffer].bytes.at(symbols);
  }

  /// The bytes of a buffer in host memory, and their owner if they were copied there.
  struct HostBytes {
    const std::byte *data;
    AlignedBytes owner;
  };
  using ReadBuffer = llvm::function_ref<llvm::Expected<HostBytes>(BufferId)>;
  /// Hashes the value that a checkpoint names.
  llvm::Error reportCheckpoint(const Step &step, ReadBuffer read, RunObserver &observer) const;
  /// Hashes the outputs of the function.
  llvm::Error reportOutputs(ReadBuffer read, RunObserver &observer) const;

  /// Expert ids from the caller are checked as they are used; `slot` has this one, of `slots` ids a
  /// token.
  llvm::Error badExpertId(int64_t slot, int64_t slots, int32_t id, int64_t experts) const;
  /// The same of another number that a step has read; its parts are those of
  /// numerics::IndexStatus. Of a fault that is none, which a damaged program can have, the error
  /// says so.
  llvm::Error badIndex(size_t step, numerics::IndexFault fault, int64_t position, int64_t index,
                       int64_t bound) const;
  /// The caller's observer wants no more steps.
  llvm::Error cancelled(size_t step) const;

  /// "step 2, moert.matmul (kernel 'k') with w".
  std::string nameStep(size_t index) const;

  const Program &program;
  const Function &function;
  const SymbolValues symbols;

private:
  llvm::Error badRow(size_t step, int64_t position, int64_t row, int64_t rows) const;
  llvm::Error badPlace(size_t step, int64_t token, const llvm::Twine &what) const;
};

/// Rows and experts that a product with these offsets works on.
struct UsedRows {
  int64_t rows;
  int64_t experts; ///< that have rows
};
/// Of offsets[experts + 1].
UsedRows usedRows(const int32_t *offsets, int64_t experts);

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_BOUNDFUNCTION_H
