// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Keys of the headers that a kernel's source includes, for the cache of images: a kernel is
// compiled anew when one of these headers has changed, and no other kernel is.

#ifndef SORTIE_CODEGEN_HEADERKEYS_H
#define SORTIE_CODEGEN_HEADERKEYS_H

#include "codegen/KernelHeaders.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace sortie::codegen {

class HeaderKeys {
public:
  /// Headers of other names, such as NVRTC's own, have no key.
  explicit HeaderKeys(llvm::ArrayRef<KernelHeader> headers);

  /// A key of all headers that `source` includes, directly or not.
  std::string keyOf(llvm::StringRef source) const;

private:
  llvm::StringMap<std::string> keys; ///< of each header and all that it includes
};

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_HEADERKEYS_H
