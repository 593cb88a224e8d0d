// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// What judges the passes is judged itself: each op on numbers that were worked out by hand.

#include "test/interpreter/Interpreter.h"
#include "test/interpreter/Compare.h"
#include "test/interpreter/Inputs.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Parser/Parser.h"

#include "gmock/gmock.h"
#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"

#include <map>
#include <set>

using namespace mlir;
using namespace sortie;
using namespace sortie::interpreter;
using testing::NanSensitiveDoubleNear;
using testing::Pointwise;

namespace {

constexpr double kNothing = kMeaningless;

TensorRef makeTensor(std::initializer_list<int64_t> shape, std::vector<double> elements) {
  Tensor tensor(shape);
  EXPECT_EQ(tensor.elements.size(), elements.size());
  tensor.elements = std::move(elements);
  return std::make_shared<const Tensor>(std::move(tensor));
}

class InterpreterTest : public testing::Test {
protected:
  /// The outcome of a function with this body.
  Outcome run(const std::string &signature, const std::string &body,
              const std::vector<TensorRef> &inputs) {
    context.loadDialect<lm::LmDialect, moe::MoeDialect, func::FuncDialect, tensor::TensorDialect>();
    const std::string text = caches + "func.func @f" + signature + " {\n" + body + "\n}";
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(text, &context);
    if (!module)
      return {};
    const FailureOr<Outcome> outcome =
        interpret(*module->getOps<func::FuncOp>().begin(), inputs, weights);
    EXPECT_TRUE(succeeded(outcome));
    return outcome.value_or(Outcome());
  }

  void expectResults(const Outcome &outcome, const std::vector<std::vector<double>> &expected) {
    ASSERT_EQ(outcome.results.size(), expected.size());
    for (auto [result, numbers] : llvm::zip_equal(outcome.results, expected))
      EXPECT_THAT(result->elements, Pointwise(NanSensitiveDoubleNear(1e-12), numbers));
  }

  /// Routes one token with four experts, and two selected.
  void expectRouting(const std::string &options, const std::vector<double> &logits,
                     const std::vector<double> &ids, const std::vector<double> &weights) {
    const Outcome outcome =
        run("(%s: tensor<1x4xf32>) -> (tensor<1x2xi32>, tensor<1x2xf32>)",
            "%i, %w = moe.route %s top(2) " + options +
                " tie(lower_id) : (tensor<1x4xf32>) -> (tensor<1x2xi32>, tensor<1x2xf32>)\n"
                "return %i, %w : tensor<1x2xi32>, tensor<1x2xf32>",
            {makeTensor({1, 4}, logits)});
    expectResults(outcome, {ids, weights});
  }

