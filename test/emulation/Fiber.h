// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Fibers: stacks of their own in one OS thread, switched without a system call (on x86-64).

#ifndef SORTIE_TEST_EMULATION_FIBER_H
#define SORTIE_TEST_EMULATION_FIBER_H

#include <cstddef>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

namespace sortie::emulation {

/// A fiber, or (default-constructed) the place of whoever switches to the first one.
struct Fiber {
#if defined(__x86_64__)
  void *stackPointer = nullptr;
#else
  ucontext_t context;
#endif
  const void *stack = nullptr; ///< lowest address
  size_t stackBytes = 0;
  void *fakeStack = nullptr; ///< the address sanitizer's
};

/// Makes the fiber begin with `entry(argument)`, which must not return, on the given stack, with
/// nothing kept of what it did before.
void resetFiber(Fiber &fiber, char *stack, size_t stackBytes, void (*entry)(void *),
                void *argument);

/// Runs `to` until something switches back to `from`. With `ends`, nothing will.
void switchFiber(Fiber &from, Fiber &to, bool ends = false);

/// The first thing that an entry function calls. `from` is the fiber that switched to it.
void beginFiber(Fiber &from);

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_FIBER_H
