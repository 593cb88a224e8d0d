// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the importer must know of each model architecture beyond what the model file says: one row
// of a table. A new architecture whose feed-forward half is made of the same parts is a new row.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_ARCHITECTURE_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_ARCHITECTURE_H

#include "dialect/common/Common.h"

#include "llvm/ADT/StringRef.h"

#include <string>

namespace sortie {

/// A gated activation with its constants.
struct GatedActivation {
  GluKind kind = GluKind::Swiglu;
  /// Of swiglu_clamped alone.
  float alpha = 0;
  float limit = 0;
};

/// How files of one architecture describe their feed-forward halves.
struct Architecture {
  /// The value of `general.architecture`, which is the prefix of the other keys, too.
  llvm::StringLiteral name;
  /// The weight of the norm before the router, after `blk.<i>.`.
  llvm::StringLiteral normTensor = "ffn_norm.weight";
  /// The key, after the prefix, with the width of a routed expert.
  llvm::StringLiteral expertWidthKey = "expert_feed_forward_length";
  /// Scoring and normalisation where the file says nothing (`expert_gating_func`,
  /// `expert_weights_norm`).
  Scoring scoring = Scoring::Softmax;
  bool normalize = false;
  GatedActivation activation = {};
  /// The router and the experts have biases, and the file must hold them.
  bool biases = false;
  /// The file may describe its routing: gating function, normalisation, scale, groups, a bias for
  /// the selection.
  bool describesRouting = false;
  /// Layers may be dense (`leading_dense_block_count`) and may have shared experts
  /// (`expert_shared_count`).
  bool denseAndShared = false;
};

/// The row of the table with this name, or null.
const Architecture *findArchitecture(llvm::StringRef name);

/// All names, for messages: "qwen3moe, olmoe, …".
std::string listArchitectures();

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_ARCHITECTURE_H
