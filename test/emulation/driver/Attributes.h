// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the runtime asks about a device, for both drivers that tests have.

#ifndef SORTIE_TEST_EMULATION_DRIVER_ATTRIBUTES_H
#define SORTIE_TEST_EMULATION_DRIVER_ATTRIBUTES_H

#include "runtime/cuda/DriverApi.h"

#include <optional>

namespace sortie::emulation {

struct Capability {
  int major;
  int minor;
  int sharedBytes; ///< most that a block may ask for
  int cacheBytes;  ///< of the L2 cache
};

/// The value that cuDeviceGetAttribute gives, if the runtime has a name for the attribute.
inline std::optional<int> attributeOf(const Capability &capability, int attribute) {
  switch (attribute) {
  case cuda::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
    return capability.major;
  case cuda::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
    return capability.minor;
  case cuda::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
    return capability.sharedBytes;
  case cuda::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE:
    return capability.cacheBytes;
  default:
    return std::nullopt;
  }
}

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_DRIVER_ATTRIBUTES_H
