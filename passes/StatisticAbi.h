// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Included before all else in what defines passes. The layout of llvm::Statistic depends on NDEBUG,
// and the packaged MLIR, which constructs the statistics of passes, was built with it: so must this
// header be, in builds with assertions, too.

#ifndef SORTIE_PASSES_STATISTICABI_H
#define SORTIE_PASSES_STATISTICABI_H

#if defined(NDEBUG)
#include "llvm/ADT/Statistic.h"
#else
#define NDEBUG
#include "llvm/ADT/Statistic.h"
#undef NDEBUG
#endif

#endif // SORTIE_PASSES_STATISTICABI_H
