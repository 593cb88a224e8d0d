// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Matches the arrays that a caller passes with the arguments of a function.

#ifndef SORTIE_RUNTIME_SESSION_ARGUMENTS_H
#define SORTIE_RUNTIME_SESSION_ARGUMENTS_H

#include "runtime/program/Program.h"
#include "runtime/session/StridedCopy.h"
#include "runtime/support/AlignedBytes.h"

#include "llvm/Support/Error.h"

namespace sortie {

class Arguments {
public:
  /// Checks names, types, shapes and overlaps, solves for the function's symbol (at most
  /// `maxTokens` where that is not 0), and copies inputs that cannot be used in place.
  static llvm::Expected<Arguments> bind(const Program &program, const Function &function,
                                        int64_t maxTokens, llvm::ArrayRef<HostTensor> inputs,
                                        llvm::ArrayRef<HostTensor> outputs);

  int64_t symbol() const { return symbolValue; }
  /// Row-major without gaps, in the order of the function.
  llvm::ArrayRef<std::byte *> inputs() const { return inputData; }
  llvm::ArrayRef<std::byte *> outputs() const { return outputData; }

  /// After the run: copies outputs that could not be written in place.
  void finish() const;

private:
  struct Staged {
    HostTensor tensor;
    AlignedBytes bytes;
  };

  int64_t symbolValue = 0;
  llvm::SmallVector<std::byte *> inputData;
  llvm::SmallVector<std::byte *> outputData;
  std::vector<Staged> stagedInputs;
  std::vector<Staged> stagedOutputs;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SESSION_ARGUMENTS_H
