// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "tools/sortie-run/PromptCache.h"

#include "tools/common/OutputFile.h"

#include "llvm/Support/FileSystem.h"

using namespace llvm;

namespace sortie::tool {

static Error cacheError(StringRef path, Error error) {
  return makeError("--prompt-cache " + path + ": " + toString(std::move(error)));
}

Expected<PromptCache> PromptCache::open(StringRef path, const generation::ForwardFunction &forward,
                                        ArrayRef<int32_t> prompt) {
  if (!forward.pages)
    return makeError(
        "--prompt-cache: the program has no functions that read and write pages of its "
        "caches; compile it again");
  // Reading a pipe or a device would wait, or never end.
  sys::fs::file_status status;
  if (!sys::fs::status(path, status) && !sys::fs::is_regular_file(status))
    return makeError("--prompt-cache " + path +
                     ": is no ordinary file, which can be read and written again; give the name of "
                     "one, or of a new file");
  PromptCache cache(path, prompt.size());
  auto file = MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (file.getError() == std::errc::no_such_file_or_directory)
    return cache;
  if (!file)
    return makeError("--prompt-cache " + path + ": cannot read: " + file.getError().message());
  cache.file = std::move(*file);
  auto saved = generation::SavedSequence::read(cache.file->getBuffer(), forward.origin,
                                               forward.most.vocabulary);
  if (!saved)
    return cacheError(path, saved.takeError());
  const ArrayRef<int32_t> tokens = saved->tokens();
  if (prompt.take_front(tokens.size()).equals(tokens))
    cache.saved = std::move(*saved);
  else
    errs()
        << "prompt cache: " << path
        << " is of another text; the prompt is read from its beginning, and will be saved there\n";
  return cache;
}

Error PromptCache::attach(generation::LanguageModel &model, generation::Generator &generator) {
  size_t known = 0;
  if (saved) {
    known = saved->tokens().size();
    Expected<uint32_t> sequence = model.load(*std::exchange(saved, std::nullopt));
    if (!sequence)
      return cacheError(path, sequence.takeError());
    generator.beginWith(*sequence);
    errs() << "prompt cache: " << known << " of " << promptTokens << " tokens are in " << path
           << '\n';
  }
  file.reset();
  if (known == promptTokens)
    return Error::success();
  generator.promptRead = [&model, path = path](size_t, uint32_t sequence) -> Error {
    std::string bytes;
    raw_string_ostream out(bytes);
    if (Error error = model.save(sequence, out))
      return error;
    if (Error error = writeOutputFile(path, bytes))
      return cacheError(path, std::move(error));
    return Error::success();
  };
  return Error::success();
}

} // namespace sortie::tool
