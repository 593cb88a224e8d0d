// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of sortie-run.

#ifndef SORTIE_TOOLS_SORTIE_RUN_OPTIONS_H
#define SORTIE_TOOLS_SORTIE_RUN_OPTIONS_H

#include "tools/sortie-run/Tokenize.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <vector>

namespace sortie::tool {

/// What a call does.
enum class Mode { Run, Describe, Verify, CompareChecksums, Tokenize };

/// Whether an option asks for random numbers rather than a file.
inline bool isRandom(llvm::StringRef value) { return value.starts_with("random:"); }

/// `--input name=source`.
struct InputOption {
  std::string name;
  std::string source; ///< a file, or `random:...`
};

enum class VerifyFormat { Text, Json };
enum class BenchmarkFormat { Table, Json };

/// Options that fit together: those of another mode were not given.
struct Options {
  Mode mode = Mode::Run;
  std::string program;  ///< a file or `-`; empty for CompareChecksums, Tokenize
  std::string weights;  ///< a file, `random:...` or empty
  std::string function; ///< empty: the only one
  std::vector<InputOption> inputs;
  std::vector<std::string> outputs; ///< `[name=]file`
  std::string device;               ///< empty: the program's own
  bool eager = false;
  int threads = 0; ///< 0: all processors
  std::string isa; ///< empty: the best
  bool checksums = false;
  bool benchmark = false;
  BenchmarkFormat benchmarkFormat = BenchmarkFormat::Table;
  unsigned benchmarkRuns = 0; ///< 0: as many as take a second
  unsigned batches = 0;       ///< 0: one run, not submitted
  std::string trace;          ///< empty: none
  bool verifiesValues = false;
  VerifyFormat verifyFormat = VerifyFormat::Text;
  std::vector<std::string> comparedFiles; ///< the two of CompareChecksums
  TokenizeOptions tokenize;
};

/// Parses the command line; ends the process where it is wrong by itself, or asks for help.
llvm::Expected<Options> parseOptions(int argc, char **argv);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_OPTIONS_H
