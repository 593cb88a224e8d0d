// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "codegen/Compiler.h"

#include "codegen/HeaderKeys.h"
#include "codegen/KernelHeaders.h"

#include "llvm/ADT/SmallVector.h"

using namespace llvm;

namespace sortie::codegen {

std::string Compiler::keyOf(StringRef source, StringRef architecture) const {
  static const HeaderKeys kKeys(ArrayRef(kKernelHeaders, kKernelHeaderCount));
  const std::string headers = kKeys.keyOf(source);
  const SmallVector<std::string> flags = Nvrtc::getFlags(architecture);
  SmallVector<StringRef> parts = {source, headers, nvrtc.getIdentity()};
  parts.append(flags.begin(), flags.end());
  return FileCache::makeKey(parts);
}

Expected<CompiledImage> Compiler::compile(StringRef name, StringRef source,
                                          StringRef architecture) const {
  const std::string key = keyOf(source, architecture);
  if (cache)
    if (std::optional<Nvrtc::Output> entry = cache->lookUp(key))
      return CompiledImage{std::move(entry->image), std::move(entry->log), /*cached=*/true};
  Expected<Nvrtc::Output> output = nvrtc.compile(name, source, architecture);
  if (!output)
    return output.takeError();
  // A cache that has become full or unreachable costs time, nothing else.
  if (cache)
    consumeError(cache->store(key, *output));
  return CompiledImage{std::move(output->image), std::move(output->log), /*cached=*/false};
}

void Compiler::finish() const {
  if (cache)
    cache->trim();
}

} // namespace sortie::codegen
