// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ExpertLayout.h"
#include "TensorNames.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::tensor_names;
using llvm::StringRef;

std::optional<ExpertLayout> sortie::findExpertLayout(StringRef name, StringRef projection) {
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
