// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sortie.h with owners and llvm::Error, for the C++ code of this project that uses the C API.

#ifndef SORTIE_RUNTIME_CAPI_CLIENT_H
#define SORTIE_RUNTIME_CAPI_CLIENT_H

#include "runtime/include/sortie/sortie.h"

#include "runtime/support/Error.h"

#include <memory>

namespace sortie {

struct Destroy {
  void operator()(sortie_program *program) const { sortie_program_destroy(program); }
  void operator()(sortie_weights *weights) const { sortie_weights_destroy(weights); }
  void operator()(sortie_session *session) const { sortie_session_destroy(session); }
  void operator()(sortie_error *error) const { sortie_error_destroy(error); }
};
using ProgramPtr = std::unique_ptr<sortie_program, Destroy>;
using WeightsPtr = std::unique_ptr<sortie_weights, Destroy>;
using SessionPtr = std::unique_ptr<sortie_session, Destroy>;

/// What the C API makes this code of.
inline std::errc errcOf(sortie_error_code code) {
  switch (code) {
  case SORTIE_ERROR_NOT_FOUND:
    return std::errc::no_such_file_or_directory;
  case SORTIE_ERROR_UNSUPPORTED:
    return std::errc::not_supported;
  case SORTIE_ERROR_OUT_OF_MEMORY:
    return std::errc::not_enough_memory;
  case SORTIE_ERROR_CANCELLED:
    return std::errc::operation_canceled;
  case SORTIE_ERROR_IO:
    return std::errc::io_error;
  case SORTIE_ERROR_DEVICE:
    return std::errc::state_not_recoverable;
  default:
    return std::errc::invalid_argument;
  }
}

/// Takes an error of the C API.
inline llvm::Error toError(sortie_error *error) {
  if (!error)
    return llvm::Error::success();
  const std::unique_ptr<sortie_error, Destroy> owner(error);
  return makeError(sortie_error_message(error), errcOf(sortie_error_get_code(error)));
}

} // namespace sortie

#endif // SORTIE_RUNTIME_CAPI_CLIENT_H
