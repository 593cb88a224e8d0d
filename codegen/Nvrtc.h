// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// NVIDIA's run-time compiler, found and loaded when a program is compiled for CUDA. Nothing of the
// CUDA toolkit is needed to build Sortie, and nothing of it to compile for another target.

#ifndef SORTIE_CODEGEN_NVRTC_H
#define SORTIE_CODEGEN_NVRTC_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <memory>
#include <string>

namespace sortie::codegen {

/// Whether an architecture gives PTX, as `compute_80` does. `sm_80` and `sm_90a` give cubins.
bool isPtxArchitecture(llvm::StringRef name);

class Nvrtc {
public:
  /// What came out of a compilation.
  struct Output {
    std::string image; ///< a cubin, or PTX with the zero byte at its end
    std::string log;   ///< warnings, and what ptxas says of the kernels' resources
  };

  /// Finds the library: the file that the environment variable SORTIE_NVRTC names, what the dynamic
  /// loader finds, the usual folders of toolkits and of Python's packages. An error says what to
  /// install.
  static llvm::Expected<Nvrtc> load();

  /// Tells versions and builds of the library apart: its version, file, size and date.
  llvm::StringRef getIdentity() const { return identity; }

  /// Compiles `source` with the flags of getFlags(architecture). `name` stands in messages. Calls
  /// may overlap. An error carries the compiler's log.
  llvm::Expected<Output> compile(llvm::StringRef name, llvm::StringRef source,
                                 llvm::StringRef architecture) const;

  /// The flags of a compilation. No multiplication is fused with an addition, nothing is flushed
  /// to zero or approximated: the numerics contract depends on it.
  static llvm::SmallVector<std::string> getFlags(llvm::StringRef architecture);

private:
  struct Api;
  explicit Nvrtc(std::shared_ptr<const Api> api, std::string identity)
      : api(std::move(api)), identity(std::move(identity)) {}

  std::shared_ptr<const Api> api;
  std::string identity;
};

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_NVRTC_H
