// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The seal of bytecode.

#include "dialect/moert/Seal.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"

using namespace llvm;

namespace sortie::moert {

static constexpr StringLiteral kMagic = "ML\xef"
                                        "R";
static constexpr StringLiteral kPrefix = "sortie:";
static constexpr size_t kDigits = 32;
static_assert(kUnsealedProducer.size() == kPrefix.size() + kDigits);

bool isBytecode(StringRef bytes) { return bytes.starts_with(kMagic); }

static Error malformed(const Twine &message) {
  return createStringError(std::make_error_code(std::errc::invalid_argument), message);
}

/// The producer and what follows it. The header is the magic number, the version of the bytecode as
/// a variable-length integer (whose first byte has its length: the number of trailing zeros), and
/// the producer, terminated by a zero.
static StringRef findProducer(StringRef bytecode) {
  const StringRef version = bytecode.drop_front(kMagic.size());
  if (version.empty())
    return version;
  const auto first = static_cast<uint8_t>(version.front());
  const size_t versionBytes = first == 0 ? 9 : countr_zero(first) + 1;
  return version.drop_front(std::min(versionBytes, version.size()));
}

bool hasSeal(StringRef bytecode) {
  return isBytecode(bytecode) && findProducer(bytecode).starts_with(kPrefix);
}

/// Where the digits of the seal begin.
static Expected<size_t> findDigits(StringRef bytecode) {
  if (!isBytecode(bytecode))
    return malformed("not MLIR bytecode");
  if (bytecode.size() == kMagic.size())
    return malformed(
        "the bytecode ends inside its header; compile the program again, or copy it again");
  const StringRef producer = findProducer(bytecode);
  if (!hasSeal(bytecode))
    return malformed("the bytecode has no seal: it is not the output of sortie-opt, or its header "
                     "is damaged");
  const StringRef digits = producer.substr(kPrefix.size(), kDigits);
  if (producer.size() <= kPrefix.size() + kDigits || producer[kPrefix.size() + kDigits] != '\0' ||
      !all_of(digits, isHexDigit))
    return malformed(
        "the seal of the bytecode is damaged; compile the program again, or copy it again");
  return bytecode.size() - producer.size() + kPrefix.size();
}

/// The digits of the seal of a file whose digits begin at `position`.
static std::string computeDigits(StringRef bytecode, size_t position) {
  const std::string zeros(kDigits, '0');
  TruncatedBLAKE3<kDigits / 2> hasher;
  hasher.update(bytecode.take_front(position));
  hasher.update(zeros);
  hasher.update(bytecode.drop_front(position + kDigits));
  return toHex(hasher.final(), /*LowerCase=*/true);
}

Error sealBytecode(std::string &bytecode) {
  Expected<size_t> position = findDigits(bytecode);
  if (!position)
    return position.takeError();
  bytecode.replace(*position, kDigits, computeDigits(bytecode, *position));
  return Error::success();
}

Error checkSeal(StringRef bytecode) {
  Expected<size_t> position = findDigits(bytecode);
  if (!position)
    return position.takeError();
  const StringRef stored = bytecode.substr(*position, kDigits);
  const std::string computed = computeDigits(bytecode, *position);
  if (stored == computed)
    return Error::success();
  return malformed("the program is damaged: its contents hash to " + computed + ", its seal says " +
                   stored + "; compile it again, or copy it again");
}

} // namespace sortie::moert
