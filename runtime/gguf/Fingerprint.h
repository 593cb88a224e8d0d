// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// 64 bits that tell models with equal names and shapes apart, so that a program refuses the weights
// of another model. docs/runtime.md states the two rules that they are computed by.

#ifndef SORTIE_RUNTIME_GGUF_FINGERPRINT_H
#define SORTIE_RUNTIME_GGUF_FINGERPRINT_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sortie::gguf {

class Model;

/// What the importer read of a model: the metadata keys that it looked up, found or not, the tensor
/// table, and up to 3 x 256 bytes of each tensor. An entry of `keys` with asterisks stands for all
/// keys of the model that it matches. Other keys, the order of keys and tensors, and how the model
/// is split into files do not matter. Nothing when data is missing.
std::optional<uint64_t> fingerprintOfNamedKeys(const Model &model,
                                               llvm::ArrayRef<std::string> keys);

/// The rule of programs from before that one: all metadata but `split.*` and `general.alignment`.
std::optional<uint64_t> fingerprintOfAllKeys(const Model &model);

} // namespace sortie::gguf

#endif // SORTIE_RUNTIME_GGUF_FINGERPRINT_H
