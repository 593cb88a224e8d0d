// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Printing, reading and comparing checksums.

#include "tools/sortie-run/Checksums.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/MemoryBuffer.h"

using namespace llvm;

namespace sortie::tool {

void printChecksums(ArrayRef<Checksum> checksums, raw_ostream &out) {
  for (const Checksum &checksum : checksums) {
    out << checksum.name << ' ';
    if (checksum.hash)
      out << format_hex_no_prefix(*checksum.hash, 16) << '\n';
    else
      out << "-\n";
  }
}

Expected<std::vector<Checksum>> parseChecksums(StringRef text, StringRef file) {
  std::vector<Checksum> checksums;
  StringMap<size_t> lines;
  SmallVector<StringRef> all;
  text.split(all, '\n');
  for (size_t i = 0; i < all.size(); ++i) {
    const StringRef line = all[i].trim();
    if (line.empty())
      continue;
    const auto [name, digits] = line.rsplit(' ');
    uint64_t hash = 0;
    const bool isAbsent = digits == "-";
    if (!isAbsent && (digits.size() != 16 || digits.getAsInteger(16, hash)))
      return makeError(file + ":" + Twine(i + 1) +
                       ": is no line of checksums ('name' and 16 hexadecimal digits or '-'); write "
                       "the file with sortie-run --checksums");
    if (!lines.try_emplace(name, i + 1).second)
      return makeError(file + ":" + Twine(i + 1) + ": '" + name + "' is on line " +
                       Twine(lines[name]) + ", too");
    checksums.push_back({name.str(), isAbsent ? std::nullopt : std::optional<uint64_t>(hash)});
  }
  if (checksums.empty())
    return makeError(file + ": has no checksums");
  return checksums;
}

static bool isFunctionOutput(StringRef name) { return name.contains(':'); }

Expected<Comparison> compareChecksums(ArrayRef<Checksum> first, ArrayRef<Checksum> second) {
  StringMap<std::optional<uint64_t>> other;
  for (const Checksum &checksum : second)
    other[checksum.name] = checksum.hash;
  Comparison comparison;
  for (const Checksum &checksum : first) {
    const auto it = other.find(checksum.name);
    const bool isInBoth = it != other.end();
    if (!isInBoth && isFunctionOutput(checksum.name))
      return makeError("'" + checksum.name +
                       "', the output of a function, is in the first file only; compare runs of "
                       "the same function");
    if (!isInBoth || !checksum.hash || !it->second) {
      ++comparison.skipped;
    } else {
      ++comparison.compared;
      if (!comparison.firstDifference && *checksum.hash != *it->second)
        comparison.firstDifference = checksum.name;
    }
    if (isInBoth)
      other.erase(it);
  }
  for (const Checksum &checksum : second)
    if (other.contains(checksum.name)) {
      if (isFunctionOutput(checksum.name))
        return makeError("'" + checksum.name +
                         "', the output of a function, is in the second file only; compare runs of "
                         "the same function");
      ++comparison.skipped;
    }
  if (comparison.compared == 0)
    return makeError("the two files have no value in common");
  return comparison;
}

static Expected<std::vector<Checksum>> readChecksums(StringRef path) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> file = MemoryBuffer::getFileOrSTDIN(path);
  if (!file)
    return makeError(path + ": cannot read: " + file.getError().message());
  return parseChecksums((*file)->getBuffer(), path);
}

Expected<bool> compareChecksumFiles(StringRef first, StringRef second, raw_ostream &out) {
  Expected<std::vector<Checksum>> a = readChecksums(first);
  if (!a)
    return a.takeError();
  Expected<std::vector<Checksum>> b = readChecksums(second);
  if (!b)
    return b.takeError();
  Expected<Comparison> comparison = compareChecksums(*a, *b);
  if (!comparison)
    return comparison.takeError();
  if (comparison->firstDifference)
    out << "first difference: " << *comparison->firstDifference << '\n';
  else
    out << "no difference\n";
  out << comparison->compared << " values compared, " << comparison->skipped
      << " skipped (not in both)\n";
  return !comparison->firstDifference;
}

} // namespace sortie::tool
