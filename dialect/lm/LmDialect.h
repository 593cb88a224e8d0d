// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The dialect `lm`, its type and its words.

#ifndef SORTIE_DIALECT_LM_LMDIALECT_H
#define SORTIE_DIALECT_LM_LMDIALECT_H

#include "dialect/common/Enums.h"

#include "mlir/IR/Attributes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/Types.h"

#include <optional>

#include "dialect/lm/LmDialect.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/lm/LmTypes.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/lm/LmAttributes.h.inc"

#endif // SORTIE_DIALECT_LM_LMDIALECT_H
