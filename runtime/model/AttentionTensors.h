// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tensors that the attention half of a layer is made of: which must be in the file, in which
// shape, and of which types.

#ifndef SORTIE_RUNTIME_MODEL_ATTENTIONTENSORS_H
#define SORTIE_RUNTIME_MODEL_ATTENTIONTENSORS_H

#include "runtime/model/Config.h"
#include "runtime/model/WeightFinder.h"

namespace sortie::model {

/// Finds the weights of the attention half of layer `layer`, leaving out the tensors that `ignored`
/// matches; `config` is of a whole model. Queries, keys and values may be parts of one tensor,
/// `attn_qkv`, and so may what makes keys and values of latents, `attn_kv_b`. Errors name the
/// tensor: missing, another shape, a type that is not supported.
llvm::Expected<WeightSet> findAttentionTensors(const gguf::Model &model, const Config &config,
                                               int64_t layer, const NameFilter &ignored);

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_ATTENTIONTENSORS_H
