// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/common/OutputTarget.h"

#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <climits>

using namespace llvm;

namespace sortie {

/// The file that `/dev/fd/N` and `/proc/self/fd/N` stand for. Opening such a name would open the
/// file a second time, at its beginning, and what its link says need not be a path.
static std::optional<int> descriptorOf(StringRef folder, StringRef name) {
  int number = -1;
  SmallString<256> realFolder;
  SmallString<256> realDescriptors;
  if (name.getAsInteger(10, number) || number < 0 || sys::fs::real_path(folder, realFolder) ||
      sys::fs::real_path("/proc/self/fd", realDescriptors) || realFolder != realDescriptors)
    return std::nullopt;
  return number;
}

/// What the symbolic link `path` says; nothing if it is no link.
static Expected<std::optional<std::string>> readLink(const std::string &path) {
  std::array<char, PATH_MAX> text;
  const ssize_t size = readlink(path.c_str(), text.data(), text.size());
  if (size >= 0)
    return std::string(text.data(), size);
  if (errno == EINVAL || errno == ENOENT)
    return std::nullopt;
  return errorCodeToError(errnoAsErrorCode());
}

Expected<OutputTarget> resolveOutput(StringRef path) {
  constexpr int kMostLinks = 40; // Linux's own limit
  if (path == "-")
    return OutputTarget{STDOUT_FILENO, ""};
  SmallString<256> current = path;
  for (int links = 0; links <= kMostLinks; ++links) {
    const StringRef parent = sys::path::parent_path(current);
    const std::string folder = parent.empty() ? "." : parent.str();
    if (std::error_code code = sys::fs::access(folder, sys::fs::AccessMode::Exist))
      return errorCodeToError(code);
    if (std::optional<int> descriptor = descriptorOf(folder, sys::path::filename(current)))
      return OutputTarget{descriptor, ""};
    Expected<std::optional<std::string>> link = readLink(current.str().str());
    if (!link)
      return link.takeError();
    if (!*link)
      return OutputTarget{std::nullopt, current.str().str()};
    SmallString<256> next;
    if (sys::path::is_relative(**link))
      next = folder;
    sys::path::append(next, **link);
    current = next;
  }
  return errorCodeToError(std::make_error_code(std::errc::too_many_symbolic_link_levels));
}

Error checkWriteAccess(const std::string &path) {
  if (sys::fs::is_directory(path))
    return errorCodeToError(std::make_error_code(std::errc::is_a_directory));
  if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS))
    return errorCodeToError(errnoAsErrorCode());
  return Error::success();
}

Error makeOutputError(StringRef path, Error reason) {
  return createStringError(std::make_error_code(std::errc::io_error),
                           "cannot write '" + path + "': " + toString(std::move(reason)));
}

} // namespace sortie
