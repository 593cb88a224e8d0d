// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of plain accesses and operations that a device does not do as the host does. The compiler
// inserts them (SORTIE_KERNEL_CHECKS in CMakeLists.txt lists the flags) as calls of functions of
// the undefined-behaviour sanitizer's run-time part; these here take its place and end the launch.

#ifndef SORTIE_TEST_EMULATION_KERNELCHECKS_H
#define SORTIE_TEST_EMULATION_KERNELCHECKS_H

#include "test/emulation/Block.h"

// NOLINTBEGIN(bugprone-reserved-identifier): the names that compilers call.

namespace sortie::emulation {
/// Every description of a check begins with this.
struct CheckedPlace {
  const char *file;
  uint32_t line;
  uint32_t column;
};
} // namespace sortie::emulation

#define SORTIE_KERNEL_CHECK(name, parameters, message)                                             \
  extern "C" __attribute__((visibility("hidden"))) inline void name parameters {                   \
    sortie::emulation::currentBlock->fail(message, place->file, place->line);                      \
  }                                                                                                \
  static __attribute__((used)) const auto sortieUse_##name = name;

SORTIE_KERNEL_CHECK(__ubsan_handle_type_mismatch_v1,
                    (const sortie::emulation::CheckedPlace *place, uintptr_t),
                    "the address is not aligned to the type that is read or written")
SORTIE_KERNEL_CHECK(__ubsan_handle_shift_out_of_bounds,
                    (const sortie::emulation::CheckedPlace *place, uintptr_t, uintptr_t),
                    "a shift by the width of the type or more, or by less than nothing")
SORTIE_KERNEL_CHECK(__ubsan_handle_out_of_bounds,
                    (const sortie::emulation::CheckedPlace *place, uintptr_t),
                    "an index outside of its array")
SORTIE_KERNEL_CHECK(__ubsan_handle_float_cast_overflow,
                    (const sortie::emulation::CheckedPlace *place, uintptr_t),
                    "a conversion of a number that the integer type does not have")

// NOLINTEND(bugprone-reserved-identifier)

#endif // SORTIE_TEST_EMULATION_KERNELCHECKS_H
