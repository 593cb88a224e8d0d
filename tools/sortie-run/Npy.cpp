// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading and writing of .npy headers.

#include "tools/sortie-run/Npy.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/MathExtras.h"

#include <optional>

using namespace llvm;

namespace sortie::tool {

namespace {

constexpr size_t kMagicBytes = 8; // "\x93NUMPY", major, minor

/// What files have for an input of one type.
struct FileType {
  StringRef name;                ///< NumPy's name of the first of `descr`
  SmallVector<StringRef> descrs; ///< in headers of .npy files; outputs have the first
};

const FileType &fileTypeOf(sortie_dtype dtype) {
  static const FileType kTypes[] = {{"float32", {"<f4"}},
                                    {"int32", {"<i4"}},
                                    {"float16", {"<f2"}},
                                    {"bfloat16", {"<V2", "|V2", "<u2"}}};
  return kTypes[dtype];
}

/// A cursor over the header, a Python dictionary literal with three known keys.
class HeaderParser {
public:
  HeaderParser(StringRef text, StringRef file, sortie_dtype wanted)
      : rest(text), file(file), wanted(wanted) {}

  Error parse() {
    if (!consume("{"))
      return error("does not begin with '{'");
    while (!consume("}")) {
      Expected<StringRef> key = parseString();
      if (!key)
        return key.takeError();
      if (!consume(":"))
        return error("lacks ':' after '" + *key + "'");
      if (Error failure = parseValue(*key))
        return failure;
      consume(",");
    }
    if (!descr || !isFortran || !hasShape)
      return error("lacks 'descr', 'fortran_order' or 'shape'");
    return Error::success();
  }

  std::optional<StringRef> descr;
  std::optional<bool> isFortran;
  bool hasShape = false;
  SmallVector<int64_t, 4> shape;

private:
  Error error(const Twine &message) const {
    return makeError(file + ": its .npy header " + message + "; write the file with numpy.save");
  }

  bool consume(StringRef token) {
    rest = rest.ltrim();
    return rest.consume_front(token);
  }

  Expected<StringRef> parseString() {
    rest = rest.ltrim();
    if (rest.empty() || (rest.front() != '\'' && rest.front() != '"'))
      return error("has no string where one is needed");
    const size_t end = rest.find(rest.front(), 1);
    if (end == StringRef::npos)
      return error("has a string without an end");
    const StringRef string = rest.slice(1, end);
    rest = rest.drop_front(end + 1);
    return string;
  }

  Error parseValue(StringRef key) {
    if (key == "descr") {
      if (const StringRef value = rest.ltrim(); value.starts_with("[") || value.starts_with("("))
        return makeError(file + ": holds a structured array, a plain one of " +
                         fileTypeOf(wanted).name + " is needed; save one field of it, x['name']");
      Expected<StringRef> value = parseString();
      if (!value)
        return value.takeError();
      descr = *value;
      return Error::success();
    }
    if (key == "fortran_order") {
      if (consume("True"))
        isFortran = true;
      else if (consume("False"))
        isFortran = false;
      else
        return error("has a 'fortran_order' that is neither True nor False");
      return Error::success();
    }
    if (key == "shape")
      return parseShape();
    return error("has the unknown key '" + key + "'");
  }

  Error parseShape() {
    if (!consume("("))
      return error("has a 'shape' that is no tuple");
    while (!consume(")")) {
      int64_t extent = 0;
      rest = rest.ltrim();
      if (rest.consumeInteger(10, extent) || extent < 0)
        return error("has a 'shape' with an impossible number");
      shape.push_back(extent);
      consume(",");
    }
    hasShape = true;
    return Error::success();
  }

