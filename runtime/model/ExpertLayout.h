// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The layouts in which model files hold the matrices of a layer's experts.

#ifndef SORTIE_RUNTIME_MODEL_EXPERTLAYOUT_H
#define SORTIE_RUNTIME_MODEL_EXPERTLAYOUT_H

#include "runtime/model/TensorNames.h"

namespace sortie::model {

/// Where the matrices of one projection (gate, up or down) of all experts are.
enum class ExpertLayout {
  /// In one tensor, `ffn_gate_exps`.
  Stacked,
  /// Gate and up in one tensor, `ffn_gate_up_exps`: of each expert the gate's rows first.
  MergedGateAndUp,
  /// In a tensor for each expert, `ffn_gate.0` and so on.
  OneTensorAnExpert,
};

/// The layout of `projection` that the tensor `name`, without `blk.<layer>.`, is a part of: a
/// weight, a bias or a scale. Nothing for the tensors of other projections and networks.
std::optional<ExpertLayout> findExpertLayout(llvm::StringRef name, Projection projection);

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_EXPERTLAYOUT_H
