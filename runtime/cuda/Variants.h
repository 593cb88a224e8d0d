// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The variant of a program that one GPU runs (docs/launch-variants.md).

#ifndef SORTIE_RUNTIME_CUDA_VARIANTS_H
#define SORTIE_RUNTIME_CUDA_VARIANTS_H

#include "runtime/cuda/Device.h"
#include "runtime/program/Program.h"

namespace sortie::cuda {

/// `program` with the grids and packs of the images that `device` runs in `functions`: launches and
/// weights of the result have no variants. The program itself if it has none. An error if kernels
/// of one weight want two packings of it.
llvm::Expected<std::shared_ptr<const Program>>
resolveVariants(const Device &device, std::shared_ptr<const Program> program,
                llvm::ArrayRef<size_t> functions);

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_VARIANTS_H
