// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Sources of kernels to images: NVRTC behind the cache.

#ifndef SORTIE_CODEGEN_COMPILER_H
#define SORTIE_CODEGEN_COMPILER_H

#include "codegen/KernelCache.h"
#include "codegen/Nvrtc.h"
#include "codegen/ResourceUsage.h"

#include <optional>

namespace sortie::codegen {

struct CompiledImage {
  std::string data;
  std::string log;
  bool cached = false; ///< it came from the cache
};

/// All methods may be called by several threads at once.
class Compiler {
public:
  /// Without `cache` everything is compiled anew.
  Compiler(Nvrtc nvrtc, std::optional<KernelCache> cache)
      : nvrtc(std::move(nvrtc)), cache(std::move(cache)) {}

  /// The image of `source` for `architecture`. `name` stands in messages. An error carries the
  /// compiler's log.
  llvm::Expected<CompiledImage> compile(llvm::StringRef name, llvm::StringRef source,
                                        llvm::StringRef architecture) const;

  /// Keeps the cache within its limit. It is called after the last compilation.
  void finish() const;

private:
  std::string keyOf(llvm::StringRef source, llvm::StringRef architecture) const;

  Nvrtc nvrtc;
  std::optional<KernelCache> cache;
};

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_COMPILER_H
