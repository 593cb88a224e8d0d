// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The configuration of whole models: attention, rotation, context, and what is refused in which
// words.

#include "TestModel.h"

#include <gmock/gmock.h>

#include <cmath>

using namespace llvm;
using namespace sortie;
using namespace sortie::model;
using sortie::test::denseMetadataOf;
using sortie::test::readTestConfig;
using sortie::test::TestModel;
using sortie::test::wholeMetadataOf;
using testing::HasSubstr;

namespace {

Expected<Config> read(const TestModel &file, const ConfigOverrides &overrides = {},
                      const std::optional<std::string> &ignoredKeys = std::nullopt) {
  return readTestConfig(file, Scope::WholeModel, overrides, ignoredKeys);
}

AttentionConfig attentionOf(const TestModel &file, const ConfigOverrides &overrides = {}) {
  return *cantFail(read(file, overrides)).attention;
}

std::string errorOf(const TestModel &file, const ConfigOverrides &overrides = {},
                    const std::optional<std::string> &ignoredKeys = std::nullopt) {
  Expected<Config> config = read(file, overrides, ignoredKeys);
  return config ? "no error" : toString(config.takeError());
}

TestModel qwen() { return wholeMetadataOf("qwen3moe"); }
/// Keys of 16 + 8 and values of 16, made of latents of 32.
TestModel deepseek() {
  return wholeMetadataOf("deepseek2")
      .set("deepseek2.attention.kv_lora_rank", uint32_t{32})
      .set("deepseek2.attention.key_length", uint32_t{40})
      .set("deepseek2.attention.value_length", uint32_t{32})
      .set("deepseek2.attention.key_length_mla", uint32_t{24})
      .set("deepseek2.attention.value_length_mla", uint32_t{16})
      .set("deepseek2.rope.dimension_count", uint32_t{8});
}

TestModel llamaDense() { return denseMetadataOf("llama"); }

/// The error of one key of `qwen` with this value, after the file's name and the key.
template <typename T> std::string errorOfKey(const std::string &rest, const T &value) {
  const std::string key = "qwen3moe." + rest;
  const std::string error = errorOf(qwen().set(key, value));
  StringRef text = error;
  EXPECT_TRUE(text.consume_front("test.gguf: metadata key '" + key + "' ")) << error;
  return text.str();
}

std::string withoutKey(const std::string &key) { return errorOf(qwen().remove("qwen3moe." + key)); }

} // namespace

TEST(Attention, isReadOfWholeModelsAlone) {
  EXPECT_EQ(cantFail(readTestConfig(qwen(), Scope::FeedForwardHalves)).attention, std::nullopt);
  const AttentionConfig attention = attentionOf(qwen());
  ASSERT_EQ(attention.layers.size(), 2u);
  for (const LayerAttention &layer : attention.layers) {
    EXPECT_EQ(layer.heads, 4);
    EXPECT_EQ(layer.keyHeads, 2);
    EXPECT_EQ(layer.window, std::nullopt);
  }
  EXPECT_EQ(attention.keyWidth, 16) << "hidden / heads";
  EXPECT_EQ(attention.valueWidth, 16);
  EXPECT_EQ(attention.scale, 0.25);
  EXPECT_EQ(attention.rotary.dimensions, 16);
  EXPECT_EQ(attention.rotary.base, 10000.0f);
  EXPECT_EQ(attention.rotary.divisor, 1.0f);
  EXPECT_FALSE(attention.rotary.yarn);
  EXPECT_EQ(attention.rotaryFactor, 1.0f);
  EXPECT_EQ(attention.context, 96);
  EXPECT_EQ(attention.vocabulary, std::nullopt);
}

