// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A number that configures an operation. The operation knows which of both it is.

#ifndef SORTIE_RUNTIME_SUPPORT_PARAMETER_H
#define SORTIE_RUNTIME_SUPPORT_PARAMETER_H

#include <cstdint>

namespace sortie {

union Parameter {
  int64_t integer;
  float number;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SUPPORT_PARAMETER_H
