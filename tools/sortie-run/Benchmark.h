// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// `--benchmark`: repeated runs, and what they say.

#ifndef SORTIE_TOOLS_SORTIE_RUN_BENCHMARK_H
#define SORTIE_TOOLS_SORTIE_RUN_BENCHMARK_H

#include "tools/sortie-run/StepLog.h"

#include "llvm/ADT/STLFunctionalExtras.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/raw_ostream.h"

namespace sortie::tool {

struct Quantiles {
  uint64_t p10;
  uint64_t median;
  uint64_t p90;
};

/// Of at least one sample; between two samples the lower one is taken.
Quantiles quantilesOf(std::vector<uint64_t> samples);

struct BenchmarkStep {
  std::string operation;
  std::string label;
  uint64_t medianNanoseconds;
  uint64_t bytes;
  uint64_t operations;
};

struct BenchmarkResult {
  std::string program;
  std::string function;
  std::string device; ///< "cpu", "cuda:0 (NVIDIA H100)"
  std::string isa;    ///< of a CPU
  int threads = 0;    ///< of a CPU
  int64_t tokens = 0;
  size_t runs = 0;
  Quantiles nanoseconds; ///< of whole runs
  std::vector<BenchmarkStep> steps;
};

/// Calls `run` to warm up, then as often as `runs` says (0: until a second and ten runs are over),
/// and fills `runs`, `nanoseconds` and `steps` of `result`.
llvm::Error measure(llvm::function_ref<llvm::Error(StepLog &log)> run, size_t runs,
                    BenchmarkResult &result);

/// The same for a GPU: `time` fills in the times of as many runs, without copies from and to the
/// host; `run` tells the time of each operation.
llvm::Error
measureOnDevice(llvm::function_ref<llvm::Error(llvm::MutableArrayRef<uint64_t> nanoseconds)> time,
                llvm::function_ref<llvm::Error(StepLog &log)> run, size_t runs,
                BenchmarkResult &result);

void printTable(const BenchmarkResult &result, llvm::raw_ostream &out);
void printJson(const BenchmarkResult &result, llvm::raw_ostream &out);

} // namespace sortie::tool

#endif // SORTIE_TOOLS_SORTIE_RUN_BENCHMARK_H
