// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which weights lie where in device memory, in which form. Pure arithmetic: it is known before a
// GPU is.

#ifndef SORTIE_RUNTIME_CUDA_WEIGHTPLAN_H
#define SORTIE_RUNTIME_CUDA_WEIGHTPLAN_H

#include "runtime/program/Program.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace sortie::cuda {

/// One form of a weight.
struct PlannedWeight {
  WeightId weight;
  WeightForm form;
  uint64_t offset; ///< a multiple of 256
  uint64_t bytes;
};

/// The panels of a packed weight: see docs/cuda.md.
struct Panels {
  int64_t rows;           ///< of a panel
  uint64_t bytes;         ///< of a panel
  int64_t rowsOfExpert;   ///< N
  int64_t panelsOfExpert; ///< ceil(N / rows)
  int64_t count;          ///< of all experts

  /// The first row of a panel, rows of all experts counted through; the end of all for panel
  /// `count`.
  int64_t firstRow(int64_t panel) const {
    return panel / panelsOfExpert * rowsOfExpert + panel % panelsOfExpert * rows;
  }
};
Panels panelsOf(const WeightSpec &spec);

class WeightPlan {
public:
  /// A plan of the weights in `wanted`, in the forms in which launches read them, but for those
  /// that `isElsewhere`.
  WeightPlan(
      const Program &program, const llvm::BitVector &wanted,
      llvm::function_ref<bool(WeightId, WeightForm)> isElsewhere = [](WeightId, WeightForm) {
        return false;
      });

  llvm::ArrayRef<PlannedWeight> weights() const { return planned; }
  uint64_t bytes() const { return totalBytes; }
  /// What a planned weight occupies; null if it is not planned.
  const PlannedWeight *find(WeightId weight, WeightForm form) const;

private:
  std::vector<PlannedWeight> planned; ///< by weight, then form
  uint64_t totalBytes = 0;
};

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_WEIGHTPLAN_H
