// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Measuring.

#include "tools/sortie-run/ModelBench.h"

#include "runtime/support/CounterRandom.h"
#include "tools/common/FileClaims.h"
#include "tools/sortie-run/LoadedModel.h"
#include "tools/sortie-run/StandardOutput.h"

#include "llvm/Support/Path.h"

#include <chrono>
#include <cmath>
#include <numeric>

using namespace llvm;

namespace sortie::tool {

std::string BenchTest::name() const {
  std::string name;
  if (prompt != 0)
    name += "pp" + std::to_string(prompt);
  if (generated != 0)
    name += (name.empty() ? "tg" : "+tg") + std::to_string(generated);
  if (depth != 0)
    name += " @ d" + std::to_string(depth);
  if (sequences != 1)
    name += " x " + std::to_string(sequences);
  return name;
}

double BenchMeasurement::mean() const {
  double sum = 0;
  for (const double time : seconds)
    sum += static_cast<double>(test.tokens()) / time;
  return sum / static_cast<double>(seconds.size());
}

double BenchMeasurement::deviation() const {
  if (seconds.size() < 2)
    return 0;
  const double average = mean();
  double sum = 0;
  for (const double time : seconds) {
    const double off = static_cast<double>(test.tokens()) / time - average;
    sum += off * off;
  }
  return std::sqrt(sum / static_cast<double>(seconds.size() - 1));
}

std::vector<BenchTest> testsOf(const BenchOptions &options) {
  std::vector<BenchTest> tests;
  for (const int64_t sequences : options.sequences)
    for (const int64_t depth : options.depths) {
      const auto add = [&](int64_t prompt, int64_t generated) {
        if (prompt + generated != 0)
          tests.push_back({prompt, generated, depth, sequences});
      };
      for (const int64_t prompt : options.prompts)
        add(prompt, 0);
      for (const int64_t generated : options.generated)
        add(0, generated);
      for (const auto &[prompt, generated] : options.pairs)
        add(prompt, generated);
    }
  return tests;
}

namespace {

using Progress = function_ref<void(uint64_t done, uint64_t total)>;

/// The sequences of a test.
class TestRun {
public:
  TestRun(generation::LanguageModel &model, const BenchTest &test) : model(model), test(test) {}

  Expected<BenchMeasurement> measure(int64_t repetitions, Progress progress);

private:
  Error begin();
  Error end();
  /// Continues all sequences by so many tokens each, in one call.
  Error extend(int64_t count);
  Error runOnce();