  MLIRContext context;
  Weights weights{/*seed=*/1};
  /// Declarations of caches that functions use.
  std::string caches;
};

TEST_F(InterpreterTest, RoutesByEachScoring) {
  const std::vector<double> logits = {0, std::log(2), std::log(4), 0};
  expectRouting("scoring(raw)", {1, 3, -2, 2}, {1, 3}, {3, 2});
  expectRouting("scoring(softmax)", logits, {2, 1}, {4. / 8, 2. / 8});
  expectRouting("scoring(sigmoid)", logits, {2, 1}, {4. / 5, 2. / 3});
  expectRouting("scoring(softmax_after_topk)", logits, {2, 1}, {4. / 6, 2. / 6});
}

TEST_F(InterpreterTest, NormalizesAndScalesRoutingWeights) {
  expectRouting("scoring(raw) normalize", {1, 3, 0, 0}, {1, 0}, {0.75, 0.25});
  expectRouting("scoring(raw) normalize scale(2.5)", {1, 3, 0, 0}, {1, 0}, {1.875, 0.625});
  expectRouting("scoring(raw) normalize", {-1, 0, 0, -1}, {1, 2}, {0, 0}); // A sum of 0.
}

TEST_F(InterpreterTest, SelectsTheLowerIdAmongEqualsAndNanLast) {
  expectRouting("scoring(raw)", {2, 1, 2, 2}, {0, 2}, {2, 2});
  expectRouting("scoring(raw)", {-0.0, 0.0, -1, -1}, {0, 1}, {0, 0});
  expectRouting("scoring(raw)", {kNothing, kNothing, kNothing, 1}, {3, 0}, {1, kNothing});
}

TEST_F(InterpreterTest, SelectsGroupsByEitherScore) {
  const std::vector<double> logits = {5, 0, 3, 4};
  expectRouting("scoring(raw) groups(1 of 2)", logits, {3, 2}, {4, 3});
  expectRouting("scoring(raw) groups(1 of 2) group_score(best)", logits, {0, 1}, {5, 0});
  expectRouting("scoring(raw) groups(2 of 4)", logits, {0, 3}, {5, 4}); // Of one expert each.
}

TEST_F(InterpreterTest, BiasCountsForTheSelectionAlone) {
  const Outcome outcome =
      run("(%s: tensor<1x2xf32>, %b: tensor<2xf32>) -> (tensor<1x1xi32>, tensor<1x1xf32>)",
          "%i, %w = moe.route %s bias(%b) top(1) scoring(sigmoid) tie(lower_id) : (tensor<1x2xf32>,"
          " tensor<2xf32>) -> (tensor<1x1xi32>, tensor<1x1xf32>)\n"
          "return %i, %w : tensor<1x1xi32>, tensor<1x1xf32>",
          {makeTensor({1, 2}, {0, -std::log(3)}), makeTensor({2}, {0, 1})});
  expectResults(outcome, {{1}, {0.25}});
}

TEST_F(InterpreterTest, RefusesToRouteNearTies) {
  context.loadDialect<moe::MoeDialect, func::FuncDialect>();
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(
      "func.func @f(%s: tensor<1x2xf32>) -> tensor<1x1xi32> {\n"
      "%i, %w = moe.route %s top(1) scoring(raw) tie(lower_id) : (tensor<1x2xf32>)"
      " -> (tensor<1x1xi32>, tensor<1x1xf32>)\n"
      "return %i : tensor<1x1xi32>\n}",
      &context);
  std::string message;
  const ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    message = diagnostic.str();
    return success();
  });
  EXPECT_TRUE(failed(interpret(*module->getOps<func::FuncOp>().begin(),
                               {makeTensor({1, 2}, {1, 1 + 1e-12})}, weights)));
  EXPECT_THAT(message, testing::HasSubstr("the experts of token 0 are nearly tied"));
}

TEST_F(InterpreterTest, NormalizesRows) {
  const Outcome outcome =
      run("(%x: tensor<2x2xf32>, %w: tensor<2xf32>) -> tensor<2x2xf32>",
          "%y = moe.rms_norm %x, %w eps(0.5) : tensor<2x2xf32>, tensor<2xf32>\n"
          "return %y : tensor<2x2xf32>",
          {makeTensor({2, 2}, {1, 8, 0, 0}), makeTensor({2}, {1, -2})}); // 65 / 2 + 0.5 = 33
  expectResults(outcome, {{1 / std::sqrt(33), -16 / std::sqrt(33), 0, 0}});
}

TEST_F(InterpreterTest, ActivatesGateAndUp) {
  const std::string signature = "(%g: tensor<1x2xf32>, %u: tensor<1x2xf32>) -> tensor<1x2xf32>";
  const double ln3 = std::log(3); // sigmoid(ln 3) = 3/4
  expectResults(run(signature,
                    "%y = moe.glu %g, %u kind(swiglu) : tensor<1x2xf32>\n"
                    "return %y : tensor<1x2xf32>",
                    {makeTensor({1, 2}, {ln3, -ln3}), makeTensor({1, 2}, {2, 10})}),
                {{1.5 * ln3, -2.5 * ln3}});
  expectResults(run(signature,
                    "%y = moe.glu %g, %u kind(swiglu_clamped) alpha(2.0) limit(7.0)"
                    " : tensor<1x2xf32>\nreturn %y : tensor<1x2xf32>",
                    {makeTensor({1, 2}, {ln3 / 2, 9}), makeTensor({1, 2}, {-9, 9})}),
                {{-6 * ln3 / 2 * 0.75, 8 * 7 / (1 + std::exp(-14))}});
}

