// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What loading weights onto a device takes, whatever the device: progress, rows read by several
// threads, and floats as fp32.

#ifndef SORTIE_RUNTIME_WEIGHTS_WEIGHTREADER_H
#define SORTIE_RUNTIME_WEIGHTS_WEIGHTREADER_H

#include "runtime/cpu/ThreadPool.h"
#include "runtime/weights/WeightSource.h"

#include "llvm/ADT/STLFunctionalExtras.h"

namespace sortie {

/// Called now and then with bytes done and bytes in all; false ends the work with an error.
using ReportProgress = llvm::function_ref<bool(uint64_t done, uint64_t total)>;

/// Counts bytes of the model's file.
class LoadProgress {
public:
  LoadProgress(ReportProgress report, uint64_t totalBytes)
      : report(report), totalBytes(totalBytes) {}

  /// So many more bytes are loaded; an error if the caller wants to stop.
  llvm::Error advance(uint64_t bytes);

private:
  ReportProgress report;
  uint64_t totalBytes;
  uint64_t doneBytes = 0;
};

/// Memory of loaded weights.
struct WeightBytes {
  uint64_t own = 0;
  uint64_t shared = 0; ///< of other weights, used in place
};

/// Copies `rowCount` rows from `firstRow` on, whole strips of them, to `destination`, with all
/// threads of `pool`.
llvm::Error readRows(WeightSource &source, cpu::ThreadPool &pool, const WeightSpec &spec,
                     int64_t firstRow, int64_t rowCount, uint8_t *destination);

/// `count` values of a float format as fp32, exactly.
void widenValues(numerics::Format format, const uint8_t *bytes, int64_t count, float *values);

} // namespace sortie

#endif // SORTIE_RUNTIME_WEIGHTS_WEIGHTREADER_H
