// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tools that the driver runs, which lie beside it. They get their arguments as they are, with
// no shell in between.

#ifndef SORTIE_TOOLS_SORTIE_SIBLINGS_H
#define SORTIE_TOOLS_SORTIE_SIBLINGS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace sortie::driver {

class Siblings {
public:
  /// Those beside the driver's own file, to which links are followed. With `showsCommands`, each
  /// command is printed to the standard error before it runs.
  Siblings(llvm::StringRef ownFile, bool showsCommands);

  /// The path of a tool; an error if there is none that can be run.
  llvm::Expected<std::string> find(llvm::StringRef tool) const;

  /// Runs a tool to its end. `purpose` is what the error says that it could not do.
  llvm::Error run(llvm::StringRef tool, llvm::ArrayRef<std::string> arguments,
                  const llvm::Twine &purpose) const;

  /// Runs a tool in the place of the driver, so that signals and the exit code are the tool's own.
  /// Returns only with an error.
  llvm::Error become(llvm::StringRef tool, llvm::ArrayRef<std::string> arguments) const;

private:
  void show(llvm::StringRef path, llvm::ArrayRef<std::string> arguments) const;

  std::string folder;
  bool showsCommands;
};

} // namespace sortie::driver

#endif // SORTIE_TOOLS_SORTIE_SIBLINGS_H
