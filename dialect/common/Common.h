// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What the two dialects share: the enums of Enums.td, the textual form of a determinism contract,
// and the rules of attributes that ops of both carry.

#ifndef SORTIE_DIALECT_COMMON_COMMON_H
#define SORTIE_DIALECT_COMMON_COMMON_H

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/DialectImplementation.h"
#include "mlir/IR/OpImplementation.h"
#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/ADT/StringExtras.h"

#include "dialect/common/Enums.h.inc"

#include <optional>

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

/// `custom<Word>` of assembly formats: an attribute of Enums.td as its bare word.
template <typename EnumAttr>
mlir::ParseResult parseWord(mlir::OpAsmParser &parser, EnumAttr &attr) {
  using Enum = decltype(attr.getValue());
  const mlir::FailureOr<Enum> value = mlir::FieldParser<Enum>::parse(parser);
  if (failed(value))
    return mlir::failure();
  attr = EnumAttr::get(parser.getContext(), *value);
  return mlir::success();
}

template <typename EnumAttr>
void printWord(mlir::OpAsmPrinter &printer, mlir::Operation *, EnumAttr attr) {
  printer << stringifyEnum(attr.getValue());
}

/// True for `count` lower-case hexadecimal digits.
bool isHexDigits(llvm::StringRef text, size_t count);

/// True if no name is empty and all are different.
bool areDistinctNames(llvm::ArrayRef<mlir::StringAttr> names);
/// True for an array of such names, empty or not.
bool isArrayOfDistinctNames(mlir::Attribute attribute);

/// True for letters, digits and underscores that do not begin with a digit.
bool isIdentifier(llvm::StringRef text);

using EmitError = llvm::function_ref<mlir::InFlightDiagnostic()>;

/// `device` implies `batch` implies `run`.
llvm::LogicalResult verifyDeterminism(EmitError emitError, Determinism members);

/// The parameters of a gated activation: `alpha` and `limit` belong to swiglu_clamped alone, which
/// needs both, finite, and a positive limit.
llvm::LogicalResult verifyGlu(EmitError emitError, GluKind kind,
                              const std::optional<llvm::APFloat> &alpha,
                              const std::optional<llvm::APFloat> &limit);

/// The eps of a norm: finite and not negative.
llvm::LogicalResult verifyEps(EmitError emitError, const llvm::APFloat &eps);

/// What a routing op chooses by; counts as the attributes have them.
struct Routing {
  /// Absent where the shape does not say.
  std::optional<int64_t> experts;
  int64_t selected;
  std::optional<int64_t> groups;
  std::optional<int64_t> groupsUsed;
  GroupScore groupScore;
  llvm::APFloat scale;
};

/// The limits of routing: experts, selected experts, groups and scale.
llvm::LogicalResult verifyRouting(EmitError emitError, const Routing &routing);

/// The experts that a dispatch sorts for: 1 to kMaxExperts in all, and a range [first, count]
/// inside of them, if there is one.
llvm::LogicalResult verifyDispatch(EmitError emitError, int64_t experts,
                                   std::optional<llvm::ArrayRef<int64_t>> range);

} // namespace sortie

#endif // SORTIE_DIALECT_COMMON_COMMON_H
