// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The layout of a GGUF file: magic, version, two counts, key/value pairs, tensor records, padding
// to the alignment, data. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md

#include "runtime/gguf/HeaderReader.h"

#include "dialect/common/PrintableName.h"
#include "runtime/gguf/TensorType.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/MathExtras.h"

using namespace llvm;

namespace sortie::gguf {

namespace {

constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kLeastEntryBytes = 8 + 4 + 1;      // empty key, type, one byte
constexpr uint64_t kLeastTensorBytes = 8 + 4 + 4 + 8; // empty name, rank, type, offset

} // namespace

Error HeaderReader::readMagicAndVersion() {
  if (!bytes.starts_with("GGUF"))
    return makeError(file + ": not a GGUF file (it does not start with 'GGUF')");
  if (Expected<StringRef> magic = cursor.readBytes(4, "the magic number"); !magic)
    return magic.takeError();
  Expected<uint32_t> version = cursor.read<uint32_t>("the version");
  if (!version)
    return version.takeError();
  if (*version == 2 || *version == 3)
    return Error::success();
  const bool isSwapped = byteswap(*version) == 2 || byteswap(*version) == 3;
  return cursor.error(isSwapped
                          ? Twine("the file is big-endian; convert it to little-endian")
                          : "GGUF version " + Twine(*version) +
                                " is not supported, only 2 and 3 are; convert the model again");
}

Expected<StringRef> HeaderReader::readName(const Twine &what) {
  Expected<StringRef> name = cursor.readString(kMaxNameBytes, what);
  if (name && !isPrintableName(*name))
    return cursor.error(what + " " + kPrintableNameRule + "; the file is damaged");
  return name;
}

Error HeaderReader::readMetadata(uint64_t count) {
  metadata.file = file.str();
  metadata.list.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    Expected<StringRef> key =
        readName("the name of metadata key " + Twine(i + 1) + " of " + Twine(count));
    if (!key)
      return key.takeError();
    if (!metadata.index.try_emplace(*key, metadata.list.size()).second)
      return cursor.error("metadata key '" + *key + "' occurs twice; the file is damaged");
    Expected<ValueType> type = cursor.readValueType("metadata key '" + *key + "'");
    if (!type)
      return type.takeError();
    Expected<Value> value = cursor.readValue(*type, "metadata key '" + *key + "'");
    if (!value)
      return value.takeError();
    metadata.list.push_back({*key, *value});
  }
  return Error::success();
}

Expected<uint64_t> HeaderReader::alignment() const {
  if (!metadata.find("general.alignment"))
    return kDefaultAlignment;
  Expected<uint64_t> value = metadata.getUnsigned("general.alignment");
  if (value && (!isPowerOf2_64(*value) || *value > kMaxAlignment))
    return makeError(file + ": metadata key 'general.alignment' is " + Twine(*value) +
                     ", a power of two up to " + Twine(kMaxAlignment) + " is needed");
  return value;
}

Error HeaderReader::tensorError(const Tensor &tensor, const Twine &message) const {
  return makeError(file + ": " + tensor.describe() + ": " + message);
}

Expected<Tensor> HeaderReader::readTensorRecord() {
  Tensor tensor;
  tensor.file = file;
  Expected<StringRef> name = readName("the name of tensor " + Twine(tensors.size() + 1));
  if (!name)
    return name.takeError();
  tensor.name = name->str();
  const std::string what = "the record of tensor '" + tensor.name + "'";

  Expected<uint32_t> rank = cursor.read<uint32_t>(what);
  if (!rank)
    return rank.takeError();
  if (*rank == 0 || *rank > kMaxDimensions)
    return cursor.error(what + " gives " + Twine(*rank) + " dimensions, 1 to " +
                        Twine(kMaxDimensions) + " are possible; the file is damaged");
  uint64_t elements = 1;
  for (uint32_t i = 0; i < *rank; ++i) {
    Expected<uint64_t> extent = cursor.read<uint64_t>(what);
    if (!extent)
      return extent.takeError();
    if (*extent == 0 || *extent > kMaxElements / elements)
      return cursor.error(what + " has dimension " + Twine(*extent) +
                          ", which is zero or makes the tensor too large; the file is damaged");
    elements *= *extent;
    tensor.dimensions.push_back(static_cast<int64_t>(*extent));
  }

  Expected<uint32_t> type = cursor.read<uint32_t>(what);
  if (!type)
    return type.takeError();
  tensor.type = *type;
  tensor.typeName = tensorTypeName(*type);
  tensor.encoding = numerics::findEncoding(*type);
  Expected<uint64_t> offset = cursor.read<uint64_t>(what);
  if (!offset)
    return offset.takeError();
  tensor.offset = *offset; // of the data section, until locate()
  return tensor;
}