TEST_F(InterpreterTest, MultipliesEachSlotByItsExpert) {
  const Outcome outcome =
      run("(%x: tensor<1x2xf32>, %w: tensor<2x1x2xf32>, %i: tensor<1x2xi32>, %s: tensor<2xf32>,"
          " %b: tensor<2x1xf32>) -> tensor<1x2x1xf32>",
          "%y = moe.routed_matmul %x, %w, %i expert_scale(%s) bias(%b) : (tensor<1x2xf32>,"
          " tensor<2x1x2xf32>, tensor<1x2xi32>, tensor<2xf32>, tensor<2x1xf32>)"
          " -> tensor<1x2x1xf32>\nreturn %y : tensor<1x2x1xf32>",
          {makeTensor({1, 2}, {1, 2}), makeTensor({2, 1, 2}, {1, 0, 3, 4}),
           makeTensor({1, 2}, {1, 0}), makeTensor({2}, {10, 2}), makeTensor({2, 1}, {1, 5})});
  expectResults(outcome, {{11 * 2 + 5, 1 * 10 + 1}});
}

TEST_F(InterpreterTest, SortsTheSlotsOfARange) {
  const Outcome outcome =
      run("(%i: tensor<2x2xi32>) -> (tensor<?xi32>, tensor<2x2xi32>, tensor<3xi32>)",
          "%p, %n, %o = moe.dispatch %i experts(3) range [1, 2] : (tensor<2x2xi32>)"
          " -> (tensor<?xi32>, tensor<2x2xi32>, tensor<3xi32>)\n"
          "return %p, %n, %o : tensor<?xi32>, tensor<2x2xi32>, tensor<3xi32>",
          {makeTensor({2, 2}, {2, 0, 1, 2})});
  expectResults(outcome, {{2, 0, 3, kNothing}, {1, -1, 0, 2}, {0, 1, 3}});
}

TEST_F(InterpreterTest, GathersUnsortsAndCombines) {
  const std::string gather = "%r = moe.gather %x, %p slots(2) : (tensor<2x1xf32>, tensor<4xi32>)"
                             " -> tensor<4x1xf32>\n";
  const std::vector<TensorRef> inputs = {
      makeTensor({2, 1}, {3, 5}), makeTensor({4}, {2, 0, 3, kNothing}),
      makeTensor({2, 2}, {1, -1, 0, 2}), makeTensor({2, 2}, {2, 9, 10, 100})};
  const Outcome outcome = run(
      "(%x: tensor<2x1xf32>, %p: tensor<4xi32>, %n: tensor<2x2xi32>, %w: tensor<2x2xf32>)"
      " -> (tensor<4x1xf32>, tensor<2x2x1xf32>, tensor<2x1xf32>, tensor<2x1xf32>)",
      gather + "%u = moe.unsort %r, %n : (tensor<4x1xf32>, tensor<2x2xi32>) -> tensor<2x2x1xf32>\n"
               "%a = moe.combine %u weights(%w) : (tensor<2x2x1xf32>, tensor<2x2xf32>)"
               " -> tensor<2x1xf32>\n"
               "%b = moe.combine %r inverse(%n) : (tensor<4x1xf32>, tensor<2x2xi32>)"
               " -> tensor<2x1xf32>\n"
               "return %r, %u, %a, %b : tensor<4x1xf32>, tensor<2x2x1xf32>, tensor<2x1xf32>,"
               " tensor<2x1xf32>",
      inputs);
  expectResults(outcome, {{5, 3, 5, kNothing}, {3, 0, 5, 5}, {6, 550}, {3, 10}});
}

