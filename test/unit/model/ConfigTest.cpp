// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The configuration that metadata gives: what is read of it, and what is refused in which words.

#include "TestModel.h"

#include "runtime/model/Config.h"

#include <cmath>

using namespace llvm;
using namespace sortie;
using namespace sortie::model;
using numerics::GroupScore;
using numerics::Scoring;
using sortie::test::metadataOf;
using sortie::test::readTestConfig;
using sortie::test::TestModel;
using sortie::test::wholeMetadataOf;

namespace {

Expected<Config> read(const TestModel &file, const ConfigOverrides &overrides = {},
                      const std::optional<std::string> &ignoredKeys = std::nullopt) {
  return readTestConfig(file, Scope::FeedForwardHalves, overrides, ignoredKeys);
}

std::string errorOf(const TestModel &file, const ConfigOverrides &overrides = {},
                    const std::optional<std::string> &ignoredKeys = std::nullopt) {
  Expected<Config> config = read(file, overrides, ignoredKeys);
  return config ? "no error" : toString(config.takeError());
}

/// What follows the file's name and the key.
std::string errorOfKey(const TestModel &file, const std::string &key,
                       const ConfigOverrides &overrides = {},
                       const std::optional<std::string> &ignoredKeys = std::nullopt) {
  const std::string error = errorOf(file, overrides, ignoredKeys);
  StringRef rest = error;
  EXPECT_TRUE(rest.consume_front("test.gguf: metadata key '" + key + "' ")) << error;
  return rest.str();
}

TestModel qwen() { return metadataOf("qwen3moe"); }

/// With groups of two experts.
TestModel deepseek() {
  return metadataOf("deepseek2")
      .set("deepseek2.expert_gating_func", uint32_t{2})
      .set("deepseek2.expert_group_count", uint32_t{4})
      .set("deepseek2.expert_group_used_count", uint32_t{2});
}

} // namespace

TEST(Config, readsWhatTheFileSays) {
  Expected<Config> config = read(qwen().set("qwen3moe.expert_weights_scale", 2.5f));
  ASSERT_TRUE(bool(config)) << toString(config.takeError());
  EXPECT_EQ(config->architecture->name, "qwen3moe");
  EXPECT_EQ(config->hidden, 64);
  EXPECT_EQ(config->epsilon, 1e-6f);
  EXPECT_EQ(config->scoring, Scoring::Softmax);
  EXPECT_FALSE(config->scoringIsStated);
  EXPECT_TRUE(config->normalize);
  EXPECT_EQ(config->scale, 2.5f);
  EXPECT_EQ(config->groups, 1);
  ASSERT_EQ(config->layers.size(), 2u);
  for (const LayerConfig &layer : config->layers) {
    EXPECT_FALSE(layer.dense);
    EXPECT_EQ(layer.experts, 8);
    EXPECT_EQ(layer.selected, 2);
    EXPECT_EQ(layer.expertWidth, 32);
    EXPECT_EQ(layer.denseWidth, std::nullopt);
    EXPECT_EQ(layer.hasShared, false);
  }
}

TEST(Config, remembersWhatItLookedUp) {
  const std::unique_ptr<gguf::Model> model = qwen().set("general.name", std::string("x")).open();
  MetadataReader metadata(model->metadata());
  NameFilter filter = cantFail(NameFilter::parse("--ignore-keys", std::nullopt));
  ASSERT_TRUE(bool(readConfig(*model, metadata, Scope::FeedForwardHalves, {}, filter)));
  EXPECT_TRUE(metadata.hasLookedUp("qwen3moe.expert_count"));
  EXPECT_TRUE(metadata.hasLookedUp("qwen3moe.expert_group_count")) << "an absent key, too";
  EXPECT_FALSE(metadata.hasLookedUp("general.name"));
  EXPECT_TRUE(is_contained(metadata.keys(), "qwen3moe.*router*"));
}

TEST(Config, refusesWhatIsNoSuchModel) {
  EXPECT_EQ(errorOf(qwen().set("general.architecture", std::string("mamba"))),
            "test.gguf: unknown architecture 'mamba'; this version imports " + listArchitectures());
  EXPECT_NE(
      errorOf(qwen().remove("general.architecture")).find("'general.architecture' is missing"),
      std::string::npos);
  EXPECT_NE(errorOfKey(qwen().set("qwen3moe.expert_count", uint32_t{0}), "qwen3moe.expert_count")
                .find("is 0: this is a dense model"),
            std::string::npos);
  EXPECT_NE(errorOfKey(qwen().remove("qwen3moe.expert_count"), "qwen3moe.expert_count")
                .find("is missing: this is a dense model"),
            std::string::npos);
  const std::string advice = "; --what=model imports whole dense models";
  EXPECT_EQ(errorOf(qwen().remove("qwen3moe.expert_count")).find(advice), std::string::npos);
  EXPECT_NE(errorOf(metadataOf("qwen3").remove("qwen3.expert_count")).find(advice),
            std::string::npos);
}

