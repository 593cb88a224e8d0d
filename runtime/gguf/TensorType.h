// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of the tensor types that GGUF files may hold, for messages about those that Sortie does not
// compute with. The facts of the others are in runtime/numerics/encoding.h.

#ifndef SORTIE_RUNTIME_GGUF_TENSORTYPE_H
#define SORTIE_RUNTIME_GGUF_TENSORTYPE_H

#include <cstdint>
#include <string>

namespace sortie::gguf {

/// "iq2_xxs", or "type 77" for a number that is not known.
std::string tensorTypeName(uint32_t ggufType);

/// "f32, f16, ...": the types that this version computes with.
std::string supportedTensorTypes();

} // namespace sortie::gguf

#endif // SORTIE_RUNTIME_GGUF_TENSORTYPE_H
