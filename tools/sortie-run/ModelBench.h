// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `sortie-run bench`: the speed of a whole model, measured as llama-bench does.

#ifndef SORTIE_TOOLS_SORTIE_RUN_MODELBENCH_H
#define SORTIE_TOOLS_SORTIE_RUN_MODELBENCH_H

#include "runtime/generation/LanguageModel.h"
#include "tools/sortie-run/Options.h"

#include "llvm/Support/raw_ostream.h"

namespace sortie::tool {

/// What one line of the table is about.
struct BenchTest {
  int64_t prompt;    ///< tokens of each sequence, in as few runs as it takes
  int64_t generated; ///< after them, one a run
  int64_t depth;     ///< tokens that each sequence has before
  int64_t sequences; ///< at once

  /// Tokens of all sequences that are counted.
  int64_t tokens() const { return (prompt + generated) * sequences; }
  /// "pp512", "tg128", "pp512+tg64", with " @ d4096" and " x 8" where it is not 0 and 1.
  std::string name() const;
};

struct BenchMeasurement {
  BenchTest test;
  std::vector<double> seconds; ///< of each repetition

  /// Tokens per second: the mean over the repetitions, and their standard deviation.
  double mean() const;
  double deviation() const;
};

/// What all lines of the table have in common.
struct BenchSubject {
  std::string model; ///< the name of its file
  uint64_t bytes = 0;
  uint64_t parameters = 0;
  std::string device;
  int threads = 0; ///< 0 on a GPU
};

/// All tests that the options ask for, in the order of the table: by sequences and depth.
std::vector<BenchTest> testsOf(const BenchOptions &options);

/// Runs a test once to warm up, then `repetitions` times. Its sequences are filled up to the depth
/// before, and removed after it. Tokens are random, and none is chosen. `progress` is told how many
/// of these parts are done.
llvm::Expected<BenchMeasurement>
measureTest(generation::LanguageModel &model, const BenchTest &test, int64_t repetitions,
            llvm::function_ref<void(uint64_t done, uint64_t total)> progress);

/// The lines are printed as they come, in columns that are as wide as those of `tests` need; JSON's
/// array is complete after finish().
class BenchTable {
public:
  BenchTable(BenchFormat format, const BenchSubject &subject, llvm::ArrayRef<BenchTest> tests,
             llvm::raw_ostream &out)
      : format(format), subject(subject), tests(tests), out(out) {}

  void begin();
  void add(const BenchMeasurement &measurement);
  void finish();

private:
  /// The cells of a line of Markdown, of a test whose speed is `speed`.
  std::vector<std::string> cellsOf(const BenchTest &test, llvm::StringRef speed) const;
  void beginMarkdown();
  void printLine(llvm::ArrayRef<std::string> cells);
  void addMarkdown(const BenchMeasurement &measurement);
  void addCsv(const BenchMeasurement &measurement);
  void addJson(const BenchMeasurement &measurement);

  BenchFormat format;
  const BenchSubject &subject;
  llvm::ArrayRef<BenchTest> tests;
  llvm::raw_ostream &out;
  std::vector<size_t> widths; ///< of the columns of Markdown
  bool isEmpty = true;
};

llvm::Error benchModel(const Options &options, llvm::raw_fd_ostream &out);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_MODELBENCH_H