TEST(Attention, readsWhatTheFileSays) {
  const AttentionConfig attention =
      attentionOf(qwen()
                      .set("qwen3moe.attention.key_length", uint32_t{32})
                      .set("qwen3moe.attention.value_length", uint32_t{24})
                      .set("qwen3moe.attention.scale", 0.5f)
                      .set("qwen3moe.attention.causal", true)
                      .set("qwen3moe.attention.sliding_window", uint32_t{0})
                      .set("qwen3moe.rope.dimension_count", uint32_t{8})
                      .set("qwen3moe.rope.freq_base", 1e6f)
                      .set("qwen3moe.vocab_size", uint32_t{1000}));
  EXPECT_EQ(attention.keyWidth, 32);
  EXPECT_EQ(attention.valueWidth, 24);
  EXPECT_EQ(attention.scale, 0.5);
  EXPECT_EQ(attention.rotary.dimensions, 8);
  EXPECT_EQ(attention.rotary.base, 1e6f);
  EXPECT_EQ(attention.vocabulary, 1000);
}

TEST(Attention, headsMayDifferFromLayerToLayer) {
  const AttentionConfig attention =
      attentionOf(qwen()
                      .setArray("qwen3moe.attention.head_count", std::vector<uint32_t>{4, 8})
                      .setArray("qwen3moe.attention.head_count_kv", std::vector<uint32_t>{4, 2})
                      .set("qwen3moe.attention.key_length", uint32_t{16})
                      .set("qwen3moe.attention.value_length", uint32_t{16}));
  EXPECT_EQ(attention.layers[1].heads, 8);
  EXPECT_EQ(attention.layers[1].keyHeads, 2);
  EXPECT_EQ(attentionOf(qwen().remove("qwen3moe.attention.head_count_kv")).layers[0].keyHeads, 4);
  EXPECT_EQ(errorOfKey("attention.head_count_kv", uint32_t{3}),
            "is 3, which does not divide the 4 heads of layer 0");
  EXPECT_EQ(errorOfKey("attention.head_count", uint32_t{0}), "is 0, expected 1 to 16384");
  EXPECT_EQ(withoutKey("attention.head_count"),
            "test.gguf: metadata key 'qwen3moe.attention.head_count' is missing: a whole model "
            "needs it; --what=ffn imports the feed-forward halves of its layers alone");
  EXPECT_EQ(errorOf(qwen(), {}, ".*\\.head_count"),
            "test.gguf: metadata key 'qwen3moe.attention.head_count' is needed, and --ignore-keys "
            "matches it");
}

TEST(Attention, widthsMustFollowFromTheHeadsOrBeStated) {
  const char *const problem = "'qwen3moe.attention.key_length' is missing, and 64 elements "
                              "(embedding_length) are not divided among the heads into at most "
                              "1024 each";
  EXPECT_THAT(errorOf(qwen()
                          .set("qwen3moe.attention.head_count", uint32_t{6})
                          .set("qwen3moe.attention.head_count_kv", uint32_t{2})),
              HasSubstr(problem));
  EXPECT_THAT(
      errorOf(qwen().setArray("qwen3moe.attention.head_count", std::vector<uint32_t>{4, 8})),
      HasSubstr(problem));
  EXPECT_EQ(errorOfKey("attention.key_length", uint32_t{1025}), "is 1025, expected 1 to 1024");
}

TEST(Attention, scaleAndMaskAreChecked) {
  EXPECT_EQ(attentionOf(qwen().set("qwen3moe.attention.scale", 0.0f)).scale, 0.25);
  for (const float value : {-1.0f, NAN, INFINITY})
    EXPECT_EQ(errorOfKey("attention.scale", value), "must be finite and at least 0");
  EXPECT_THAT(errorOfKey("attention.causal", false), HasSubstr("is false: tokens see those after"));
}

TEST(Attention, windowsAreKnownOfGptOssAlone) {
  EXPECT_EQ(errorOfKey("attention.sliding_window", uint32_t{128}),
            "is 128; which layers of this architecture have a window is not known");
  TestModel file = wholeMetadataOf("gpt-oss");
  EXPECT_THAT(errorOf(file), HasSubstr("must say what every second layer sees"));
  const AttentionConfig attention =
      attentionOf(file.set("gpt-oss.attention.sliding_window", uint32_t{128}));
  EXPECT_EQ(attention.layers[0].window, 128);
  EXPECT_EQ(attention.layers[1].window, std::nullopt);
}

