// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect `moert`: compiled programs. See docs/reference/moert.md.

#ifndef SORTIE_DIALECT_MOERT_MOERTDIALECT_H
#define SORTIE_DIALECT_MOERT_MOERTDIALECT_H

#include "mlir/IR/Dialect.h"

#include "dialect/moert/MoertDialect.h.inc"

#endif // SORTIE_DIALECT_MOERT_MOERTDIALECT_H
