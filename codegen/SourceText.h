// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Values and parameters as the sources of kernels write them.

#ifndef SORTIE_CODEGEN_SOURCETEXT_H
#define SORTIE_CODEGEN_SOURCETEXT_H

#include "codegen/KernelSource.h"
#include "runtime/numerics/activation.h"
#include "runtime/numerics/layout.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FormatVariadic.h"

#include <bit>
#include <cstdio>
#include <string>
#include <vector>

namespace sortie::codegen {

/// A float that is a template argument: its bits.
inline std::string bitsOf(float value) {
  return llvm::formatv("{0:x8}u", std::bit_cast<uint32_t>(value));
}

/// A finite float, exactly.
inline std::string literal(float value) {
  char text[32];
  snprintf(text, sizeof(text), "%af", static_cast<double>(value));
  return text;
}

inline llvm::StringRef nameOf(numerics::RowKind kind) {
  switch (kind) {
  case numerics::RowKind::F32:
    return "sortie::numerics::RowKind::F32";
  case numerics::RowKind::Int8:
    return "sortie::numerics::RowKind::Int8";
  case numerics::RowKind::Int16:
    return "sortie::numerics::RowKind::Int16";
  }
  llvm_unreachable("unknown kind of rows");
}

inline llvm::StringRef nameOf(numerics::ActivationWidth width) {
  return width == numerics::ActivationWidth::Int16 ? "sortie::numerics::ActivationWidth::Int16"
                                                   : "sortie::numerics::ActivationWidth::Int8";
}

inline llvm::StringRef nameOf(numerics::GluKind kind) {
  switch (kind) {
  case numerics::GluKind::Swiglu:
    return "sortie::numerics::GluKind::Swiglu";
  case numerics::GluKind::SwigluClamped:
    return "sortie::numerics::GluKind::SwigluClamped";
  }
  llvm_unreachable("unknown gated activation");
}

/// What the kernels of a product are called.
inline llvm::StringRef kindOf(const Product &product) {
  if (product.heads != 0)
    return "head_matmul";
  return product.isGated ? "glu_matmul" : "matmul";
}

/// Parameters of a kernel as they are asked for. Each method returns the parameter's name, the ones
/// with a condition a null pointer where there is none.
struct Parameters {
  std::vector<std::string> list;

  std::string read(llvm::StringRef type) { return add(type, 'r', reads); }
  std::string write(llvm::StringRef type) { return add(type, 'w', writes); }
  std::string weight(llvm::StringRef type) { return add(type, 'g', weights); }
  std::string extent() { return add("int32_t ", 'e', extents); }

  std::string readIf(bool condition, llvm::StringRef type) {
    return condition ? read(type) : "nullptr";
  }
  std::string weightIf(bool condition, llvm::StringRef type) {
    return condition ? weight(type) : "nullptr";
  }

private:
  std::string add(llvm::StringRef type, char letter, int &count) {
    const std::string name = letter + std::to_string(count++);
    list.push_back(type.str() + name);
    return name;
  }

  int reads = 0;
  int writes = 0;
  int weights = 0;
  int extents = 0;
};

/// The scales by expert, which are the last arguments of a product, each with a comma in front;
/// "" where there is none, so that the source is the same as ever.
inline std::string expertScaleArguments(const Product &product, Parameters &parameters) {
  if (!product.hasFirstExpertScale && !product.hasSecondExpertScale)
    return "";
  std::string text = ", " + parameters.weightIf(product.hasFirstExpertScale, "const float *");
  if (product.isGated)
    text += ", " + parameters.weightIf(product.hasSecondExpertScale, "const float *");
  return text;
}

} // namespace sortie::codegen

#endif // SORTIE_CODEGEN_SOURCETEXT_H
