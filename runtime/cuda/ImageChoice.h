// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Which of a kernel's images a GPU runs.

#ifndef SORTIE_RUNTIME_CUDA_IMAGECHOICE_H
#define SORTIE_RUNTIME_CUDA_IMAGECHOICE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"

#include <compare>
#include <optional>

namespace sortie::cuda {

/// 9.0 of an H100.
struct ComputeCapability {
  int major = 0;
  int minor = 0;

  auto operator<=>(const ComputeCapability &) const = default;
};

/// The index of the image for `device` among architectures such as "sm_80", "sm_90a" and
/// "compute_80": the cubin of exactly this architecture (that with `a` first), else the newest
/// cubin of the same major version that is not newer than the device and has no `a`, else the
/// newest PTX that the device can compile. None if there is none.
std::optional<size_t> chooseImage(llvm::ArrayRef<llvm::StringRef> architectures,
                                  ComputeCapability device);

/// Whether kernels of this image wait themselves for the launch before theirs: cubins for sm_90 and
/// newer, for which waitForLaunchBefore() of sortie_hardware.h is an instruction. Other images, PTX
/// for any chip among them, count on the driver to begin them after it.
bool waitsForLaunchBefore(llvm::StringRef architecture);

/// Whether an architecture means PTX.
inline bool isPtx(llvm::StringRef architecture) { return architecture.starts_with("compute_"); }

} // namespace sortie::cuda

#endif // SORTIE_RUNTIME_CUDA_IMAGECHOICE_H
