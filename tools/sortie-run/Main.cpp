// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// sortie-run: runs a function of a compiled program through the C API.

#include "tools/sortie-run/Api.h"
#include "tools/sortie-run/Benchmark.h"
#include "tools/sortie-run/Checksums.h"
#include "tools/sortie-run/Describe.h"
#include "tools/sortie-run/Inputs.h"
#include "tools/sortie-run/Trace.h"
#include "tools/sortie-run/Verify.h"

#include "runtime/gguf/Model.h"
#include "tools/common/FileClaims.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <csignal>
#include <list>

using namespace llvm;
using namespace sortie;
using namespace sortie::tool;

//===- Command line
//------------------------------------------------------------------------------===//

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
    cl::desc("Read the tensors of --weights that the program (or --function) names whole, and "
             "compare them with the hashes that sortie-translate --hash-weights recorded; do not "
             "run"),
    cl::values(clEnumValN(VerifyMode::Hashes, "", "hashes alone (default)"),
               clEnumValN(VerifyMode::Full, "full",
                          "hashes, if there are any, and scales, minimums and weights that are "
                          "infinite or NaN")));

enum class VerifyFormat { Text, Json };
cl::opt<VerifyFormat>
    verifyFormat("verify-format", cl::init(VerifyFormat::Text), cl::cat(category),
                 cl::desc("How --verify-weights prints"),
                 cl::values(clEnumValN(VerifyFormat::Text, "text", "for people (default)"),
                            clEnumValN(VerifyFormat::Json, "json", "for programs")));

enum class BenchmarkFormat { Table, Json };
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
    "  Is the model undamaged?    sortie-run model.mlirbc --weights model.gguf --verify-weights\n\n"
    "'-' is the standard input or output. No output may be one of the files that are read.\n"
    "Exit code 0: done (and nothing differs); 1: an error, said in one message.\n";

//===- Running
//-----------------------------------------------------------------------------------===//

/// Whether an option asks for random numbers rather than a file.
bool isRandom(StringRef value) { return value.starts_with("random:"); }

/// The device asked for; null for the program's own.
const char *deviceName() { return deviceOption.empty() ? nullptr : deviceOption.c_str(); }

/// Everything that one run needs.
class Runner {
public:
  Error run();

private:
  Error openProgram();
  Expected<size_t> chooseFunction() const;
  Error describe() const;
  Error checkOptions() const;
  Expected<FunctionSymbol> describeSymbol() const;
  Error chooseOutputs();
  Error claimFiles() const;
  Error prepareInputs();
  Error prepareOutputs();
  Error readWeightsOption(sortie_weights_options &options) const;
  Error loadWeights();
  Error verify() const;
  Error openSession();
  Error runOnce(const sortie_observer *observer);
  Error runBenchmark();
  using Call = function_ref<sortie_error *(const sortie_run_options &)>;
  Error withTensors(ArrayRef<sortie_tensor> inputTensors, ArrayRef<sortie_tensor> outputTensors,
                    Call call);
  Error withArguments(Call call);
  Error checkBatches() const;
  Error submitTokens(int64_t first, int64_t count);
  Error runBatches();
  Error runWithReports();

  Error functionError(const Twine &message) const {
    return makeError("function '" + Twine(function.name) + "': " + message);
  }
  Expected<sortie_value_info> findInput(StringRef name) const;

  Trace trace;
  ProgramPtr program;
  WeightsPtr weights;
  size_t functionIndex = 0;
  sortie_function_info function = SORTIE_INIT(sortie_function_info);
  std::vector<InputArray> inputs;
  std::vector<OutputArray> outputs;
  std::vector<sortie_value_info> outputInfos;
  /// Path of each output; empty for those that are not wanted.
  std::vector<std::string> outputPaths;
  int64_t symbol = 0; ///< its value, as the first input tells; the library compares the others
  SessionPtr session; ///< behind the arrays, which runs use until it has waited for them
};

/// Loads the program of a file, or of the standard input for `-`.
Error loadProgram(const std::string &path, sortie_program **program) {
  if (path != "-")
    return toError(sortie_program_open(path.c_str(), program));
  ErrorOr<std::unique_ptr<MemoryBuffer>> input = MemoryBuffer::getSTDIN();
  if (!input)
    return makeError("cannot read the program from the standard input: " +
                     input.getError().message());
  const StringRef bytes = (*input)->getBuffer();
  return toError(sortie_program_parse(bytes.data(), bytes.size(), "<stdin>", program));
}

