// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A progress bar on the terminal for work that takes longer than a second.

#ifndef SORTIE_TOOLS_SORTIE_RUN_PROGRESSBAR_H
#define SORTIE_TOOLS_SORTIE_RUN_PROGRESSBAR_H

#include "runtime/include/sortie/sortie.h"

#include <chrono>

namespace sortie::tool {

/// Draws to standard error, if that is a terminal; erases itself when it is destroyed.
class ProgressBar {
public:
  ProgressBar();
  ~ProgressBar();
  ProgressBar(const ProgressBar &) = delete;
  ProgressBar &operator=(const ProgressBar &) = delete;

  /// Callbacks that draw this bar.
  sortie_callbacks callbacks();

private:
  using Clock = std::chrono::steady_clock;

  void draw(const char *what, uint64_t done, uint64_t total);

  bool isTerminal;
  bool isDrawn = false;
  Clock::time_point begin = Clock::now();
  Clock::time_point lastDrawn = begin;
};

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_PROGRESSBAR_H
