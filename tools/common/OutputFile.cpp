// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Writing files whole or not at all.

#include "tools/common/OutputFile.h"

#include "runtime/support/TemporaryFile.h"
#include "tools/common/OutputTarget.h"

#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace llvm;

namespace sortie {

static Error errnoError() { return errorCodeToError(errnoAsErrorCode()); }

/// Writes all of `contents`. An error is taken out of the stream: one that keeps its error ends the
/// program in its destructor.
static Error writeContents(raw_fd_ostream &os, StringRef contents) {
  os << contents;
  os.flush();
  const std::error_code code = os.error();
  os.clear_error();
  return errorCodeToError(code);
}

static Error writeToDescriptor(int descriptor, StringRef contents) {
  if (descriptor == STDOUT_FILENO)
    return writeContents(outs(), contents);
  raw_fd_ostream os(descriptor, /*shouldClose=*/false);
  return writeContents(os, contents);
}

/// The same, with the errors of closing.
static Error writeAndClose(raw_fd_ostream &os, StringRef contents) {
  os << contents;
  os.close();
  const std::error_code code = os.error();
  os.clear_error();
  return errorCodeToError(code);
}

/// Writes to something that has no contents of its own: a device, a pipe.
static Error writeToStream(StringRef path, StringRef contents) {
  std::error_code code;
  raw_fd_ostream os(path, code);
  if (code)
    return errorCodeToError(code);
  return writeAndClose(os, contents);
}

/// Reserves room for `size` bytes in an open file of `oldSize`, and gives it that size. After an
/// error its contents are as they were.
static Error makeRoom(int file, off_t oldSize, size_t size) {
  // The call refuses a size of 0.
  const int code = size == 0 ? 0 : posix_fallocate(file, 0, size);
  if (code != 0) {
    (void)!ftruncate(file, oldSize);
    return errorCodeToError(std::error_code(code, std::generic_category()));
  }
  return ftruncate(file, size) == 0 ? Error::success() : errnoError();
}

/// Writes over a file that cannot be replaced.
static Error overwrite(StringRef path, const struct stat &status, StringRef contents) {
  const int file = open(path.str().c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0)
    return errnoError();
  raw_fd_ostream os(file, /*shouldClose=*/true);
  if (Error error = makeRoom(file, status.st_size, contents.size()))
    return error;
  return writeAndClose(os, contents);
}

/// Gives a file the owner, group and mode of another; false if that is not allowed.
static bool copyAttributes(const char *file, const struct stat &status) {
  struct stat own;
  if (stat(file, &own))
    return false;
  const bool hasOwner = own.st_uid == status.st_uid && own.st_gid == status.st_gid;
  // A change of owner may clear bits of the mode, which therefore comes second.
  return (hasOwner || chown(file, status.st_uid, status.st_gid) == 0) &&
         chmod(file, status.st_mode & 07777) == 0;
}

/// Beside `path`: the name of its temporary file, up to the random number. Long names are cut, so
/// that a name of any valid length has one.
static std::string temporaryPrefix(StringRef path) {
  constexpr size_t kMostBytes = 200;
  const StringRef name = sys::path::filename(path);
  return (path.drop_back(name.size()) + name.take_front(kMostBytes) + ".tmp").str();
}

static Error writeNew(StringRef path, StringRef contents) {
  Expected<std::unique_ptr<ToolOutputFile>> file =
      createTemporary(temporaryPrefix(path), /*suffix=*/"");
  if (!file)
    return file.takeError();
  if (Error error = writeContents((*file)->os(), contents))
    return error;
  return renameTemporary(**file, path);
}

/// Writes over a file with this status, by a temporary file if possible.
static Error writeOver(StringRef path, const struct stat &status, StringRef contents) {
  if (Error error = checkWriteAccess(path.str()))
    return error;
  Expected<std::unique_ptr<ToolOutputFile>> file =
      createTemporary(temporaryPrefix(path), /*suffix=*/"", S_IRUSR | S_IWUSR);
  if (!file) {
    consumeError(file.takeError());
    return overwrite(path, status, contents);
  }
  if (Error error = writeContents((*file)->os(), contents))
    return error;
  if (!copyAttributes((*file)->getFilename().str().c_str(), status))
    return overwrite(path, status, contents);
  if (Error error = renameTemporary(**file, path)) {
    consumeError(std::move(error));
    return overwrite(path, status, contents);
  }
  return Error::success();
}

static Error writeTo(const OutputTarget &target, StringRef contents) {
  if (target.descriptor)
    return writeToDescriptor(*target.descriptor, contents);
  struct stat status;
  if (stat(target.path.c_str(), &status))
    return writeNew(target.path, contents);
  if (!S_ISREG(status.st_mode))
    return writeToStream(target.path, contents);
  return writeOver(target.path, status, contents);
}

Error writeOutputFile(StringRef path, StringRef contents) {
  Expected<OutputTarget> target = resolveOutput(path);
  if (!target)
    return makeOutputError(path, target.takeError());
  if (Error error = writeTo(*target, contents))
    return makeOutputError(path, std::move(error));
  return Error::success();
}

} // namespace sortie