Error Runner::openProgram() {
  const Trace::Clock::time_point begin = trace.now();
  if (programPath.empty())
    return makeError("no program is given; see sortie-run --help");
  sortie_program *opened = nullptr;
  if (Error error = loadProgram(programPath, &opened))
    return error;
  program.reset(opened);
  trace.addPhase("load program", begin);
  return Error::success();
}

Expected<size_t> Runner::chooseFunction() const {
  if (!functionOption.empty()) {
    size_t index = 0;
    if (Error error =
            toError(sortie_program_find_function(program.get(), functionOption.c_str(), &index)))
      return error;
    return index;
  }
  sortie_program_info info = SORTIE_INIT(sortie_program_info);
  sortie_program_get_info(program.get(), &info);
  if (info.function_count == 1)
    return 0;
  return makeError(programPath + ": has " + Twine(info.function_count) +
                   " functions; choose one with --function (--describe lists them)");
}

Error Runner::describe() const {
  std::vector<size_t> functions;
  if (!functionOption.empty()) {
    Expected<size_t> chosen = chooseFunction();
    if (!chosen)
      return chosen.takeError();
    functions.push_back(*chosen);
  } else {
    sortie_program_info info = SORTIE_INIT(sortie_program_info);
    sortie_program_get_info(program.get(), &info);
    for (size_t i = 0; i < info.function_count; ++i)
      functions.push_back(i);
  }
  return describeProgram(program.get(), functions, threadsOption, outs());
}

Expected<sortie_value_info> Runner::findInput(StringRef name) const {
  std::string names;
  for (size_t i = 0; i < function.input_count; ++i) {
    sortie_value_info info = SORTIE_INIT(sortie_value_info);
    if (Error error = toError(sortie_program_get_input(program.get(), functionIndex, i, &info)))
      return error;
    if (name == info.name)
      return info;
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  }
  return functionError("has no input '" + name + "'; it has: " + names);
}

