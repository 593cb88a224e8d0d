// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors of loops that several threads run.

#ifndef SORTIE_RUNTIME_SUPPORT_FIRSTERROR_H
#define SORTIE_RUNTIME_SUPPORT_FIRSTERROR_H

#include "llvm/Support/Error.h"

#include <mutex>
#include <utility>

namespace sortie {

/// Keeps the first error of several threads.
class FirstError {
public:
  void keep(llvm::Error error) {
    const std::lock_guard<std::mutex> lock(mutex);
    if (first)
      llvm::consumeError(std::move(error));
    else
      first = std::move(error);
  }
  llvm::Error take() { return std::move(first); }

private:
  std::mutex mutex;
  llvm::Error first = llvm::Error::success();
};

} // namespace sortie

#endif // SORTIE_RUNTIME_SUPPORT_FIRSTERROR_H
