// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading of weights.

#include "runtime/weights/WeightReader.h"

#include "runtime/numerics/float.h"
#include "runtime/support/Error.h"
#include "runtime/support/FirstError.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cstring>

using namespace llvm;

namespace sortie {

Error LoadProgress::advance(uint64_t bytes) {
  doneBytes += bytes;
  if (report(doneBytes, totalBytes))
    return Error::success();
  return makeError("cancelled while weights were being packed", std::errc::operation_canceled);
}

Error readRows(WeightSource &source, cpu::ThreadPool &pool, const WeightSpec &spec,
               int64_t firstRow, int64_t rowCount, uint8_t *destination) {
  constexpr uint64_t kBytesPerUnit = uint64_t{1} << 20;
  const uint64_t rowBytes = spec.rowBytes();
  const int64_t unitRows =
      source.readsInSlabs()
          ? rowCount
          : static_cast<int64_t>(
                alignTo(std::max<uint64_t>(1, kBytesPerUnit / rowBytes), spec.info().stripRows));
  FirstError failure;
  pool.parallelFor(divideCeil(rowCount, std::max<int64_t>(1, unitRows)), [&](int64_t unit, int) {
    const int64_t first = unit * unitRows;
    const int64_t count = std::min(unitRows, rowCount - first);
    uint8_t *to = destination + first * rowBytes;
    Expected<const uint8_t *> rows = source.rows(spec, firstRow + first, count, to);
    if (!rows)
      return failure.keep(rows.takeError());
    if (*rows != to)
      std::memcpy(to, *rows, count * rowBytes);
  });
  return failure.take();
}

void widenValues(numerics::Format format, const uint8_t *bytes, int64_t count, float *values) {
  for (int64_t i = 0; i < count; ++i) {
    if (format == numerics::Format::F32)
      std::memcpy(values + i, bytes + 4 * i, sizeof(float));
    else if (const auto bits = static_cast<uint16_t>(bytes[2 * i] | bytes[2 * i + 1] << 8);
             format == numerics::Format::F16)
      values[i] = numerics::fromHalf(bits);
    else
      values[i] = numerics::fromBFloat16(bits);
  }
}

} // namespace sortie
