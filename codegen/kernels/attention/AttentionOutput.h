// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is known of the queries of a lane after some chunks, and their rows of the output.

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENTIONOUTPUT_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENTIONOUTPUT_H

#include "codegen/kernels/attention/ChunkValues.h"

namespace sortie::kernels {

/// l and m of a query.
struct RunningSums {
  float sum = 0.0f;
  float largest = 0.0f;

  /// Whether nothing has been merged: a key that is seen has p >= 2^-126, or NaN.
  SORTIE_MEMBER bool isEmpty() const { return sum == 0.0f; }

  /// Counts one more result; what outputs are multiplied with. The first result becomes the merged
  /// one, even if m is infinite, where the output was 0: no product of integers and scales is -0.
  SORTIE_MEMBER numerics::MergeFactors merge(float nextSum, float nextLargest) {
    numerics::MergeFactors factors = numerics::mergeFactors(largest, nextLargest);
    if (isEmpty())
      factors = {1.0f, 1.0f, nextLargest};
    sum = numerics::mergeSum(sum, nextSum, factors);
    largest = factors.largest;
    return factors;
  }
};

/// The rows of the lane's queries in the output.
template <typename Spec> struct OutputRows {
  float *row[kLaneQueries]; ///< null for a query that is not there

  /// The lane's elements of a panel; 0 where there are none.
  SORTIE_MEMBER LaneFloats load(int panel) const {
    LaneFloats four{};
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query)
#pragma unroll
      for (int i = 0; i < kLaneRows; ++i)
        if (row[query] != nullptr && laneElement(panel) + i < Spec::kValue)
          four.value[query][i] = row[query][laneElement(panel) + i];
    return four;
  }
  SORTIE_MEMBER void store(int panel, const LaneFloats &four) const {
#pragma unroll
    for (int query = 0; query < kLaneQueries; ++query)
#pragma unroll
      for (int i = 0; i < kLaneRows; ++i)
        if (row[query] != nullptr && laneElement(panel) + i < Spec::kValue)
          row[query][laneElement(panel) + i] = four.value[query][i];
  }
};

/// What ends a query: its sink, if there is one, and the division.
template <typename Spec> class QueryEnd {
public:
  SORTIE_MEMBER QueryEnd(const float *sinks, int head, RunningSums sums) {
    if constexpr (Spec::kHasSinks)
      factors = sums.merge(1.0f, numerics::mul(sinks[head], numerics::ExpConstants::kLog2E));
    sum = sums.sum;
  }
  SORTIE_MEMBER float finish(float output) const {
    if constexpr (Spec::kHasSinks)
      output = numerics::mergeElement(output, factors.old, 0.0f, numerics::mul(1.0f, factors.next));
    return numerics::canonicalNan(numerics::div(output, sum));
  }

private:
  numerics::MergeFactors factors;
  float sum;
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_ATTENTIONOUTPUT_H
