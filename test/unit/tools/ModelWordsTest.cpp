// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What words of whole models do with a model, over one that computes nothing.

#include "test/unit/generation/FakeModel.h"

#include "tools/sortie-run/Generate.h"
#include "tools/sortie-run/Logits.h"
#include "tools/sortie-run/ModelBench.h"
#include "tools/sortie-run/ModelMemory.h"

#include "llvm/Support/JSON.h"

#include <cmath>
#include <gmock/gmock.h>

using namespace sortie;
using namespace sortie::test;
using namespace sortie::tool;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace {

/// Tokens 8, rows 2, sequences 3, tables of 2 pages, 6 pages, vocabulary 10.
constexpr ForwardShape kShape = {8, 2, 3, 2, 6, 10};
using Extent = FakeModel::Extent;

std::string tableOf(BenchFormat format, llvm::ArrayRef<BenchMeasurement> measurements) {
  const BenchSubject subject = {"a \"model\"", 3 << 20, 30'500'000'000, "cpu", 2};
  std::string text;
  llvm::raw_string_ostream out(text);
  std::vector<BenchTest> tests;
  for (const BenchMeasurement &measurement : measurements)
    tests.push_back(measurement.test);
  BenchTable table(format, subject, tests, out);
  table.begin();
  for (const BenchMeasurement &measurement : measurements)
    table.add(measurement);
  table.finish();
  return text;
}

llvm::Expected<BenchMeasurement> measure(LanguageModel &model, const BenchTest &test,
                                         int64_t repetitions) {
  uint64_t parts = 0;
  auto measurement = measureTest(model, test, repetitions, [&](uint64_t done, uint64_t total) {
    EXPECT_EQ(done, ++parts);
    EXPECT_EQ(total, static_cast<uint64_t>(repetitions) + 2);
  });
  return measurement;
}

const BenchMeasurement kFirst = {{512, 0, 0, 1}, {1, 2}};
const BenchMeasurement kSecond = {{0, 64, 4096, 8}, {4}};

} // namespace

TEST(Logits, AreThoseOfEachSequence) {
  FakeLanguageModel holder(kShape, 1, 20);
  std::vector<int32_t> tokens;
  for (int32_t i = 0; i < 3 * 20; ++i)
    tokens.push_back(i * i % 10);
  uint64_t done = 0;
  const auto keep = [&](uint64_t now, uint64_t total) {
    EXPECT_GT(now, done);
    EXPECT_EQ(total, 60u);
    done = now;
  };
  const auto all = llvm::cantFail(logitsOf(holder.model, tokens, 20, false, keep));
  EXPECT_EQ(std::exchange(done, 0), 60u);
  const auto last = llvm::cantFail(logitsOf(holder.model, tokens, 20, true, keep));
  ASSERT_EQ(all.size(), 3u * 20 * 10);
  ASSERT_EQ(last.size(), 3u * 10);
  for (size_t sequence = 0; sequence < 3; ++sequence)
    for (size_t token = 0; token < 20; ++token)
      for (size_t v = 0; v < 10; ++v) {
        const auto text = llvm::ArrayRef(tokens).slice(sequence * 20, token + 1);
        ASSERT_EQ(all[(sequence * 20 + token) * 10 + v], fakeLogit(text, v));
        ASSERT_TRUE(token != 19 || last[sequence * 10 + v] == fakeLogit(text, v));
      }
  EXPECT_THAT(messageOf(logitsOf(holder.model, {10}, 1, true, keep).takeError()),
              HasSubstr("token 10 is not in the model's vocabulary"));
}

TEST(Generate, PromptsAreTheLinesWithText) {
  EXPECT_THAT(promptsOf(PromptSource::Lines, "one\r\n\ntwo \n\nthree"),
              ElementsAre("one", "two ", "three"));
  EXPECT_THAT(promptsOf(PromptSource::Lines, ""), ElementsAre());
  EXPECT_THAT(promptsOf(PromptSource::File, "one\ntwo\n"), ElementsAre("one\ntwo\n"));
}

TEST(ModelMemory, IsToldAndChecked) {
  constexpr uint64_t kMebibyte = 1 << 20;
  ModelMemory memory = {2 * kMebibyte, 1024 * kMebibyte, 640, kMebibyte, kMebibyte};
  EXPECT_EQ(memory.describe(), "weights 2.00 MiB, caches of 640 positions 1.00 GiB, scratch 1.00 "
                               "MiB, logits 1.00 MiB");
  llvm::cantFail(memory.checkFits({1028 * kMebibyte, "the machine"}));
  llvm::cantFail(memory.checkFits({0, "the machine"}));
  EXPECT_EQ(
      messageOf(memory.checkFits({1028 * kMebibyte - 1, "a control group"})),
      "the model needs 1.00 GiB of memory (" + memory.describe() +
          "), and a control group allows 1.00 GiB; take fewer sequences or a smaller context, "
          "or compile the model with kv=int8");
  std::swap(memory.weights, memory.caches);
  EXPECT_THAT(messageOf(memory.checkFits({5, "ulimit"})),
              HasSubstr("ulimit allows 0.00 MiB; take a model of smaller types, or a smaller "
                        "context"));
}

TEST(ModelBench, TestsFollowTheOptions) {
  BenchOptions options;
  options.prompts = {512, 0};
  options.generated = {64};
  options.pairs = {{512, 16}};
  options.depths = {0, 4096};
  options.sequences = {1, 8};
  std::vector<std::string> names;
  for (const BenchTest &test : testsOf(options))
    names.push_back(test.name());
  EXPECT_THAT(names,
              ElementsAre("pp512", "tg64", "pp512+tg16", "pp512 @ d4096", "tg64 @ d4096",
                          "pp512+tg16 @ d4096", "pp512 x 8", "tg64 x 8", "pp512+tg16 x 8",
                          "pp512 @ d4096 x 8", "tg64 @ d4096 x 8", "pp512+tg16 @ d4096 x 8"));
}

TEST(ModelBench, RunsWhatATestSays) {
  FakeLanguageModel holder(kShape, 3, 100);
  const auto prompt = llvm::cantFail(measure(holder.model, {8, 0, 0, 1}, 2));
  EXPECT_EQ(prompt.seconds.size(), 2u);
  EXPECT_THAT(holder.fake.runs, ElementsAre(Extent{8, 1}, Extent{8, 1}, Extent{8, 1}));
  holder.fake.runs.clear();
  // The depth, and then a warm-up and one run of two steps.
  llvm::cantFail(measure(holder.model, {0, 2, 2, 2}, 1));
  EXPECT_THAT(holder.fake.runs,
              ElementsAre(Extent{4, 2}, Extent{2, 2}, Extent{2, 2}, Extent{2, 2}, Extent{2, 2}));
  // All sequences are gone.
  llvm::cantFail(measure(holder.model, {90, 10, 0, 3}, 1));
  EXPECT_THAT(messageOf(measure(holder.model, {101, 0, 0, 1}, 1).takeError()),
              HasSubstr("the context is 100"));
  llvm::cantFail(measure(holder.model, {0, 1, 0, 3}, 1));
}

TEST(ModelBench, MeansAreOfTokensPerSecond) {
  EXPECT_DOUBLE_EQ(kFirst.mean(), 384);
  EXPECT_DOUBLE_EQ(kFirst.deviation(), std::sqrt(2 * 128.0 * 128.0));
  EXPECT_DOUBLE_EQ(kSecond.mean(), 128);
  EXPECT_EQ(kSecond.deviation(), 0);
}

TEST(ModelBench, Tables) {
  EXPECT_EQ(tableOf(BenchFormat::Markdown, {kFirst, kSecond}),
            "| model     |     size |  params | device | threads |             test |              "
            "    t/s |\n"
            "| --------- | -------: | ------: | ------ | ------: | ---------------: | "
            "-------------------: |\n"
            "| a \"model\" | 3.00 MiB | 30.50 B | cpu    |       2 |            pp512 |      "
            "384.00 ± 181.02 |\n"
            "| a \"model\" | 3.00 MiB | 30.50 B | cpu    |       2 | tg64 @ d4096 x 8 |        "
            "128.00 ± 0.00 |\n");
  EXPECT_EQ(
      tableOf(BenchFormat::Csv, {kSecond}),
      "model,size,params,device,threads,prompt,generated,depth,sequences,repetitions,"
      "tokens_per_second,deviation\n"
      "\"a \"\"model\"\"\",3145728,30500000000,\"cpu\",2,0,64,4096,8,1,128.000000,0.000000\n");
  const llvm::json::Value parsed =
      llvm::cantFail(llvm::json::parse(tableOf(BenchFormat::Json, {kFirst, kSecond})));
  const llvm::json::Array &array = *parsed.getAsArray();
  ASSERT_EQ(array.size(), 2u);
  EXPECT_EQ(array[0].getAsObject()->getNumber("tokens_per_second"), 384);
  EXPECT_EQ(array[1].getAsObject()->getInteger("depth"), 4096);
  EXPECT_EQ(tableOf(BenchFormat::Json, {}), "[\n]\n");
}
