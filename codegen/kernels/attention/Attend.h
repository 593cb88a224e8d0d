// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The launch that writes the outputs of attention: of up to kSplit tokens from the results of
// attendSpans, of more from the cache. It is one launch, since a buffer has one writer.
//
// Grid (queries of a head of keys ceildiv those of a thread block, and the tiles of kSplit tokens;
// heads of keys; panels of the values ceildiv warps), attendGeometry() has the rest.

#ifndef SORTIE_CODEGEN_KERNELS_ATTENTION_ATTEND_H
#define SORTIE_CODEGEN_KERNELS_ATTENTION_ATTEND_H

#include "codegen/kernels/attention/AttendMerge.h"
#include "codegen/kernels/attention/AttendPrompt.h"

namespace sortie::kernels {

template <typename Spec>
SORTIE_DEVICE void attend(const AttendOperands &operands, const float *results, float *outputs,
                          const float *sinks, int32_t tokens) {
  if (operands.status[0] != 0)
    return;
  const int block = hw::blockIndexX();
  if (tokens <= Spec::kSplit) {
    if (block < tokens * AttentionShape<Spec>::kTilesOfToken)
      AttendMerge<Spec>::run(results, operands.positions, outputs, sinks, block, hw::blockIndexY());
  } else if (hw::blockIndexZ() == 0) {
    AttendPrompt<Spec>::run(operands, outputs, sinks, tokens, block);
  }
}

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_ATTENTION_ATTEND_H
