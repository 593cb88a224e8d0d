// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The switch itself in assembly for x86-64, the C library's (two system calls each) elsewhere. The
// address sanitizer is told of every switch, so that it knows which stack it looks at.

#include "test/emulation/Fiber.h"

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define SORTIE_TELL_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SORTIE_TELL_SANITIZER 1
#endif
#endif

#if defined(SORTIE_TELL_SANITIZER)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace sortie::emulation {

#if defined(SORTIE_TELL_SANITIZER)
/// Clears what functions that never returned have marked on the stack as out of bounds. Not with
/// __asan_unpoison_memory_region: the project's sanitizer options forbid it (allow_user_poisoning).
__attribute__((no_sanitize("address"))) static void forgetFrames(const char *stack, size_t bytes) {
  size_t scale = 0;
  size_t offset = 0;
  __asan_get_shadow_mapping(&scale, &offset);
  const uintptr_t first = (reinterpret_cast<uintptr_t>(stack) >> scale) + offset;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(stack + bytes) >> scale) + offset;
  for (uintptr_t shadow = first; shadow < last; ++shadow)
    *reinterpret_cast<volatile char *>(shadow) = 0;
}
#else
static void forgetFrames(const char * /*stack*/, size_t /*bytes*/) {}
#endif

#if defined(__x86_64__)

// Saves what the System V ABI lets a function keep, but for the control words of the floating-point
// units, which nobody here changes. A new fiber returns from its first switch into
// sortieEmulationStart, with its entry function in r12 and the argument in r13.
asm(R"(
.text
.p2align 4
.type sortieEmulationSwitch, @function
sortieEmulationSwitch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size sortieEmulationSwitch, .-sortieEmulationSwitch

.p2align 4
.type sortieEmulationStart, @function
sortieEmulationStart:
  movq %r13, %rdi
  callq *%r12
  ud2
.size sortieEmulationStart, .-sortieEmulationStart
)");
extern "C" void sortieEmulationSwitch(void **save, void *load) asm("sortieEmulationSwitch");
extern "C" void sortieEmulationStart() asm("sortieEmulationStart");

void resetFiber(Fiber &fiber, char *stack, size_t stackBytes, void (*entry)(void *),
                void *argument) {
  forgetFrames(stack, stackBytes);
  // r15, r14, r13, r12, rbx, rbp, the return address, and two words that keep 16-byte alignment.
  char *end = stack + stackBytes;
  auto *top = reinterpret_cast<uintptr_t *>(end - reinterpret_cast<uintptr_t>(end) % 16);
  uintptr_t *words = top - 9;
  for (int i = 0; i < 9; ++i)
    words[i] = 0;
  words[2] = reinterpret_cast<uintptr_t>(argument);
  words[3] = reinterpret_cast<uintptr_t>(entry);
  words[6] = reinterpret_cast<uintptr_t>(&sortieEmulationStart);
  fiber = {words, stack, stackBytes, nullptr};
}

static void switchStacks(Fiber &from, Fiber &to) {
  sortieEmulationSwitch(&from.stackPointer, to.stackPointer);
}

#else

static void startContext(unsigned high, unsigned low, unsigned argumentHigh, unsigned argumentLow) {
  const auto join = [](unsigned a, unsigned b) { return uintptr_t{a} << 16 << 16 | b; };
  reinterpret_cast<void (*)(void *)>(join(high, low))(
      reinterpret_cast<void *>(join(argumentHigh, argumentLow)));
}

void resetFiber(Fiber &fiber, char *stack, size_t stackBytes, void (*entry)(void *),
                void *argument) {
  forgetFrames(stack, stackBytes);
  fiber.stack = stack;
  fiber.stackBytes = stackBytes;
  fiber.fakeStack = nullptr;
  getcontext(&fiber.context);
  fiber.context.uc_stack.ss_sp = stack;
  fiber.context.uc_stack.ss_size = stackBytes;
  fiber.context.uc_link = nullptr;
  const auto high = [](uintptr_t word) { return static_cast<unsigned>(word >> 16 >> 16); };
  const auto code = reinterpret_cast<uintptr_t>(entry);
  const auto data = reinterpret_cast<uintptr_t>(argument);
  makecontext(&fiber.context, reinterpret_cast<void (*)()>(startContext), 4, high(code),
              static_cast<unsigned>(code), high(data), static_cast<unsigned>(data));
}

static void switchStacks(Fiber &from, Fiber &to) { swapcontext(&from.context, &to.context); }

#endif

void switchFiber(Fiber &from, Fiber &to, bool ends) {
#if defined(SORTIE_TELL_SANITIZER)
  __sanitizer_start_switch_fiber(ends ? nullptr : &from.fakeStack, to.stack, to.stackBytes);
  switchStacks(from, to);
  __sanitizer_finish_switch_fiber(from.fakeStack, nullptr, nullptr);
#else
  (void)ends;
  switchStacks(from, to);
#endif
}

void beginFiber(Fiber &from) {
#if defined(SORTIE_TELL_SANITIZER)
  __sanitizer_finish_switch_fiber(nullptr, &from.stack, &from.stackBytes);
#else
  (void)from;
#endif
}

} // namespace sortie::emulation
