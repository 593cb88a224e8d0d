// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Recognition of layouts by the names of tensors.

#include "runtime/model/ExpertLayout.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace sortie;
using namespace sortie::model;
using llvm::StringRef;

std::optional<ExpertLayout> model::findExpertLayout(StringRef name, Projection projection) {
  const std::optional<TensorName> known = parseTensorName(name);
  const TensorKind kind = consumeKind(name);
  if (kind == TensorKind::InputScale || kind == TensorKind::Bare)
    return std::nullopt;
  if (known && known->role == roleOf(Network::Experts, projection))
    return ExpertLayout::Stacked;
  if (known && known->role == TensorRole::ExpertsGateUp && projection != Projection::Down)
    return ExpertLayout::MergedGateAndUp;
  if (name.consume_front(expertTensorPrefix(projection)) && !name.empty() &&
      llvm::all_of(name, llvm::isDigit))
    return ExpertLayout::OneTensorAnExpert;
  return std::nullopt;
}
