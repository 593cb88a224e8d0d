// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Drawing of the progress bar.

#include "tools/common/ProgressBar.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>

using namespace llvm;

namespace sortie {

ProgressBar::ProgressBar() : isTerminal(sys::Process::StandardErrIsDisplayed()) {}

ProgressBar::~ProgressBar() {
  if (isDrawn)
    errs() << "\r\x1b[K"; // erases the line
}

void ProgressBar::update(StringRef what, uint64_t done, uint64_t total) {
  constexpr auto kPatience = std::chrono::seconds(1);
  constexpr auto kInterval = std::chrono::milliseconds(100);
  constexpr size_t kWidth = 40;
  const Clock::time_point now = Clock::now();
  if (!isTerminal || now - begin < kPatience || now - lastDrawn < kInterval || total == 0)
    return;
  lastDrawn = now;
  isDrawn = true;
  const double fraction = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto filled = static_cast<size_t>(fraction * kWidth);
  errs() << '\r' << what << " [" << std::string(filled, '#') << std::string(kWidth - filled, ' ')
         << format("] %3.0f %%", 100 * fraction);
  errs().flush();
}

} // namespace sortie