TEST(Config, refusesMissingKeysAndBadNumbers) {
  const std::string blocks = "qwen3moe.block_count";
  EXPECT_NE(errorOf(qwen().remove(blocks)).find("'" + blocks + "' is missing"), std::string::npos);
  EXPECT_EQ(errorOfKey(qwen().set(blocks, std::string("2")), blocks),
            "is string, an integer of at least 0 is needed");
  EXPECT_EQ(errorOfKey(qwen().set(blocks, uint64_t{1} << 40), blocks),
            "is 1099511627776, expected 1 to 65536");
  EXPECT_EQ(
      errorOfKey(qwen().set("qwen3moe.embedding_length", uint32_t{0}), "qwen3moe.embedding_length"),
      "is 0, expected 1 to 16777216");
  const std::string epsilon = "qwen3moe.attention.layer_norm_rms_epsilon";
  for (const float value : {-1.0f, 1.0f, NAN})
    EXPECT_EQ(errorOfKey(qwen().set(epsilon, value), epsilon),
              "must be at least 0 and less than 1");
  EXPECT_EQ(errorOfKey(qwen().set("qwen3moe.expert_weights_scale", INFINITY),
                       "qwen3moe.expert_weights_scale"),
            "must be finite");
}

TEST(Config, readsArraysOfOneNumberALayer) {
  const std::string key = "qwen3moe.expert_count";
  Expected<Config> config = read(qwen().setArray(key, std::vector<uint32_t>{0, 8}));
  ASSERT_TRUE(bool(config)) << toString(config.takeError());
  EXPECT_TRUE(config->layers[0].dense);
  EXPECT_FALSE(config->layers[1].dense);
  EXPECT_EQ(config->layers[1].experts, 8);

  EXPECT_EQ(errorOfKey(qwen().setArray(key, std::vector<uint32_t>{8, 8, 8}), key),
            "has 3 numbers; the model has 2 layers");
  EXPECT_EQ(errorOfKey(qwen().setArray(key, std::vector<float>{8, 8}), key),
            "holds f32; an integer of at least 0 is needed for each layer");
  EXPECT_EQ(errorOfKey(qwen().setArray(key, std::vector<int32_t>{8, -1}), key),
            "holds i32; an integer of at least 0 is needed for each layer");
  EXPECT_EQ(errorOfKey(qwen().setArray(key, std::vector<uint32_t>{8, 1 << 20}), key),
            "is 1048576, expected 0 to " + std::to_string(numerics::kMaxExperts));
}

TEST(Config, layersThatPredictFurtherTokensAreCountedApart) {
  TestModel file = metadataOf("deepseek2").set("deepseek2.nextn_predict_layers", uint32_t{1});
  Expected<Config> config =
      read(file.setArray("deepseek2.expert_count", std::vector<uint32_t>{8, 4}));
  ASSERT_TRUE(bool(config)) << toString(config.takeError());
  EXPECT_EQ(config->layers.size(), 1u);
  EXPECT_EQ(config->predictionLayers, 1);
  EXPECT_EQ(errorOfKey(file.set("deepseek2.nextn_predict_layers", uint32_t{2}),
                       "deepseek2.nextn_predict_layers"),
            "is 2, expected 0 to 1");
}

TEST(Config, leadingLayersMayBeDense) {
  Expected<Config> config = read(metadataOf("deepseek2")
                                     .set("deepseek2.leading_dense_block_count", uint32_t{1})
                                     .set("deepseek2.feed_forward_length", uint32_t{128}));
  ASSERT_TRUE(bool(config)) << toString(config.takeError());
  EXPECT_TRUE(config->layers[0].dense);
  EXPECT_EQ(config->layers[0].denseWidth, 128);
  EXPECT_FALSE(config->layers[1].dense);
}

TEST(Config, everyNthLayerMayHaveExperts) {
  TestModel file = metadataOf("ernie4_5-moe").set("ernie4_5-moe.block_count", uint32_t{6});
  const std::string key = "ernie4_5-moe.interleave_moe_layer_step";
  const auto expertLayers = [](const TestModel &file) {
    std::string layers;
    for (const LayerConfig &layer : cantFail(read(file)).layers)
      layers += layer.dense ? '-' : 'e';
    return layers;
  };
  EXPECT_EQ(expertLayers(file), "eeeeee");
  EXPECT_EQ(expertLayers(file.set(key, uint32_t{2})), "-e-e-e");
  EXPECT_EQ(expertLayers(file.set("ernie4_5-moe.leading_dense_block_count", uint32_t{3})),
            "---e-e");
  EXPECT_EQ(errorOfKey(file.set(key, uint32_t{0}), key), "is 0, expected 1 to 65536");
  EXPECT_NE(errorOf(qwen().set("qwen3moe.interleave_moe_layer_step", uint32_t{2}))
                .find("'qwen3moe.interleave_moe_layer_step' may change what a layer means"),
            std::string::npos);
}

