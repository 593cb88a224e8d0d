// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The command line of sortie-run.

#ifndef SORTIE_TOOLS_SORTIE_RUN_OPTIONS_H
#define SORTIE_TOOLS_SORTIE_RUN_OPTIONS_H

#include "runtime/generation/Generator.h"
#include "tools/sortie-run/ChatChoice.h"
#include "tools/sortie-run/Tokenize.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>
#include <vector>

namespace sortie::tool {

/// What a call does.
enum class Mode {
  Run,
  Describe,
  Verify,
  CompareChecksums,
  Tokenize,
  Logits,
  Generate,
  Perplexity,
  Bench
};

/// Whether an option asks for random numbers rather than a file.
inline bool isRandom(llvm::StringRef value) { return value.starts_with("random:"); }

/// `--input name=source`.
struct InputOption {
  std::string name;
  std::string source; ///< a file, or `random:...`
};

/// `--symbol name=value`.
struct SymbolOption {
  std::string name;
  int64_t value;
};

enum class VerifyFormat { Text, Json };
enum class BenchmarkFormat { Table, Json };

struct LogitsOptions {
  std::string tokens; ///< a file
  std::string output; ///< a file
  bool lastOnly = false;
  int64_t context = 0; ///< 0: as much as the tokens need
};

struct PerplexityOptions {
  std::string file;
  int64_t context = 512;
};

enum class BenchFormat { Markdown, Json, Csv };

/// Each list is of at least one number. A test of no tokens is left out.
struct BenchOptions {
  std::vector<int64_t> prompts;                   ///< tokens of a prompt
  std::vector<int64_t> generated;                 ///< tokens that are generated
  std::vector<std::pair<int64_t, int64_t>> pairs; ///< a prompt, and what is generated after it
  std::vector<int64_t> depths;                    ///< positions that are filled before
  std::vector<int64_t> sequences;                 ///< at once
  int64_t repetitions = 5;
  BenchFormat format = BenchFormat::Markdown;
};

/// Where the prompts of `generate` come from. Those of a dialog follow each other in one text.
enum class PromptSource { Text, File, Lines, Dialog };
enum class TextFormat { Text, Json };

/// The most tokens of an answer, and of a dialog with all that is in it, unless the command line
/// says another number: nobody knows them before.
inline constexpr int64_t kChatTokens = 8192;

struct GenerateOptions {
  PromptSource source = PromptSource::Text;
  std::string prompt;      ///< the text, or the name of a file
  int64_t context = 0;     ///< 0: as much as the prompts and the tokens need
  std::string promptCache; ///< a file; empty: none
  bool isChat = false;     ///< prompts are messages of conversations
  ChatChoice chat;
  std::optional<std::string> system; ///< the message that conversations begin with
  generation::GenerationOptions generation;
  TextFormat format = TextFormat::Text;
};

/// Options that fit together: those of another mode were not given.
struct Options {
  Mode mode = Mode::Run;
  std::string program;  ///< a file or `-`; empty for CompareChecksums, Tokenize
  std::string weights;  ///< a file, `random:...` or empty
  std::string function; ///< empty: the only one
  std::vector<InputOption> inputs;
  std::vector<std::string> outputs; ///< `[name=]file`
  std::vector<SymbolOption> symbols;
  std::string device; ///< empty: the program's own
  bool eager = false;
  int64_t runTokens = 0; ///< of words of whole models: the most of a run
  int threads = 0;       ///< 0: all processors
  std::string isa;       ///< empty: the best
  bool isVerbose = false;
  bool checksums = false;
  bool benchmark = false;
  BenchmarkFormat benchmarkFormat = BenchmarkFormat::Table;
  unsigned benchmarkRuns = 0; ///< 0: as many as take a second
  unsigned batches = 0;       ///< 0: one run, not submitted
  std::string trace;          ///< empty: none
  bool verifiesValues = false;
  VerifyFormat verifyFormat = VerifyFormat::Text;
  std::vector<std::string> comparedFiles; ///< the two of CompareChecksums
  TokenizeOptions tokenize;
  LogitsOptions logits;
  GenerateOptions generate;
  PerplexityOptions perplexity;
  BenchOptions bench;
};

/// Parses the command line; ends the process where it is wrong by itself, or asks for help.
llvm::Expected<Options> parseOptions(int argc, char **argv);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_OPTIONS_H
