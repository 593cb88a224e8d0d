// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect `moe`: Mixture-of-Experts layers on tensors. See docs/reference/moe.md.

#ifndef SORTIE_DIALECT_MOE_MOEDIALECT_H
#define SORTIE_DIALECT_MOE_MOEDIALECT_H

#include "mlir/IR/Dialect.h"

#include "dialect/moe/MoeDialect.h.inc"

#endif // SORTIE_DIALECT_MOE_MOEDIALECT_H
