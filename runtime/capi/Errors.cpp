// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Errors and versions.

#include "runtime/capi/Handles.h"
#include "runtime/cpu/Processors.h"

using namespace llvm;
using namespace sortie;

static sortie_error_code codeOf(std::error_code code) {
  if (code == std::errc::no_such_file_or_directory)
    return SORTIE_ERROR_NOT_FOUND;
  if (code == std::errc::not_supported)
    return SORTIE_ERROR_UNSUPPORTED;
  if (code == std::errc::not_enough_memory || code == std::errc::resource_unavailable_try_again)
    return SORTIE_ERROR_OUT_OF_MEMORY;
  if (code == std::errc::operation_canceled)
    return SORTIE_ERROR_CANCELLED;
  if (code == std::errc::state_not_recoverable)
    return SORTIE_ERROR_DEVICE;
  if (code == std::errc::invalid_argument || code == inconvertibleErrorCode())
    return SORTIE_ERROR_INVALID;
  return SORTIE_ERROR_IO;
}

sortie_error *sortie::toC(Error error) {
  if (!error)
    return nullptr;
  std::error_code code;
  std::string message;
  handleAllErrors(std::move(error), [&](const ErrorInfoBase &info) {
    code = info.convertToErrorCode();
    message = info.message();
  });
  return new sortie_error{codeOf(code), std::move(message)};
}

Error sortie::indexError(const Twine &what, size_t index, size_t count) {
  return makeError("there is no " + what + " " + Twine(index) + ": there are " + Twine(count),
                   std::errc::no_such_file_or_directory);
}

uint32_t sortie_abi_version(void) { return SORTIE_ABI_VERSION; }

const char *sortie_version(void) { return SORTIE_VERSION; }

int sortie_available_processors(void) { return cpu::availableProcessors(); }

sortie_error_code sortie_error_get_code(const sortie_error *error) {
  return error ? error->code : SORTIE_SUCCESS;
}

const char *sortie_error_message(const sortie_error *error) {
  return error ? error->message.c_str() : "";
}

void sortie_error_destroy(sortie_error *error) { delete error; }
