// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Judges passes by meaning: interprets each function before and after a pass, on the same inputs.

#ifndef SORTIE_TEST_INTERPRETER_PASSJUDGE_H
#define SORTIE_TEST_INTERPRETER_PASSJUDGE_H

#include "test/interpreter/Compare.h"

#include "mlir/Pass/PassInstrumentation.h"
#include "llvm/ADT/MapVector.h"

namespace sortie::interpreter {

struct JudgeOptions {
  /// Each function is interpreted with each of these numbers of tokens.
  std::vector<int64_t> tokens;
  uint64_t seed;
  double tolerance;
};

/// What passes did, for all runs of a tool.
struct Verdict {
  bool isGood = true;
};

/// Prints a line on `os` for each pass and function: `unchanged`, if the function's text is what it
/// was, else what agreed. A difference, and what has no meaning, is an error.
class PassJudge : public mlir::PassInstrumentation {
public:
  PassJudge(const JudgeOptions &options, Verdict &verdict, llvm::raw_ostream &os)
      : options(options), verdict(verdict), weights(options.seed), os(os) {}

  void runBeforePass(mlir::Pass *pass, mlir::Operation *op) override;
  void runAfterPass(mlir::Pass *pass, mlir::Operation *op) override;

private:
  /// A function as it was last seen.
  struct Snapshot {
    bool isPublic = false;
    std::string text;
    /// One of each for each number of tokens.
    std::vector<std::vector<TensorRef>> inputs;
    std::vector<Outcome> outcomes;
  };

  /// Whether the function could be interpreted.
  bool isKnown(const Snapshot &snapshot) const {
    return snapshot.outcomes.size() == options.tokens.size();
  }
  /// Brings the snapshot of a function up to date; false after an error.
  bool observe(mlir::func::FuncOp function, Snapshot &snapshot);
  void judge(llvm::StringRef pass, mlir::func::FuncOp function);
  /// Errors at functions that others could call and that a pass on `module` removed.
  void judgeRemoved(llvm::StringRef pass, mlir::Operation *module);

  const JudgeOptions &options;
  Verdict &verdict;
  Weights weights;
  llvm::raw_ostream &os;
  llvm::MapVector<mlir::StringAttr, Snapshot> snapshots;
};

} // namespace sortie::interpreter

#endif // SORTIE_TEST_INTERPRETER_PASSJUDGE_H
