// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that are given where a graph or a program is expected.

#ifndef SORTIE_RUNTIME_PROGRAM_FOREIGNFILE_H
#define SORTIE_RUNTIME_PROGRAM_FOREIGNFILE_H

#include "llvm/ADT/StringRef.h"

namespace sortie {

/// What a file is that holds data, not MLIR, and what to do with it, to stand behind "it "; empty
/// if `bytes` begin like no format of data that belongs to a run.
llvm::StringRef describeDataFile(llvm::StringRef bytes);

/// What a file is that is no compiled program, and what to do with it, to stand behind "is not a
/// compiled program: it "; empty if `bytes` say nothing against a program. A graph, in text or
/// bytecode, is known by the dialects of its ops: comments, and names of tensors and of functions,
/// may say what they like.
llvm::StringRef describeForeignFile(llvm::StringRef bytes);

} // namespace sortie

#endif // SORTIE_RUNTIME_PROGRAM_FOREIGNFILE_H
