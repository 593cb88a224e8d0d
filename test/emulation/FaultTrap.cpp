// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Signal handlers on a stack of their own: a fiber that has used up its stack faults, too.

#include "test/emulation/FaultTrap.h"

#include <cstdio>
#include <pthread.h>

namespace sortie::emulation {

static FaultHandler *currentHandler = nullptr;
static pthread_t owner;
alignas(16) static char signalStack[64 * 1024];

std::string describeFault(int signal, const void *address) {
  char text[80];
  if (signal == SIGFPE)
    return "division by zero";
  std::snprintf(text, sizeof text, "access to address %p, where the device has no memory", address);
  return text;
}

static void onSignal(int signal, siginfo_t *info, void * /*context*/) {
  if (pthread_equal(owner, pthread_self()) != 0)
    currentHandler->handleFault(signal, info->si_addr);
  // A fault of another thread of the host: without a handler, it happens again and ends the
  // process.
  std::signal(signal, SIG_DFL);
}

FaultTrap::FaultTrap(FaultHandler &handler) {
  currentHandler = &handler;
  owner = pthread_self();
  stack_t stack = {};
  stack.ss_sp = signalStack;
  stack.ss_size = sizeof signalStack;
  sigaltstack(&stack, &stackBefore);
  struct sigaction action = {};
  action.sa_sigaction = onSignal;
  // The handler does not return, so the signal must not stay blocked.
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  for (int i = 0; i < 3; ++i)
    sigaction(kSignals[i], &action, &before[i]);
}

FaultTrap::~FaultTrap() {
  for (int i = 0; i < 3; ++i)
    sigaction(kSignals[i], &before[i], nullptr);
  sigaltstack(&stackBefore, nullptr);
}

} // namespace sortie::emulation