  StringRef rest;
  StringRef file;
  sortie_dtype wanted;
};

/// "big-endian int64" for '>i8'; the description itself in quotes where it is no plain number.
std::string describeElements(StringRef descr) {
  const StringRef order = descr.take_front();
  const StringRef kind = descr.substr(1, 1);
  unsigned bytes = 0;
  const StringRef name = StringSwitch<StringRef>(kind)
                             .Case("f", "float")
                             .Case("i", "int")
                             .Case("u", "uint")
                             .Case("c", "complex")
                             .Default("");
  if (kind == "b")
    return "bool";
  if (name.empty() || descr.drop_front(2).getAsInteger(10, bytes))
    return ("'" + descr + "'").str();
  return ((order == ">" ? "big-endian " : "") + name + Twine(8 * bytes)).str();
}

Expected<sortie_dtype> dtypeOf(StringRef descr, sortie_dtype wanted, StringRef file) {
  const FileType &type = fileTypeOf(wanted);
  if (is_contained(type.descrs, descr))
    return wanted;
  if (wanted == SORTIE_F32 && descr == "<f2")
    return SORTIE_F16;
  const std::string how = wanted == SORTIE_BF16    ? "ml_dtypes.bfloat16"
                          : descr.starts_with(">") ? ("'" + type.descrs.front() + "'").str()
                                                   : ("numpy." + type.name).str();
  return makeError(file + ": holds " + describeElements(descr) + " elements, " + type.name +
                   (wanted == SORTIE_F32 ? " or float16" : "") +
                   " is needed; convert them with x.astype(" + how + ")");
}

/// Whether the file has the data that its shape needs, and no more.
Error checkSize(StringRef file, uint64_t given, uint64_t needed) {
  if (given == needed)
    return Error::success();
  const std::string what =
      (file + ": holds " + Twine(given) + " bytes of data, its shape needs " + Twine(needed)).str();
  if (given < needed)
    return makeError(what + "; it is truncated: write it again with numpy.save");
  return makeError(what + ": " + Twine(given - needed) +
                   " bytes follow the array. Give each array a file of its own, and write it with "
                   "numpy.save");
}

} // namespace

int64_t elementBytes(sortie_dtype dtype) {
  return dtype == SORTIE_F16 || dtype == SORTIE_BF16 ? 2 : 4;
}

Expected<NpyArray> parseNpy(std::unique_ptr<MemoryBuffer> buffer, sortie_dtype wanted) {
  const StringRef file = buffer->getBufferIdentifier();
  const StringRef bytes = buffer->getBuffer();
  if (!bytes.starts_with("\x93NUMPY") || bytes.size() < kMagicBytes + 2)
    return makeError(file + ": not an .npy file; write it with numpy.save");
  const unsigned version = static_cast<uint8_t>(bytes[6]);
  if (version < 1 || version > 3)
    return makeError(file + ": .npy version " + Twine(version) +
                     " is not supported, 1 to 3 are; write it with numpy.save");
  const size_t lengthBytes = version == 1 ? 2 : 4;
  const size_t begin = kMagicBytes + lengthBytes;
  if (bytes.size() < begin)
    return makeError(file + ": ends inside its header; it is truncated");
  const uint64_t length = version == 1 ? support::endian::read16le(bytes.data() + kMagicBytes)
                                       : support::endian::read32le(bytes.data() + kMagicBytes);
  if (length > bytes.size() - begin)
    return makeError(file + ": ends inside its header; it is truncated");

  HeaderParser header(bytes.substr(begin, length), file, wanted);
  if (Error error = header.parse())
    return error;
  Expected<sortie_dtype> dtype = dtypeOf(*header.descr, wanted, file);
  if (!dtype)
    return dtype.takeError();
  if (*header.isFortran)
    return makeError(file + ": holds an array in Fortran order; convert it with "
                            "numpy.ascontiguousarray(x)");

  int64_t needed = elementBytes(*dtype);
  for (const int64_t extent : header.shape)
    if (MulOverflow(needed, extent, needed))
      return makeError(file + ": its shape is too large");
  const StringRef data = bytes.drop_front(begin + length);
  if (Error error = checkSize(file, data.size(), needed))
    return error;
  return NpyArray{*dtype, std::move(header.shape), data, std::move(buffer)};
}

Expected<NpyArray> readNpy(StringRef path, sortie_dtype wanted) {
  ErrorOr<std::unique_ptr<MemoryBuffer>> file =
      MemoryBuffer::getFileOrSTDIN(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return makeError(path + ": cannot read: " + file.getError().message());
  return parseNpy(std::move(*file), wanted);
}

std::string npyHeader(sortie_dtype dtype, ArrayRef<int64_t> shape) {
  std::string extents;
  for (const int64_t extent : shape)
    extents += (Twine(extent) + ", ").str();
  if (shape.size() > 1)
    extents.resize(extents.size() - 2); // a tuple of one keeps its comma
  std::string header = "{'descr': '";
  header += fileTypeOf(dtype).descrs.front();
  header += "', 'fortran_order': False, 'shape': (" + StringRef(extents).rtrim().str() + "), }";
  // Data begins at a multiple of 64; the header ends with a newline.
  constexpr size_t kPrefix = kMagicBytes + 2;
  header.resize(alignTo(kPrefix + header.size() + 1, 64) - kPrefix - 1, ' ');
  header += '\n';
  std::string prefix("\x93NUMPY\x01\x00", kMagicBytes);
  prefix += static_cast<char>(header.size() & 0xff);
  prefix += static_cast<char>(header.size() >> 8);
  return prefix + header;
}

} // namespace sortie::tool
