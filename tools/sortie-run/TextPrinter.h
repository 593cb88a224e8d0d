// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// How `sortie-run generate` prints.

#ifndef SORTIE_TOOLS_SORTIE_RUN_TEXTPRINTER_H
#define SORTIE_TOOLS_SORTIE_RUN_TEXTPRINTER_H

#include "runtime/generation/Generator.h"

#include "llvm/Support/raw_ostream.h"

namespace sortie::tool {

/// Prints texts as a JSON array, with what each continues.
void printJson(llvm::ArrayRef<std::string> prompts, llvm::ArrayRef<std::vector<int32_t>> ids,
               llvm::ArrayRef<generation::GeneratedText> texts, llvm::raw_ostream &out);

/// Prints them one after another.
void printTexts(llvm::ArrayRef<std::string> prompts,
                llvm::ArrayRef<generation::GeneratedText> texts, llvm::raw_ostream &out);

/// Says on the standard error which texts ended where the context is full, and how fast it was.
void printEnds(llvm::ArrayRef<generation::GeneratedText> texts, int64_t context,
               const generation::GenerationTimes &times);

/// Generates with a progress bar for prompts. If it `streams`, there is one text, which is printed
/// as it comes.
llvm::Expected<std::vector<generation::GeneratedText>>
generateStreaming(generation::Generator &generator, generation::LanguageModel &model,
                  llvm::ArrayRef<std::vector<int32_t>> prompts, bool streams,
                  llvm::raw_fd_ostream &out);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_TEXTPRINTER_H