/// Finds the data of a tensor. `dataBegin` is at most the size of the file plus the alignment.
Error HeaderReader::locate(Tensor &tensor, uint64_t dataBegin) const {
  if (tensor.offset > UINT64_MAX - dataBegin)
    return tensorError(tensor, "its data offset " + Twine(tensor.offset) +
                                   " is outside any file; the file is damaged");
  tensor.offset += dataBegin;
  const numerics::EncodingInfo *encoding = tensor.encoding;
  if (!encoding)
    return Error::success();

  const int64_t rowElements = tensor.dimensions.front();
  if (rowElements % encoding->elements != 0)
    return tensorError(tensor, "its rows have " + Twine(rowElements) +
                                   " elements, not a multiple of the type's block of " +
                                   Twine(encoding->elements));
  const int64_t matrixRows = tensor.dimensions.size() < 2 ? 1 : tensor.dimensions[1];
  if (matrixRows % encoding->stripRows != 0)
    return tensorError(tensor, "its matrices have " + Twine(matrixRows) +
                                   " rows, the type stores strips of " +
                                   Twine(encoding->stripRows));
  uint64_t size = numerics::rowBytes(*encoding, rowElements);
  for (const int64_t extent : ArrayRef(tensor.dimensions).drop_front())
    size *= extent; // at most 4 * kMaxElements
  if (tensor.offset <= bytes.size() && size <= bytes.size() - tensor.offset) {
    tensor.bytes = arrayRefFromStringRef(bytes.substr(tensor.offset, size));
    return Error::success();
  }
  if (presence == DataPresence::Optional && bytes.size() <= dataBegin)
    return Error::success();
  return tensorError(tensor, "its data is " + Twine(size) + " bytes at offset " +
                                 Twine(tensor.offset) + ", the file has only " +
                                 Twine(bytes.size()) +
                                 " bytes; it is truncated: download or convert it again");
}

Error HeaderReader::read() {
  if (Error error = readMagicAndVersion())
    return error;
  Expected<uint64_t> tensorCount =
      cursor.readCount(kLeastTensorBytes, kMaxTensors, "the number of tensors");
  if (!tensorCount)
    return tensorCount.takeError();
  Expected<uint64_t> entryCount =
      cursor.readCount(kLeastEntryBytes, kMaxKeys, "the number of metadata keys");
  if (!entryCount)
    return entryCount.takeError();
  if (Error error = readMetadata(*entryCount))
    return error;
  Expected<uint64_t> align = alignment();
  if (!align)
    return align.takeError();

  tensors.reserve(*tensorCount);
  for (uint64_t i = 0; i < *tensorCount; ++i) {
    Expected<Tensor> tensor = readTensorRecord();
    if (!tensor)
      return tensor.takeError();
    if (tensor->offset % *align != 0)
      return tensorError(*tensor, "its data offset " + Twine(tensor->offset) +
                                      " is not a multiple of the file's alignment " +
                                      Twine(*align) + "; the file is damaged");
    tensors.push_back(std::move(*tensor));
  }
  const uint64_t dataBegin = alignTo(cursor.offset(), *align);
  for (Tensor &tensor : tensors)
    if (Error error = locate(tensor, dataBegin))
      return error;
  return Error::success();
}

} // namespace sortie::gguf
