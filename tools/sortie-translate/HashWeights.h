// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `--hash-weights`: records what the tensors of the model hash to, so that whoever runs the program
// can tell that his file is the same to the last bit.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_HASHWEIGHTS_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_HASHWEIGHTS_H

#include "runtime/gguf/Model.h"

#include "mlir/IR/BuiltinOps.h"

namespace sortie {

/// Hashes the tensors of `model` that `module` names, with all processors and a progress bar, and
/// states the hashes on the module. The model has been opened with its data.
llvm::Error recordWeightHashes(mlir::ModuleOp module, const gguf::Model &model);

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_HASHWEIGHTS_H
