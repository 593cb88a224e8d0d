// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Faults of the processor while kernels run: access to memory that is not there, division by zero.

#ifndef SORTIE_TEST_EMULATION_FAULTTRAP_H
#define SORTIE_TEST_EMULATION_FAULTTRAP_H

#include <csignal>
#include <string>

namespace sortie::emulation {

class FaultHandler {
public:
  /// Called on another stack; must go on elsewhere.
  [[noreturn]] virtual void handleFault(int signal, const void *address) = 0;

protected:
  ~FaultHandler() = default;
};

/// "access to address 0x..., where no memory is".
std::string describeFault(int signal, const void *address);

/// While it lives, faults of the thread that made it are the handler's. One at a time.
class FaultTrap {
public:
  explicit FaultTrap(FaultHandler &handler);
  ~FaultTrap();
  FaultTrap(const FaultTrap &) = delete;
  FaultTrap &operator=(const FaultTrap &) = delete;

private:
  static constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE};
  struct sigaction before[3];
  stack_t stackBefore;
};

} // namespace sortie::emulation

#endif // SORTIE_TEST_EMULATION_FAULTTRAP_H
