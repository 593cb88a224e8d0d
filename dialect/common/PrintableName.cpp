// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/common/PrintableName.h"

#include "llvm/Support/ConvertUTF.h"

bool sortie::isPrintableName(llvm::StringRef name) {
  const auto *bytes = reinterpret_cast<const llvm::UTF8 *>(name.data());
  const auto *const end = bytes + name.size();
  if (!llvm::isLegalUTF8String(&bytes, end))
    return false;
  for (size_t index = 0; index < name.size(); ++index) {
    const auto byte = static_cast<unsigned char>(name[index]);
    const bool isC1 = byte == 0xc2 && static_cast<unsigned char>(name[index + 1]) < 0xa0;
    if (byte < 0x20 || byte == 0x7f || isC1)
      return false;
  }
  return true;
}
