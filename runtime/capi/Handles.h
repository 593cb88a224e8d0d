// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the handles of sortie.h point to, and how errors cross the C API.

#ifndef SORTIE_RUNTIME_CAPI_HANDLES_H
#define SORTIE_RUNTIME_CAPI_HANDLES_H

#include "runtime/include/sortie/sortie.h"
#include "runtime/program/Program.h"
#include "runtime/session/SharedSession.h"
#include "runtime/support/Error.h"

#include <memory>
#include <string>
#include <vector>

struct sortie_error {
  sortie_error_code code;
  std::string message;
};

struct sortie_program {
  explicit sortie_program(std::shared_ptr<const sortie::Program> loaded);

  /// What info structs point to, beside the program itself.
  struct WeightArrays {
    llvm::SmallVector<const char *> tensors;
    llvm::SmallVector<int64_t, 3> tensorShape;
  };
  struct ValueArrays {
    llvm::SmallVector<sortie_extent, 4> shape;
    llvm::SmallVector<size_t, 4> symbols; ///< SIZE_MAX for extents that are constant
  };
  struct StateArrays {
    llvm::SmallVector<int64_t, 4> shape; ///< 0 for extents that depend on a symbol
    ValueArrays extents;
  };
  struct FunctionArrays {
    llvm::SmallVector<size_t, 2> symbols;
    std::vector<ValueArrays> inputs;
    std::vector<ValueArrays> outputs;
  };

  std::shared_ptr<const sortie::Program> program;
  std::vector<WeightArrays> weights;
  std::vector<FunctionArrays> functions;
  std::vector<StateArrays> states;
};

struct sortie_weights {
  std::shared_ptr<const sortie::LoadedWeights> loaded;
};

struct sortie_session {
  std::shared_ptr<const sortie::Program> program;
  std::shared_ptr<const sortie::LoadedWeights> loaded;
  std::shared_ptr<sortie::SharedSession> shared;
  std::vector<llvm::SmallVector<int64_t, 4>> stateShapes; ///< by state
  std::vector<uint64_t> stateBytes;                       ///< by state
};

struct sortie_run {
  std::shared_ptr<sortie::SharedSession> shared;
  std::shared_ptr<sortie::SubmittedRun> run;
};

namespace sortie {

/// NULL for success.
sortie_error *toC(llvm::Error error);

/// The type of what callers see, which are never quantized rows.
sortie_dtype dtypeOf(ElementType type);

/// "there is no <what> <index>".
llvm::Error indexError(const llvm::Twine &what, size_t index, size_t count);

} // namespace sortie

#endif // SORTIE_RUNTIME_CAPI_HANDLES_H
