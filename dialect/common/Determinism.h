// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Determinism contracts: which promises there are, their textual form, and what implies what.

#ifndef SORTIE_DIALECT_COMMON_DETERMINISM_H
#define SORTIE_DIALECT_COMMON_DETERMINISM_H

#include "dialect/common/EmitError.h"
#include "dialect/common/Enums.h"

namespace sortie {

/// What the numerics contract calls `run, batch, device`: all that can be promised.
inline constexpr Determinism kFullDeterminism =
    Determinism::Run | Determinism::Batch | Determinism::Device;

/// True if `members` promises all that `required` asks for.
inline bool satisfies(Determinism members, Determinism required) {
  return bitEnumContainsAll(members, required);
}

/// The members of the contract that a dot product keeps: `exact` and `float` all of them, `bf16`
/// run and batch, for its sums are ordered by one GPU architecture. All if none is chosen yet.
Determinism getContractOfArithmetic(std::optional<Arithmetic> arithmetic);

/// Parses a comma-separated, possibly empty set of contract members. A duplicate is an error.
mlir::ParseResult parseDeterminismSet(mlir::AsmParser &parser, Determinism &members);
void printDeterminismSet(mlir::AsmPrinter &printer, Determinism members);

/// `device` implies `batch` implies `run`.
llvm::LogicalResult verifyDeterminism(EmitError emitError, Determinism members);

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_DETERMINISM_H
