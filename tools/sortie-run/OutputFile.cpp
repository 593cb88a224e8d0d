// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Atomic writing.

#include "tools/sortie-run/OutputFile.h"

#include "runtime/support/Error.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

using namespace llvm;

namespace sortie::tool {

static Error writeError(StringRef path, std::error_code code) {
  return makeError(path + ": cannot write: " + code.message() +
                   "; nothing has been left there. Free space or choose another place");
}

/// Writes to an open file. A full disk may show only when data reaches it, hence the fsync, which
/// pipes and devices do not have.
static std::error_code writePieces(int descriptor, ArrayRef<StringRef> pieces, bool sync) {
  raw_fd_ostream stream(descriptor, /*shouldClose=*/false);
  for (const StringRef piece : pieces)
    stream << piece;
  stream.flush();
  std::error_code code = stream.error();
  stream.clear_error();
  if (!code && sync && ::fsync(descriptor) != 0)
    code = std::error_code(errno, std::generic_category());
  return code;
}

static Error writeInPlace(StringRef path, ArrayRef<StringRef> pieces) {
  int descriptor = -1;
  if (const std::error_code code =
          sys::fs::openFileForWrite(path, descriptor, sys::fs::CD_OpenExisting))
    return writeError(path, code);
  std::error_code code = writePieces(descriptor, pieces, /*sync=*/false);
  if (::close(descriptor) != 0 && !code)
    code = std::error_code(errno, std::generic_category());
  return code ? writeError(path, code) : Error::success();
}

Error writeFile(StringRef path, ArrayRef<StringRef> pieces) {
  sys::fs::file_status status;
  if (!sys::fs::status(path, status) && status.type() != sys::fs::file_type::regular_file)
    return writeInPlace(path, pieces);

  // The usual permissions of a new file, not those of a private temporary one.
  Expected<sys::fs::TempFile> file =
      sys::fs::TempFile::create(path + ".%%%%%%.tmp", sys::fs::all_read | sys::fs::all_write);
  if (!file)
    return writeError(path, errorToErrorCode(file.takeError()));
  if (const std::error_code code = writePieces(file->FD, pieces, /*sync=*/true)) {
    consumeError(file->discard());
    return writeError(path, code);
  }
  if (Error error = file->keep(path))
    return writeError(path, errorToErrorCode(std::move(error)));
  return Error::success();
}

} // namespace sortie::tool
