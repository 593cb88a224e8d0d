// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a lane has of an mma whose rows are 16 weight rows and whose 8 columns are tokens of one
// limb, or both limbs of half as many: then both lie in one lane, which combines them.

#ifndef SORTIE_CODEGEN_KERNELS_EXACT_PRODUCTLANE_H
#define SORTIE_CODEGEN_KERNELS_EXACT_PRODUCTLANE_H

#include "codegen/kernels/exact/ExactGeometry.h"

#include <sortie_hardware.h>

namespace sortie::kernels {

template <int Limbs> struct ProductLane {
  static constexpr int kTokens = kMmaColumns / Limbs; ///< of the mma
  static constexpr int kTokensOfLane = 2 / Limbs;
  static constexpr int kOutputs = 2 * kTokensOfLane; ///< of two rows

  /// Outputs of a lane in shared memory, loaded and stored at once.
  struct alignas(kOutputs * 4) Outputs {
    float value[kOutputs];
  };

  /// Which of the lane's rows output `output` belongs to: 0, or 1 for the one
  /// eight further on.
  SORTIE_DEVICE constexpr int whichRow(int output) { return output / kTokensOfLane; }
  SORTIE_DEVICE int rowOf(int output) { return hw::laneIndex() / 4 + 8 * whichRow(output); }
  SORTIE_DEVICE int tokenOf(int output) {
    return hw::laneIndex() % 4 * kTokensOfLane + output % kTokensOfLane;
  }
};

} // namespace sortie::kernels

#endif // SORTIE_CODEGEN_KERNELS_EXACT_PRODUCTLANE_H
