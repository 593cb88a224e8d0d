// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matches the arrays that a caller passes with the arguments of a function.

#ifndef SORTIE_RUNTIME_SESSION_ARGUMENTS_H
#define SORTIE_RUNTIME_SESSION_ARGUMENTS_H

#include "runtime/session/SymbolLimits.h"
#include "runtime/session/TensorView.h"
#include "runtime/support/AlignedBytes.h"

#include "llvm/Support/Error.h"

namespace sortie {

/// Row-major without gaps.
struct BoundArgument {
  std::byte *data;
  MemorySpace space;
};

/// What a session takes.
struct ArgumentLimits {
  const SymbolLimits &symbols;
  bool takesDeviceMemory = false;
};

class Arguments {
public:
  /// Checks names, types, shapes, memory spaces and overlaps, solves for the function's symbols,
  /// and copies inputs in host memory that cannot be used in place.
  static llvm::Expected<Arguments> bind(const Program &program, const Function &function,
                                        const ArgumentLimits &limits,
                                        llvm::ArrayRef<TensorView> inputs,
                                        llvm::ArrayRef<TensorView> outputs);

  /// In the order of Function::symbols.
  llvm::ArrayRef<int64_t> symbols() const { return symbolValues; }
  /// In the order of the function.
  llvm::ArrayRef<BoundArgument> inputs() const { return boundInputs; }
  llvm::ArrayRef<BoundArgument> outputs() const { return boundOutputs; }

  /// After the run: copies outputs that could not be written in place.
  void finish() const;

private:
  struct Staged {
    TensorView tensor;
    AlignedBytes bytes;
  };

  /// `type` is that of the argument.
  llvm::Error addInput(const TensorView &tensor, HostType type);
  llvm::Error addOutput(const TensorView &tensor);

  SymbolValues symbolValues;
  llvm::SmallVector<BoundArgument> boundInputs;
  llvm::SmallVector<BoundArgument> boundOutputs;
  std::vector<Staged> stagedInputs;
  std::vector<Staged> stagedOutputs;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_ARGUMENTS_H