Error Runner::checkOptions() const {
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

Expected<FunctionSymbol> Runner::describeSymbol() const {
  if (function.symbol == SIZE_MAX)
    return FunctionSymbol{function.name, "", 0};
  sortie_symbol_info info = SORTIE_INIT(sortie_symbol_info);
  if (Error error = toError(sortie_program_get_symbol(program.get(), function.symbol, &info)))
    return error;
  return FunctionSymbol{function.name, info.name, info.max};
}

Error Runner::prepareInputs() {
  Expected<FunctionSymbol> functionSymbol = describeSymbol();
  if (!functionSymbol)
    return functionSymbol.takeError();
  for (const std::string &option : inputOptions) {
    const auto [name, what] = StringRef(option).split('=');
    if (what.empty())
      return makeError("--input " + option +
                       ": give name=file.npy or name=random:seed=1,tokens=512");
    Expected<sortie_value_info> info = findInput(name);
    if (!info)
      return info.takeError();
    Expected<InputArray> input = makeInput(*functionSymbol, *info, what);
    if (!input)
      return input.takeError();
    inputs.push_back(std::move(*input));
  }
  const auto it = find_if(inputs, [](const InputArray &input) { return input.symbol; });
  symbol = it != inputs.end() ? *it->symbol : 0;
  return Error::success();
}

/// Finds out which output goes where.
Error Runner::chooseOutputs() {
  outputInfos.resize(function.output_count, SORTIE_INIT(sortie_value_info));
  outputPaths.resize(function.output_count);
  for (size_t i = 0; i < function.output_count; ++i)
    if (Error error =
            toError(sortie_program_get_output(program.get(), functionIndex, i, &outputInfos[i])))
      return error;
  for (const std::string &option : outputOptions) {
    const auto [name, path] = StringRef(option).split('=');
    auto it = find_if(outputInfos,
                      [name = name](const sortie_value_info &info) { return info.name == name; });
    const bool isNamed = it != outputInfos.end() && !path.empty();
    if (!isNamed && outputInfos.size() != 1)
      return functionError("has " + Twine(outputInfos.size()) +
                           " outputs; give --output name=" + option);
    const size_t index = isNamed ? it - outputInfos.begin() : 0;
    std::string &wanted = outputPaths[index];
    if (!wanted.empty())
      return functionError("output '" + Twine(outputInfos[index].name) +
                           "' is written twice; give one --output for it");
    wanted = isNamed ? path.str() : option;
  }
  return Error::success();
}

/// Finds out, before anything but the program is read, whether an output is another file of this
/// run.
Error Runner::claimFiles() const {
  FileClaims claims;
  if (Error error = claims.claimInput(programPath, "the program"))
    return error;
  for (const std::string &option : inputOptions) {
    const auto [name, path] = StringRef(option).split('=');
    if (!isRandom(path))
      if (Error error = claims.claimInput(path, "--input " + name))
        return error;
  }
  if (!isRandom(weightsOption))
    for (const std::string &file : gguf::modelFiles(weightsOption))
      if (Error error = claims.claimInput(file, "--weights"))
        return error;
  for (size_t i = 0; i < outputPaths.size(); ++i)
    if (!outputPaths[i].empty())
      if (Error error =
              claims.claimOutput(outputPaths[i], "--output " + Twine(outputInfos[i].name)))
        return error;
  if (!traceOption.empty())
    if (Error error = claims.claimOutput(traceOption, "--trace"))
      return error;
  if (checksumsOption || benchmarkOption) // these are printed
    return claims.claimOutput("-", checksumsOption ? "--checksums" : "--benchmark");
  return Error::success();
}

Error Runner::prepareOutputs() {
  for (const sortie_value_info &info : outputInfos) {
    Expected<OutputArray> output = makeOutput(info, symbol);
    if (!output)
      return output.takeError();
    outputs.push_back(std::move(*output));
  }
  return Error::success();
}

/// Where --weights says that the weights are.
Error Runner::readWeightsOption(sortie_weights_options &options) const {
  if (weightsOption == "-")
    return makeError(
        "--weights: a model is mapped into memory and cannot be read from the standard "
        "input; give the name of its file");
  options.source = SORTIE_WEIGHTS_FILE;
  options.path = weightsOption.c_str();
  options.threads = threadsOption;
  StringRef random = weightsOption;
  if (!random.consume_front("random:"))
    return Error::success();
  if (!random.consume_front("seed=") || random.getAsInteger(10, options.seed))
    return makeError("--weights " + weightsOption + ": give random:seed=<number>");
  options.source = SORTIE_WEIGHTS_RANDOM;
  return Error::success();
}

Error Runner::verify() const {
  if (!inputOptions.empty() || !outputOptions.empty() || checksumsOption || benchmarkOption ||
      batchesOption || !traceOption.empty())
    return makeError("--verify-weights runs nothing; leave --input, --output, --checksums, "
                     "--benchmark, --batches and --trace out");
  if (weightsOption.empty())
    return makeError("--verify-weights: give the model with --weights model.gguf");
  sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
  if (Error error = readWeightsOption(options))
    return error;
  size_t chosen = 0;
  if (!functionOption.empty()) {
    Expected<size_t> index = chooseFunction();
    if (!index)
      return index.takeError();
    chosen = *index;
    options.functions = &chosen;
    options.function_count = 1;
  }
  VerifyReport report;
  report.program = programPath;
  report.weights = weightsOption;
  report.checksValues = verifyOption == VerifyMode::Full;
  Error error = verifyWeights(program.get(), options, report);
  if (error && report.findings.empty())
    return error;
  if (verifyFormat == VerifyFormat::Json)
    printVerifyJson(report, outs());
  else
    printVerifyText(report, outs());
  return error;
}

Error Runner::loadWeights() {
  const Trace::Clock::time_point begin = trace.now();
  ProgressBar bar;
  const sortie_callbacks callbacks = callbacksOf(bar);
  sortie_weights_options options = SORTIE_INIT(sortie_weights_options);
  if (Error error = readWeightsOption(options))
    return error;
  if (weightsOption.empty()) {
    sortie_memory_info memory = SORTIE_INIT(sortie_memory_info);
    if (Error error =
            toError(sortie_program_get_memory(program.get(), &functionIndex, 1, 0, 0, &memory)))
      return error;
    if (memory.weight_bytes != 0)
      return functionError("needs weights; give --weights model.gguf or --weights random:seed=1");
    options.source = SORTIE_WEIGHTS_RANDOM; // there are none to make
  }
  options.functions = &functionIndex;
  options.function_count = 1;
  options.callbacks = &callbacks;
  options.device = deviceName();
  sortie_weights *created = nullptr;
  if (Error error = toError(sortie_weights_create(program.get(), &options, &created)))
    return error;
  weights.reset(created);
  trace.addPhase("load weights", begin);
  return Error::success();
}

Error Runner::openSession() {
  sortie_session_options options = SORTIE_INIT(sortie_session_options);
  options.device = deviceName();
  options.eager = eagerOption;
  options.threads = threadsOption;
  options.cpu_isa = isaOption.empty() ? nullptr : isaOption.c_str();
  // No more memory than this run needs; 0 would be the most that were compiled in.
  if (function.symbol != SIZE_MAX)
    options.max_tokens = std::max<int64_t>(symbol, 1);
  sortie_session *created = nullptr;
  if (Error error =
          toError(sortie_session_create(program.get(), weights.get(), &options, &created)))
    return error;
  session.reset(created);
  return Error::success();
}

Error Runner::withTensors(ArrayRef<sortie_tensor> inputTensors,
                          ArrayRef<sortie_tensor> outputTensors, Call call) {
  sortie_run_options options = SORTIE_INIT(sortie_run_options);
  options.function = functionIndex;
  options.inputs = inputTensors.data();
  options.input_count = inputTensors.size();
  options.outputs = outputTensors.data();
  options.output_count = outputTensors.size();
  return toError(call(options));
}

/// Calls the library with the arguments of the run.
Error Runner::withArguments(Call call) {
  std::vector<sortie_tensor> inputTensors;
  std::vector<sortie_tensor> outputTensors;
  for (const InputArray &input : inputs)
    inputTensors.push_back(input.tensor());
  for (OutputArray &output : outputs)
    outputTensors.push_back(output.tensor());
  return withTensors(inputTensors, outputTensors, call);
}

/// Whether every argument has as many rows for each token.
Error Runner::checkBatches() const {
  auto check = [&](const sortie_value_info &info, ArrayRef<int64_t> shape) {
    bool isSplit = info.rank == shape.size() && info.rank != 0 && info.shape[0].per_symbol > 0 &&
                   info.shape[0].constant == 0 && shape[0] == info.shape[0].per_symbol * symbol;
    for (size_t d = 1; isSplit && d < info.rank; ++d)
      isSplit = info.shape[d].per_symbol == 0;
    return isSplit
               ? Error::success()
               : functionError("'" + Twine(info.name) +
                               "' has no row for each token, so that --batches cannot split it");
  };
  for (const InputArray &input : inputs)
    if (Error error = check(cantFail(findInput(input.name)), input.shape))
      return error;
  for (size_t i = 0; i < outputs.size(); ++i) {
    sortie_value_info info = SORTIE_INIT(sortie_value_info);
    if (Error error = toError(sortie_program_get_output(program.get(), functionIndex, i, &info)))
      return error;
    if (Error error = check(info, outputs[i].shape))
      return error;
  }
  return Error::success();
}

/// Submits a run of `count` tokens from token `first` on.
Error Runner::submitTokens(int64_t first, int64_t count) {
  std::list<SmallVector<int64_t, 4>> shapes;
  auto take = [&](sortie_tensor tensor, size_t bytes) {
    SmallVector<int64_t, 4> &shape = shapes.emplace_back(tensor.shape, tensor.shape + tensor.rank);
    const int64_t tokens = std::max<int64_t>(symbol, 1);
    tensor.data = static_cast<char *>(tensor.data) + bytes / tokens * first;
    shape[0] = shape[0] / tokens * count;
    tensor.shape = shape.data();
    return tensor;
  };
  std::vector<sortie_tensor> inputTensors;
  std::vector<sortie_tensor> outputTensors;
  for (const InputArray &input : inputs)
    inputTensors.push_back(take(input.tensor(), input.data.size()));
  for (OutputArray &output : outputs)
    outputTensors.push_back(take(output.tensor(), output.data.size()));
  return withTensors(inputTensors, outputTensors, [&](const sortie_run_options &options) {
    return sortie_session_submit(session.get(), &options, nullptr);
  });
}

Error Runner::runBatches() {
  if (Error error = checkBatches())
    return error;
  for (int64_t i = 0; i < batchesOption; ++i) {
    const int64_t first = symbol * i / batchesOption;
    if (Error error = submitTokens(first, symbol * (i + 1) / batchesOption - first))
      return error;
  }
  return toError(sortie_session_wait(session.get()));
}

Error Runner::runOnce(const sortie_observer *observer) {
  ProgressBar bar;
  const sortie_callbacks callbacks = callbacksOf(bar);
  return withArguments([&](const sortie_run_options &arguments) {
    sortie_run_options options = arguments;
    options.observer = observer;
    options.callbacks = &callbacks;
    return sortie_session_run(session.get(), &options);
  });
}

/// The instruction set that the session uses.
std::string isaInUse() {
  if (!isaOption.empty())
    return isaOption;
  std::string best;
  for (size_t i = 0;; ++i) {
    const char *name = nullptr;
    int isAvailable = 0;
    if (Error error = toError(sortie_get_cpu_isa(i, &name, &isAvailable))) {
      consumeError(std::move(error)); // past the last
      return best;
    }
    if (isAvailable)
      best = name;
  }
}

Error Runner::runBenchmark() {
  BenchmarkResult result;
  result.program = programPath;
  result.function = function.name;
  result.device = sortie_session_device(session.get());
  result.tokens = symbol;
  auto run = [&](StepLog &log) {
    const sortie_observer observer = log.observer();
    return runOnce(&observer);
  };
  auto time = [&](MutableArrayRef<uint64_t> nanoseconds) {
    return withArguments([&](const sortie_run_options &options) {
      return sortie_session_time(session.get(), &options, nanoseconds.size(), nanoseconds.data());
    });
  };
  if (result.device == "cpu") {
    result.isa = isaInUse();
    result.threads = threadsOption ? threadsOption : sortie_available_processors();
    if (Error error = measure(run, benchmarkRuns, result))
      return error;
  } else if (Error error = measureOnDevice(time, run, benchmarkRuns, result)) {
    return error;
  }
  if (benchmarkFormat == BenchmarkFormat::Json)
    printJson(result, outs());
  else
    printTable(result, outs());
  return Error::success();
}

/// One run that logs what --checksums and --trace want; without them nothing is observed, because a
/// GPU does not launch its graph for observers.
Error Runner::runWithReports() {
  struct Reports {
    StepLog log;
    std::vector<Checksum> checksums;
  } reports;
  sortie_observer observer = SORTIE_INIT(sortie_observer);
  observer.user = &reports;
  if (!traceOption.empty())
    observer.step = [](void *user, const sortie_step_info *info) {
      StepLog &log = static_cast<Reports *>(user)->log;
      const sortie_observer logger = log.observer();
      logger.step(logger.user, info);
    };
  if (checksumsOption)
    observer.checkpoint = [](void *user, const char *name, int isPresent, uint64_t hash) {
      static_cast<Reports *>(user)->checksums.push_back(
          {name, isPresent ? std::optional<uint64_t>(hash) : std::nullopt});
    };
  const Trace::Clock::time_point begin = trace.now();
  if (Error error = runOnce(&observer))
    return error;
  trace.addPhase(function.name, begin);
  trace.addSteps(reports.log, begin);
  printChecksums(reports.checksums, outs());
  return Error::success();
}

Error Runner::run() {
  if (Error error = openProgram())
    return error;
  if (describeOption)
    return describe();
  if (verifyOption != VerifyMode::Off)
    return verify();
  Expected<size_t> chosen = chooseFunction();
  if (!chosen)
    return chosen.takeError();
  functionIndex = *chosen;
  if (Error error = toError(sortie_program_get_function(program.get(), functionIndex, &function)))
    return error;
  if (Error error = checkOptions())
    return error;
  if (Error error = chooseOutputs())
    return error;
  if (Error error = claimFiles())
    return error;
  if (Error error = prepareInputs())
    return error;
  if (Error error = prepareOutputs())
    return error;
  if (Error error = loadWeights())
    return error;
  if (Error error = openSession())
    return error;
  if (benchmarkOption)
    if (Error error = runBenchmark())
      return error;
  if (!outputOptions.empty() || checksumsOption || !traceOption.empty())
    if (Error error = batchesOption ? runBatches() : runWithReports())
      return error;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (!outputPaths[i].empty())
      if (Error error = outputs[i].write(outputPaths[i]))
        return error;
  return traceOption.empty() ? Error::success() : trace.write(traceOption);
}

/// Whether everything printed has arrived.
Error flushOutput() {
  outs().flush();
  if (!outs().has_error())
    return Error::success();
  const std::error_code code = outs().error();
  outs().clear_error();
  return makeError("cannot write to standard output: " + code.message());
}

Expected<int> runTool() {
  int exitCode = 0;
  if (!compareOption.empty()) {
    FileClaims claims;
    for (const std::string &file : compareOption)
      if (Error error = claims.claimInput(file, "--compare-checksums"))
        return error;
    if (Error error = claims.claimOutput("-", "the comparison"))
      return error;
    Expected<bool> same = compareChecksumFiles(compareOption[0], compareOption[1], outs());
    if (!same)
      return same.takeError();
    exitCode = *same ? 0 : 1;
  } else if (Error error = Runner().run()) {
    return error;
  }
  if (Error error = flushOutput())
    return error;
  return exitCode;
}

} // namespace

int main(int argc, char **argv) {
  // Both become errors of write(), which are reported.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  cl::HideUnrelatedOptions(category);
  cl::SetVersionPrinter([](raw_ostream &out) { out << "sortie-run " << sortie_version() << '\n'; });
  cl::ParseCommandLineOptions(argc, argv, kOverview);
  Expected<int> exitCode = runTool();
  if (exitCode)
    return *exitCode;
  errs() << "sortie-run: error: " << toString(exitCode.takeError()) << '\n';
  return 1;
}