TEST_F(InterpreterTest, MultipliesGroupsOfRows) {
  const Outcome outcome =
      run("(%x: tensor<2x1xf32>, %w: tensor<2x1x1xf32>, %o: tensor<3xi32>, %p: tensor<4xi32>,"
          " %e: tensor<2xf32>, %b: tensor<2x1xf32>, %s: tensor<2x2xf32>) -> tensor<4x1xf32>",
          "%y = moe.grouped_matmul %x, %w offsets(%o) permutation(%p) slots(2) expert_scale(%e)"
          " bias(%b) scale(%s) : (tensor<2x1xf32>, tensor<2x1x1xf32>, tensor<3xi32>,"
          " tensor<4xi32>, tensor<2xf32>, tensor<2x1xf32>, tensor<2x2xf32>) -> tensor<4x1xf32>\n"
          "return %y : tensor<4x1xf32>",
          {makeTensor({2, 1}, {3, 5}), makeTensor({2, 1, 1}, {1, 2}), makeTensor({3}, {0, 1, 3}),
           makeTensor({4}, {2, 0, 3, 1}), makeTensor({2}, {10, 20}), makeTensor({2, 1}, {1, 2}),
           makeTensor({2, 2}, {1, 10, 100, 1000})});
  // Rows: token 1 with expert 0, token 0 and token 1 with expert 1, and one past the last offset.
  expectResults(outcome, {{(5 * 10 + 1) * 100, 3 * 2 * 20 + 2, (5 * 2 * 20 + 2) * 1000, kNothing}});
}

TEST_F(InterpreterTest, PartsAndStacksAgreeWithTheWholeTensor) {
  const Outcome outcome =
      run("() -> (tensor<2x4x6xf32>, tensor<2x2x6xf32>, tensor<2x4x2xf32>, tensor<4x6xf32>,"
          " tensor<2x4x6xf32>, tensor<6xf32>, tensor<2x6xf32>)",
          R"(
    %whole = moe.weight "w" : tensor<2x4x6xf32>
    %rows = moe.weight "w" rows(1 of 4) : tensor<2x2x6xf32>
    %columns = moe.weight "w" columns(3 of 6) : tensor<2x4x2xf32>
    %matrix = moe.weight "b" : tensor<4x6xf32>
    %stack = moe.weight ["a", "b"] : tensor<2x4x6xf32>
    %vector = moe.weight "v" : tensor<6xf32>
    %vectors = moe.weight ["u", "v"] : tensor<2x6xf32>
    return %whole, %rows, %columns, %matrix, %stack, %vector, %vectors : tensor<2x4x6xf32>,
      tensor<2x2x6xf32>, tensor<2x4x2xf32>, tensor<4x6xf32>, tensor<2x4x6xf32>, tensor<6xf32>,
      tensor<2x6xf32>)",
          {});
  ASSERT_EQ(outcome.results.size(), 7U);
  const auto row = [&](size_t result, int64_t index) {
    return outcome.results[result]->row(index);
  };
  EXPECT_EQ(row(1, 3), row(0, 6)); // Row 1 of the part of matrix 1 is row 2.
  EXPECT_EQ(row(2, 7), row(0, 7).slice(3, 2));
  EXPECT_EQ(row(4, 6), row(3, 2)); // Row 2 of the second tensor.
  EXPECT_EQ(row(6, 1), row(5, 0));
  EXPECT_NE(row(4, 2), row(3, 2));
  EXPECT_NE(row(0, 0), row(0, 4));
}

TEST_F(InterpreterTest, PicksRowsByTheirNumbers) {
  const Outcome outcome =
      run("(%t: tensor<3xi32>, %w: tensor<2x2xf32>, %r: tensor<2xi32>)"
          " -> (tensor<3x2xf32>, tensor<2x2xf32>)",
          "%x = lm.embed %t, %w : (tensor<3xi32>, tensor<2x2xf32>) -> tensor<3x2xf32>\n"
          "%y = lm.select_rows %x, %r : (tensor<3x2xf32>, tensor<2xi32>) -> tensor<2x2xf32>\n"
          "return %x, %y : tensor<3x2xf32>, tensor<2x2xf32>",
          {makeTensor({3}, {1, 0, 1}), makeTensor({2, 2}, {1, 2, 3, 4}), makeTensor({2}, {2, 1})});
  expectResults(outcome, {{3, 4, 1, 2, 3, 4}, {3, 4, 1, 2}});
}

