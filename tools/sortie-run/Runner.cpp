// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A run: inputs and weights in, outputs and reports out.

#include "tools/sortie-run/Runner.h"

#include "tools/sortie-run/Benchmark.h"
#include "tools/sortie-run/Checksums.h"
#include "tools/sortie-run/Inputs.h"
#include "tools/sortie-run/Program.h"
#include "tools/sortie-run/Trace.h"

#include "tools/common/FileClaims.h"

#include "llvm/Support/raw_ostream.h"

#include <algorithm>
#include <list>
#include <map>

using namespace llvm;

namespace sortie::tool {

namespace {

/// Everything that one run needs.
class Runner {
public:
  explicit Runner(const Options &options) : options(options) {}

  Error run();

private:
  Expected<ValueSymbol> describeSymbol(const sortie_value_info &info) const;
  /// The value that the inputs give for the symbol of a value's shape.
  int64_t symbolValue(const sortie_value_info &info) const {
    const auto it = symbolValues.find(symbolOf(info));
    return it != symbolValues.end() ? it->second : 0;
  }
  Error chooseOutputs();
  Error claimFiles() const;
  Error prepareInputs();
  Error prepareOutputs();
  Error loadWeights();
  Expected<std::vector<sortie_symbol_value>> valuesOfSymbols() const;
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
  Expected<size_t> findOutput(StringRef option, bool isNamed, StringRef name) const;