TEST(Attention, linearScalingDividesFrequencies) {
  TestModel file = qwen().set("qwen3moe.rope.scaling.factor", 4.0f);
  EXPECT_EQ(attentionOf(file).rotary.divisor, 4.0f) << "without a type";
  file.set("qwen3moe.rope.scaling.type", std::string("linear"))
      .set("qwen3moe.rope.scaling.finetuned", true)
      .set("qwen3moe.rope.scaling.original_context_length", uint32_t{32});
  EXPECT_EQ(attentionOf(file).rotary.divisor, 4.0f);
  file.set("qwen3moe.rope.scaling.type", std::string("none"));
  EXPECT_EQ(attentionOf(file).rotary.divisor, 1.0f);
  EXPECT_EQ(attentionOf(qwen().set("qwen3moe.rope.scale_linear", 2.0f)).rotary.divisor, 2.0f);
  EXPECT_EQ(attentionOf(qwen().set("qwen3moe.rope.scaling.factor", 0.0f)).rotary.divisor, 1.0f);
  EXPECT_EQ(attentionOf(qwen().set("qwen3moe.rope.scaling.attn_factor", 1.5f)).rotaryFactor, 1.5f);
}

TEST(Attention, yarnIsReadWithAllItsNumbers) {
  TestModel file = qwen()
                       .set("qwen3moe.rope.scaling.type", std::string("yarn"))
                       .set("qwen3moe.rope.scaling.factor", 4.0f)
                       .set("qwen3moe.rope.scaling.original_context_length", uint32_t{32768});
  AttentionConfig attention = attentionOf(file);
  ASSERT_TRUE(attention.rotary.yarn);
  EXPECT_EQ(attention.rotary.divisor, 1.0f);
  EXPECT_EQ(attention.rotary.yarn->factor, 4.0f);
  EXPECT_EQ(attention.rotary.yarn->context, 32768);
  EXPECT_EQ(attention.rotary.yarn->fastTurns, 32.0f);
  EXPECT_EQ(attention.rotary.yarn->slowTurns, 1.0f);
  EXPECT_TRUE(attention.rotary.yarn->hasWholeEnds);
  EXPECT_EQ(attention.rotaryFactor, 1.1386294361119891f);

  attention = attentionOf(file.set("qwen3moe.rope.scaling.yarn_beta_fast", 16.0f)
                              .set("qwen3moe.rope.scaling.yarn_beta_slow", 2.0f)
                              .set("qwen3moe.rope.scaling.yarn_ext_factor", 1.0f)
                              .set("qwen3moe.rope.scaling.attn_factor", 2.0f));
  EXPECT_EQ(attention.rotary.yarn->fastTurns, 16.0f);
  EXPECT_EQ(attention.rotary.yarn->slowTurns, 2.0f);
  EXPECT_EQ(attention.rotaryFactor, 2 * 1.1386294361119891f);

  const std::string factorKey = "qwen3moe.rope.scaling.yarn_attn_factor";
  EXPECT_EQ(attentionOf(file.set(factorKey, 1.25f)).rotaryFactor, 2 * 1.25f);
  EXPECT_THAT(errorOf(file.set(factorKey, 0.0f)), HasSubstr("must be finite and above 0"));
  file.set("qwen3moe.rope.scaling.type", std::string("linear"));
  EXPECT_EQ(attentionOf(file).rotaryFactor, 2.0f) << "it is YaRN's";
  file.set("qwen3moe.rope.scaling.type", std::string("yarn")).remove(factorKey);

  EXPECT_THAT(errorOf(file.set("qwen3moe.rope.scaling.yarn_ext_factor", 0.5f)),
              HasSubstr("yarn_ext_factor' must be 1"));
  file.remove("qwen3moe.rope.scaling.original_context_length");
  EXPECT_THAT(errorOf(file), HasSubstr("original_context_length' is missing"));
  file.remove("qwen3moe.rope.scaling.factor");
  EXPECT_THAT(errorOf(file), HasSubstr("rope.scaling.factor' is missing"));
}

