// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "runtime/program/ForeignFile.h"

#include "dialect/moert/Seal.h"

using namespace llvm;

namespace sortie {

StringRef describeForeignFile(StringRef bytes) {
  if (bytes.trim().empty())
    return "is empty; whatever should have compiled it has failed";
  if (bytes.starts_with("GGUF"))
    return "is a model in GGUF; import it with sortie-translate --import-gguf, compile that with "
           "sortie-opt --sortie-compile, and give the model itself as weights";
  if (bytes.starts_with("\x93NUMPY"))
    return "is an array in the format .npy; give it as an input";
  // Programs name their dialect in both forms; graphs name that of their functions.
  if (bytes.contains("moert"))
    return "";
  if (bytes.contains(moert::isBytecode(bytes) ? "func" : "func.func"))
    return "is a graph, as models are imported; compile it with sortie-opt "
           "--sortie-compile=\"target=cpu\" --emit-bytecode";
  return "";
}

} // namespace sortie
