// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sortie-run: runs a function of a compiled program through the C API, and uses a model's
// tokenizer.

#include "tools/sortie-run/Checksums.h"
#include "tools/sortie-run/Describe.h"
#include "tools/sortie-run/Generate.h"
#include "tools/sortie-run/Logits.h"
#include "tools/sortie-run/ModelBench.h"
#include "tools/sortie-run/Options.h"
#include "tools/sortie-run/Perplexity.h"
#include "tools/sortie-run/Program.h"
#include "tools/sortie-run/Runner.h"
#include "tools/sortie-run/StandardOutput.h"
#include "tools/sortie-run/Verify.h"

#include "tools/common/FileClaims.h"

#include "llvm/Support/raw_ostream.h"

#include <csignal>

using namespace llvm;
using namespace sortie;
using namespace sortie::tool;

namespace {

Error describe(const Options &options) {
  if (Error error = claimPrinted(options, "--describe"))
    return error;
  Expected<ProgramPtr> program = openProgram(options.program);
  if (!program)
    return program.takeError();
  std::vector<size_t> functions;
  if (!options.function.empty()) {
    Expected<size_t> chosen = chooseFunction(program->get(), options);
    if (!chosen)
      return chosen.takeError();
    functions.push_back(*chosen);
  } else {
    sortie_program_info info = SORTIE_INIT(sortie_program_info);
    sortie_program_get_info(program->get(), &info);
    for (size_t i = 0; i < info.function_count; ++i)
      functions.push_back(i);
  }
  return describeProgram(program->get(), functions, options.threads, outs());
}

Error verify(const Options &options) {
  if (Error error = claimPrinted(options, "--verify-weights"))
    return error;
  Expected<ProgramPtr> program = openProgram(options.program);
  if (!program)
    return program.takeError();
  sortie_weights_options weights = SORTIE_INIT(sortie_weights_options);
  if (Error error = readWeightsOption(options, weights))
    return error;
  size_t chosen = 0;
  if (!options.function.empty()) {
    Expected<size_t> index = chooseFunction(program->get(), options);
    if (!index)
      return index.takeError();
    chosen = *index;
    weights.functions = &chosen;
    weights.function_count = 1;
  }
  VerifyReport report;
  report.program = options.program;
  report.weights = options.weights;
  report.checksValues = options.verifiesValues;
  Error error = verifyWeights(program->get(), weights, report);
  if (error && report.findings.empty())
    return error;
  if (options.verifyFormat == VerifyFormat::Json)
    printVerifyJson(report, outs());
  else
    printVerifyText(report, outs());
  return error;
}

/// Whether the two files agree.
Expected<bool> compare(const Options &options) {
  FileClaims claims;
  for (const std::string &file : options.comparedFiles)
    if (Error error = claims.claimInput(file, "--compare-checksums"))
      return error;
  if (Error error = claims.claimOutput("-", "the comparison"))
    return error;
  return compareChecksumFiles(options.comparedFiles[0], options.comparedFiles[1], outs());
}

/// Does what the command line asks for; the exit code.
Expected<int> runMode(const Options &options) {
  auto codeOf = [](Error error) -> Expected<int> {
    if (error)
      return error;
    return 0;
  };
  switch (options.mode) {
  case Mode::Run:
    return codeOf(runFunction(options));
  case Mode::Describe:
    return codeOf(describe(options));
  case Mode::Verify:
    return codeOf(verify(options));
  case Mode::Tokenize:
    return codeOf(tokenize(options.tokenize, outs()));
  case Mode::Logits:
    return codeOf(writeLogits(options));
  case Mode::Generate:
    return codeOf(generateTexts(options, outs()));
  case Mode::Perplexity:
    return codeOf(printPerplexity(options, outs()));
  case Mode::Bench:
    return codeOf(benchModel(options, outs()));
  case Mode::CompareChecksums:
    break;
  }
  Expected<bool> same = compare(options);
  if (!same)
    return same.takeError();
  return *same ? 0 : 1;
}

/// runMode(), and whether what it printed, also before an error, has arrived.
Expected<int> runTool(const Options &options) {
  Expected<int> exitCode = runMode(options);
  Error written = flushOutput(outs());
  if (!exitCode)
    return joinErrors(exitCode.takeError(), std::move(written));
  if (written)
    return written;
  return exitCode;
}

} // namespace

int main(int argc, char **argv) {
  // Both become errors of write(), which are reported.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  Expected<Options> options = parseOptions(argc, argv);
  Expected<int> exitCode = options ? runTool(*options) : options.takeError();
  if (exitCode)
    return *exitCode;
  errs() << "sortie-run: error: " << toString(exitCode.takeError()) << '\n';
  return 1;
}
