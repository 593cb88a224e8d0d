// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The file of `sortie-run generate --prompt-cache`: a prompt that has been read before.

#ifndef SORTIE_TOOLS_SORTIE_RUN_PROMPTCACHE_H
#define SORTIE_TOOLS_SORTIE_RUN_PROMPTCACHE_H

#include "runtime/generation/Generator.h"
#include "runtime/generation/SessionForward.h"

#include "llvm/Support/MemoryBuffer.h"

#include <optional>

namespace sortie::tool {

class PromptCache {
public:
  /// Reads the file if there is one, and says so if its text is another one. An error, that nothing
  /// be overwritten by mistake, if it is no saved sequence of this program.
  static llvm::Expected<PromptCache> open(llvm::StringRef path,
                                          const generation::ForwardFunction &forward,
                                          llvm::ArrayRef<int32_t> prompt);

  /// Has the generator begin with what the file has, and write the file when the prompt is read.
  /// Both must outlive its run.
  llvm::Error attach(generation::LanguageModel &model, generation::Generator &generator);

private:
  PromptCache(llvm::StringRef path, size_t promptTokens) : path(path), promptTokens(promptTokens) {}

  std::string path;
  size_t promptTokens;
  std::unique_ptr<llvm::MemoryBuffer> file;
  std::optional<generation::SavedSequence> saved; ///< refers to the file
};

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_PROMPTCACHE_H
