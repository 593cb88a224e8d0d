// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sortie.h with owners and llvm::Error.

#ifndef SORTIE_TOOLS_SORTIE_RUN_API_H
#define SORTIE_TOOLS_SORTIE_RUN_API_H

#include "runtime/include/sortie/sortie.h"

#include "runtime/support/Error.h"
#include "tools/common/ProgressBar.h"

#include <memory>

namespace sortie::tool {

struct Destroy {
  void operator()(sortie_program *program) const { sortie_program_destroy(program); }
  void operator()(sortie_weights *weights) const { sortie_weights_destroy(weights); }
  void operator()(sortie_session *session) const { sortie_session_destroy(session); }
  void operator()(sortie_error *error) const { sortie_error_destroy(error); }
};
using ProgramPtr = std::unique_ptr<sortie_program, Destroy>;
using WeightsPtr = std::unique_ptr<sortie_weights, Destroy>;
using SessionPtr = std::unique_ptr<sortie_session, Destroy>;

/// Callbacks that draw a progress bar.
inline sortie_callbacks callbacksOf(ProgressBar &bar) {
  sortie_callbacks callbacks = SORTIE_INIT(sortie_callbacks);
  callbacks.user = &bar;
  callbacks.progress = [](void *user, const char *what, uint64_t done, uint64_t total) {
    static_cast<ProgressBar *>(user)->update(what, done, total);
  };
  return callbacks;
}

/// Takes an error of the C API.
inline llvm::Error toError(sortie_error *error) {
  if (!error)
    return llvm::Error::success();
  const std::unique_ptr<sortie_error, Destroy> owner(error);
  return makeError(sortie_error_message(error));
}

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_API_H
