// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recognition of layouts by the names of tensors.

#include "runtime/model/ExpertLayout.h"

#include "runtime/model/TensorNames.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::model;
using namespace sortie::model::tensor_names;
using llvm::StringRef;

std::optional<ExpertLayout> model::findExpertLayout(StringRef name, StringRef projection) {
  if (!llvm::any_of(kMatrixTensors, [&](StringRef kind) { return name.consume_back(kind); }))
    return std::nullopt;
  if (name == matrix(projection, kExperts))
    return ExpertLayout::Stacked;
  if (name == kMergedGateAndUp && projection != kDown)
    return ExpertLayout::MergedGateAndUp;
  if (name.consume_front(matrixOfExpert(projection, "")) && !name.empty() &&
      llvm::all_of(name, llvm::isDigit))
    return ExpertLayout::OneTensorAnExpert;
  return std::nullopt;
}
