// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rules of the parameters that ops of both dialects carry: of gated activations, norms, routing and
// dispatch.

#ifndef SORTIE_DIALECT_COMMON_PARAMETERRULES_H
#define SORTIE_DIALECT_COMMON_PARAMETERRULES_H

#include "dialect/common/EmitError.h"
#include "dialect/common/Enums.h"

namespace sortie {

/// The parameters of a gated activation: `alpha` and `limit` belong to swiglu_clamped alone, which
/// needs both, finite, and a positive limit.
llvm::LogicalResult verifyGlu(EmitError emitError, GluKind kind,
                              const std::optional<llvm::APFloat> &alpha,
                              const std::optional<llvm::APFloat> &limit);

/// The eps of a norm: finite and not negative.
llvm::LogicalResult verifyEps(EmitError emitError, const llvm::APFloat &eps);

/// What a routing op chooses by; counts as the attributes have them.
struct Routing {
  /// Absent where the shape does not say.
  std::optional<int64_t> experts;
  int64_t selected;
  std::optional<int64_t> groups;
  std::optional<int64_t> groupsUsed;
  GroupScore groupScore;
  llvm::APFloat scale;
};

/// The limits of routing: experts, selected experts, groups and scale.
llvm::LogicalResult verifyRouting(EmitError emitError, const Routing &routing);

/// The experts that a dispatch sorts for: 1 to kMaxExperts in all, and a range [first, count]
/// inside of them, if there is one.
llvm::LogicalResult verifyDispatch(EmitError emitError, int64_t experts,
                                   std::optional<llvm::ArrayRef<int64_t>> range);

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_PARAMETERRULES_H
