// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of many tensors for a message.

#ifndef SORTIE_RUNTIME_MODEL_TENSORLIST_H
#define SORTIE_RUNTIME_MODEL_TENSORLIST_H

#include "runtime/gguf/Model.h"

namespace sortie::model {

/// "'blk.0.ffn_gate.bias', 'blk.N.ffn_up_exps.bias' (N = 0-46), 'output.bias'": all tensors, each
/// name once for all layers that have it.
std::string listTensors(llvm::ArrayRef<const gguf::Tensor *> tensors);

} // namespace sortie::model

#endif // SORTIE_RUNTIME_MODEL_TENSORLIST_H