  const Options &options;
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
  /// By the index of a symbol, as the first input tells; the library compares the others.
  std::map<size_t, int64_t> symbolValues;
  int64_t tokens = 0; ///< the value that the first input gives
  SessionPtr session; ///< behind the arrays, which runs use until it has waited for them
};

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

Expected<ValueSymbol> Runner::describeSymbol(const sortie_value_info &info) const {
  Expected<sortie_symbol_info> symbol = findSymbol(program.get(), symbolOf(info));
  if (!symbol)
    return symbol.takeError();
  return ValueSymbol{function.name, symbol->name, symbol->max};
}

Error Runner::prepareInputs() {
  for (const auto &[name, source] : options.inputs) {
    Expected<sortie_value_info> info = findInput(name);
    if (!info)
      return info.takeError();
    Expected<ValueSymbol> symbol = describeSymbol(*info);
    if (!symbol)
      return symbol.takeError();
    Expected<InputArray> input = makeInput(*symbol, *info, source);
    if (!input)
      return input.takeError();
    if (input->symbol)
      symbolValues.try_emplace(symbolOf(*info), *input->symbol);
    inputs.push_back(std::move(*input));
  }
  const auto it = find_if(inputs, [](const InputArray &input) { return input.symbol; });
  tokens = it != inputs.end() ? *it->symbol : 0;
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
  for (const std::string &option : options.outputs) {
    const bool isNamed = StringRef(option).contains('=');
    const auto [name, path] =
        isNamed ? StringRef(option).split('=') : std::pair(StringRef(), StringRef(option));
    Expected<size_t> index = findOutput(option, isNamed, name);
    if (!index)
      return index.takeError();
    if (path.empty())
      return makeError("--output '" + option + "' names no file");
    std::string &wanted = outputPaths[*index];
    if (!wanted.empty())
      return functionError("output '" + Twine(outputInfos[*index].name) +
                           "' is written twice; give one --output for it");
    wanted = path.str();
  }
  return Error::success();
}

/// The number of the output that an --output is for. What stands before the first '=' is a name.
Expected<size_t> Runner::findOutput(StringRef option, bool isNamed, StringRef name) const {
  if (outputInfos.empty())
    return functionError("has no outputs: it changes states alone; leave out --output '" + option +
                         "'");
  if (!isNamed && outputInfos.size() == 1)
    return 0;
  if (!isNamed)
    return functionError("has " + Twine(outputInfos.size()) +
                         " outputs; give --output name=" + option);
  std::string names;
  for (const auto &[index, info] : enumerate(outputInfos)) {
    if (info.name == name)
      return index;
    names += (names.empty() ? "" : ", ") + std::string(info.name);
  }
  return functionError("has no output '" + name + "', which --output '" + option +
                       "' names; it has: " + names +
                       ". For a file with '=' in its name, give --output name=file");
}

/// Finds out, before anything but the program is read, whether an output is another file of this
/// run.
Error Runner::claimFiles() const {
  FileClaims claims;
  if (Error error = claimSources(options, claims))
    return error;
  for (const auto &[name, source] : options.inputs)
    if (!isRandom(source))
      if (Error error = claims.claimInput(source, "--input " + name))
        return error;
  for (size_t i = 0; i < outputPaths.size(); ++i)
    if (!outputPaths[i].empty())
      if (Error error =
              claims.claimOutput(outputPaths[i], "--output " + Twine(outputInfos[i].name)))
        return error;
  if (!options.trace.empty())
    if (Error error = claims.claimOutput(options.trace, "--trace"))
      return error;
  if (options.checksums || options.benchmark) // these are printed
    return claims.claimOutput("-", options.checksums ? "--checksums" : "--benchmark");
  return Error::success();
}

Error Runner::prepareOutputs() {
  for (const sortie_value_info &info : outputInfos) {
    Expected<OutputArray> output = makeOutput(info, symbolValue(info));
    if (!output)
      return output.takeError();
    outputs.push_back(std::move(*output));
  }
  return Error::success();
}

Error Runner::loadWeights() {
  const Trace::Clock::time_point begin = trace.now();
  ProgressBar bar;
  const sortie_callbacks callbacks = callbacksOf(bar);
  sortie_weights_options wanted = SORTIE_INIT(sortie_weights_options);
  if (Error error = readWeightsOption(options, wanted))
    return error;
  if (options.weights.empty()) {
    sortie_memory_info memory = SORTIE_INIT(sortie_memory_info);
    if (Error error =
            toError(sortie_program_get_memory(program.get(), &functionIndex, 1, 0, 0, &memory)))
      return error;
    if (memory.weight_bytes != 0)
      return functionError("needs weights; give --weights model.gguf or --weights random:seed=1");
    wanted.source = SORTIE_WEIGHTS_RANDOM; // there are none to make
  }
  wanted.functions = &functionIndex;
  wanted.function_count = 1;
  wanted.callbacks = &callbacks;
  wanted.device = options.device.empty() ? nullptr : options.device.c_str();
  sortie_weights *created = nullptr;
  if (Error error = toError(sortie_weights_create(program.get(), &wanted, &created)))
    return error;
  weights.reset(created);
  trace.addPhase("load weights", begin);
  return Error::success();
}

/// Those of --symbol, which lend their names, and 1 for the session's others.
Expected<std::vector<sortie_symbol_value>> Runner::valuesOfSymbols() const {
  std::vector<sortie_symbol_value> values;
  auto add = [&](const char *name, int64_t value) {
    sortie_symbol_value symbol = SORTIE_INIT(sortie_symbol_value);
    symbol.name = name;
    symbol.value = value;
    values.push_back(symbol);
  };
  for (const SymbolOption &option : options.symbols)
    add(option.name.c_str(), option.value);
  sortie_program_info info = SORTIE_INIT(sortie_program_info);
  sortie_program_get_info(program.get(), &info);
  for (size_t i = 0; i < info.symbol_count; ++i) {
    Expected<sortie_symbol_info> symbol = findSymbol(program.get(), i);
    if (!symbol)
      return symbol.takeError();
    const bool isGiven = any_of(
        options.symbols, [&](const SymbolOption &option) { return option.name == symbol->name; });
    if (symbol->is_session && !isGiven)
      add(symbol->name, 1);
  }
  return values;
}

Error Runner::openSession() {
  sortie_session_options wanted = SORTIE_INIT(sortie_session_options);
  wanted.device = options.device.empty() ? nullptr : options.device.c_str();
  wanted.eager = options.eager;
  wanted.threads = options.threads;
  wanted.cpu_isa = options.isa.empty() ? nullptr : options.isa.c_str();
  // No more memory than this run needs; 0 would be the most that were compiled in.
  for (const auto &[symbol, value] : symbolValues)
    wanted.max_tokens = std::max({wanted.max_tokens, value, int64_t{1}});
  Expected<std::vector<sortie_symbol_value>> symbols = valuesOfSymbols();
  if (!symbols)
    return symbols.takeError();
  wanted.symbols = symbols->data();
  wanted.symbol_count = symbols->size();
  sortie_session *created = nullptr;
  if (Error error = toError(sortie_session_create(program.get(), weights.get(), &wanted, &created)))
    return error;
  session.reset(created);
  return Error::success();
}

Error Runner::withTensors(ArrayRef<sortie_tensor> inputTensors,
                          ArrayRef<sortie_tensor> outputTensors, Call call) {
  sortie_run_options arguments = SORTIE_INIT(sortie_run_options);
  arguments.function = functionIndex;
  arguments.inputs = inputTensors.data();
  arguments.input_count = inputTensors.size();
  arguments.outputs = outputTensors.data();
  arguments.output_count = outputTensors.size();
  return toError(call(arguments));
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
  if (function.symbol_count > 1)
    return functionError("has several symbols, so that --batches cannot split it");
  auto check = [&](const sortie_value_info &info, ArrayRef<int64_t> shape) {
    bool isSplit = info.rank == shape.size() && info.rank != 0 && info.shape[0].per_symbol > 0 &&
                   info.shape[0].constant == 0 && shape[0] == info.shape[0].per_symbol * tokens;
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
    const int64_t all = std::max<int64_t>(tokens, 1);
    tensor.data = static_cast<char *>(tensor.data) + bytes / all * first;
    shape[0] = shape[0] / all * count;
    tensor.shape = shape.data();
    return tensor;
  };
  std::vector<sortie_tensor> inputTensors;
  std::vector<sortie_tensor> outputTensors;
  for (const InputArray &input : inputs)
    inputTensors.push_back(take(input.tensor(), input.data.size()));
  for (OutputArray &output : outputs)
    outputTensors.push_back(take(output.tensor(), output.data.size()));
  return withTensors(inputTensors, outputTensors, [&](const sortie_run_options &arguments) {
    return sortie_session_submit(session.get(), &arguments, nullptr);
  });
}

Error Runner::runBatches() {
  if (Error error = checkBatches())
    return error;
  for (int64_t i = 0; i < options.batches; ++i) {
    const int64_t first = tokens * i / options.batches;
    if (Error error = submitTokens(first, tokens * (i + 1) / options.batches - first))
      return error;
  }
  return toError(sortie_session_wait(session.get()));
}

Error Runner::runOnce(const sortie_observer *observer) {
  ProgressBar bar;
  const sortie_callbacks callbacks = callbacksOf(bar);
  return withArguments([&](const sortie_run_options &arguments) {
    sortie_run_options observed = arguments;
    observed.observer = observer;
    observed.callbacks = &callbacks;
    return sortie_session_run(session.get(), &observed);
  });
}

/// The best instruction set of this machine, which a session uses unless it is told another one.
std::string bestIsa() {
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
  result.program = options.program;
  result.function = function.name;
  result.device = sortie_session_device(session.get());
  result.tokens = tokens;
  auto run = [&](StepLog &log) {
    const sortie_observer observer = log.observer();
    return runOnce(&observer);
  };
  auto time = [&](MutableArrayRef<uint64_t> nanoseconds) {
    return withArguments([&](const sortie_run_options &arguments) {
      return sortie_session_time(session.get(), &arguments, nanoseconds.size(), nanoseconds.data());
    });
  };
  if (result.device == "cpu") {
    result.isa = options.isa.empty() ? bestIsa() : options.isa;
    result.threads = options.threads ? options.threads : sortie_available_processors();
    if (Error error = measure(run, options.benchmarkRuns, result))
      return error;
  } else if (Error error = measureOnDevice(time, run, options.benchmarkRuns, result)) {
    return error;
  }
  if (options.benchmarkFormat == BenchmarkFormat::Json)
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
  if (!options.trace.empty())
    observer.step = [](void *user, const sortie_step_info *info) {
      StepLog &log = static_cast<Reports *>(user)->log;
      const sortie_observer logger = log.observer();
      logger.step(logger.user, info);
    };
  if (options.checksums)
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
  const Trace::Clock::time_point begin = trace.now();
  Expected<ProgramPtr> opened = openProgram(options.program);
  if (!opened)
    return opened.takeError();
  program = std::move(*opened);
  trace.addPhase("load program", begin);
  Expected<size_t> chosen = chooseFunction(program.get(), options);
  if (!chosen)
    return chosen.takeError();
  functionIndex = *chosen;
  if (Error error = toError(sortie_program_get_function(program.get(), functionIndex, &function)))
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
  if (options.benchmark)
    if (Error error = runBenchmark())
      return error;
  if (!options.outputs.empty() || options.checksums || !options.trace.empty())
    if (Error error = options.batches ? runBatches() : runWithReports())
      return error;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (!outputPaths[i].empty())
      if (Error error = outputs[i].write(outputPaths[i]))
        return error;
  return options.trace.empty() ? Error::success() : trace.write(options.trace);
}

} // namespace

Error runFunction(const Options &options) { return Runner(options).run(); }

} // namespace sortie::tool
