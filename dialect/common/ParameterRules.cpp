// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The limits are those of the numerics.

#include "dialect/common/ParameterRules.h"

#include "runtime/numerics/contract.h"

#include <algorithm>

using namespace mlir;

namespace sortie {

LogicalResult verifyGlu(EmitError emitError, GluKind kind, const std::optional<APFloat> &alpha,
                        const std::optional<APFloat> &limit) {
  if (kind != GluKind::SwigluClamped) {
    if (alpha || limit)
      return emitError() << "alpha and limit belong to swiglu_clamped, not to "
                         << stringifyGluKind(kind);
    return success();
  }
  if (!alpha || !limit)
    return emitError() << "swiglu_clamped needs alpha and limit";
  if (!alpha->isFinite() || !limit->isFinite() || limit->isNegative() || limit->isZero())
    return emitError() << "alpha must be finite, limit finite and positive";
  return success();
}

LogicalResult verifyEps(EmitError emitError, const APFloat &eps) {
  if (!eps.isFinite() || (eps.isNegative() && !eps.isZero()))
    return emitError() << "eps must be finite and not negative";
  return success();
}

/// The limits of group-limited selection.
static LogicalResult verifyGroups(EmitError emitError, const Routing &routing) {
  if (routing.groups.has_value() != routing.groupsUsed.has_value())
    return emitError() << "groups and groups_used must be given together";
  if (!routing.groups && routing.groupScore != GroupScore::BestTwo)
    return emitError() << "group_score(" << stringifyGroupScore(routing.groupScore)
                       << ") needs groups";
  if (!routing.groups)
    return success();
  const int64_t groups = *routing.groups, used = *routing.groupsUsed;
  if (groups < 1 || groups > numerics::kMaxExpertGroups)
    return emitError() << "groups must be 1 to " << numerics::kMaxExpertGroups << ", got "
                       << groups;
  if (used < 1 || used > groups)
    return emitError() << "groups_used must be 1 to groups = " << groups << ", got " << used;
  if (!routing.experts)
    return success();
  if (*routing.experts % groups != 0)
    return emitError() << *routing.experts << " experts cannot be split into " << groups
                       << " equal groups";
  if (routing.selected > used * (*routing.experts / groups))
    return emitError() << "cannot select " << routing.selected << " experts from " << used
                       << " groups of " << *routing.experts / groups;
  return success();
}

LogicalResult verifyRouting(EmitError emitError, const Routing &routing) {
  if (routing.experts && (*routing.experts < 1 || *routing.experts > numerics::kMaxExperts))
    return emitError() << "the number of experts must be 1 to " << numerics::kMaxExperts << ", got "
                       << *routing.experts;
  const int64_t most =
      std::min<int64_t>(numerics::kMaxSelected, routing.experts.value_or(numerics::kMaxSelected));
  if (routing.selected < 1 || routing.selected > most)
    return emitError() << "the number of selected experts must be 1 to " << most << ", got "
                       << routing.selected;
  if (failed(verifyGroups(emitError, routing)))
    return failure();
  if (!routing.scale.isFinite())
    return emitError() << "scale must be finite";
  return success();
}

LogicalResult verifyDispatch(EmitError emitError, int64_t experts,
                             std::optional<ArrayRef<int64_t>> range) {
  if (experts < 1 || experts > numerics::kMaxExperts)
    return emitError() << "the number of experts must be 1 to " << numerics::kMaxExperts << ", got "
                       << experts;
  if (!range)
    return success();
  if (range->size() != 2)
    return emitError() << "range must be [first, count], got " << range->size() << " numbers";
  const int64_t first = range->front(), count = range->back();
  if (first < 0 || count < 1 || first >= experts || count > experts - first)
    return emitError() << "range [" << first << ", " << count << "] does not lie inside " << experts
                       << " experts";
  return success();
}

} // namespace sortie
