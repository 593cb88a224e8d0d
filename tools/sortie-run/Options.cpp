// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Parsing, and which options go with which.

#include "tools/sortie-run/Options.h"

#include "runtime/support/Error.h"
#include "tools/common/Version.h"
#include "tools/sortie-run/ModelWords.h"
#include "tools/sortie-run/TokenizeOptions.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/CommandLine.h"

using namespace llvm;

namespace sortie::tool {

namespace {

cl::OptionCategory category("sortie-run options");

cl::opt<std::string> programPath(cl::Positional, cl::desc("<program.mlirbc>"), cl::cat(category));

cl::opt<std::string> weightsOption(
    "weights", cl::value_desc("model.gguf"), cl::cat(category),
    cl::desc(
        "The model: a GGUF file, the first part of a split one (-00001-of-0000N.gguf, the others "
        "are found), or random:seed=N for random weights of the right shapes and formats"));

cl::opt<std::string>
    functionOption("function", cl::value_desc("name"), cl::cat(category),
                   cl::desc("The function to run; may be left out if there is one"));

cl::list<std::string> inputOptions(
    "input", cl::value_desc("name=x.npy"), cl::cat(category),
    cl::desc("An input: a .npy file (float32, float16 or int32, C order), or "
             "name=random:seed=1,tokens=512 (mean 0, deviation 1; integers need max=N, too). "
             "Once for each input"));

cl::list<std::string> outputOptions("output", cl::value_desc("[name=]y.npy"), cl::cat(category),
                                    cl::desc("Where an output goes, as .npy"));

cl::list<std::string> symbolOptions(
    "symbol", cl::value_desc("name=value"), cl::cat(category),
    cl::desc("A symbol of the session, by which sizes of states are given, such as pages=16; 1 "
             "unless it is given. Once for each symbol"));

cl::opt<std::string> deviceOption("device", cl::value_desc("name"), cl::cat(category),
                                  cl::desc("The device to run on: cpu, cuda, or cuda:N for GPU "
                                           "number N; default: what the program is compiled for"));

cl::opt<bool> eagerOption(
    "eager", cl::cat(category),
    cl::desc("GPU: launch kernels one by one instead of as a CUDA graph. Errors of both name their "
             "operation; only here is that certain. Changes no bit of a result"));

cl::opt<int> threadsOption(
    "threads", cl::value_desc("number"), cl::init(0), cl::cat(category),
    cl::desc(
        "Threads; default: all processors that the process may use. Changes no bit of a result"));

cl::opt<std::string> isaOption(
    "cpu-isa", cl::value_desc("name"), cl::cat(category),
    cl::desc(
        "Force an instruction set: portable, avx2, avx-vnni, avx512-vnni, amx-int8; default: the "
        "best that this machine has. Changes no bit of a result"));

cl::opt<bool>
    describeOption("describe", cl::cat(category),
                   cl::desc("Print signature, weights, memory needed, contract and target; "
                            "do not run"));

cl::opt<bool>
    checksumsOption("checksums", cl::cat(category),
                    cl::desc("Print a 64-bit hash of every named value, one a line; '-' for "
                             "values that the compiler fused away"));

cl::list<std::string> compareOption("compare-checksums", cl::multi_val(2), cl::value_desc("a b"),
                                    cl::cat(category),
                                    cl::desc("Compare two files written by --checksums; names the "
                                             "first value that differs. Takes no program"));

cl::opt<bool>
    benchmarkOption("benchmark", cl::cat(category),
                    cl::desc("Warm up, run repeatedly, print median, p10, p90, tokens/s, and "
                             "GB/s and GOP/s of each operation"));

enum class VerifyMode { Off, Hashes, Full };
cl::opt<VerifyMode> verifyOption(
    "verify-weights", cl::init(VerifyMode::Off), cl::ValueOptional, cl::cat(category),
    cl::desc("Read every byte of the tensors of --weights that the program (or --function) names, "
             "and compare them with the hashes that sortie-translate --hash-weights recorded; do "
             "not run"),
    cl::values(clEnumValN(VerifyMode::Hashes, "", "hashes alone (default)"),
               clEnumValN(VerifyMode::Full, "full",
                          "hashes, if there are any, and scales, minimums and weights that are "
                          "infinite or NaN")));

cl::opt<VerifyFormat>
    verifyFormat("verify-format", cl::init(VerifyFormat::Text), cl::cat(category),
                 cl::desc("How --verify-weights prints"),
                 cl::values(clEnumValN(VerifyFormat::Text, "text", "for people (default)"),
                            clEnumValN(VerifyFormat::Json, "json", "for programs")));

cl::opt<BenchmarkFormat>
    benchmarkFormat("benchmark-format", cl::init(BenchmarkFormat::Table), cl::cat(category),
                    cl::desc("How --benchmark prints"),
                    cl::values(clEnumValN(BenchmarkFormat::Table, "table", "for people (default)"),
                               clEnumValN(BenchmarkFormat::Json, "json", "for programs")));

constexpr unsigned kMaxBenchmarkRuns = 1000000; // their times are kept in memory
cl::opt<unsigned> benchmarkRuns("benchmark-runs", cl::value_desc("number"), cl::init(0),
                                cl::cat(category),
                                cl::desc("Measured runs, at most 1000000; default: for a second, "
                                         "at least ten"));

cl::opt<unsigned> batchesOption(
    "batches", cl::value_desc("number"), cl::init(0), cl::cat(category),
    cl::desc("Split the tokens into this many runs and submit all of them before "
             "waiting for the first; --output gets the rows of all. Changes no bit of "
             "a result where the contract has 'batch'"));

cl::opt<std::string>
    traceOption("trace", cl::value_desc("out.json"), cl::cat(category),
                cl::desc("Write a Chrome trace (chrome://tracing, ui.perfetto.dev)"));

constexpr const char *kOverview =
    "Runs a function of a compiled Sortie program.\n\n"
    "  What a program holds:      sortie-run model.mlirbc --describe\n"
    "  Run a layer:               sortie-run model.mlirbc --weights model.gguf \\\n"
    "                               --function blk_0_ffn --input hidden=x.npy --output y.npy\n"
    "  How fast, without data:    sortie-run model.mlirbc --weights random:seed=1 \\\n"
    "                               --function blk_0_ffn --input hidden=random:seed=1,tokens=512 "
    "\\\n"
    "                               --benchmark\n"
    "  Same bits elsewhere?       sortie-run ... --checksums > a; sortie-run ... --checksums > b;\n"
    "                             sortie-run --compare-checksums a b\n"
    "  Is the model undamaged?    sortie-run model.mlirbc --weights model.gguf --verify-weights\n"
    "                             (the model imported with --hash-weights)\n"
    "  Token ids of a text:       sortie-run tokenize model.gguf --prompt \"Hello\"\n"
    "  Text of token ids:         sortie-run tokenize model.gguf --ids \"1 2 3\"\n"
    "  Text after a prompt:       sortie-run generate model.mlirbc --weights model.gguf \\\n"
    "                               --prompt \"In the beginning\" -n 64\n"
    "  How good, how fast:        sortie-run perplexity|bench model.mlirbc --weights model.gguf "
    "...\n"
    "  Logits of tokens:          sortie-run logits model.mlirbc --weights model.gguf \\\n"
    "                               --tokens ids.npy --output logits.npy\n\n"
    "'-' is the standard input or output. No output may be one of the files that are read.\n"
    "Exit code 0: done, and nothing differs; 1: an error, said in one message, or something that\n"
    "--verify-weights or --compare-checksums found, which is listed.\n";

/// The options of this tool that were given, as they are written.
std::vector<std::string> givenOptionsExcept(ArrayRef<StringRef> allowed) {
  std::vector<std::string> names;
  for (const auto &[name, option] : cl::getRegisteredOptions())
    if (option->getNumOccurrences() != 0 && is_contained(option->Categories, &category) &&
        !is_contained(allowed, name))
      names.push_back(("--" + name).str());
  llvm::sort(names);
  return names;
}

/// An error if other options were given than those that `mode` takes: no option is ignored in
/// silence.
Error checkOnly(StringRef mode, ArrayRef<StringRef> allowed) {
  const std::vector<std::string> others = givenOptionsExcept(allowed);
  if (others.empty())
    return Error::success();
  return makeError(mode + " runs nothing; leave " + join(others, ", ") + " out");
}

/// An error if options of a run were given after a word that has others: the command line takes
/// them there, too.
Error checkNoneOfRun(StringRef word) {
  const std::vector<std::string> given = givenOptionsExcept({});
  if (given.empty())
    return Error::success();
  return makeError(word + " has no " + join(given, ", ") + "; leave it out, or see sortie-run " +
                   word + " --help");
}

/// An error if an option was given without the one that it belongs to.
Error checkBelongs(const cl::Option &option, const cl::Option &to) {
  if (option.getNumOccurrences() == 0 || to.getNumOccurrences() != 0)
    return Error::success();
  return makeError("--" + option.ArgStr + " is for --" + to.ArgStr +
                   ", which is not given; give both or neither");
}

Error checkRun() {
  if (Error error = checkBelongs(verifyFormat, verifyOption))
    return error;
  if (Error error = checkBelongs(benchmarkFormat, benchmarkOption))
    return error;
  if (Error error = checkBelongs(benchmarkRuns, benchmarkOption))
    return error;
  if (outputOptions.empty() && !checksumsOption && !benchmarkOption && traceOption.empty())
    return makeError("nothing would be kept of this run; give --output y.npy, --checksums, "
                     "--benchmark or --trace");
  if (batchesOption && (checksumsOption || benchmarkOption || !traceOption.empty()))
    return makeError("--batches submits its runs, which nobody observes; give it with --output "
                     "alone");
  if (benchmarkRuns > kMaxBenchmarkRuns)
    return makeError("--benchmark-runs " + Twine(benchmarkRuns) + ": give at most " +
                     Twine(kMaxBenchmarkRuns));
  return Error::success();
}

Mode chooseMode() {
  if (!compareOption.empty())
    return Mode::CompareChecksums;
  if (verifyOption != VerifyMode::Off)
    return Mode::Verify;
  return describeOption ? Mode::Describe : Mode::Run;
}

Error checkMode(Mode mode) {
  if (mode == Mode::CompareChecksums) {
    if (!programPath.empty())
      return makeError("--compare-checksums takes two files and no program; leave '" + programPath +
                       "' out");
    return checkOnly("--compare-checksums", {compareOption.ArgStr});
  }
  if (programPath.empty())
    return makeError("no program is given; see sortie-run --help");
  switch (mode) {
  case Mode::Verify:
    if (Error error = checkOnly("--verify-weights",
                                {verifyOption.ArgStr, verifyFormat.ArgStr, weightsOption.ArgStr,
                                 functionOption.ArgStr, threadsOption.ArgStr}))
      return error;
    if (weightsOption.empty())
      return makeError("--verify-weights: give the model with --weights model.gguf");
    return Error::success();
  case Mode::Describe:
    return checkOnly("--describe",
                     {describeOption.ArgStr, functionOption.ArgStr, threadsOption.ArgStr});
  default:
    return checkRun();
  }
}

Expected<std::vector<InputOption>> splitInputs() {
  std::vector<InputOption> inputs;
  for (const std::string &option : inputOptions) {
    const auto [name, source] = StringRef(option).split('=');
    if (source.empty())
      return makeError("--input " + option +
                       ": give name=file.npy or name=random:seed=1,tokens=512");
    inputs.push_back({name.str(), source.str()});
  }
  return inputs;
}

Expected<std::vector<SymbolOption>> splitSymbols() {
  std::vector<SymbolOption> symbols;
  for (const std::string &option : symbolOptions) {
    const auto [name, text] = StringRef(option).split('=');
    int64_t value = 0;
    if (name.empty() || text.getAsInteger(10, value) || value < 1)
      return makeError("--symbol " + option + ": give name=value, a number of at least 1");
    symbols.push_back({name.str(), value});
  }
  return symbols;
}

} // namespace

Expected<Options> parseOptions(int argc, char **argv) {
  cl::HideUnrelatedOptions(category);
  hideUnrelatedTokenizeOptions();
  hideUnrelatedModelOptions();
  setVersionOf("sortie-run");
  cl::ParseCommandLineOptions(argc, argv, kOverview);
  Options options;
  if (isTokenizeCommand()) {
    // The command line takes options of a run here, too.
    if (Error error = checkOnly("tokenize", {}))
      return error;
    Expected<TokenizeOptions> tokenize = getTokenizeOptions();
    if (!tokenize)
      return tokenize.takeError();
    options.mode = Mode::Tokenize;
    options.tokenize = std::move(*tokenize);
    return options;
  }
  if (const std::optional<Mode> word = givenModelWord()) {
    if (Error error = checkNoneOfRun(wordOf(*word)))
      return error;
    if (Error error = getModelOptions(*word, options))
      return error;
    return options;
  }
  options.mode = chooseMode();
  if (Error error = checkMode(options.mode))
    return error;
  Expected<std::vector<InputOption>> inputs = splitInputs();
  if (!inputs)
    return inputs.takeError();
  options.inputs = std::move(*inputs);
  Expected<std::vector<SymbolOption>> symbols = splitSymbols();
  if (!symbols)
    return symbols.takeError();
  options.symbols = std::move(*symbols);
  options.program = programPath;
  options.weights = weightsOption;
  options.function = functionOption;
  options.outputs = outputOptions;
  options.device = deviceOption;
  options.eager = eagerOption;
  options.threads = threadsOption;
  options.isa = isaOption;
  options.checksums = checksumsOption;
  options.benchmark = benchmarkOption;
  options.benchmarkFormat = benchmarkFormat;
  options.benchmarkRuns = benchmarkRuns;
  options.batches = batchesOption;
  options.trace = traceOption;
  options.verifiesValues = verifyOption == VerifyMode::Full;
  options.verifyFormat = verifyFormat;
  options.comparedFiles = compareOption;
  return options;
}

} // namespace sortie::tool
