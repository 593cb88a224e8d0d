// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Layout of weights.

#include "runtime/cuda/WeightPlan.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <set>
#include <tuple>

using namespace llvm;

namespace sortie::cuda {

Panels panelsOf(const WeightSpec &spec) {
  const cpu::MatrixShape shape = spec.matrixShape();
  Panels panels{};
  panels.rows = spec.pack->rows;
  panels.bytes = spec.pack->bytes;
  panels.rowsOfExpert = shape.rows;
  panels.panelsOfExpert = static_cast<int64_t>(divideCeil(shape.rows, panels.rows));
  panels.count = shape.experts * panels.panelsOfExpert;
  return panels;
}

static uint64_t bytesOf(const WeightSpec &spec, WeightForm form) {
  switch (form) {
  case WeightForm::Packed:
    return panelsOf(spec).count * panelsOf(spec).bytes;
  case WeightForm::Raw:
    return spec.fileBytes();
  case WeightForm::Floats:
    return spec.rows() * spec.columns() * sizeof(float);
  }
  return 0;
}

WeightPlan::WeightPlan(const Program &program, const BitVector &wanted) {
  constexpr uint64_t kAlignment = 256;
  std::set<std::pair<WeightId, WeightForm>> forms;
  for (const Function &function : program.functions)
    for (const Step &step : function.steps)
      if (const auto *launch = std::get_if<LaunchStep>(&step.body))
        for (auto [weight, form] :
             zip_equal(launch->weights, program.kernels[launch->kernel].weights))
          if (wanted.test(weight))
            forms.emplace(weight, form);
  for (const auto &[weight, form] : forms) {
    const uint64_t bytes = bytesOf(program.weights[weight], form);
    planned.push_back({weight, form, totalBytes, bytes});
    totalBytes = alignTo(totalBytes + bytes, kAlignment);
  }
}

const PlannedWeight *WeightPlan::find(WeightId weight, WeightForm form) const {
  const auto it = partition_point(planned, [&](const PlannedWeight &entry) {
    return std::tie(entry.weight, entry.form) < std::tie(weight, form);
  });
  return it != planned.end() && it->weight == weight && it->form == form ? &*it : nullptr;
}

} // namespace sortie::cuda
