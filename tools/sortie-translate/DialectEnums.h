// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The words of a model's configuration as the dialects have them.

#ifndef SORTIE_TOOLS_SORTIE_TRANSLATE_DIALECTENUMS_H
#define SORTIE_TOOLS_SORTIE_TRANSLATE_DIALECTENUMS_H

#include "dialect/common/Enums.h"
#include "runtime/model/Architecture.h"

namespace sortie {

Scoring toDialect(numerics::Scoring scoring);
GroupScore toDialect(numerics::GroupScore score);
GluKind toDialect(numerics::GluKind kind);
PairOrder toDialect(model::RotaryPairs pairs);

} // namespace sortie

#endif // SORTIE_TOOLS_SORTIE_TRANSLATE_DIALECTENUMS_H
