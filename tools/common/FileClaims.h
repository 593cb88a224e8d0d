// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The files that one call of a tool reads and writes: no output takes the place of another file of
// the same call.

#ifndef SORTIE_TOOLS_COMMON_FILECLAIMS_H
#define SORTIE_TOOLS_COMMON_FILECLAIMS_H

#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

namespace sortie {

/// Collects the inputs and outputs of a call, in any order, before any is written. Files are told
/// apart by device and inode, so links and other spellings of a name do not matter; those that do
/// not exist yet, by their folder and name. `-` is the standard input or output. `role` is what
/// messages call the file: "the model", "--trace".
class FileClaims {
public:
  /// An error if an output claimed before is this file, or if another input reads the same pipe.
  /// A file that cannot be found is left to who opens it.
  llvm::Error claimInput(llvm::StringRef path, const llvm::Twine &role);

  /// An error if an input or output claimed before is this file, or if it cannot be written, as far
  /// as that can be known: it is a folder, has none, or may not be written to.
  llvm::Error claimOutput(llvm::StringRef path, const llvm::Twine &role);

private:
  /// `name` is empty for a file that exists; otherwise device and inode are its folder's.
  struct Identity {
    dev_t device;
    ino_t inode;
    std::string name;
    bool operator==(const Identity &) const = default;
  };
  struct Claim {
    std::string path;
    std::string role;
    Identity identity;
    bool isOutput = false;
    bool isPlain = false; ///< an ordinary file, or one to be made: nothing that bytes pass through
    bool isReadOnce = false; ///< a second reader would get nothing
    std::string describe() const { return "'" + path + "' (" + role + ")"; }
  };

  static std::optional<Claim> findInput(llvm::StringRef path, std::string role);
  static llvm::Expected<std::optional<Claim>> findOutput(llvm::StringRef path, std::string role);
  static llvm::Error checkPair(const Claim &a, const Claim &b);
  llvm::Error add(Claim claim);

  std::vector<Claim> claims;
};

} // namespace sortie

#endif // SORTIE_TOOLS_COMMON_FILECLAIMS_H
