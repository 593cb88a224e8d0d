// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// One kernel for several launches (docs/cuda.md, "Joined launches").

#ifndef SORTIE_CODEGEN_JOINEDKERNEL_H
#define SORTIE_CODEGEN_JOINEDKERNEL_H

#include "codegen/KernelSource.h"

#include "llvm/ADT/ArrayRef.h"

namespace sortie::codegen {

/// What one of the kernels does, for the joined one.
struct JoinedCall {
  KernelCode code;
  /// For each of the kernel's parameters, the name of one of the joined kernel's.
  std::vector<std::string> arguments;
};

/// Kernels whose thread blocks follow each other: in each, a block goes on with what it wrote.
struct JoinedPart {
  std::vector<JoinedCall> calls;
  int64_t columnBlocks = 0; ///< thread blocks along x, if it has fewer than the grid; 0: all
};

/// The kernel that does what all parts do, with the parameters `parameters` (type and name) and
/// blocks of `threads` threads. Of several parts, the number along z of a thread block says which
/// one it does; what is past a part's blocks along x does nothing. The parts' own kernels do not
/// use z. All of them begin by themselves, or none.
KernelCode joinedKernel(std::vector<std::string> parameters, llvm::ArrayRef<JoinedPart> parts,
                        int threads);

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_JOINEDKERNEL_H
