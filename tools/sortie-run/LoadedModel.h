// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A program with the function of a whole model, its weights, and the tokenizer in their file.

#ifndef SORTIE_TOOLS_SORTIE_RUN_LOADEDMODEL_H
#define SORTIE_TOOLS_SORTIE_RUN_LOADEDMODEL_H

#include "runtime/generation/LanguageModel.h"
#include "runtime/generation/SessionForward.h"
#include "runtime/tokenizer/Tokenizer.h"
#include "tools/sortie-run/Program.h"

namespace sortie::tool {

/// A program before its weights are loaded.
struct ModelProgram {
  ProgramPtr program;
  generation::ForwardFunction forward;

  static llvm::Expected<ModelProgram> open(const Options &options);

  /// The most positions that a sequence can have.
  int64_t mostPositions() const;
  /// `wanted` of --context, or the most if it is 0. An error if that is more than the most.
  llvm::Expected<int64_t> contextOf(int64_t wanted) const;
  /// How many rows of logits a run has, so that they take at most 256 MiB.
  int64_t rowsOfRun() const;
};

/// What a word needs room for.
struct ModelRoom {
  int64_t sequences = 1; ///< at once
  int64_t context = 1;   ///< positions of each
  int64_t pages = 1;     ///< of all
  int64_t rows = 1;      ///< of logits of a run
};

struct LoadedModel {
  generation::LanguageModel model;
  std::string device; ///< for people

  /// Loads the weights with a progress bar, and makes a session.
  static llvm::Expected<LoadedModel> load(const ModelProgram &program, const Options &options,
                                          const ModelRoom &room);
};

/// The tokenizer of --weights, with the file that it needs.
struct ModelTokenizer {
  std::unique_ptr<gguf::Model> file;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer;

  static llvm::Expected<ModelTokenizer> open(const Options &options);
};

/// The contents of a file, or of the standard input for `-`.
llvm::Expected<std::unique_ptr<llvm::MemoryBuffer>> readText(llvm::StringRef path);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_LOADEDMODEL_H
