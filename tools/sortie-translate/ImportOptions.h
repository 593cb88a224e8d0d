// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a user may ask of an import.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_IMPORTOPTIONS_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_IMPORTOPTIONS_H

#include "dialect/common/Determinism.h"
#include "runtime/model/Config.h"

#include <optional>
#include <string>

namespace sortie {

/// Layers `first` to `last`, both included.
struct LayerRange {
  int64_t first;
  int64_t last;
};

struct ImportOptions {
  /// A whole model has the functions of its layers' feed-forward halves, too.
  model::Scope what = model::Scope::WholeModel;
  /// The layers whose feed-forward halves to import; all of them if absent, and of a whole model.
  std::optional<LayerRange> layers;
  /// What the module promises.
  Determinism contract = kFullDeterminism;

  // Departures from what the file says. Each is recorded in the module where it is one.

  /// Tensors and metadata keys to leave out, as regular expressions for whole names.
  std::optional<std::string> ignoredTensors;
  std::optional<std::string> ignoredKeys;
  model::ConfigOverrides config;
};

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_IMPORTOPTIONS_H
