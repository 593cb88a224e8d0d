// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Typed access to metadata values.

#include "runtime/gguf/Metadata.h"

#include "runtime/gguf/Cursor.h"

#include "llvm/Support/Endian.h"

using namespace llvm;

namespace sortie::gguf {

namespace {

struct ValueTypeInfo {
  StringRef name;
  uint64_t bytes;
};

constexpr ValueTypeInfo kValueTypes[kValueTypeCount] = {
    {"u8", 1},   {"i8", 1},     {"u16", 2},   {"i16", 2}, {"u32", 4}, {"i32", 4}, {"f32", 4},
    {"bool", 1}, {"string", 0}, {"array", 0}, {"u64", 8}, {"i64", 8}, {"f64", 8},
};

template <typename T> T load(StringRef bytes) {
  return support::endian::read<T, endianness::little>(bytes.data());
}

} // namespace

StringRef valueTypeName(ValueType type) { return kValueTypes[static_cast<uint32_t>(type)].name; }

uint64_t scalarBytes(ValueType type) { return kValueTypes[static_cast<uint32_t>(type)].bytes; }

std::optional<int64_t> Value::asSigned() const {
  switch (valueType) {
  case ValueType::UInt8:
    return load<uint8_t>(bytes);
  case ValueType::Int8:
    return load<int8_t>(bytes);
  case ValueType::UInt16:
    return load<uint16_t>(bytes);
  case ValueType::Int16:
    return load<int16_t>(bytes);
  case ValueType::UInt32:
    return load<uint32_t>(bytes);
  case ValueType::Int32:
    return load<int32_t>(bytes);
  case ValueType::Int64:
    return load<int64_t>(bytes);
  case ValueType::UInt64: {
    const auto value = load<uint64_t>(bytes);
    if (value > static_cast<uint64_t>(INT64_MAX))
      return std::nullopt;
    return static_cast<int64_t>(value);
  }
  default:
    return std::nullopt;
  }
}

std::optional<uint64_t> Value::asUnsigned() const {
  if (valueType == ValueType::UInt64)
    return load<uint64_t>(bytes);
  const std::optional<int64_t> value = asSigned();
  if (!value || *value < 0)
    return std::nullopt;
  return static_cast<uint64_t>(*value);
}

std::optional<double> Value::asFloat() const {
  if (valueType == ValueType::Float32)
    return load<float>(bytes);
  if (valueType == ValueType::Float64)
    return load<double>(bytes);
  return std::nullopt;
}

std::optional<bool> Value::asBool() const {
  if (valueType != ValueType::Bool)
    return std::nullopt;
  return bytes.front() != 0;
}

std::optional<StringRef> Value::asString() const {
  if (valueType != ValueType::String)
    return std::nullopt;
  return bytes;
}

std::optional<std::vector<Value>> Value::asArray() const {
  if (valueType != ValueType::Array)
    return std::nullopt;
  std::vector<Value> elements;
  elements.reserve(count);
  Cursor cursor(bytes, "array");
  for (uint64_t i = 0; i < count; ++i) {
    // The bytes were walked in the same way when the file was opened, so this cannot fail.
    Expected<Value> element = cursor.readValue(arrayElementType, "element");
    if (!element) {
      consumeError(element.takeError());
      return std::nullopt;
    }
    elements.push_back(*element);
  }
  return elements;
}

std::string Value::describeType() const {
  if (valueType != ValueType::Array)
    return valueTypeName(valueType).str();
  return ("array of " + Twine(count) + " " + valueTypeName(arrayElementType)).str();
}

const Value *Metadata::find(StringRef key) const {
  const auto it = index.find(key);
  return it == index.end() ? nullptr : &list[it->second].value;
}

template <typename T>
Expected<T> Metadata::get(StringRef key, std::optional<T> (Value::*as)() const,
                          StringRef wanted) const {
  const Value *value = find(key);
  if (!value)
    return makeError(Twine(file) + ": metadata key '" + key + "' is missing; " + wanted +
                     " is needed. Is the file complete and of the right model?");
  if (const std::optional<T> result = (value->*as)())
    return *result;
  return makeError(Twine(file) + ": metadata key '" + key + "' is " + value->describeType() + ", " +
                   wanted + " is needed");
}

Expected<uint64_t> Metadata::getUnsigned(StringRef key) const {
  return get(key, &Value::asUnsigned, "an integer of at least 0");
}

Expected<double> Metadata::getFloat(StringRef key) const {
  return get(key, &Value::asFloat, "a floating-point number");
}

Expected<bool> Metadata::getBool(StringRef key) const { return get(key, &Value::asBool, "a bool"); }

Expected<StringRef> Metadata::getString(StringRef key) const {
  return get(key, &Value::asString, "a string");
}

} // namespace sortie::gguf