TEST_F(InterpreterTest, NormalizesHeads) {
  const Outcome outcome =
      run("(%x: tensor<1x4xf32>, %w: tensor<2xf32>) -> tensor<1x4xf32>",
          "%y = lm.head_norm %x, %w heads(2) eps(0.5) : tensor<1x4xf32>, tensor<2xf32>\n"
          "return %y : tensor<1x4xf32>",
          {makeTensor({1, 4}, {1, 8, 0, 1}), makeTensor({2}, {1, -2})}); // 65 / 2 + 0.5 = 33
  expectResults(outcome, {{1 / std::sqrt(33), -16 / std::sqrt(33), 0, -2}});
}

TEST_F(InterpreterTest, TurnsPairsOfEitherOrder) {
  // A quarter of a turn for each position, and an eighth. The fifth element of each head stays.
  const auto rotate = [&](const std::string &pairs, const std::string &factor, double position) {
    return run("(%x: tensor<1x10xf32>, %p: tensor<1xi32>) -> tensor<1x10xf32>",
               "%y = lm.rotate %x, %p heads(2) pairs(" + pairs +
                   ") frequencies [4611686018427387904, 2305843009213693952]" + factor +
                   " : tensor<1x10xf32>, tensor<1xi32>\nreturn %y : tensor<1x10xf32>",
               {makeTensor({1, 10}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), makeTensor({1}, {position})});
  };
  const double r = std::sqrt(0.5);
  expectResults(rotate("halves", "", 1), {{-3, 2 * r - 4 * r, 1, 4 * r + 2 * r, 5, -8,
                                           7 * r - 9 * r, 6, 9 * r + 7 * r, 10}});
  expectResults(rotate("neighbours", "", 1), {{-2, 1, 3 * r - 4 * r, 4 * r + 3 * r, 5, -7, 6,
                                               8 * r - 9 * r, 9 * r + 8 * r, 10}});
  // Half a turn and a quarter; whole turns do not show, however many they are.
  for (const double position : {2., 10., 1073741826.})
    expectResults(rotate("halves", " factor(2.0)", position),
                  {{-2, -8, -6, 4, 5, -12, -18, -16, 14, 10}});
  expectResults(rotate("halves", "", 0), {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}});
}

/// Functions on a cache with heads of one element, or more of them.
class CacheTest : public InterpreterTest {
protected:
  /// Appends keys and values at places, then attends from there.
  Outcome attend(const std::string &cache, int64_t heads, const std::string &options,
                 const std::vector<TensorRef> &inputs) {
    caches = "lm.cache @c : !lm.cache<" + cache + ">\n";
    const bool hasSinks = inputs.size() > 6;
    const std::string types = "(tensor<?x?xf32>, !lm.cache<" + cache +
                              ">, tensor<?xi32>, tensor<?xi32>, tensor<?x?xi32>" +
                              (hasSinks ? ", tensor<?xf32>)" : ")");
    return run("(%q: tensor<?x?xf32>, %k: tensor<?x?xf32>, %v: tensor<?x?xf32>,"
               " %p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<?x?xi32>" +
                   std::string(hasSinks ? ", %z: tensor<?xf32>" : "") + ") -> tensor<?x?xf32>",
               "%c0 = lm.read_cache @c : !lm.cache<" + cache +
                   ">\n%c1 = lm.append %c0, %k, %v at(%p, %s, %g) : !lm.cache<" + cache +
                   ">, tensor<?x?xf32>, tensor<?x?xf32>, tensor<?xi32>, tensor<?xi32>,"
                   " tensor<?x?xi32>\nlm.write_cache %c1, @c : !lm.cache<" +
                   cache + ">\n%y = lm.attend %q, %c1 at(%p, %s, %g)" +
                   (hasSinks ? " sinks(%z)" : "") + " heads(" + std::to_string(heads) + ") " +
                   options + " : " + types + " -> tensor<?x?xf32>\nreturn %y : tensor<?x?xf32>",
               inputs);
  }

