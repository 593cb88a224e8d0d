// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writing files whole or not at all.

#include "tools/common/OutputFile.h"

#include "runtime/support/TemporaryFile.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

/// Writes all of `contents`. An error is taken out of the stream: one that keeps its error ends the
/// program in its destructor.
static Error writeContents(raw_fd_ostream &os, StringRef contents) {
  os << contents;
  os.flush();
  const std::error_code code = os.error();
  os.clear_error();
  return errorCodeToError(code);
}

/// Writes to something that cannot be replaced: a device, a pipe.
static Error writeInPlace(StringRef path, StringRef contents) {
  std::error_code code;
  raw_fd_ostream os(path, code);
  if (code)
    return errorCodeToError(code);
  return writeContents(os, contents);
}

static Error writeAndRename(StringRef path, StringRef contents) {
  Expected<std::unique_ptr<ToolOutputFile>> file =
      sortie::createTemporary(path + ".tmp", /*suffix=*/"");
  if (!file)
    return file.takeError();
  if (Error error = writeContents((*file)->os(), contents))
    return error;
  if (const std::error_code code = sys::fs::rename((*file)->getFilename(), path))
    return errorCodeToError(code);
  (*file)->keep();
  return Error::success();
}

Error sortie::writeOutputFile(StringRef path, StringRef contents) {
  const bool replaceable = !sys::fs::exists(path) || sys::fs::is_regular_file(path);
  Error error = path == "-"   ? writeContents(outs(), contents)
                : replaceable ? writeAndRename(path, contents)
                              : writeInPlace(path, contents);
  if (!error)
    return Error::success();
  return createStringError(std::make_error_code(std::errc::io_error),
                           "cannot write '" + path + "': " + toString(std::move(error)));
}
