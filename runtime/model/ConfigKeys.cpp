// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading of single keys.

#include "runtime/model/ConfigKeys.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::model;
using llvm::Error;
using llvm::Expected;
using llvm::StringLiteral;
using llvm::StringRef;
using llvm::Twine;

/// A key with one of these words may change what a feed-forward half means.
static constexpr StringLiteral kRoutingWords[] = {
    "expert", "router", "gating", "group", "moe", "swiglu", "residual", "activation",
};

/// Keys below these describe the other half of a layer.
static constexpr StringLiteral kForeignKeys[] = {"attention.", "rope.", "ssm."};

const gguf::Value *ConfigKeys::lookUp(StringRef key) {
  const std::string full = fullKey(key);
  const gguf::Value *value = metadata.find(full);
  if (!value || !ignored.matches(full))
    return value;
  ignored.drop(full);
  return nullptr;
}

Error ConfigKeys::makeError(StringRef key, const Twine &problem) const {
  return sortie::makeError(model.name() + ": metadata key '" + fullKey(key) + "' " + problem);
}

Error ConfigKeys::checkBounds(StringRef key, uint64_t number, Bounds bounds) const {
  if (number >= bounds.least && number <= bounds.most)
    return Error::success();
  return makeError(key, "is " + Twine(number) + ", expected " + Twine(bounds.least) + " to " +
                            Twine(bounds.most));
}

Error ConfigKeys::checkNotLeftOut(StringRef key) const {
  const std::string full = fullKey(key);
  if (!ignored.matches(full) || !model.metadata().find(full))
    return Error::success();
  return makeError(key, "is needed, and " + ignored.optionName() + " matches it");
}

Expected<std::optional<StringRef>> ConfigKeys::readOptionalString(StringRef key) {
  if (!lookUp(key))
    return std::nullopt;
  Expected<StringRef> read = metadata.getString(fullKey(key));
  if (!read)
    return read.takeError();
  return std::optional(*read);
}

Expected<uint64_t> ConfigKeys::getUnsigned(StringRef key) {
  if (Error error = checkNotLeftOut(key))
    return error;
  return metadata.getUnsigned(fullKey(key));
}

Error ConfigKeys::readCount(StringRef key, Bounds bounds, int64_t &value) {
  Expected<uint64_t> number = getUnsigned(key);
  if (!number)
    return number.takeError();
  if (Error error = checkBounds(key, *number, bounds))
    return error;
  value = static_cast<int64_t>(*number);
  return Error::success();
}

Error ConfigKeys::readOptionalCount(StringRef key, Bounds bounds, int64_t &value) {
  return lookUp(key) ? readCount(key, bounds, value) : Error::success();
}

Error ConfigKeys::readOptionalBool(StringRef key, bool &value) {
  if (!lookUp(key))
    return Error::success();
  Expected<bool> read = metadata.getBool(fullKey(key));
  if (!read)
    return read.takeError();
  value = *read;
  return Error::success();
}

Error ConfigKeys::readFloat(StringRef key, float &value) {
  if (Error error = checkNotLeftOut(key))
    return error;
  Expected<double> number = metadata.getFloat(fullKey(key));
  if (!number)
    return number.takeError();
  value = static_cast<float>(*number);
  return Error::success();
}

Error ConfigKeys::readOptionalFloat(StringRef key, float &value) {
  return lookUp(key) ? readFloat(key, value) : Error::success();
}

Expected<std::optional<std::vector<int64_t>>>
ConfigKeys::readPerLayer(StringRef key, Bounds bounds, int64_t layers, int64_t prediction) {
  const gguf::Value *value = lookUp(key);
  if (!value)
    return std::nullopt;
  const std::optional<std::vector<gguf::Value>> array = value->asArray();
  if (!array) {
    int64_t count = 0;
    if (Error error = readCount(key, bounds, count))
      return error;
    return std::vector<int64_t>(layers, count);
  }
  const int64_t count = array->size();
  if (count != layers && count != layers + prediction)
    return makeError(key, "has " + Twine(count) + " numbers; the model has " + Twine(layers) +
                              " layers");
  std::vector<int64_t> values;
  for (const gguf::Value &element : llvm::ArrayRef(*array).take_front(layers)) {
    const std::optional<uint64_t> number = element.asUnsigned();
    if (!number)
      return makeError(key, "holds " + element.describeType() +
                                "; an integer of at least 0 is "
                                "needed for each layer");
    if (Error error = checkBounds(key, *number, bounds))
      return error;
    values.push_back(static_cast<int64_t>(*number));
  }
  return values;
}

/// True for a key, without the architecture's prefix, that changes what a layer's feed-forward half
/// means, as far as its words tell.
static bool mayChangeMeaning(StringRef key) {
  if (llvm::any_of(kForeignKeys, [&](StringRef start) { return key.starts_with(start); }))
    return false;
  return llvm::any_of(kRoutingWords,
                      [&](StringRef word) { return key.contains_insensitive(word); });
}

Error ConfigKeys::checkUnderstood(Scope scope) {
  const bool isWhole = scope == Scope::WholeModel;
  if (isWhole)
    metadata.lookUpAll(prefix + ".*");
  else
    for (const StringRef word : kRoutingWords)
      metadata.lookUpAll((prefix + ".*" + word + "*").str());
  std::vector<std::string> unknown;
  for (const gguf::Metadata::Entry &entry : model.metadata().entries()) {
    StringRef rest = entry.key;
    if (!rest.consume_front(prefix) || !rest.consume_front(".") ||
        !(isWhole || mayChangeMeaning(rest)) || metadata.hasLookedUp(entry.key))
      continue;
    if (ignored.matches(entry.key))
      ignored.drop(entry.key);
    else
      unknown.push_back(("'" + entry.key + "'").str());
  }
  if (unknown.empty())
    return Error::success();
  return sortie::makeError(model.name() + ": metadata " + (unknown.size() == 1 ? "key " : "keys ") +
                           llvm::join(unknown, ", ") + " may change what a " +
                           (isWhole ? "model" : "layer") +
                           " means, and this version does not know how for architecture " + prefix +
                           "; --ignore-keys=REGEX leaves keys out on purpose");
}
