// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Decoding of parts of rows.

#include "runtime/weights/DecodedElements.h"

#include "runtime/numerics/decode.h"
#include "runtime/numerics/embed.h"

#include <algorithm>

using namespace llvm;

namespace sortie {

using numerics::DecodedBlock;
using numerics::Encoding;
using numerics::FormatInfo;
using numerics::Minimum;

/// Element `i` of a block.
template <Encoding E> static float elementOf(const DecodedBlock &block, int64_t i) {
  constexpr FormatInfo kInfo = numerics::formatInfo(numerics::formatOf(E));
  const int64_t sub = i / kInfo.subBlock;
  if constexpr (kInfo.minimum == Minimum::SubtractedInteger)
    return numerics::subScaledElement(block.d, block.subScales[sub], block.levels[i], block.m,
                                      block.minimums[sub]);
  else if constexpr (kInfo.minimum == Minimum::AddedFloat)
    return numerics::groupElement(block.d, block.levels[i], block.m);
  else if constexpr (numerics::hasSubScales(kInfo))
    return numerics::subScaledElement(block.d, block.subScales[sub], block.levels[i]);
  else
    return numerics::groupElement(block.d, block.levels[i]);
}

template <Encoding E>
static void decode(numerics::EncodedRow row, int64_t first, MutableArrayRef<float> values) {
  constexpr int64_t kElements = numerics::encodingInfo(E).elements;
  DecodedBlock block;
  while (!values.empty()) {
    const int64_t inBlock = first % kElements;
    const size_t count = std::min<int64_t>(kElements - inBlock, values.size());
    numerics::decodeBlock<E>(row, first / kElements, block);
    for (size_t i = 0; i < count; ++i)
      values[i] = elementOf<E>(block, inBlock + i);
    values = values.drop_front(count);
    first += count;
  }
}

void decodeElements(Encoding encoding, numerics::EncodedRow row, int64_t first,
                    MutableArrayRef<float> values) {
  numerics::visitEncoding(encoding, [&]<Encoding E>() { decode<E>(row, first, values); });
}

} // namespace sortie
