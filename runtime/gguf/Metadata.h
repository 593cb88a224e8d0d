// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The metadata of a GGUF file: typed values by key. Strings and arrays point into the file.

#ifndef SORTIE_RUNTIME_GGUF_METADATA_H
#define SORTIE_RUNTIME_GGUF_METADATA_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sortie::gguf {

/// The types of metadata values, by their numbers in the file.
enum class ValueType : uint32_t {
  UInt8,
  Int8,
  UInt16,
  Int16,
  UInt32,
  Int32,
  Float32,
  Bool,
  String,
  Array,
  UInt64,
  Int64,
  Float64,
};
inline constexpr uint32_t kValueTypeCount = 13;

/// "u32", "string", ...: the name of a type in messages.
llvm::StringRef valueTypeName(ValueType type);

/// Bytes of a value of this type in the file; 0 for strings and arrays, which say their own length.
uint64_t scalarBytes(ValueType type);

/// One metadata value. The `as` functions give nothing when the value has another type.
class Value {
public:
  /// A scalar, from its encoded bytes, or a string, from its characters.
  Value(ValueType type, llvm::StringRef bytes) : valueType(type), bytes(bytes) {}
  /// An array of `count` elements, from the encoded bytes of all of them.
  Value(ValueType elementType, uint64_t count, llvm::StringRef bytes)
      : valueType(ValueType::Array), arrayElementType(elementType), count(count), bytes(bytes) {}

  ValueType type() const { return valueType; }
  /// The type and the number of an array's elements.
  ValueType elementType() const { return arrayElementType; }
  uint64_t elementCount() const { return count; }

  /// Any integer type, when the value is not negative.
  std::optional<uint64_t> asUnsigned() const;
  /// Any integer type, when the value fits.
  std::optional<int64_t> asSigned() const;
  /// Float32 or Float64.
  std::optional<double> asFloat() const;
  std::optional<bool> asBool() const;
  std::optional<llvm::StringRef> asString() const;
  /// The elements of an array.
  std::optional<std::vector<Value>> asArray() const;

  /// "u32" or "array of 24 string".
  std::string describeType() const;
  /// The bytes as the file has them: of a scalar, of a string without its length, of all elements.
  llvm::StringRef encoded() const { return bytes; }

private:
  ValueType valueType;
  ValueType arrayElementType = ValueType::UInt8;
  uint64_t count = 1;
  llvm::StringRef bytes;
};

/// Keys and values in the order of the file.
class Metadata {
public:
  struct Entry {
    llvm::StringRef key;
    Value value;
  };

  llvm::ArrayRef<Entry> entries() const { return list; }

  /// The value of a key, or null.
  const Value *find(llvm::StringRef key) const;

  /// The value of a key that must be there with this type; otherwise an error that names file, key
  /// and both types.
  llvm::Expected<uint64_t> getUnsigned(llvm::StringRef key) const;
  llvm::Expected<double> getFloat(llvm::StringRef key) const;
  llvm::Expected<bool> getBool(llvm::StringRef key) const;
  llvm::Expected<llvm::StringRef> getString(llvm::StringRef key) const;

private:
  friend class HeaderReader;

  template <typename T>
  llvm::Expected<T> get(llvm::StringRef key, std::optional<T> (Value::*as)() const,
                        llvm::StringRef wanted) const;

  std::string file;
  std::vector<Entry> list;
  llvm::StringMap<size_t> index;
};

} // namespace sortie::gguf

#endif // SORTIE_RUNTIME_GGUF_METADATA_H
