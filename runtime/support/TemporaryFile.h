// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that are written beside their place and renamed, so that they appear whole or not at all.

#ifndef SORTIE_RUNTIME_SUPPORT_TEMPORARYFILE_H
#define SORTIE_RUNTIME_SUPPORT_TEMPORARYFILE_H

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/ToolOutputFile.h"

#include <memory>

namespace sortie {

/// Digits of the random number in the name of a temporary file.
constexpr unsigned kTemporaryDigits = 8;

/// What a new file may be, less the umask.
constexpr unsigned kNewFileMode = 0666;

/// Makes the file `<prefix>-<number><suffix>` with `mode` less the umask, which is removed unless
/// it is kept. The number is random, in lower-case hexadecimal digits. llvm::sys::fs::TempFile
/// would replace every '%' of its path, those of a folder's name, too.
inline llvm::Expected<std::unique_ptr<llvm::ToolOutputFile>>
createTemporary(const llvm::Twine &prefix, llvm::StringRef suffix, unsigned mode = kNewFileMode) {
  constexpr int kAttempts = 100;
  std::error_code code;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const std::string number = llvm::utohexstr(llvm::sys::Process::GetRandomNumber(),
                                               /*LowerCase=*/true, kTemporaryDigits);
    const std::string path = (prefix + "-" + number + suffix).str();
    int file = -1;
    code = llvm::sys::fs::openFileForWrite(path, file, llvm::sys::fs::CD_CreateNew,
                                           llvm::sys::fs::OF_None, mode);
    if (!code)
      return std::make_unique<llvm::ToolOutputFile>(path, file);
    if (code != std::errc::file_exists)
      break;
  }
  return llvm::errorCodeToError(code);
}

/// Closes a temporary file, which has been written, and gives it the name `path` in the place of
/// what had it. After an error it is removed, and `path` as it was.
inline llvm::Error renameTemporary(llvm::ToolOutputFile &file, const llvm::Twine &path) {
  llvm::raw_fd_ostream &os = file.os();
  os.close();
  std::error_code code = os.error();
  os.clear_error(); // a stream that keeps its error ends the program in its destructor
  if (!code)
    code = llvm::sys::fs::rename(file.getFilename(), path);
  if (code)
    return llvm::errorCodeToError(code);
  file.keep();
  return llvm::Error::success();
}

} // namespace sortie

#endif // SORTIE_RUNTIME_SUPPORT_TEMPORARYFILE_H