TEST(Attention, yarnOfGptOssHasEndsBetweenPairs) {
  const AttentionConfig attention =
      attentionOf(wholeMetadataOf("gpt-oss")
                      .set("gpt-oss.attention.sliding_window", uint32_t{128})
                      .set("gpt-oss.rope.scaling.type", std::string("yarn"))
                      .set("gpt-oss.rope.scaling.factor", 32.0f)
                      .set("gpt-oss.rope.scaling.original_context_length", uint32_t{4096}));
  EXPECT_FALSE(attention.rotary.yarn->hasWholeEnds);
}

TEST(Attention, rotationIsChecked) {
  EXPECT_EQ(errorOfKey("rope.scaling.type", std::string("longrope")),
            "is 'longrope'; Sortie knows none, linear and yarn");
  EXPECT_EQ(errorOfKey("rope.dimension_count", uint32_t{18}), "is 18, expected 2 to 16");
  EXPECT_EQ(errorOf(qwen().set("qwen3moe.rope.dimension_count", uint32_t{7})),
            "test.gguf: rotary embeddings: 7 elements turn, it must be an even number from 2 to "
            "1024");
  EXPECT_THAT(errorOf(qwen().set("qwen3moe.rope.freq_base", 0.5f)),
              HasSubstr("test.gguf: rotary embeddings: the base is 0.5, it must be from 1.0625"));
  for (const float value : {0.0f, -1.0f, NAN, INFINITY})
    EXPECT_EQ(errorOfKey("rope.scaling.attn_factor", value), "must be finite and above 0");
}

TEST(Attention, aKeyMaySayThatHeadsDoNotTurn) {
  const std::string key = ".rope.scaling.finetuned";
  EXPECT_EQ(errorOf(qwen().set("qwen3moe" + key, false)), "no error") << "it has no meaning there";
  EXPECT_EQ(errorOf(wholeMetadataOf("granitemoe").set("granitemoe" + key, true)), "no error");
  EXPECT_EQ(errorOf(wholeMetadataOf("granitemoe").set("granitemoe" + key, false)),
            "test.gguf: metadata key 'granitemoe.rope.scaling.finetuned' is false: positions do "
            "not turn the heads of this model. Sortie imports models whose heads turn");
}

TEST(Attention, contextIsTheFilesOrAsked) {
  EXPECT_EQ(withoutKey("context_length"),
            "test.gguf: metadata key 'qwen3moe.context_length' is missing; --context=N says how "
            "long a sequence may be");
  const ConfigOverrides asked = {
      .gating = std::nullopt, .expertsUsed = std::nullopt, .context = 64};
  EXPECT_EQ(attentionOf(qwen().remove("qwen3moe.context_length"), asked).context, 64);
  EXPECT_EQ(attentionOf(qwen(), asked).context, 64);
  EXPECT_FALSE(attentionOf(qwen(), asked).contextIsExceeded);
  const ConfigOverrides more = {.gating = std::nullopt, .expertsUsed = std::nullopt, .context = 97};
  EXPECT_TRUE(attentionOf(qwen(), more).contextIsExceeded);
  EXPECT_EQ(errorOf(qwen(), {.gating = std::nullopt, .expertsUsed = std::nullopt, .context = 0}),
            "--context is 0, expected 1 to 67108864");
  EXPECT_EQ(errorOf(qwen(), {}, ".*context_length"),
            "test.gguf: metadata key 'qwen3moe.context_length' is needed, and --ignore-keys "
            "matches it");
}

