// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The limits are those of the numerics.

#include "dialect/common/AttentionRules.h"

#include "runtime/numerics/attention.h"

#include <limits>

using namespace mlir;

namespace sortie {

LogicalResult verifyHeadCount(EmitError emitError, int64_t heads) {
  if (heads >= 1 && heads <= kMaxHeads)
    return success();
  return emitError() << "the number of heads must be 1 to " << kMaxHeads << ", got " << heads;
}

FailureOr<int64_t> getHeadWidth(EmitError emitError, StringRef what, int64_t columns,
                                int64_t heads) {
  if (failed(verifyHeadCount(emitError, heads)))
    return failure();
  const int64_t width = columns / heads;
  if (columns % heads != 0)
    return emitError() << what << " has " << columns << " columns, which are not " << heads
                       << " equal heads";
  if (width < 1 || width > numerics::kMaxHead)
    return emitError() << what << " has heads of " << width << " elements, expected 1 to "
                       << numerics::kMaxHead;
  return width;
}

LogicalResult verifyHeadGroups(EmitError emitError, int64_t heads, int64_t kvHeads) {
  if (failed(verifyHeadCount(emitError, heads)) || failed(verifyHeadCount(emitError, kvHeads)))
    return failure();
  if (heads % kvHeads == 0)
    return success();
  return emitError() << heads << " heads of queries must be a multiple of " << kvHeads
                     << " heads of keys";
}

LogicalResult verifyRotation(EmitError emitError, ArrayRef<int64_t> frequencies, int64_t width,
                             const APFloat &factor) {
  const auto pairs = static_cast<int64_t>(frequencies.size());
  if (pairs < 1)
    return emitError() << "there are no frequencies; at least one is needed";
  if (2 * pairs > width)
    return emitError() << "there are " << pairs << " frequencies for heads of " << width
                       << " elements; each turns two of them";
  if (!factor.isFinite())
    return emitError() << "factor must be finite";
  return success();
}

LogicalResult verifySlice(EmitError emitError, int64_t first, int64_t count, int64_t width) {
  // Without a sum, which could overflow.
  if (first >= 0 && first <= width && count <= width - first)
    return success();
  return emitError() << count << " elements from " << first << " on are not all among the " << width
                     << " of a head";
}

LogicalResult verifySoftmax(EmitError emitError, const APFloat &scale, int64_t window) {
  if (!scale.isFinite() || scale.isNegative() || scale.isZero())
    return emitError() << "scale must be finite and positive";
  if (window < 0 || window > std::numeric_limits<int32_t>::max())
    return emitError() << "window must be 0 to 2^31 - 1, got " << window;
  return success();
}

} // namespace sortie
