// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A progress bar on the terminal for work that takes longer than a second.

#ifndef SORTIE_TOOLS_COMMON_PROGRESSBAR_H
#define SORTIE_TOOLS_COMMON_PROGRESSBAR_H

#include "llvm/ADT/StringRef.h"

#include <chrono>
#include <cstdint>

namespace sortie {

/// Draws to standard error, if that is a terminal; erases itself when it is destroyed.
class ProgressBar {
public:
  ProgressBar();
  ~ProgressBar();
  ProgressBar(const ProgressBar &) = delete;
  ProgressBar &operator=(const ProgressBar &) = delete;

  /// `done` of `total` units of `what` are finished. Draws when it is time to.
  void update(llvm::StringRef what, uint64_t done, uint64_t total);

private:
  using Clock = std::chrono::steady_clock;

  bool isTerminal;
  bool isDrawn = false;
  Clock::time_point begin = Clock::now();
  Clock::time_point lastDrawn = begin;
};

} // namespace sortie

#endif // SORTIE_TOOLS_COMMON_PROGRESSBAR_H
