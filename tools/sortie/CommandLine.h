// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of the driver: `sortie <word> <model.gguf> [options]`. It knows the options of
// the import and of the compilation; all others are those of the word, and go to sortie-run as they
// are.

#ifndef SORTIE_TOOLS_SORTIE_COMMANDLINE_H
#define SORTIE_TOOLS_SORTIE_COMMANDLINE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>
#include <vector>

namespace sortie::driver {

/// A file that an option of the word names.
struct WordFile {
  std::string option; ///< "--tokens"
  std::string path;
  bool isWritten = false;
};

struct CommandLine {
  std::string word;  ///< "generate"
  std::string model; ///< a file; empty with asksForHelp
  /// `tokenize` needs the model's file alone.
  bool needsProgram = true;
  bool isForCuda = false;                  ///< --device names a GPU
  std::vector<std::string> importOptions;  ///< "--context=512", of sortie-translate
  std::vector<std::string> compileOptions; ///< "activations=int8", of --sortie-compile
  std::vector<std::string> runOptions;     ///< as they were given
  std::vector<WordFile> wordFiles;         ///< those that runOptions name
  bool showsCommands = false;
  bool keepsFiles = false;
  bool asksForHelp = false; ///< for that of the word
};

/// Parses what comes after the name of the tool, which begins with the word.
llvm::Expected<CommandLine> parseCommandLine(llvm::ArrayRef<llvm::StringRef> arguments);

/// What `sortie --help` prints.
llvm::StringRef helpText();

} // namespace sortie::driver

#endif // SORTIE_TOOLS_SORTIE_COMMANDLINE_H
