// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What words and numbers of verified ops mean to runtime/numerics: the same to every device.

#ifndef SORTIE_DIALECT_MOERT_NUMERICPARAMETERS_H
#define SORTIE_DIALECT_MOERT_NUMERICPARAMETERS_H

#include "dialect/common/Enums.h"
#include "runtime/numerics/activation.h"
#include "runtime/numerics/route.h"

#include "llvm/ADT/APFloat.h"

#include <optional>

namespace sortie::moert {

numerics::Scoring toNumerics(Scoring scoring);
numerics::GroupScore toNumerics(GroupScore score);

/// The activation of an op whose verifier has seen that the clamped kind alone has `alpha` and
/// `limit`, and has both.
numerics::Glu getGluParams(GluKind kind, const std::optional<llvm::APFloat> &alpha,
                           const std::optional<llvm::APFloat> &limit);

/// The same for any op that has these attributes.
template <typename Op> numerics::Glu getGluParams(Op op) {
  return getGluParams(op.getKind(), op.getAlpha(), op.getLimit());
}

} // namespace sortie::moert

#endif // SORTIE_DIALECT_MOERT_NUMERICPARAMETERS_H
