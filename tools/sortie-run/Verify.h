// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `--verify-weights`: what is wrong with a model file, for people and for programs.

#ifndef SORTIE_TOOLS_SORTIE_RUN_VERIFY_H
#define SORTIE_TOOLS_SORTIE_RUN_VERIFY_H

#include "runtime/include/sortie/sortie.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

#include <optional>
#include <string>
#include <vector>

namespace sortie::tool {

/// One finding of sortie_weights_verify.
struct VerifyFinding {
  sortie_finding_kind kind;
  std::string tensor; ///< empty: it concerns the model
  std::optional<int64_t> expert;
  std::optional<int64_t> row;
  uint64_t count; ///< of SORTIE_FINDING_VALUE: all such values of the tensor
  std::string message;
};

/// What a verification did and found.
struct VerifyReport {
  std::string program;
  std::string weights;
  bool checksValues = false;
  sortie_verify_info info = SORTIE_INIT(sortie_verify_info);
  double seconds = 0;
  std::vector<VerifyFinding> findings;
};

void printVerifyText(const VerifyReport &report, llvm::raw_ostream &out);
void printVerifyJson(const VerifyReport &report, llvm::raw_ostream &out);

/// Verifies the weights that `options` describe, with a progress bar, and fills `report`. What was
/// found is an error, too; the report is complete then.
llvm::Error verifyWeights(const sortie_program *program, const sortie_weights_options &options,
                          VerifyReport &report);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_VERIFY_H
