// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Measuring and reporting.

#include "tools/sortie-run/Benchmark.h"

#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"

#include <algorithm>
#include <chrono>

using namespace llvm;

namespace sortie::tool {

Quantiles quantilesOf(std::vector<uint64_t> samples) {
  std::sort(samples.begin(), samples.end());
  auto at = [&](size_t percent) { return samples[(samples.size() - 1) * percent / 100]; };
  return {at(10), at(50), at(90)};
}

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kLeastRuns = 10;
constexpr auto kWarmUp = std::chrono::milliseconds(200);
constexpr auto kLeastTime = std::chrono::seconds(1);

/// The times of each step in several runs.
class StepTimes {
public:
  void add(const StepLog &log) {
    last = log;
    samples.resize(log.steps.size());
    for (size_t i = 0; i < log.steps.size(); ++i)
      samples[i].push_back(log.steps[i].nanoseconds());
  }
  std::vector<BenchmarkStep> medians() {
    std::vector<BenchmarkStep> steps;
    for (size_t i = 0; i < last.steps.size(); ++i)
      steps.push_back({last.steps[i].operation, last.steps[i].label,
                       quantilesOf(std::move(samples[i])).median, last.steps[i].bytes,
                       last.steps[i].operations});
    return steps;
  }

private:
  StepLog last;
  std::vector<std::vector<uint64_t>> samples;
};

} // namespace

Error measure(function_ref<Error(StepLog &log)> run, size_t runs, BenchmarkResult &result) {
  using std::chrono::nanoseconds;
  const Clock::time_point warmUpEnd = Clock::now() + kWarmUp;
  do {
    StepLog log;
    if (Error error = run(log))
      return error;
  } while (Clock::now() < warmUpEnd);

  std::vector<uint64_t> totals;
  StepTimes steps;
  const Clock::time_point least = Clock::now() + kLeastTime;
  while (runs != 0 ? totals.size() < runs : totals.size() < kLeastRuns || Clock::now() < least) {
    StepLog log;
    const Clock::time_point begin = Clock::now();
    if (Error error = run(log))
      return error;
    totals.push_back(std::chrono::duration_cast<nanoseconds>(Clock::now() - begin).count());
    steps.add(log);
  }
  result.runs = totals.size();
  result.nanoseconds = quantilesOf(std::move(totals));
  result.steps = steps.medians();
  return Error::success();
}

Error measureOnDevice(function_ref<Error(MutableArrayRef<uint64_t> nanoseconds)> time,
                      function_ref<Error(StepLog &log)> run, size_t runs, BenchmarkResult &result) {
  std::vector<uint64_t> batch(kLeastRuns);
  const Clock::time_point warmUpEnd = Clock::now() + kWarmUp;
  do {
    if (Error error = time(batch))
      return error;
  } while (Clock::now() < warmUpEnd);

  std::vector<uint64_t> totals;
  if (runs != 0)
    batch.resize(runs);
  const Clock::time_point least = Clock::now() + kLeastTime;
  do {
    if (Error error = time(batch))
      return error;
    totals.insert(totals.end(), batch.begin(), batch.end());
  } while (runs == 0 && Clock::now() < least);
  result.runs = totals.size();
  result.nanoseconds = quantilesOf(std::move(totals));

  StepTimes steps;
  for (size_t i = 0; i < kLeastRuns; ++i) {
    StepLog log;
    if (Error error = run(log))
      return error;
    steps.add(log);
  }
  result.steps = steps.medians();
  return Error::success();
}

/// Units a nanosecond, which are 10^9 units a second.
static double rate(uint64_t units, uint64_t nanoseconds) {
  return static_cast<double>(units) / static_cast<double>(std::max<uint64_t>(nanoseconds, 1));
}

static double tokensPerSecond(const BenchmarkResult &result) {
  return rate(result.tokens, result.nanoseconds.median) * 1e9;
}

void printTable(const BenchmarkResult &result, raw_ostream &out) {
  constexpr double kMilli = 1e-6;
  out << result.function << ": " << result.tokens << " tokens, ";
  if (result.isa.empty())
    out << result.device;
  else
    out << result.threads << " threads, " << result.isa;
  out << ", " << result.runs << " runs\n";
  out << format("median %.3f ms, p10 %.3f ms, p90 %.3f ms, %.1f tokens/s\n\n",
                result.nanoseconds.median * kMilli, result.nanoseconds.p10 * kMilli,
                result.nanoseconds.p90 * kMilli, tokensPerSecond(result));
  out << format("%-18s %10s %6s %9s %9s  %s\n", "operation", "median ms", "share", "GB/s", "GOP/s",
                "weights");
  uint64_t sum = 0;
  for (const BenchmarkStep &step : result.steps)
    sum += step.medianNanoseconds;
  for (const BenchmarkStep &step : result.steps) {
    out << format("%-18s %10.3f %5.1f%% %9.2f ", step.operation.c_str(),
                  step.medianNanoseconds * kMilli, 100 * rate(step.medianNanoseconds, sum),
                  rate(step.bytes, step.medianNanoseconds));
    if (step.operations)
      out << format("%9.2f", rate(step.operations, step.medianNanoseconds));
    else
      out << format("%9s", "-");
    out << "  " << step.label << '\n';
  }
}

void printJson(const BenchmarkResult &result, raw_ostream &out) {
  json::OStream json(out, /*IndentSize=*/2);
  json.object([&] {
    json.attribute("program", result.program);
    json.attribute("function", result.function);
    json.attribute("tokens", result.tokens);
    json.attribute("device", result.device);
    if (!result.isa.empty()) {
      json.attribute("threads", result.threads);
      json.attribute("cpu_isa", result.isa);
    }
    json.attribute("runs", static_cast<int64_t>(result.runs));
    json.attribute("median_ns", result.nanoseconds.median);
    json.attribute("p10_ns", result.nanoseconds.p10);
    json.attribute("p90_ns", result.nanoseconds.p90);
    json.attribute("tokens_per_second", tokensPerSecond(result));
    json.attributeArray("steps", [&] {
      for (const BenchmarkStep &step : result.steps)
        json.object([&] {
          json.attribute("operation", step.operation);
          json.attribute("weights", step.label);
          json.attribute("median_ns", step.medianNanoseconds);
          json.attribute("bytes", step.bytes);
          json.attribute("operations", step.operations);
          json.attribute("gb_per_second", rate(step.bytes, step.medianNanoseconds));
          json.attribute("gop_per_second", rate(step.operations, step.medianNanoseconds));
        });
    });
  });
  out << '\n';
}

} // namespace sortie::tool
