// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Widths of quantized rows: the word of the dialects `lm` and `moert`, and what it is to
// runtime/numerics.

#ifndef SORTIE_DIALECT_COMMON_WIDTHS_H
#define SORTIE_DIALECT_COMMON_WIDTHS_H

#include "dialect/common/Enums.h"
#include "runtime/numerics/contract.h"

namespace sortie {

inline numerics::ActivationWidth toNumerics(IntegerWidth width) {
  return width == IntegerWidth::Int16 ? numerics::ActivationWidth::Int16
                                      : numerics::ActivationWidth::Int8;
}

inline IntegerWidth toWord(numerics::ActivationWidth width) {
  return width == numerics::ActivationWidth::Int16 ? IntegerWidth::Int16 : IntegerWidth::Int8;
}

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_WIDTHS_H
