// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What GGUF files call the tensors of a layer's feed-forward half, after `blk.<layer>.`. The names
// are those of the tables of llama.cpp's gguf package (gguf/constants.py).

#ifndef SORTIE_RUNTIME_MODEL_TENSORNAMES_H
#define SORTIE_RUNTIME_MODEL_TENSORNAMES_H

#include "llvm/ADT/Twine.h"

#include <string>

namespace sortie::model::tensor_names {

/// The tensors of a matrix: what follows its name.
inline constexpr llvm::StringLiteral kWeight = ".weight";
inline constexpr llvm::StringLiteral kBias = ".bias";
inline constexpr llvm::StringLiteral kScale = ".scale";
inline constexpr llvm::StringLiteral kMatrixTensors[] = {kWeight, kBias, kScale};

/// The matrix of the router.
inline constexpr llvm::StringLiteral kRouter = "ffn_gate_inp";

/// The bias for the selection of experts, and what some files call it.
inline constexpr llvm::StringLiteral kSelectionBias = "exp_probs_b.bias";
inline constexpr llvm::StringLiteral kShortSelectionBias = "exp_probs_b";

/// What the score of the shared experts is the product of a token with.
inline constexpr llvm::StringLiteral kSharedGate = "ffn_gate_inp_shexp.weight";

/// The gated networks of a layer, by what the names of their matrices end with.
inline constexpr llvm::StringLiteral kDense = "";
inline constexpr llvm::StringLiteral kExperts = "_exps";
inline constexpr llvm::StringLiteral kSharedExperts = "_shexp";

/// The matrices of a gated network.
inline constexpr llvm::StringLiteral kGate = "gate";
inline constexpr llvm::StringLiteral kUp = "up";
inline constexpr llvm::StringLiteral kDown = "down";

/// Gate and up of the experts in one tensor, of each expert the gate first.
inline constexpr llvm::StringLiteral kMergedGateAndUp = "ffn_gate_up_exps";

/// A matrix of a network, "ffn_gate_exps".
inline std::string matrix(llvm::StringRef projection, llvm::StringRef network) {
  return ("ffn_" + projection + network).str();
}

/// A matrix of the experts where each expert has a tensor of its own: "ffn_gate.3".
inline std::string matrixOfExpert(llvm::StringRef projection, const llvm::Twine &expert) {
  return ("ffn_" + projection + "." + expert).str();
}

} // namespace sortie::model::tensor_names

#endif // SORTIE_RUNTIME_MODEL_TENSORNAMES_H