TEST(Config, countsTheExpertsOfAToken) {
  const std::string key = "qwen3moe.expert_used_count";
  EXPECT_EQ(errorOfKey(qwen().set(key, uint32_t{9}), key), "is 9, expected 1 to 8");
  EXPECT_EQ(errorOfKey(qwen().remove(key), key),
            "is missing; --experts-used=N says how many experts a token uses");

  const ConfigOverrides four = {.gating = std::nullopt, .expertsUsed = 4};
  Expected<Config> config = read(qwen(), four);
  ASSERT_TRUE(bool(config)) << toString(config.takeError());
  EXPECT_EQ(config->layers[0].selected, 4);
  EXPECT_FALSE(config->layers[0].selectedIsStated);
  config = read(qwen().set(key, uint32_t{4}), four);
  ASSERT_TRUE(bool(config)) << toString(config.takeError());
  EXPECT_TRUE(config->layers[0].selectedIsStated);
  EXPECT_EQ(errorOf(qwen(), {.gating = std::nullopt, .expertsUsed = 9}),
            "--experts-used is 9, expected 1 to 8 for layer 0");
}

TEST(Config, readsScoring) {
  const std::string key = "qwen3moe.expert_gating_func";
  const std::pair<uint32_t, Scoring> known[] = {
      {1, Scoring::Softmax}, {2, Scoring::Sigmoid}, {3, Scoring::SoftmaxAfterTopK}};
  for (const auto &[number, scoring] : known) {
    Expected<Config> config = read(qwen().set(key, number));
    ASSERT_TRUE(bool(config)) << toString(config.takeError());
    EXPECT_EQ(config->scoring, scoring);
    EXPECT_TRUE(config->scoringIsStated);
  }
  EXPECT_FALSE(cantFail(read(qwen().set(key, uint32_t{0}))).scoringIsStated);
  EXPECT_EQ(errorOfKey(qwen().set(key, uint32_t{4}), key),
            "is 4, expected 1 (softmax), 2 (sigmoid) or 3 (softmax after selection)");
}

TEST(Config, scoringMayBeSaidWhereTheFileDoesNot) {
  const ConfigOverrides sigmoid = {.gating = Scoring::Sigmoid, .expertsUsed = std::nullopt};
  const Config config = cantFail(read(qwen(), sigmoid));
  EXPECT_EQ(config.scoring, Scoring::Sigmoid);
  EXPECT_TRUE(config.scoringIsStated);
  const std::string key = "qwen3moe.expert_gating_func";
  EXPECT_EQ(errorOfKey(qwen().set(key, uint32_t{1}), key, sigmoid),
            "says which gating function the model has; leave --gating out, or leave the key out "
            "with --ignore-keys");
  EXPECT_EQ(errorOf(metadataOf("gpt-oss"), sigmoid),
            "--gating: models of architecture gpt-oss have one gating function; leave the option "
            "out");
}

TEST(Config, scoringMayBeThatOfAllModelsOfTheArchitecture) {
  const Config config = cantFail(read(metadataOf("glm4moe")));
  EXPECT_EQ(config.scoring, Scoring::Sigmoid);
  EXPECT_TRUE(config.scoringIsStated);
  const std::string key = "glm4moe.expert_gating_func";
  for (const uint32_t number : {0u, 2u})
    EXPECT_TRUE(cantFail(read(metadataOf("glm4moe").set(key, number))).scoringIsStated);
  EXPECT_EQ(cantFail(read(metadataOf("glm4moe").set(key, uint32_t{1}))).scoring, Scoring::Softmax)
      << "what a file says goes before";
  EXPECT_EQ(
      errorOf(metadataOf("glm4moe"), {.gating = Scoring::Softmax, .expertsUsed = std::nullopt}),
      "--gating: models of architecture glm4moe have one gating function; leave the option "
      "out");
}

TEST(Config, readsGroups) {
  Config config = cantFail(read(deepseek()));
  EXPECT_EQ(config.groups, 4);
  EXPECT_EQ(config.groupsUsed, 2);
  EXPECT_EQ(config.groupScore, GroupScore::BestTwo);
  config = cantFail(read(deepseek().set("deepseek2.expert_gating_func", uint32_t{1})));
  EXPECT_EQ(config.groupScore, GroupScore::Best);
  config = cantFail(read(deepseek().set("deepseek2.expert_group_used_count", uint32_t{4})));
  EXPECT_EQ(config.groups, 1) << "all groups are no groups";
}

