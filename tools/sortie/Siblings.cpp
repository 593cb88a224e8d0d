// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/sortie/Siblings.h"

#include "runtime/support/Error.h"

#include "llvm/Support/Errno.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <unistd.h>

using namespace llvm;

namespace sortie::driver {

Siblings::Siblings(StringRef ownFile, bool showsCommands)
    : folder(sys::path::parent_path(ownFile)), showsCommands(showsCommands) {}

Expected<std::string> Siblings::find(StringRef tool) const {
  std::string path = folder + "/" + tool.str();
  if (sys::fs::can_execute(path))
    return path;
  return makeError("there is no " + tool + " in '" + folder +
                       "', beside sortie, that can be run; install all tools of one version "
                       "together",
                   std::errc::no_such_file_or_directory);
}

void Siblings::show(StringRef path, ArrayRef<std::string> arguments) const {
  if (!showsCommands)
    return;
  sys::printArg(errs(), path, /*Quote=*/false);
  for (const std::string &argument : arguments) {
    errs() << ' ';
    sys::printArg(errs(), argument, /*Quote=*/false);
  }
  errs() << '\n';
}

Error Siblings::run(StringRef tool, ArrayRef<std::string> arguments, const Twine &purpose) const {
  Expected<std::string> path = find(tool);
  if (!path)
    return path.takeError();
  show(*path, arguments);
  SmallVector<StringRef> command = {*path};
  command.append(arguments.begin(), arguments.end());
  std::string reason;
  const int code = sys::ExecuteAndWait(*path, command, /*Env=*/std::nullopt, /*Redirects=*/{},
                                       /*SecondsToWait=*/0, /*MemoryLimit=*/0, &reason);
  if (code == 0)
    return Error::success();
  return makeError("cannot " + purpose + ": " + tool +
                   (code > 0 ? " ended with exit code " + Twine(code)
                             : Twine(" did not come to its end: " + reason)));
}

Error Siblings::become(StringRef tool, ArrayRef<std::string> arguments) const {
  Expected<std::string> path = find(tool);
  if (!path)
    return path.takeError();
  show(*path, arguments);
  SmallVector<const char *> command = {path->c_str()};
  for (const std::string &argument : arguments)
    command.push_back(argument.c_str());
  command.push_back(nullptr);
  execv(path->c_str(), const_cast<char *const *>(command.data()));
  return makeError("cannot run '" + *path + "': " + sys::StrError(),
                   std::errc::executable_format_error);
}

} // namespace sortie::driver
