// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Arrays of a caller as the runtime sees them.

#ifndef SORTIE_RUNTIME_CAPI_TENSORS_H
#define SORTIE_RUNTIME_CAPI_TENSORS_H

#include "runtime/include/sortie/sortie.h"
#include "runtime/program/Program.h"
#include "runtime/session/TensorView.h"

#include "llvm/Support/Error.h"

namespace sortie {

/// The inputs or outputs of a call, of which the function has `arguments`.
llvm::Expected<std::vector<TensorView>> toTensorViews(const sortie_tensor *given, size_t count,
                                                      const Function &function,
                                                      llvm::ArrayRef<Argument> arguments,
                                                      llvm::StringRef kind);

} // namespace sortie

#endif // SORTIE_RUNTIME_CAPI_TENSORS_H