TEST(Config, refusesImpossibleGroups) {
  const std::string count = "deepseek2.expert_group_count";
  const std::string used = "deepseek2.expert_group_used_count";
  EXPECT_EQ(errorOfKey(deepseek().set(count, uint32_t{3}), count),
            "is 3, which does not divide 8 experts");
  EXPECT_EQ(errorOfKey(deepseek().set(used, uint32_t{5}), used), "is 5, expected 1 to 4");
  EXPECT_EQ(
      errorOfKey(deepseek().set(used, uint32_t{1}).set("deepseek2.expert_used_count", uint32_t{3}),
                 used),
      "is 1: these groups hold fewer than 3 experts");
  EXPECT_EQ(errorOfKey(deepseek().set("deepseek2.expert_gating_func", uint32_t{3}), count),
            "is 4: groups are known with softmax or sigmoid scores only");
}

TEST(Config, readsSharedExperts) {
  EXPECT_EQ(cantFail(read(metadataOf("deepseek2"))).layers[0].hasShared, std::nullopt)
      << "the tensors say so";
  const Config config =
      cantFail(read(metadataOf("deepseek2").set("deepseek2.expert_shared_count", uint32_t{2})));
  EXPECT_EQ(config.layers[0].hasShared, true);
  EXPECT_EQ(config.layers[0].sharedWidth, 64);
  EXPECT_EQ(cantFail(read(metadataOf("qwen2moe"))).layers[0].hasShared, true);
  const std::string key = "qwen3moe.expert_shared_count";
  EXPECT_EQ(errorOfKey(qwen().set(key, uint32_t{1}), key),
            "is 1; models of architecture qwen3moe have no shared experts");
  EXPECT_EQ(errorOf(qwen().set(key, uint32_t{0})), "no error");
}

TEST(Config, readsScalesWhereTheArchitectureHasThem) {
  TestModel file = wholeMetadataOf("granitemoe")
                       .set("granitemoe.residual_scale", 0.25f)
                       .set("granitemoe.embedding_scale", 12.0f)
                       .set("granitemoe.logit_scale", 6.0f);
  Config config = cantFail(readTestConfig(file, Scope::WholeModel));
  EXPECT_EQ(config.residualScale, 0.25f);
  EXPECT_EQ(config.embeddingScale, 12.0f);
  EXPECT_EQ(config.logitDivisor, 6.0f);
  config = cantFail(read(file));
  EXPECT_EQ(config.residualScale, 0.25f);
  EXPECT_EQ(config.embeddingScale, 1.0f) << "which no half of a layer has";
  EXPECT_EQ(cantFail(read(metadataOf("granitemoe"))).residualScale, 1.0f);
  for (const float value : {0.0f, -1.0f, 2e6f, NAN, INFINITY})
    EXPECT_EQ(errorOfKey(metadataOf("granitemoe").set("granitemoe.residual_scale", value),
                         "granitemoe.residual_scale"),
              "must be from 1e-6 to 1e6");
  EXPECT_NE(errorOf(qwen().set("qwen3moe.residual_scale", 0.25f))
                .find("'qwen3moe.residual_scale' may change what a layer means"),
            std::string::npos);
}

TEST(Config, refusesKeysAboutRoutingThatItDoesNotKnow) {
  TestModel file = qwen()
                       .set("qwen3moe.expert_dropout", 0.5f)
                       .set("qwen3moe.attention.group_size", uint32_t{4})
                       .set("qwen3moe.context_length", uint32_t{4096});
  EXPECT_EQ(errorOf(file),
            "test.gguf: metadata key 'qwen3moe.expert_dropout' may change what a layer means, and "
            "this version does not know how for architecture qwen3moe; --ignore-keys=REGEX leaves "
            "keys out on purpose");
  EXPECT_EQ(errorOf(file, {}, "qwen3moe\\.expert_dropout"), "no error");
}

TEST(Config, keysThatAreNeededCannotBeLeftOut) {
  EXPECT_EQ(errorOfKey(qwen(), "qwen3moe.block_count", {}, "qwen3moe\\.block_count"),
            "is needed, and --ignore-keys matches it");
  EXPECT_EQ(errorOfKey(qwen(), "qwen3moe.expert_count", {}, ".*\\.expert_count"),
            "is needed, and --ignore-keys matches it");
  EXPECT_EQ(cantFail(read(qwen(), {}, ".*\\.expert_feed_forward_length")).layers[0].expertWidth,
            std::nullopt);
}
