// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What contracts promise.

#include "dialect/common/Determinism.h"

using namespace mlir;

namespace sortie {

Determinism getContractOfArithmetic(std::optional<Arithmetic> arithmetic) {
  if (arithmetic == Arithmetic::Bf16)
    return Determinism::Run | Determinism::Batch;
  return kFullDeterminism;
}

ParseResult parseDeterminismSet(AsmParser &parser, Determinism &members) {
  members = Determinism::None;
  StringRef word;
  SMLoc location = parser.getCurrentLocation();
  if (failed(parser.parseOptionalKeyword(&word)))
    return success();
  while (true) {
    std::optional<Determinism> member = symbolizeDeterminism(word);
    if (!member || *member == Determinism::None)
      return parser.emitError(location, "unknown contract member '")
             << word << "', expected run, batch or device";
    if (bitEnumContainsAny(members, *member))
      return parser.emitError(location, "contract member '") << word << "' is listed twice";
    members = members | *member;
    if (failed(parser.parseOptionalComma()))
      return success();
    location = parser.getCurrentLocation();
    if (parser.parseKeyword(&word))
      return failure();
  }
}

void printDeterminismSet(AsmPrinter &printer, Determinism members) {
  if (members != Determinism::None)
    printer << stringifyDeterminism(members);
}

LogicalResult verifyDeterminism(EmitError emitError, Determinism members) {
  const bool run = satisfies(members, Determinism::Run);
  const bool batch = satisfies(members, Determinism::Batch);
  if (satisfies(members, Determinism::Device) && !batch)
    return emitError() << "contract member 'device' implies 'batch', which is missing";
  if (batch && !run)
    return emitError() << "contract member 'batch' implies 'run', which is missing";
  return success();
}

} // namespace sortie
