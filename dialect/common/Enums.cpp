// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What is generated from Enums.td.

#include "dialect/common/Enums.h"

#include "mlir/IR/BuiltinAttributes.h"

using namespace mlir;

#include "dialect/common/Enums.cpp.inc"
