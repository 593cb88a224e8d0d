// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "dialect/common/FingerprintText.h"

#include "dialect/common/TextRules.h"

#include "llvm/ADT/StringExtras.h"

using llvm::StringLiteral;
using llvm::StringRef;

namespace sortie {

static constexpr StringLiteral kNamedKeysPrefix = "2:";

std::optional<FingerprintText> parseFingerprint(StringRef text) {
  FingerprintText result{kFingerprintOfAllKeys, 0};
  if (text.consume_front(kNamedKeysPrefix))
    result.rule = kFingerprintOfNamedKeys;
  if (!isHexDigits(text, kFingerprintDigits) || text.getAsInteger(16, result.value))
    return std::nullopt;
  return result;
}

std::string printFingerprint(const FingerprintText &fingerprint) {
  return (fingerprint.rule == kFingerprintOfNamedKeys ? kNamedKeysPrefix.str() : "") +
         llvm::utohexstr(fingerprint.value, /*LowerCase=*/true, kFingerprintDigits);
}

} // namespace sortie
