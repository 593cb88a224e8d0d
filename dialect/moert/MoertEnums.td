// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Enums of the dialect `moert` alone. The numbers are written into bytecode: add, never renumber.

#ifndef SORTIE_DIALECT_MOERT_ENUMS
#define SORTIE_DIALECT_MOERT_ENUMS

include "mlir/IR/EnumAttr.td"

def Moert_ElementKind : I32Enum<"ElementKind", "what the rows of a buffer hold", [
  I32EnumCase<"F32", 0, "f32">,
  I32EnumCase<"I32", 1, "i32">,
  I32EnumCase<"Act16", 2, "act16">,
  I32EnumCase<"Act8", 3, "act8">,
  I32EnumCase<"BF16", 4, "bf16">,
  I32EnumCase<"F16", 5, "f16">
]> {
  let cppNamespace = "::sortie::moert";
}

def Moert_WeightForm : I32Enum<"WeightForm", "the form in which a kernel reads a weight", [
  I32EnumCase<"Packed", 0, "packed">,
  I32EnumCase<"Raw", 1, "raw">,
  I32EnumCase<"Floats", 2, "floats">
]> {
  let cppNamespace = "::sortie::moert";
}

def Moert_MapOperand : I32Enum<"MapOperand", "which operands of a launch a tensor map describes", [
  I32EnumCase<"Read", 0, "read">,
  I32EnumCase<"Write", 1, "write">,
  I32EnumCase<"Weight", 2, "weight">
]> {
  let cppNamespace = "::sortie::moert";
}

#endif // SORTIE_DIALECT_MOERT_ENUMS
