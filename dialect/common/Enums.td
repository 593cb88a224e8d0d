// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The words that both dialects use: each is one C++ enum in namespace `sortie`, wrapped by every
// dialect in an attribute of its own. The numbers are written into bytecode: add, never renumber.

#ifndef SORTIE_DIALECT_COMMON_ENUMS
#define SORTIE_DIALECT_COMMON_ENUMS

include "mlir/IR/EnumAttr.td"

def Sortie_Scoring : I32Enum<"Scoring", "how router logits become scores", [
  I32EnumCase<"Softmax", 0, "softmax">,
  I32EnumCase<"Sigmoid", 1, "sigmoid">,
  I32EnumCase<"SoftmaxAfterTopK", 2, "softmax_after_topk">,
  I32EnumCase<"Raw", 3, "raw">
]> {
  let cppNamespace = "::sortie";
}

def Sortie_GroupScore : I32Enum<"GroupScore", "what a group of experts is chosen by", [
  I32EnumCase<"BestTwo", 0, "best_two">,
  I32EnumCase<"Best", 1, "best">
]> {
  let cppNamespace = "::sortie";
}

def Sortie_TieRule : I32Enum<"TieRule", "which of two equal scores is selected first", [
  I32EnumCase<"LowerId", 0, "lower_id">
]> {
  let cppNamespace = "::sortie";
}

def Sortie_GluKind : I32Enum<"GluKind", "gated activation", [
  I32EnumCase<"Swiglu", 0, "swiglu">,
  I32EnumCase<"SwigluClamped", 1, "swiglu_clamped">
]> {
  let cppNamespace = "::sortie";
}

def Sortie_Arithmetic : I32Enum<"Arithmetic", "arithmetic of a dot product", [
  I32EnumCase<"Exact", 0, "exact">,
  I32EnumCase<"Float", 1, "float">,
  I32EnumCase<"Bf16", 2, "bf16">
]> {
  let cppNamespace = "::sortie";
}

def Sortie_PairOrder : I32Enum<"PairOrder", "which elements of a head turn together", [
  I32EnumCase<"Halves", 0, "halves">,
  I32EnumCase<"Neighbours", 1, "neighbours">
]> {
  let cppNamespace = "::sortie";
}

def Sortie_IntegerWidth : I32Enum<"IntegerWidth", "width of quantized rows", [
  I32EnumCase<"Int8", 0, "int8">,
  I32EnumCase<"Int16", 1, "int16">
]> {
  let cppNamespace = "::sortie";
}

def Sortie_Determinism : I32BitEnum<"Determinism", "what may change without changing a bit", [
  I32BitEnumCaseNone<"None", "none">,
  I32BitEnumCaseBit<"Run", 0, "run">,
  I32BitEnumCaseBit<"Batch", 1, "batch">,
  I32BitEnumCaseBit<"Device", 2, "device">
]> {
  let cppNamespace = "::sortie";
  let separator = ", ";
}

#endif // SORTIE_DIALECT_COMMON_ENUMS
