// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The options of `sortie-run bench`.

#include "tools/sortie-run/ModelWords.h"

#include "runtime/support/Error.h"

#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace sortie::tool {

namespace {

#define SORTIE_BENCH cl::sub(benchCommand()), cl::cat(modelCategory())

cl::opt<std::string> prompts("p", cl::value_desc("512,..."), cl::init("512"), SORTIE_BENCH,
                             cl::desc("Tokens of a prompt; 0: no such test. Default: 512"));

cl::opt<std::string>
    generated("n", cl::value_desc("128,..."), cl::init("128"), SORTIE_BENCH,
              cl::desc("Tokens that are generated; 0: no such test. Default: 128"));

cl::list<std::string> pairs("gp", cl::value_desc("512,64"), SORTIE_BENCH,
                            cl::desc("A prompt and tokens generated after it, in one time; may be "
                                     "given several times"));

cl::opt<std::string> depths("d", cl::value_desc("0,4096,..."), cl::init("0"), SORTIE_BENCH,
                            cl::desc("Tokens that a sequence has before; default: 0"));

cl::opt<std::string> sequences("sequences", cl::value_desc("1,8,..."), cl::init("1"), SORTIE_BENCH,
                               cl::desc("Sequences at once; default: 1"));

cl::opt<int64_t> repetitions("r", cl::value_desc("number"), cl::init(5), SORTIE_BENCH,
                             cl::desc("Measured runs of each test, after one that is not; "
                                      "default: 5"));

cl::opt<BenchFormat>
    format("o", cl::init(BenchFormat::Markdown), SORTIE_BENCH, cl::desc("How the table is printed"),
           cl::values(clEnumValN(BenchFormat::Markdown, "md", "Markdown (default)"),
                      clEnumValN(BenchFormat::Json, "json", "an array of objects"),
                      clEnumValN(BenchFormat::Csv, "csv", "with a line of names")));

#undef SORTIE_BENCH

/// The numbers of a list, each at least `least`.
Expected<std::vector<int64_t>> parseNumbers(StringRef option, StringRef list, int64_t least) {
  std::vector<int64_t> numbers;
  for (const StringRef word : split(list, ',')) {
    int64_t number = 0;
    if (word.getAsInteger(10, number) || number < least)
      return makeError(option + " " + list + ": '" + word + "' is no number of at least " +
                       Twine(least) + "; give numbers with commas between them");
    numbers.push_back(number);
  }
  return numbers;
}

Error getList(StringRef option, StringRef list, int64_t least, std::vector<int64_t> &numbers) {
  Expected<std::vector<int64_t>> parsed = parseNumbers(option, list, least);
  if (!parsed)
    return parsed.takeError();
  numbers = std::move(*parsed);
  return Error::success();
}

} // namespace

Error getBenchOptions(BenchOptions &options) {
  if (Error error = getList("-p", prompts, 0, options.prompts))
    return error;
  if (Error error = getList("-n", generated, 0, options.generated))
    return error;
  if (Error error = getList("-d", depths, 0, options.depths))
    return error;
  if (Error error = getList("--sequences", sequences, 1, options.sequences))
    return error;
  for (const std::string &pair : pairs) {
    std::vector<int64_t> numbers;
    if (Error error = getList("-gp", pair, 1, numbers))
      return error;
    if (numbers.size() != 2)
      return makeError("-gp " + pair + ": give two numbers, such as 512,64");
    options.pairs.emplace_back(numbers[0], numbers[1]);
  }
  if (repetitions < 1)
    return makeError("-r " + Twine(repetitions) + ": give at least 1");
  options.repetitions = repetitions;
  options.format = format;
  const auto isZero = [](int64_t number) { return number == 0; };
  if (all_of(options.prompts, isZero) && all_of(options.generated, isZero) && pairs.empty())
    return makeError("there is nothing to measure; give -p, -n or -gp");
  return Error::success();
}

} // namespace sortie::tool
