// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Reading of a matrix's panels, of which several threads pack one each.

#ifndef SORTIE_RUNTIME_CPU_PANELREADER_H
#define SORTIE_RUNTIME_CPU_PANELREADER_H

#include "runtime/cpu/Matrix.h"
#include "runtime/cpu/ThreadPool.h"
#include "runtime/weights/WeightSource.h"

namespace sortie {

/// The panels of a matrix, those of all experts counted through. A panel ends with its expert.
class PanelRows {
public:
  explicit PanelRows(const WeightSpec &spec);

  int64_t count() const { return panels; }
  int64_t expert(int64_t panel) const { return panel / panelsOfExpert; }
  int64_t rowOfExpert(int64_t panel) const { return panel % panelsOfExpert * cpu::kPanelRows; }
  /// Rows of all experts counted through; the end of all for panel count().
  int64_t firstRow(int64_t panel) const {
    return expert(panel) * rowsOfExpert + rowOfExpert(panel);
  }
  /// Rows of the panels [first, end).
  int64_t rows(int64_t first, int64_t end) const { return firstRow(end) - firstRow(first); }
  /// Bytes of the panels [first, end) in the model's file.
  uint64_t bytes(int64_t first, int64_t end) const { return rows(first, end) * rowBytes; }

  /// Where a slab from `first` on ends: after `least` bytes or more, where what lies together in a
  /// tensor is not cut into pieces of less.
  int64_t endOfSlab(int64_t first, uint64_t least) const;
  /// An upper bound of the bytes of a slab, and of a panel.
  uint64_t largestSlab(uint64_t least) const;
  uint64_t largestPanel() const { return cpu::kPanelRows * rowBytes; }

private:
  int64_t endOfRun(int64_t panel) const;

  const WeightSpec &spec;
  uint64_t rowBytes;
  int64_t rowsOfExpert;
  int64_t panelsOfExpert;
  int64_t panels;
};

/// Reads the panels of a matrix in order, a batch of them at a time.
class PanelReader {
public:
  /// The reader that suits the source: whole batches where each of its calls costs something, else
  /// each panel in the thread that wants it.
  static llvm::Expected<std::unique_ptr<PanelReader>> create(const WeightSpec &spec,
                                                             const PanelRows &panels,
                                                             WeightSource &source,
                                                             cpu::ThreadPool &pool);
  virtual ~PanelReader();

  /// Begins the batch from panel `first` on, and gives its end.
  virtual llvm::Expected<int64_t> begin(int64_t first) = 0;
  /// The rows of a panel of this batch, valid until the worker's next call and the next batch.
  virtual llvm::Expected<const uint8_t *> rows(int64_t panel, int worker) = 0;
};

} // namespace sortie

#endif // SORTIE_RUNTIME_CPU_PANELREADER_H