  generation::LanguageModel &model;
  const BenchTest &test;
  std::vector<uint32_t> sequences;
  CounterRandom random{0, "bench"};
  uint64_t used = 0; ///< of the random numbers
};

Error TestRun::extend(int64_t count) {
  if (count == 0)
    return Error::success();
  std::vector<std::vector<int32_t>> tokens(sequences.size());
  std::vector<generation::Piece> pieces;
  for (const auto &[sequence, list] : zip_equal(sequences, tokens)) {
    for (int64_t i = 0; i < count; ++i)
      list.push_back(
          static_cast<int32_t>(random.word(used++) % static_cast<uint64_t>(model.vocabulary())));
    pieces.push_back({sequence, list, list.size() - 1});
  }
  return model.extend(pieces, [](size_t, size_t, ArrayRef<float>) { return Error::success(); });
}

Error TestRun::begin() {
  for (int64_t i = 0; i < test.sequences; ++i) {
    Expected<uint32_t> sequence = model.createSequence();
    if (!sequence)
      return sequence.takeError();
    sequences.push_back(*sequence);
  }
  return extend(test.depth);
}

Error TestRun::runOnce() {
  if (Error error = extend(test.prompt))
    return error;
  for (int64_t i = 0; i < test.generated; ++i)
    if (Error error = extend(1))
      return error;
  return Error::success();
}

Error TestRun::end() {
  Error error = Error::success();
  for (const uint32_t sequence : sequences)
    error = joinErrors(std::move(error), model.removeSequence(sequence));
  return error;
}

Expected<BenchMeasurement> TestRun::measure(int64_t repetitions, Progress progress) {
  BenchMeasurement measurement{test, {}};
  const auto parts = static_cast<uint64_t>(repetitions) + 2;
  Error error = begin();
  for (uint64_t part = 1; !error && part < parts; ++part) {
    progress(part, parts);
    const auto start = std::chrono::steady_clock::now();
    error = runOnce();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    if (part > 1) // the first one warms up
      measurement.seconds.push_back(time.count());
    for (const uint32_t sequence : sequences)
      if (!error)
        error = model.truncate(sequence, test.depth);
  }
  error = joinErrors(std::move(error), end());
  if (error)
    return error;
  return measurement;
}

/// Adds up what the weights of 'forward' have.
Error countWeights(const ModelProgram &program, BenchSubject &subject) {
  sortie_program_info info = SORTIE_INIT(sortie_program_info);
  sortie_program_get_info(program.program.get(), &info);
  for (size_t i = 0; i < info.weight_count; ++i) {
    int isUsed = 0;
    if (Error error = toError(
            sortie_program_uses_weight(program.program.get(), program.forward.index, i, &isUsed)))
      return error;
    if (!isUsed)
      continue;
    sortie_weight_info weight = SORTIE_INIT(sortie_weight_info);
    if (Error error = toError(sortie_program_get_weight(program.program.get(), i, &weight)))
      return error;
    subject.bytes += weight.file_bytes;
    subject.parameters += static_cast<uint64_t>(
        std::accumulate(weight.shape, weight.shape + weight.rank, int64_t{1}, std::multiplies<>()));
  }
  return Error::success();
}

/// Room for the largest of the tests.
Expected<ModelRoom> roomFor(const ModelProgram &program, ArrayRef<BenchTest> tests) {
  ModelRoom room;
  for (const BenchTest &test : tests) {
    const int64_t length = test.depth + test.prompt + test.generated;
    if (length > program.mostPositions())
      return makeError(test.name() + " needs " + Twine(length) +
                       " positions, the program has room for " + Twine(program.mostPositions()) +
                       "; take smaller numbers, or import the model with a larger --context");
    room.context = std::max(room.context, length);
    room.sequences = std::max(room.sequences, test.sequences);
    room.pages = std::max(room.pages, cache::CacheManager::pagesFor(length) * test.sequences);
  }
  room.rows = std::min(program.rowsOfRun(), room.sequences);
  return room;
}

} // namespace

Expected<BenchMeasurement> measureTest(generation::LanguageModel &model, const BenchTest &test,
                                       int64_t repetitions, Progress progress) {
  return TestRun(model, test).measure(repetitions, progress);
}

/// Measures a test with a progress bar, which is gone when the table goes on.
static Expected<BenchMeasurement> measureWithBar(generation::LanguageModel &model,
                                                 const BenchTest &test, int64_t repetitions) {
  ProgressBar bar;
  return measureTest(model, test, repetitions,
                     [&](uint64_t done, uint64_t total) { bar.update(test.name(), done, total); });
}

Error benchModel(const Options &options, raw_fd_ostream &out) {
  if (Error error = claimPrinted(options, "the table"))
    return error;
  Expected<ModelProgram> program = ModelProgram::open(options);
  if (!program)
    return program.takeError();
  const std::vector<BenchTest> tests = testsOf(options.bench);
  Expected<ModelRoom> room = roomFor(*program, tests);
  if (!room)
    return room.takeError();
  BenchSubject subject;
  // Random weights have no name; the program has that of the model.
  subject.model =
      sys::path::stem(isRandom(options.weights) ? options.program : options.weights).str();
  if (Error error = countWeights(*program, subject))
    return error;
  Expected<LoadedModel> loaded = LoadedModel::load(*program, options, *room);
  if (!loaded)
    return loaded.takeError();
  subject.device = loaded->device;
  if (subject.device == "cpu")
    subject.threads = options.threads != 0 ? options.threads : sortie_available_processors();

  BenchTable table(options.bench.format, subject, tests, out);
  table.begin();
  for (const BenchTest &test : tests) {
    Expected<BenchMeasurement> measurement =
        measureWithBar(loaded->model, test, options.bench.repetitions);
    if (!measurement)
      return measurement.takeError();
    table.add(*measurement);
    if (Error error = flushOutput(out))
      return error;
  }
  table.finish();
  return Error::success();
}

} // namespace sortie::tool