TEST(Attention, anyKeyOfTheArchitectureThatIsNotKnownIsAnError) {
  TestModel file = qwen()
                       .set("qwen3moe.attention.clamp_kqv", 8.0f)
                       .set("qwen3moe.final_logit_softcapping", 30.0f)
                       .set("general.name", std::string("x"));
  EXPECT_EQ(errorOf(file),
            "test.gguf: metadata keys 'qwen3moe.attention.clamp_kqv', "
            "'qwen3moe.final_logit_softcapping' may change what a model means, and this version "
            "does not know how for architecture qwen3moe; --ignore-keys=REGEX leaves keys out on "
            "purpose");
  EXPECT_EQ(errorOf(file, {}, ".*(clamp_kqv|softcapping)"), "no error");
  EXPECT_FALSE(errorToBool(readTestConfig(file, Scope::FeedForwardHalves).takeError()));

  const std::unique_ptr<gguf::Model> model = qwen().open();
  MetadataReader metadata(model->metadata());
  NameFilter filter = cantFail(NameFilter::parse("--ignore-keys", std::nullopt));
  ASSERT_TRUE(bool(readConfig(*model, metadata, Scope::WholeModel, {}, filter)));
  EXPECT_TRUE(is_contained(metadata.keys(), "qwen3moe.*")) << "any further key is another model";
}

TEST(Attention, ofLatentsHasSizesOfItsOwn) {
  const AttentionConfig attention = attentionOf(deepseek());
  ASSERT_TRUE(attention.latent);
  EXPECT_EQ(attention.latent->rank, 32);
  EXPECT_EQ(attention.latent->rotated, 8);
  EXPECT_EQ(attention.latent->queryRank, std::nullopt);
  EXPECT_EQ(attention.keyWidth, 24);
  EXPECT_EQ(attention.valueWidth, 16);
  EXPECT_EQ(attention.scale, 1.0 / std::sqrt(24.0));
  EXPECT_EQ(attention.rotary.dimensions, 8);
  EXPECT_EQ(attention.layers[1].heads, 4);
  EXPECT_EQ(attention.layers[1].keyHeads, 1) << "whatever the file says";
  EXPECT_EQ(attentionOf(deepseek().set("deepseek2.attention.q_lora_rank", uint32_t{48}))
                .latent->queryRank,
            48);
  EXPECT_EQ(attentionOf(qwen()).latent, std::nullopt);
}

// They have the widths of the model's heads where newer ones have those of the cache's.
TEST(Attention, ofOldFilesOfLatentsIsReadAlike) {
  const AttentionConfig attention =
      attentionOf(deepseek()
                      .remove("deepseek2.attention.key_length_mla")
                      .remove("deepseek2.attention.value_length_mla")
                      .set("deepseek2.attention.key_length", uint32_t{24})
                      .set("deepseek2.attention.value_length", uint32_t{16}));
  EXPECT_EQ(attention.keyWidth, 24);
  EXPECT_EQ(attention.valueWidth, 16);
}

TEST(Attention, ofLatentsNeedsItsKeys) {
  for (const char *key :
       {"attention.kv_lora_rank", "attention.key_length_mla", "rope.dimension_count"}) {
    TestModel file = deepseek().remove("deepseek2." + std::string(key));
    if (StringRef(key).ends_with("_mla"))
      file.remove("deepseek2.attention.key_length");
    EXPECT_THAT(errorOf(file), HasSubstr(std::string(key) + "' is missing")) << key;
  }
  EXPECT_EQ(errorOf(deepseek().set("deepseek2.rope.dimension_count", uint32_t{24})),
            "test.gguf: metadata key 'deepseek2.rope.dimension_count' is 24, which leaves nothing "
            "of the 24 elements of a key (attention.key_length_mla) for its latent part");
  EXPECT_THAT(errorOf(deepseek().set("deepseek2.attention.kv_lora_rank", uint32_t{1025})),
              HasSubstr("is 1025, expected 1 to 1024"));
  EXPECT_THAT(errorOf(deepseek().set("deepseek2.attention.q_lora_rank", uint32_t{0})),
              HasSubstr("q_lora_rank' is 0"));
  EXPECT_THAT(errorOf(deepseek().set("deepseek2.rope.dimension_count", uint32_t{7})),
              HasSubstr("7 elements turn, it must be an even number"));
}