  /// What three tokens of one sequence and one of another see: keys 0, ln 2, ln 3 and ln 4, values
  /// 1, 10, 100 and 1000, from the first positions on.
  Outcome attendFromStart(const std::string &options, const std::vector<TensorRef> &sinks = {}) {
    std::vector<TensorRef> inputs = {makeTensor({4, 1}, {1, 1, 1, 1}),
                                     makeTensor({4, 1}, {0, std::log(2), std::log(3), std::log(4)}),
                                     makeTensor({4, 1}, {1, 10, 100, 1000}),
                                     makeTensor({4}, {0, 1, 0, 2}),
                                     makeTensor({4}, {1, 1, 0, 1}),
                                     makeTensor({2, 1}, {7, 3})};
    llvm::append_range(inputs, sinks);
    return attend("1 x 1 x 1", 1, options, inputs);
  }
};

TEST_F(CacheTest, AttendsToThePositionsOfItsSequenceUpToItsOwn) {
  expectResults(attendFromStart("scale(1.0)"), {{1, 21. / 3, 100, (1 + 20 + 4000) / 7.}});
  // Half the score is the square root of the weight.
  const double r2 = std::sqrt(2);
  expectResults(attendFromStart("scale(0.5)"),
                {{1, (1 + 10 * r2) / (1 + r2), 100, (1 + 10 * r2 + 2000) / (3 + r2)}});
}

TEST_F(CacheTest, AttendsWithinAWindow) {
  expectResults(attendFromStart("scale(1.0) window(2)"), {{1, 7, 100, (20 + 4000) / 6.}});
  expectResults(attendFromStart("scale(1.0) window(1)"), {{1, 10, 100, 1000}});
}

TEST_F(CacheTest, SinksTakeWeightAndGiveNothing) {
  // The scale is not the sink's.
  expectResults(attendFromStart("scale(1.0)", {makeTensor({1}, {std::log(5)})}),
                {{1 / 6., 21. / 8, 300 / 8., (1 + 20 + 4000) / 12.}});
  expectResults(attendFromStart("scale(1.0) window(1)", {makeTensor({1}, {1000})}), {{0, 0, 0, 0}});
}

TEST_F(CacheTest, HeadsOfQueriesShareThoseOfKeys) {
  // Four heads of queries, two of keys with one element and of values with two.
  const double l2 = std::log(2), l3 = std::log(3);
  const Outcome outcome =
      attend("2 x 1 x 2", 4, "scale(1.0)",
             {makeTensor({2, 4}, {0, 0, 0, 0, 0, 1, 1, 2}), makeTensor({2, 2}, {0, 0, l2, l3}),
              makeTensor({2, 4}, {1, 2, 3, 4, 10, 20, 30, 40}), makeTensor({2}, {0, 1}),
              makeTensor({2}, {0, 0}), makeTensor({1, 1}, {0})});
  expectResults(outcome, {{1, 2, 1, 2, 3, 4, 3, 4, //
                           5.5, 11, 21. / 3, 42. / 3, 93. / 4, 124. / 4, 273. / 10, 364. / 10}});
}

TEST_F(CacheTest, PagesAreWhatSequencesShareAndRunsKeep) {
  // Both sequences have their first 128 positions in page 5, where the last token's row stays.
  const Outcome outcome =
      attend("1 x 1 x 1", 1, "scale(1.0) window(1)",
             {makeTensor({3, 1}, {1, 1, 1}), makeTensor({3, 1}, {0, 0, 0}),
              makeTensor({3, 1}, {1, 10, 100}), makeTensor({3}, {127, 128, 127}),
              makeTensor({3}, {0, 0, 1}), makeTensor({2, 2}, {5, 2, 5, -1})});
  expectResults(outcome, {{100, 10, 100}});
  ASSERT_EQ(outcome.kept.size(), 1U);
  const Cache &cache = *outcome.kept.at("c");
  ASSERT_EQ(cache.getAppended().size(), 2U);
  EXPECT_EQ(cache.at({5, 127}).values, std::vector<double>{100});
  EXPECT_EQ(cache.at({2, 0}).values, std::vector<double>{10});
  // All else is as a run before left it, whenever it is read.
  const Cache unchanged("c", /*seed=*/1, lm::CacheType::get(&context, 1, 1, 1));
  EXPECT_EQ(cache.at({2, 1}).values, unchanged.at({2, 1}).values);
  EXPECT_NE(cache.at({2, 1}).values, unchanged.at({5, 1}).values);
}

