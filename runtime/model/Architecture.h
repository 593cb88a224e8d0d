// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What must be known of each model architecture beyond what the model file says: one row of a
// table. A new architecture whose layers are made of the same parts is a new row.

#ifndef SORTIE_RUNTIME_MODEL_ARCHITECTURE_H
#define SORTIE_RUNTIME_MODEL_ARCHITECTURE_H

#include "runtime/model/TensorNames.h"
#include "runtime/numerics/route.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace sortie::model {

/// Whether layers have experts that every token uses, stored as one network.
enum class SharedExperts {
  None,
  /// Their output is added. A file may have none.
  Added,
  /// Their output is multiplied by the sigmoid of a score of the token, then added. Every layer has
  /// them.
  Gated,
};

/// Whether the layers of an architecture have routed experts.
enum class Experts {
  Always,
  /// Files without the keys of experts are dense models.
  Optional,
  Never,
};

/// Which elements of a head turn together.
enum class RotaryPairs {
  /// 2i and 2i + 1.
  Neighbours,
  /// i and i + n/2.
  Halves,
};

/// What queries and keys are normalised over.
enum class QueryKeyNorm { None, EachHead, AllHeads };

/// Which projections of the attention half must have a bias. Others have one if the file does.
enum class NeededBiases { None, QueryKeyValue, All };

/// The attention half of layers, as whole models need it.
struct AttentionForm {
  RotaryPairs pairs = RotaryPairs::Halves;
  QueryKeyNorm norm = QueryKeyNorm::None;
  /// Layers of some models of the architecture lack that norm.
  bool normIsOptional = false;
  /// Heads are normalised after they turn, not before.
  bool normFollowsRotation = false;
  NeededBiases biases = NeededBiases::None;
  /// Each head has a sink: a score that takes part in the softmax and has no value.
  bool sinks = false;
  /// Layers 0, 2, 4 and so on see a window of positions; the others see all.
  bool alternatingWindow = false;
  /// The ends of YaRN's ramp are rounded to whole pairs.
  bool yarnHasWholeEnds = true;
  /// `rope.scaling.finetuned` says whether heads turn at all. Elsewhere it has no meaning.
  bool rotationIsOptional = false;
  /// Keys and values of all heads are made of one vector a token, the latent, and of one rotated
  /// key.
  bool isLatent = false;
};

/// How files of one architecture describe their layers.
struct Architecture {
  /// The value of `general.architecture`, which is the prefix of the other keys, too.
  llvm::StringLiteral name;
  Experts experts = Experts::Always;
  /// The norm before the router.
  TensorRole norm = TensorRole::FeedForwardNorm;
  /// `interleave_moe_layer_step` says that only every n-th layer has experts, and n.
  bool expertsInterleave = false;
  /// `feed_forward_length` is the width of an expert where `expert_feed_forward_length` is absent.
  bool expertWidthIsCommon = false;
  /// Scoring and normalisation where the file says nothing (`expert_gating_func`,
  /// `expert_weights_norm`).
  numerics::Scoring scoring = numerics::Scoring::Softmax;
  bool normalize = false;
  /// Every model of the architecture has that scoring, so a selection bias needs no key for it.
  bool scoringIsCertain = false;
  /// The routing is what this row says; files have no keys for it.
  bool fixedRouting = false;
  numerics::Glu activation = {};
  /// The router and the experts have biases, and the file must hold them.
  bool biases = false;
  /// Layers may have a bias for the selection of experts.
  bool selectionBias = false;
  SharedExperts shared = SharedExperts::None;
  /// Files may scale embeddings, residuals and logits.
  bool scales = false;
  /// The roles of the tensors of the attention half, beside those that all architectures may have.
  // Without an initializer, g++ warns of every row that leaves it out.
  llvm::ArrayRef<TensorRole> attention = {}; // NOLINT(readability-redundant-member-init)
  AttentionForm attentionForm = {};
};

/// The row of the table with this name, or null.
const Architecture *findArchitecture(llvm::StringRef name);

/// All names, for messages: "qwen3moe, olmoe, …".
std::string listArchitectures();

/// True if `name`, a tensor's name after `blk.<i>.`, belongs to the attention half of a layer of
/// this architecture, so that whoever reads the feed-forward half alone may leave it out. Roles are
/// listed one by one: a tensor that nobody knows must be told, not taken for one of these.
bool isAttentionTensor(const Architecture &architecture, llvm::StringRef name);

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_ARCHITECTURE_H