TEST(Attention, scoresOfLatentsGrowInPlaceOfVectors) {
  TestModel file = deepseek()
                       .set("deepseek2.rope.scaling.type", std::string("yarn"))
                       .set("deepseek2.rope.scaling.factor", 40.0f)
                       .set("deepseek2.rope.scaling.original_context_length", uint32_t{4096});
  AttentionConfig attention = attentionOf(file);
  EXPECT_EQ(attention.scale, 1.0 / std::sqrt(24.0));
  EXPECT_FLOAT_EQ(attention.rotaryFactor, 1.3688879454f) << "without the key as elsewhere";
  const std::string key = "deepseek2.rope.scaling.yarn_log_multiplier";
  attention = attentionOf(file.set(key, 0.125f));
  const double growth = 1 + 0.125 * std::log(40.0);
  EXPECT_DOUBLE_EQ(attention.scale, growth * growth / std::sqrt(24.0));
  EXPECT_EQ(attention.rotaryFactor, 1.0f);
  const std::string factorKey = "deepseek2.rope.scaling.yarn_attn_factor";
  attention = attentionOf(file.set(factorKey, 1.25f));
  EXPECT_DOUBLE_EQ(attention.scale, growth * growth / std::sqrt(24.0));
  EXPECT_EQ(attention.rotaryFactor, 1.25f) << "stated, it is for vectors in any case";
  file.remove(factorKey);
  EXPECT_THAT(errorOf(file.set(key, -0.5f)), HasSubstr("yarn_log_multiplier' must be 0 to 16"));
  EXPECT_THAT(errorOf(file.set(key, 17.0f)), HasSubstr("yarn_log_multiplier' must be 0 to 16"));
  file.set(key, 0.125f).set("deepseek2.rope.scaling.type", std::string("none"));
  EXPECT_EQ(attentionOf(file).scale, 1.0 / std::sqrt(24.0));
  EXPECT_THAT(errorOf(qwen().set("qwen3moe.rope.scaling.yarn_log_multiplier", 0.125f)),
              HasSubstr("may change what a model means"));
}

TEST(Attention, denseModelsAreWholeModels) {
  for (const char *name : {"llama", "qwen2", "qwen3"}) {
    const Config config = cantFail(read(denseMetadataOf(name)));
    ASSERT_EQ(config.layers.size(), 2u);
    EXPECT_TRUE(config.layers[1].dense);
    EXPECT_EQ(config.layers[1].denseWidth, 32);
  }
  EXPECT_EQ(errorOf(llamaDense()
                        .set("llama.expert_count", uint32_t{0})
                        .set("llama.expert_used_count", uint32_t{0})
                        .set("llama.leading_dense_block_count", uint32_t{0})),
            "no error");
  EXPECT_EQ(errorOf(llamaDense(), {.gating = std::nullopt, .expertsUsed = 2}),
            "--experts-used: this is a dense model, without experts; leave the option out");
  EXPECT_EQ(
      errorOf(llamaDense(), {.gating = numerics::Scoring::Sigmoid, .expertsUsed = std::nullopt}),
      "--gating: this is a dense model, without experts; leave the option out");
  EXPECT_EQ(errorOf(denseMetadataOf("olmoe")),
            "test.gguf: metadata key 'olmoe.expert_count' is missing; models of architecture olmoe "
            "have experts");
  EXPECT_EQ(errorOf(wholeMetadataOf("qwen3")),
            "test.gguf: metadata key 'qwen3.expert_count' says that the model has experts; models "
            "of architecture qwen3 have none");
}
