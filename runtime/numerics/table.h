// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Tables in functions that hosts and GPUs compile.

#ifndef SORTIE_RUNTIME_NUMERICS_TABLE_H
#define SORTIE_RUNTIME_NUMERICS_TABLE_H

/// Declares a table in a function. A local array would be on the stack of each thread of a GPU.
#if defined(__CUDA_ARCH__)
#define SORTIE_NUMERICS_TABLE static __constant__ const
#else
#define SORTIE_NUMERICS_TABLE static constexpr
#endif

#endif // SORTIE_RUNTIME_NUMERICS_TABLE_H
