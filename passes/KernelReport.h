// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What a kernel was made of and how long it should take, for people.

#ifndef SORTIE_PASSES_KERNELREPORT_H
#define SORTIE_PASSES_KERNELREPORT_H

#include "codegen/CostModel.h"
#include "codegen/ResourceUsage.h"
#include "passes/Passes.h"

namespace sortie {

/// The work of a launch with `tokens` tokens on a chip of this architecture, if routing spreads
/// them evenly over the experts.
codegen::Work computeWork(moert::LaunchOp launch, llvm::StringRef arch, int64_t tokens);

/// A line, but for its end, about a kernel on one chip: tile and stages, resources, and the
/// predicted times of its launch (null for a pack kernel) with `maxTokens` tokens and with one.
void reportKernel(llvm::raw_ostream &os, moert::KernelOp kernel, moert::SourceAttr source,
                  const std::optional<codegen::ResourceUsage> &usage, moert::LaunchOp launch,
                  int64_t maxTokens);

} // namespace sortie

#endif // SORTIE_PASSES_KERNELREPORT_H
