// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The order of preference among images.

#include "runtime/cuda/ImageChoice.h"

#include <tuple>

using namespace llvm;

namespace sortie::cuda {

namespace {

struct Architecture {
  bool isPtx;
  ComputeCapability capability;
  bool isSpecific; ///< the `a` of sm_90a: runs on this capability only
};

std::optional<Architecture> parse(StringRef text) {
  const bool ptx = isPtx(text);
  if (!text.consume_front(ptx ? "compute_" : "sm_"))
    return std::nullopt;
  const bool isSpecific = text.consume_back("a");
  int number = 0;
  if (text.getAsInteger(10, number) || number < 10)
    return std::nullopt;
  return Architecture{ptx, {number / 10, number % 10}, isSpecific};
}

bool runs(const Architecture &image, ComputeCapability device) {
  if (image.capability == device)
    return true;
  if (image.isSpecific || image.capability > device)
    return false;
  return image.isPtx || image.capability.major == device.major;
}

/// Larger is better, among those that run. An exact cubin is the newest cubin.
auto preference(const Architecture &image) {
  return std::tuple(!image.isPtx, image.capability, image.isSpecific);
}

} // namespace

bool waitsForLaunchBefore(StringRef architecture) {
  const std::optional<Architecture> image = parse(architecture);
  return image && !image->isPtx && image->capability >= ComputeCapability{9, 0};
}

std::optional<size_t> chooseImage(ArrayRef<StringRef> architectures, ComputeCapability device) {
  std::optional<size_t> best;
  std::optional<Architecture> bestImage;
  for (size_t i = 0; i < architectures.size(); ++i) {
    const std::optional<Architecture> image = parse(architectures[i]);
    if (!image || !runs(*image, device))
      continue;
    if (bestImage && preference(*image) <= preference(*bestImage))
      continue;
    best = i;
    bestImage = image;
  }
  return best;
}

} // namespace sortie::cuda
