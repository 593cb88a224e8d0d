// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `--checksums` and `--compare-checksums`: the audit.

#ifndef SORTIE_TOOLS_SORTIE_RUN_CHECKSUMS_H
#define SORTIE_TOOLS_SORTIE_RUN_CHECKSUMS_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>
#include <string>
#include <vector>

namespace sortie::tool {

/// A named value and its hash; none if the compiler fused the value away.
struct Checksum {
  std::string name;
  std::optional<uint64_t> hash;
};

/// One a line: the name, then 16 hexadecimal digits or `-`.
void printChecksums(llvm::ArrayRef<Checksum> checksums, llvm::raw_ostream &out);

/// Reads what printChecksums() writes. `file` stands in messages.
llvm::Expected<std::vector<Checksum>> parseChecksums(llvm::StringRef text, llvm::StringRef file);

struct Comparison {
  size_t compared = 0;                        ///< values that both have
  size_t skipped = 0;                         ///< values that one of them lacks
  std::optional<std::string> firstDifference; ///< in the order of the first list
};

/// Compares the values that both lists have. They must share every function output
/// (`function:output`).
llvm::Expected<Comparison> compareChecksums(llvm::ArrayRef<Checksum> first,
                                            llvm::ArrayRef<Checksum> second);

/// Compares two files and prints the result; true if nothing differs.
llvm::Expected<bool> compareChecksumFiles(llvm::StringRef first, llvm::StringRef second,
                                          llvm::raw_ostream &out);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_CHECKSUMS_H
