// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Structs of sortie.h that a caller of any version has filled or wants filled. Every pointer and
// struct that crosses the C API goes through here, so that all are checked alike.

#ifndef SORTIE_RUNTIME_CAPI_CSTRUCTS_H
#define SORTIE_RUNTIME_CAPI_CSTRUCTS_H

#include "runtime/include/sortie/sortie.h"
#include "runtime/support/Error.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace sortie {

/// The name of a struct, and the sizes that versions of the API gave it, the first one first. Where
/// a version added members, the size before it is the offset of the first of them.
template <typename T> struct CStruct;
#define SORTIE_C_STRUCT(type, ...)                                                                 \
  template <> struct CStruct<type> {                                                               \
    static constexpr const char *name = #type;                                                     \
    static constexpr size_t sizes[] = {__VA_ARGS__};                                               \
  };
SORTIE_C_STRUCT(sortie_callbacks, sizeof(sortie_callbacks))
SORTIE_C_STRUCT(sortie_program_info, offsetof(sortie_program_info, kernel_count),
                offsetof(sortie_program_info, fingerprint_rule),
                offsetof(sortie_program_info, state_count), sizeof(sortie_program_info))
SORTIE_C_STRUCT(sortie_symbol_info, offsetof(sortie_symbol_info, is_session),
                sizeof(sortie_symbol_info))
SORTIE_C_STRUCT(sortie_symbol_value, sizeof(sortie_symbol_value))
SORTIE_C_STRUCT(sortie_function_info, offsetof(sortie_function_info, symbol_count),
                offsetof(sortie_function_info, target),
                offsetof(sortie_function_info, activation_bits), sizeof(sortie_function_info))
SORTIE_C_STRUCT(sortie_value_info, offsetof(sortie_value_info, shape_symbols),
                sizeof(sortie_value_info))
SORTIE_C_STRUCT(sortie_weight_info, offsetof(sortie_weight_info, tensor_count),
                sizeof(sortie_weight_info))
SORTIE_C_STRUCT(sortie_state_info, offsetof(sortie_state_info, extents), sizeof(sortie_state_info))
SORTIE_C_STRUCT(sortie_memory_info, offsetof(sortie_memory_info, argument_bytes),
                offsetof(sortie_memory_info, state_bytes), sizeof(sortie_memory_info))
SORTIE_C_STRUCT(sortie_kernel_info, sizeof(sortie_kernel_info))
// Its member `threads` lies where the first version had padding.
SORTIE_C_STRUCT(sortie_image_info, offsetof(sortie_image_info, cluster), sizeof(sortie_image_info))
SORTIE_C_STRUCT(sortie_weights_options, offsetof(sortie_weights_options, device),
                offsetof(sortie_weights_options, share), sizeof(sortie_weights_options))
SORTIE_C_STRUCT(sortie_verify_options, sizeof(sortie_verify_options))
SORTIE_C_STRUCT(sortie_verify_info, sizeof(sortie_verify_info))
SORTIE_C_STRUCT(sortie_weights_info, sizeof(sortie_weights_info))
SORTIE_C_STRUCT(sortie_session_options, offsetof(sortie_session_options, eager),
                offsetof(sortie_session_options, symbols), sizeof(sortie_session_options))
SORTIE_C_STRUCT(sortie_tensor, offsetof(sortie_tensor, memory), sizeof(sortie_tensor))
SORTIE_C_STRUCT(sortie_observer, sizeof(sortie_observer))
SORTIE_C_STRUCT(sortie_run_options, sizeof(sortie_run_options))
SORTIE_C_STRUCT(sortie_sequences_options, sizeof(sortie_sequences_options))
SORTIE_C_STRUCT(sortie_sequences_info, sizeof(sortie_sequences_info))
SORTIE_C_STRUCT(sortie_piece, sizeof(sortie_piece))
#undef SORTIE_C_STRUCT

/// No version of a struct will be larger: struct_size was never set.
inline constexpr size_t kLargestStruct = 4096;

inline llvm::Error nullError(const llvm::Twine &what) {
  return makeError(what + " is a null pointer");
}

/// An error if any of these arguments of `function` is null.
template <typename... Pointers>
llvm::Error requireArguments(const char *function, const Pointers *...arguments) {
  if ((arguments && ...))
    return llvm::Error::success();
  return nullError(llvm::Twine("an argument of ") + function);
}

/// Whether struct_size is one that a caller can have set: the size of a version that this library
/// knows, or a larger one of a version that it does not.
template <typename T> llvm::Error checkSize(const T &given) {
  const size_t size = given.struct_size;
  const bool isLater = size > sizeof(T) && size <= kLargestStruct && size % alignof(T) == 0;
  if (isLater || llvm::is_contained(CStruct<T>::sizes, size))
    return llvm::Error::success();
  std::string sizes;
  for (const size_t known : CStruct<T>::sizes)
    sizes += std::to_string(known) + ", ";
  return makeError(llvm::Twine(CStruct<T>::name) + ".struct_size is " + llvm::Twine(size) +
                   ", which no version of the struct has (" + sizes +
                   "or more in a later one); make the struct with SORTIE_INIT");
}

/// The caller's struct; members that its version lacks are zero. So is all of it if it is null.
template <typename T> llvm::Expected<T> readStruct(const T *given) {
  T result{};
  if (!given)
    return result;
  if (llvm::Error error = checkSize(*given))
    return error;
  const size_t size = given->struct_size;
  std::memcpy(&result, given, std::min(size, sizeof(T)));
  const auto *bytes = reinterpret_cast<const unsigned char *>(given);
  if (size > sizeof(T) &&
      llvm::any_of(llvm::ArrayRef(bytes + sizeof(T), size - sizeof(T)), [](auto b) { return b; }))
    return makeError(llvm::Twine(CStruct<T>::name) + " has " + llvm::Twine(size) +
                         " bytes, and what is set behind the first " + llvm::Twine(sizeof(T)) +
                         " is unknown to this library (ABI " + llvm::Twine(SORTIE_ABI_VERSION) +
                         "): install a newer one, or leave new members zero",
                     std::errc::not_supported);
  return result;
}

/// Element `index` of a caller's array. Elements are as far apart as its version of the struct is
/// large.
template <typename T> llvm::Expected<T> readElement(const T *array, size_t index) {
  if (llvm::Error error = checkSize(*array))
    return error;
  const auto *bytes = reinterpret_cast<const char *>(array);
  const auto *element = reinterpret_cast<const T *>(bytes + index * array->struct_size);
  if (element->struct_size != array->struct_size)
    return makeError(llvm::Twine(CStruct<T>::name) + ".struct_size is " +
                     llvm::Twine(element->struct_size) + " in element " + llvm::Twine(index) +
                     " of an array, " + llvm::Twine(array->struct_size) +
                     " in element 0; make all of them with SORTIE_INIT");
  return readStruct(element);
}

/// Fills the members that the caller's version of the struct has; what this library does not know
/// becomes zero.
template <typename T> llvm::Error writeStruct(T value, T *destination) {
  if (llvm::Error error = checkSize(*destination))
    return error;
  const size_t size = destination->struct_size;
  value.struct_size = size;
  std::memcpy(destination, &value, std::min(size, sizeof(T)));
  if (size > sizeof(T))
    std::memset(reinterpret_cast<char *>(destination) + sizeof(T), 0, size - sizeof(T));
  return llvm::Error::success();
}

} // namespace sortie

#endif // SORTIE_RUNTIME_CAPI_CSTRUCTS_H
