// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Opening of models, split ones included.

#include "runtime/gguf/Model.h"

#include "runtime/gguf/Fingerprint.h"
#include "runtime/gguf/HeaderReader.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;

namespace sortie::gguf {

namespace {

/// The name of a part of a split model, taken apart.
struct PartName {
  StringRef stem; ///< before "-00001-of-00003.gguf"
  uint64_t number;
  uint64_t count;
};

std::optional<PartName> parsePartName(StringRef path) {
  // NAME-00001-of-00003.gguf
  constexpr size_t kDigits = 5;
  StringRef rest = path;
  if (!rest.consume_back(".gguf") || rest.size() < 2 * kDigits + 5)
    return std::nullopt;
  PartName name;
  if (rest.take_back(kDigits).getAsInteger(10, name.count))
    return std::nullopt;
  rest = rest.drop_back(kDigits);
  if (!rest.consume_back("-of-") || rest.take_back(kDigits).getAsInteger(10, name.number))
    return std::nullopt;
  rest = rest.drop_back(kDigits);
  if (!rest.consume_back("-"))
    return std::nullopt;
  name.stem = rest;
  return name;
}

std::string partPath(StringRef stem, uint64_t number, uint64_t count) {
  std::string path;
  raw_string_ostream(path) << stem
                           << format("-%05u-of-%05u.gguf", unsigned(number), unsigned(count));
  return path;
}

Expected<std::unique_ptr<MemoryBuffer>> mapFile(StringRef path) {
  sys::fs::file_status status;
  if (!sys::fs::status(path, status) && (status.type() == sys::fs::file_type::fifo_file ||
                                         status.type() == sys::fs::file_type::socket_file ||
                                         status.type() == sys::fs::file_type::character_file))
    return makeError(path + ": is a pipe or a device; a model is mapped into memory, so give the "
                            "name of its file");
  ErrorOr<std::unique_ptr<MemoryBuffer>> buffer =
      MemoryBuffer::getFile(path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError(buffer.getError(),
                             path + ": cannot read the model: " + buffer.getError().message());
  return std::move(*buffer);
}

/// Number of parts that the first part of a model announces.
Expected<uint64_t> announcedParts(const Metadata &metadata) {
  if (!metadata.find("split.count"))
    return 1;
  Expected<uint64_t> count = metadata.getUnsigned("split.count");
  return count && *count == 0 ? Expected<uint64_t>(1) : std::move(count);
}

/// Checks what part `number` (from 0) of a split model says of itself.
Error checkPart(const Metadata &metadata, StringRef file, uint64_t number, uint64_t count) {
  if (count == 1)
    return Error::success();
  Expected<uint64_t> ownNumber = metadata.getUnsigned("split.no");
  if (!ownNumber)
    return ownNumber.takeError();
  Expected<uint64_t> ownCount = metadata.getUnsigned("split.count");
  if (!ownCount)
    return ownCount.takeError();
  if (*ownNumber == number && *ownCount == count)
    return Error::success();
  return makeError(file + ": is part " + Twine(*ownNumber + 1) + " of " + Twine(*ownCount) +
                   ", part " + Twine(number + 1) + " of " + Twine(count) +
                   " is expected here; give the first part of a complete set");
}

} // namespace

std::vector<std::string> modelFiles(StringRef path) {
  const std::optional<PartName> name = parsePartName(path);
  std::vector<std::string> files = {path.str()};
  if (!name || name->number != 1 || name->count > kMaxParts)
    return files;
  for (uint64_t number = 2; number <= name->count; ++number)
    files.push_back(partPath(name->stem, number, name->count));
  return files;
}

const Tensor *Model::findTensor(StringRef name) const {
  const auto it = index.find(name);
  return it == index.end() ? nullptr : &table[it->second];
}

std::optional<uint64_t> Model::fingerprint(const ModelFingerprint &rule) const {
  return rule.keys ? fingerprintOfNamedKeys(*this, *rule.keys) : fingerprintOfAllKeys(*this);
}

Error Model::addPart(std::unique_ptr<MemoryBuffer> buffer, DataPresence presence) {
  HeaderReader reader(buffer->getMemBufferRef(), presence);
  if (Error error = reader.read())
    return error;
  const bool isFirst = parts.empty();
  const uint64_t number = parts.size();
  Expected<uint64_t> count = announcedParts(isFirst ? reader.metadata : metadataOfModel);
  if (!count)
    return count.takeError();
  if (*count > kMaxParts)
    return makeError(buffer->getBufferIdentifier() + ": split into " + Twine(*count) +
                     " parts, at most " + Twine(kMaxParts) + " are supported");
  if (Error error = checkPart(reader.metadata, buffer->getBufferIdentifier(), number, *count))
    return error;
  for (Tensor &tensor : reader.tensors) {
    if (!index.try_emplace(tensor.name, table.size()).second)
      return makeError(buffer->getBufferIdentifier() + ": tensor '" + tensor.name +
                       "' occurs twice in the model; the file is damaged");
    table.push_back(std::move(tensor));
  }
  if (isFirst)
    metadataOfModel = std::move(reader.metadata);
  parts.push_back(std::move(buffer));
  return Error::success();
}

Error Model::checkTensorCount() const {
  if (parts.size() == 1 || !metadataOfModel.find("split.tensors.count"))
    return Error::success();
  Expected<uint64_t> count = metadataOfModel.getUnsigned("split.tensors.count");
  if (!count)
    return count.takeError();
  if (*count == table.size())
    return Error::success();
  return makeError(name() + ": its " + Twine(parts.size()) + " parts hold " + Twine(table.size()) +
                   " tensors, " + Twine(*count) +
                   " are announced; parts of different models are mixed");
}

Expected<std::unique_ptr<Model>>
Model::fromBuffers(std::vector<std::unique_ptr<MemoryBuffer>> buffers, DataPresence presence) {
  if (buffers.empty())
    return makeError("a model needs at least one file");
  std::unique_ptr<Model> model(new Model());
  const uint64_t given = buffers.size();
  for (std::unique_ptr<MemoryBuffer> &buffer : buffers)
    if (Error error = model->addPart(std::move(buffer), presence))
      return error;
  const uint64_t announced = cantFail(announcedParts(model->metadata()));
  if (announced != given)
    return makeError(model->name() + ": the model has " + Twine(announced) + " part(s), " +
                     Twine(given) + " given");
  if (Error error = model->checkTensorCount())
    return error;
  return model;
}

Expected<std::unique_ptr<Model>> Model::open(StringRef path, DataPresence presence) {
  Expected<std::unique_ptr<MemoryBuffer>> first = mapFile(path);
  if (!first)
    return first.takeError();
  std::unique_ptr<Model> model(new Model());
  if (Error error = model->addPart(std::move(*first), presence))
    return error;
  const uint64_t count = cantFail(announcedParts(model->metadata()));
  if (count == 1)
    return model;

  const std::vector<std::string> files = modelFiles(path);
  if (files.size() != count)
    return makeError(path + ": is the first of " + Twine(count) +
                     " parts, which are looked for by name; call it '" +
                     partPath("NAME", 1, count) + "' and the others alike");
  for (const std::string &file : ArrayRef(files).drop_front()) {
    Expected<std::unique_ptr<MemoryBuffer>> part = mapFile(file);
    if (!part)
      return part.takeError();
    if (Error error = model->addPart(std::move(*part), presence))
      return error;
  }
  if (Error error = model->checkTensorCount())
    return error;
  return model;
}

} // namespace sortie::gguf
