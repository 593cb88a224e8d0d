// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interfaces of the dialect `moe`.

#ifndef SORTIE_DIALECT_MOE_MOEINTERFACES_H
#define SORTIE_DIALECT_MOE_MOEINTERFACES_H

#include "dialect/common/Common.h"

#include "mlir/IR/OpDefinition.h"

#include <optional>

namespace sortie::moe {

/// The members of the contract that a dot product keeps: `exact` and `float` all of them, `bf16`
/// run and batch, for its sums are ordered by one GPU architecture. All if none is chosen yet.
Determinism getContractOfArithmetic(std::optional<Arithmetic> arithmetic);

} // namespace sortie::moe

#include "dialect/moe/MoeInterfaces.h.inc"

#endif // SORTIE_DIALECT_MOE_MOEINTERFACES_H
