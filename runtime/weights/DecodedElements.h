// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Elements of rows of blocks as numbers.

#ifndef SORTIE_RUNTIME_WEIGHTS_DECODEDELEMENTS_H
#define SORTIE_RUNTIME_WEIGHTS_DECODEDELEMENTS_H

#include "runtime/numerics/encoding.h"

#include "llvm/ADT/ArrayRef.h"

namespace sortie {

/// The elements of a row of a quantized encoding from `first` on, as many as `values` has room for;
/// numerics/embed.h says what numbers they are.
void decodeElements(numerics::Encoding encoding, numerics::EncodedRow row, int64_t first,
                    llvm::MutableArrayRef<float> values);

} // namespace sortie

#endif // SORTIE_RUNTIME_WEIGHTS_DECODEDELEMENTS_H
