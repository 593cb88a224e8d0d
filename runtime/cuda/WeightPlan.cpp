// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Layout of weights.

#include "runtime/cuda/WeightPlan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <tuple>

using namespace llvm;

namespace sortie::cuda {

Panels panelsOf(const WeightSpec &spec) {
  const int64_t rowsOfExpert = spec.rowsOfExpert();
  const int64_t rows = spec.pack->rows;
  return {rows, spec.pack->bytes, rowsOfExpert,
          static_cast<int64_t>(divideCeil(rowsOfExpert, rows)), spec.panels()};
}

WeightPlan::WeightPlan(const Program &program, const BitVector &wanted,
                       function_ref<bool(WeightId, WeightForm)> isElsewhere) {
  constexpr uint64_t kAlignment = 256;
  auto add = [&](WeightId weight, WeightForm form, uint64_t bytes) {
    if (isElsewhere(weight, form))
      return;
    planned.push_back({weight, form, totalBytes, bytes});
    totalBytes = alignTo(totalBytes + bytes, kAlignment);
  };
  for (const unsigned id : wanted.set_bits()) {
    const WeightSpec &spec = program.weights[id];
    if (spec.usesPacked)
      add(id, WeightForm::Packed, spec.panelBytes());
    if (spec.usesRaw)
      add(id, WeightForm::Raw, spec.bytes());
    if (spec.usesFloats)
      add(id, WeightForm::Floats, spec.rows() * spec.columns() * sizeof(float));
  }
}

const PlannedWeight *WeightPlan::find(WeightId weight, WeightForm form) const {
  const auto it = partition_point(planned, [&](const PlannedWeight &entry) {
    return std::tie(entry.weight, entry.form) < std::tie(weight, form);
  });
  return it != planned.end() && it->weight == weight && it->form == form ? &*it : nullptr;
}

} // namespace sortie::cuda