TEST_F(CacheTest, RefusesPositionsThatHaveNoPage) {
  std::string message;
  const ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    message = diagnostic.str();
    return success();
  });
  EXPECT_NONFATAL_FAILURE(
      attend("1 x 1 x 1", 1, "scale(1.0)",
             {makeTensor({1, 1}, {1}), makeTensor({1, 1}, {0}), makeTensor({1, 1}, {1}),
              makeTensor({1}, {128}), makeTensor({1}, {0}), makeTensor({1, 2}, {5, -1})}),
      "succeeded(outcome)");
  EXPECT_THAT(message, testing::HasSubstr("pages has none for position 128 of sequence 0"));
}

/// Places that are made for a function with these arguments.
class PlacesTest : public testing::Test {
protected:
  /// Positions, sequences and pages.
  std::vector<TensorRef> make(const std::string &pages, int64_t tokens, uint64_t seed) {
    context.loadDialect<lm::LmDialect, moe::MoeDialect, func::FuncDialect>();
    OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(
        "lm.cache @c : !lm.cache<1 x 1 x 1>\n"
        "func.func @f(%p: tensor<?xi32>, %s: tensor<?xi32>, %g: tensor<" +
            pages +
            "xi32>,"
            " %q: tensor<?x1xf32>) -> tensor<?x1xf32> {\n"
            "%c = lm.read_cache @c : !lm.cache<1 x 1 x 1>\n"
            "%y = lm.attend %q, %c at(%p, %s, %g) heads(1) scale(1.0) : (tensor<?x1xf32>,"
            " !lm.cache<1 x 1 x 1>, tensor<?xi32>, tensor<?xi32>, tensor<" +
            pages +
            "xi32>)"
            " -> tensor<?x1xf32>\nreturn %y : tensor<?x1xf32>\n}",
        &context);
    auto inputs = makeInputs(*module->getOps<func::FuncOp>().begin(), tokens, seed);
    EXPECT_TRUE(succeeded(inputs));
    return inputs.value_or(std::vector<TensorRef>());
  }

  MLIRContext context;
};

TEST_F(PlacesTest, TokensAreTheNextPositionsOfTheirSequences) {
  const std::vector<TensorRef> inputs = make("3x2", /*tokens=*/60, /*seed=*/1);
  ASSERT_EQ(inputs.size(), 4U);
  std::map<double, double> next;
  std::set<double> firsts;
  for (auto [position, sequence] : llvm::zip_equal(inputs[0]->elements, inputs[1]->elements)) {
    const auto [entry, isFirst] = next.try_emplace(sequence, position);
    EXPECT_EQ(position, entry->second++);
    if (isFirst)
      firsts.insert(position);
  }
  EXPECT_EQ(next.size(), 3U);
  EXPECT_TRUE(firsts.contains(0));   // A sequence that was empty,
  EXPECT_TRUE(firsts.contains(127)); // and one that goes on in another page.
}

TEST_F(PlacesTest, EachPageThatIsNeededIsAnother) {
  for (const uint64_t seed : {1, 2, 3}) {
    const std::vector<TensorRef> inputs = make("3x2", /*tokens=*/60, seed);
    ASSERT_EQ(inputs.size(), 4U);
    std::set<double> pages;
    for (int64_t sequence = 0; sequence < 3; ++sequence) {
      double last = -1;
      for (auto [position, of] : llvm::zip_equal(inputs[0]->elements, inputs[1]->elements))
        if (of == static_cast<double>(sequence))
          last = std::max(last, position);
      for (auto [index, page] : llvm::enumerate(inputs[2]->row(sequence))) {
        const bool isNeeded = last >= static_cast<double>(index) * kPagePositions;
        EXPECT_EQ(page >= 0, isNeeded);
        EXPECT_TRUE(!isNeeded || pages.insert(page).second);
      }
    }
  }
}

