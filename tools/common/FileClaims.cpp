// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/common/FileClaims.h"

#include "runtime/support/Error.h"
#include "tools/common/OutputTarget.h"

#include "llvm/Support/Errno.h"
#include "llvm/Support/Path.h"

#include <fcntl.h>
#include <unistd.h>

using namespace llvm;

namespace sortie {

std::optional<FileClaims::Claim> FileClaims::findInput(StringRef path, std::string role) {
  struct stat status;
  const bool isStandard = path == "-";
  if (isStandard ? fstat(STDIN_FILENO, &status) : stat(path.str().c_str(), &status))
    return std::nullopt;
  Claim claim{path.str(), std::move(role), {status.st_dev, status.st_ino, ""}};
  claim.isPlain = S_ISREG(status.st_mode);
  claim.isReadOnce = isStandard || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode);
  return claim;
}

Expected<std::optional<FileClaims::Claim>> FileClaims::findOutput(StringRef path,
                                                                  std::string role) {
  Expected<OutputTarget> target = resolveOutput(path);
  if (!target)
    return makeOutputError(path, target.takeError());
  struct stat status;
  auto makeClaim = [&](StringRef name, bool isPlain) {
    Claim claim{path.str(), role, {status.st_dev, status.st_ino, name.str()}};
    claim.isOutput = true;
    claim.isPlain = isPlain;
    return claim;
  };
  if (target->descriptor) {
    if (fstat(*target->descriptor, &status))
      return makeOutputError(path, errorCodeToError(errnoAsErrorCode()));
    return makeClaim("", S_ISREG(status.st_mode));
  }
  if (stat(target->path.c_str(), &status) == 0) {
    if (Error error = checkWriteAccess(target->path))
      return makeOutputError(path, std::move(error));
    // Devices (/dev/null) and pipes take the bytes of several outputs.
    if (!S_ISREG(status.st_mode))
      return std::nullopt;
    return makeClaim("", /*isPlain=*/true);
  }
  const StringRef folder = sys::path::parent_path(target->path);
  const std::string parent = folder.empty() ? "." : folder.str();
  if (stat(parent.c_str(), &status) || faccessat(AT_FDCWD, parent.c_str(), W_OK | X_OK, AT_EACCESS))
    return makeOutputError(path, errorCodeToError(errnoAsErrorCode()));
  return makeClaim(sys::path::filename(target->path), /*isPlain=*/true);
}

/// Whether two files of one call may be what they are. Of two outputs, or an output and an input,
/// the output is named first.
Error FileClaims::checkPair(const Claim &a, const Claim &b) {
  if (a.identity != b.identity)
    return Error::success();
  if (!a.isOutput && !b.isOutput) {
    if (!a.isReadOnce || !b.isReadOnce)
      return Error::success();
    return makeError(a.describe() + " and " + b.describe() +
                     " read the same stream, which can be read once; give one of them as a file");
  }
  if (a.isOutput && b.isOutput)
    return makeError(a.describe() + " and " + b.describe() +
                     " would be written to the same file; give each output one of its own");
  if (!a.isPlain || !b.isPlain)
    return Error::success();
  const Claim &output = a.isOutput ? a : b;
  const Claim &input = a.isOutput ? b : a;
  return makeError("cannot write " + output.describe() + ": it is the same file as " +
                   input.describe() + ", which is read; give the output another name");
}

Error FileClaims::add(Claim claim) {
  for (const Claim &other : claims)
    if (Error error = checkPair(other, claim))
      return error;
  claims.push_back(std::move(claim));
  return Error::success();
}

Error FileClaims::claimInput(StringRef path, const Twine &role) {
  std::optional<Claim> claim = findInput(path, role.str());
  return claim ? add(std::move(*claim)) : Error::success();
}

Error FileClaims::claimOutput(StringRef path, const Twine &role) {
  Expected<std::optional<Claim>> claim = findOutput(path, role.str());
  if (!claim)
    return claim.takeError();
  return *claim ? add(std::move(**claim)) : Error::success();
}

} // namespace sortie
