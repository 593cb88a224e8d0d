// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// From a GGUF model to a semantic module. Weights stay in the model's file.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_IMPORTGGUF_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_IMPORTGGUF_H

#include "ImportOptions.h"

#include "runtime/gguf/Model.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace sortie {

/// Parses "3" or "0-7". Errors say what was expected.
llvm::Expected<LayerRange> parseLayerRange(llvm::StringRef text);

struct ImportResult {
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// What the user should know of the import: what was left out, and why.
  std::vector<std::string> remarks;
};

/// Imports the feed-forward halves of layers of `model`, a function each, and of a whole model the
/// function from tokens to logits. The dialects `lm`, `moe` and `func` must be loaded. Everything
/// that the file says about what is imported is in the module, or the import fails: errors name the
/// file and the keys, tensors or layers at fault, among them those which are not understood.
llvm::Expected<ImportResult> importGguf(mlir::MLIRContext &context, const gguf::Model &model,
                                        const ImportOptions &options);

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_IMPORTGGUF_H
