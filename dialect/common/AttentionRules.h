// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Rules of the parameters of attention, which ops of the dialects `lm` and `moert` carry.

#ifndef SORTIE_DIALECT_COMMON_ATTENTIONRULES_H
#define SORTIE_DIALECT_COMMON_ATTENTIONRULES_H

#include "dialect/common/EmitError.h"

#include "llvm/ADT/APFloat.h"

namespace sortie {

/// More heads than any model has, and few enough for sizes of rows to stay far from 2^63.
inline constexpr int64_t kMaxHeads = int64_t{1} << 20;

/// A number of heads is 1 to kMaxHeads.
llvm::LogicalResult verifyHeadCount(EmitError emitError, int64_t heads);

/// The number of elements of each of `heads` heads in rows of `columns` elements, 1 to kMaxHead.
/// `what` names the rows.
llvm::FailureOr<int64_t> getHeadWidth(EmitError emitError, llvm::StringRef what, int64_t columns,
                                      int64_t heads);

/// The number of heads of queries is a multiple of that of keys; both are 1 to kMaxHeads.
llvm::LogicalResult verifyHeadGroups(EmitError emitError, int64_t heads, int64_t kvHeads);

/// A rotation of heads of `width` elements: at least one frequency, two elements for each, and a
/// finite factor.
llvm::LogicalResult verifyRotation(EmitError emitError, llvm::ArrayRef<int64_t> frequencies,
                                   int64_t width, const llvm::APFloat &factor);

/// Elements [first, first + count) are some of the `width` elements of a head.
llvm::LogicalResult verifySlice(EmitError emitError, int64_t first, int64_t count, int64_t width);

/// The scale of a softmax is finite and positive, a window is 0 to 2^31 - 1 positions.
llvm::LogicalResult verifySoftmax(EmitError emitError, const llvm::APFloat &scale, int64_t window);

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_ATTENTIONRULES_H
