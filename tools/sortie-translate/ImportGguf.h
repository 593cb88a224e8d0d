// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a GGUF model to a semantic `moe` module. Weights stay in the model's file.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_IMPORTGGUF_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_IMPORTGGUF_H

#include "dialect/common/Common.h"
#include "runtime/gguf/Model.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <optional>

namespace sortie {

/// Layers `first` to `last`, both included.
struct LayerRange {
  int64_t first;
  int64_t last;
};

/// Parses "3" or "0-7". Errors say what was expected.
llvm::Expected<LayerRange> parseLayerRange(llvm::StringRef text);

/// Imports the feed-forward halves of `layers` (all if absent), a function each, to a module that
/// promises `contract`. The dialects `moe` and `func` must be loaded. Errors name the file and the
/// key, tensor or layer at fault.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> importGguf(mlir::MLIRContext &context,
                                                             const gguf::Model &model,
                                                             std::optional<LayerRange> layers,
                                                             Determinism contract);

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_IMPORTGGUF_H
