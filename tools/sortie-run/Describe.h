// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `--describe`: what a program is, and what it needs.

#ifndef SORTIE_TOOLS_SORTIE_RUN_DESCRIBE_H
#define SORTIE_TOOLS_SORTIE_RUN_DESCRIBE_H

#include "runtime/include/sortie/sortie.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace sortie::tool {

/// Prints versions, contract and target, then signature, weights and memory of these functions.
llvm::Error describeProgram(const sortie_program *program, llvm::ArrayRef<size_t> functions,
                            int threads, llvm::raw_ostream &out);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_DESCRIBE_H