TEST_F(PlacesTest, SequencesStayWithinTheirPages) {
  const std::vector<TensorRef> inputs = make("2x1", /*tokens=*/100, /*seed=*/1);
  ASSERT_EQ(inputs.size(), 4U);
  EXPECT_THAT(inputs[0]->elements, testing::Each(testing::Lt(128)));
}

TEST(CompareTest, WhatStaysInCachesIsCompared) {
  MLIRContext context;
  context.loadDialect<lm::LmDialect>();
  const auto outcome = [&](std::optional<double> key, int64_t page) {
    Cache cache("c", /*seed=*/1, lm::CacheType::get(&context, 1, 1, 1));
    if (key)
      cache.set({page, 0}, {{*key}, {2}});
    Outcome result;
    result.kept["c"] = std::make_shared<const Cache>(std::move(cache));
    return result;
  };
  Compared compared;
  EXPECT_EQ(findDifference(outcome(1, 3), outcome(1, 3), 1e-9, compared), std::nullopt);
  EXPECT_EQ(compared.numbers, 2);
  EXPECT_EQ(findDifference(outcome(1, 3), outcome(4, 3), 1e-9, compared),
            "cache 'c' at [0, 0] is 1 before and 4 after");
  for (const Outcome &other : {outcome(1, 4), outcome(std::nullopt, 3), Outcome()}) {
    EXPECT_EQ(findDifference(outcome(1, 3), other, 1e-9, compared),
              "cache 'c' gets new rows that are not in the same places before and after");
    EXPECT_EQ(findDifference(other, outcome(1, 3), 1e-9, compared),
              "cache 'c' gets new rows that are not in the same places before and after");
  }
  // To write what was read is to write nothing.
  EXPECT_EQ(findDifference(outcome(std::nullopt, 3), Outcome(), 1e-9, compared), std::nullopt);
}

/// The difference between functions that only return a value.
std::optional<std::string> compareResults(const TensorRef &before, const TensorRef &after) {
  Compared compared;
  return findDifference({{before}, {}, {}}, {{after}, {}, {}}, 1e-9, compared);
}

TEST(CompareTest, WhatMeantNothingIsNotCompared) {
  const TensorRef before = makeTensor({2, 1}, {kNothing, 2});
  EXPECT_EQ(compareResults(before, makeTensor({2, 1}, {7, 2})), std::nullopt);
  EXPECT_EQ(compareResults(before, makeTensor({2, 1}, {kNothing, kNothing})),
            "result 0 at [1, 0] is 2 before and nothing after");
}

TEST(CompareTest, ToleranceIsRelativeToTheLargestNumber) {
  const TensorRef before = makeTensor({2}, {1e-3, 1e3});
  EXPECT_EQ(compareResults(before, makeTensor({2}, {1e-3 + 9e-7, 1e3})), std::nullopt);
  EXPECT_EQ(compareResults(before, makeTensor({2}, {2e-3, 1e3})),
            "result 0 at [0] is 0.001 before and 0.002 after");
}

TEST(CompareTest, SortedRowsAreComparedInTheOrderOfSlots) {
  Tensor sorted({4, 1});
  sorted.elements = {30, 10, 20, kNothing};
  sorted.slots = std::make_shared<const std::vector<double>>(
      std::vector<double>{3, 1, 2, kMeaningless}); // Slot 0 has no row.
  const TensorRef after = std::make_shared<const Tensor>(sorted);
  EXPECT_EQ(compareResults(makeTensor({2, 2, 1}, {0, 10, 20, 30}), after), std::nullopt);
  EXPECT_EQ(compareResults(makeTensor({2, 2, 1}, {0, 10, 20, 31}), after),
            "result 0 in the order of slots at [3, 0] is 31 before and 30 after");
  EXPECT_EQ(compareResults(makeTensor({2, 1, 1}, {0, 10}), after),
            "result 0 has 2 rows of 1 before and 4 of 1 after");
}

} // namespace
