// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sortie.h for this tool: with progress bars.

#ifndef SORTIE_TOOLS_SORTIE_RUN_API_H
#define SORTIE_TOOLS_SORTIE_RUN_API_H

#include "runtime/capi/Client.h"
#include "tools/common/ProgressBar.h"

namespace sortie::tool {

/// Callbacks that draw a progress bar.
inline sortie_callbacks callbacksOf(ProgressBar &bar) {
  sortie_callbacks callbacks = SORTIE_INIT(sortie_callbacks);
  callbacks.user = &bar;
  callbacks.progress = [](void *user, const char *what, uint64_t done, uint64_t total) {
    static_cast<ProgressBar *>(user)->update(what, done, total);
  };
  return callbacks;
}

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_API_H
