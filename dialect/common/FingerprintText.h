// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The textual form of fingerprints: in modules, in errors and in what tools print.

#ifndef SORTIE_DIALECT_COMMON_FINGERPRINTTEXT_H
#define SORTIE_DIALECT_COMMON_FINGERPRINTTEXT_H

#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <optional>
#include <string>

namespace sortie {

/// The rules that fingerprints are computed by; docs/runtime.md states them.
inline constexpr int kFingerprintOfAllKeys = 1;
inline constexpr int kFingerprintOfNamedKeys = 2;

inline constexpr size_t kFingerprintDigits = 16;

/// A fingerprint as it is written: 16 lower-case hexadecimal digits by rule 1, "2:" and as many by
/// rule 2.
struct FingerprintText {
  int rule;
  uint64_t value;
};
std::optional<FingerprintText> parseFingerprint(llvm::StringRef text);
std::string printFingerprint(const FingerprintText &fingerprint);

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_FINGERPRINTTEXT_H
