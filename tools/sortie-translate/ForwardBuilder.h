// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Builds the function of a whole model: from tokens to logits, with a cache for each layer.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_FORWARDBUILDER_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_FORWARDBUILDER_H

#include "runtime/model/ModelTensors.h"

#include "mlir/IR/BuiltinOps.h"

namespace sortie {

/// Adds the caches of all layers and `func.func @forward` to the end of `module`. The inputs and
/// the output are those of docs/whole-models.md; `config` is of a whole model.
void buildForward(mlir::ModuleOp module, const model::Config &config,
                  const model::ModelTensors &tensors);

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_FORWARDBUILDER_H
