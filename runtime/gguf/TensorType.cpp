// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of tensor types.

#include "runtime/gguf/TensorType.h"

#include "runtime/numerics/encoding.h"

namespace sortie::gguf {

namespace {

struct ForeignType {
  uint32_t number;
  const char *name;
};

/// Types of ggml that are not in the table of encodings.
constexpr ForeignType kForeignTypes[] = {
    {9, "q8_1"},   {15, "q8_K"},  {17, "iq2_xs"}, {18, "iq3_xxs"}, {19, "iq1_s"}, {21, "iq3_s"},
    {22, "iq2_s"}, {24, "i8"},    {25, "i16"},    {26, "i32"},     {27, "i64"},   {28, "f64"},
    {29, "iq1_m"}, {34, "tq1_0"}, {35, "tq2_0"},  {40, "nvfp4"},
};

} // namespace

std::string tensorTypeName(uint32_t ggufType) {
  if (const numerics::EncodingInfo *info = numerics::findEncoding(ggufType))
    return info->name;
  for (const ForeignType &type : kForeignTypes)
    if (type.number == ggufType)
      return type.name;
  return "type " + std::to_string(ggufType);
}

std::string supportedTensorTypes() {
  std::string names;
  for (const numerics::EncodingInfo &info : numerics::kEncodings) {
    if (!names.empty())
      names += ", ";
    names += info.name;
  }
  return names;
}

} // namespace sortie::gguf
