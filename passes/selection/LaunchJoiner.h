// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Several launches become one.

#ifndef SORTIE_PASSES_SELECTION_LAUNCHJOINER_H
#define SORTIE_PASSES_SELECTION_LAUNCHJOINER_H

#include "passes/selection/JoinPlan.h"
#include "passes/selection/LaunchBuilder.h"

namespace sortie::selection {

/// A launch with the code of its kernel for each chip.
struct CodedLaunch {
  LaunchBuilder launch;
  llvm::SmallVector<codegen::KernelCode> codes;
};

/// The launch of all `parts`, as JoinedOps has them, on `chips`. Nothing if their grids or kernels
/// do not fit together: then each is a launch of its own.
std::optional<CodedLaunch> joinLaunches(JoinedOps::Kind kind,
                                        llvm::ArrayRef<std::vector<CodedLaunch>> parts,
                                        llvm::ArrayRef<const codegen::Chip *> chips);

} // namespace sortie::selection

#endif // SORTIE_PASSES_SELECTION_LAUNCHJOINER_H
