// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Interfaces of the dialect `moe`.

#include "dialect/moe/MoeInterfaces.h"

using namespace sortie;

#include "dialect/moe/MoeInterfaces.cpp.inc"

Determinism moe::getContractOfArithmetic(std::optional<Arithmetic> arithmetic) {
  if (arithmetic == Arithmetic::Bf16)
    return Determinism::Run | Determinism::Batch;
  return kFullDeterminism;
}
