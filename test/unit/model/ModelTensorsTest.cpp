// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tensors of whole models: where they are found, and what is refused in which words.

#include "TestModel.h"

#include "runtime/model/ModelTensors.h"

#include <gmock/gmock.h>

using namespace llvm;
using namespace sortie;
using namespace sortie::model;
using numerics::Encoding;
using sortie::test::denseMetadataOf;
using sortie::test::TestModel;
using sortie::test::wholeMetadataOf;
using testing::HasSubstr;

namespace {

constexpr uint32_t kF32 = 0, kF16 = 1, kQ40 = 2;
/// Of queries there are as many elements as of tokens; of keys and values half as many.
constexpr uint64_t kHidden = 64, kKeys = 32, kHead = 16, kTokens = 128, kInner = 32, kExperts = 8;

void addFeedForward(TestModel &file, const std::string &layer) {
  file.addTensor(layer + "ffn_norm.weight", {kHidden})
      .addTensor(layer + "ffn_gate.weight", {kInner, kHidden}, kQ40)
      .addTensor(layer + "ffn_up.weight", {kInner, kHidden}, kQ40)
      .addTensor(layer + "ffn_down.weight", {kHidden, kInner}, kQ40);
}

void addAttention(TestModel &file, const std::string &layer) {
  file.addTensor(layer + "attn_norm.weight", {kHidden})
      .addTensor(layer + "attn_q.weight", {kHidden, kHidden}, kQ40)
      .addTensor(layer + "attn_k.weight", {kKeys, kHidden}, kQ40)
      .addTensor(layer + "attn_v.weight", {kKeys, kHidden}, kQ40)
      .addTensor(layer + "attn_output.weight", {kHidden, kHidden}, kQ40);
}

/// A dense model of two layers.
TestModel dense(const std::string &architecture) {
  TestModel file = denseMetadataOf(architecture)
                       .addTensor("token_embd.weight", {kTokens, kHidden}, kQ40)
                       .addTensor("output_norm.weight", {kHidden})
                       .addTensor("output.weight", {kTokens, kHidden}, kF16);
  for (const char *layer : {"blk.0.", "blk.1."}) {
    addAttention(file, layer);
    addFeedForward(file, layer);
  }
  return file;
}

TestModel addToLayers(TestModel file, const std::string &name, const std::vector<uint64_t> &shape) {
  for (const char *layer : {"blk.0.", "blk.1."})
    file.addTensor(layer + name, shape);
  return file;
}

struct Opened {
  explicit Opened(const TestModel &file, const std::optional<std::string> &ignored = std::nullopt)
      : model(file.open()), filter(cantFail(NameFilter::parse("--ignore-tensors", ignored))) {
    MetadataReader metadata(model->metadata());
    NameFilter keys = cantFail(NameFilter::parse("--ignore-keys", std::nullopt));
    config = cantFail(readConfig(*model, metadata, Scope::WholeModel, {}, keys));
  }

  Expected<ModelTensors> find() {
    return ModelTensors::find(*model, TensorsByLayer(*model), config, filter);
  }

  std::unique_ptr<gguf::Model> model;
  NameFilter filter;
  Config config = {};
};

std::string errorOf(const TestModel &file,
                    const std::optional<std::string> &ignored = std::nullopt) {
  Opened opened(file, ignored);
  Expected<ModelTensors> tensors = opened.find();
  return tensors ? "no error" : toString(tensors.takeError());
}

std::vector<std::string> unreadOf(const TestModel &file,
                                  const std::optional<std::string> &ignored = std::nullopt) {
  Opened opened(file, ignored);
  const ModelTensors tensors = cantFail(opened.find());
  std::vector<std::string> names;
  for (const gguf::Tensor *tensor : tensors.unread())
    names.push_back(tensor->name);
  return names;
}

ArrayRef<int64_t> shapeOf(const Weight &weight) { return weight.shape; }

} // namespace

TEST(ModelTensors, areFoundInBothHalvesAndAround) {
  Opened opened(dense("llama"));
  const ModelTensors tensors = cantFail(opened.find());
  EXPECT_EQ(tensors.vocabulary(), 128);
  EXPECT_EQ(tensors.get({TensorRole::Output}).tensors.front()->name, "output.weight");
  EXPECT_EQ(tensors.get({TensorRole::Output}).encoding, numerics::Encoding::F16);
  EXPECT_EQ(shapeOf(tensors.get({TensorRole::OutputNorm})), ArrayRef<int64_t>({64}));
  EXPECT_EQ(tensors.frequencies(), ArrayRef(cantFail(rotaryFrequencies({16, 10000.0f}))));
  ASSERT_EQ(tensors.layers().size(), 2u);
  const WholeLayer &layer = tensors.layers()[1];
  EXPECT_EQ(layer.attention.get({TensorRole::Key}).tensors.front()->name, "blk.1.attn_k.weight");
  EXPECT_EQ(shapeOf(layer.attention.get({TensorRole::Key})), ArrayRef<int64_t>({32, 64}));
  EXPECT_FALSE(layer.attention.has({TensorRole::Key, TensorKind::Bias}));
  EXPECT_FALSE(layer.attention.has({TensorRole::QueryNorm}));
  EXPECT_TRUE(layer.feedForward.has({TensorRole::DenseDown}));
  EXPECT_TRUE(tensors.unread().empty());
}

TEST(ModelTensors, theEmbeddingStandsForAMissingOutput) {
  Opened opened(dense("llama").removeTensor("output.weight"));
  const ModelTensors tensors = cantFail(opened.find());
  EXPECT_EQ(tensors.get({TensorRole::Output}).tensors.front()->name, "token_embd.weight");
  EXPECT_EQ(tensors.get({TensorRole::Output}).encoding, numerics::Encoding::Q4_0);
  EXPECT_EQ(errorOf(dense("llama").removeTensor("token_embd.weight")),
            "test.gguf: tensor 'token_embd.weight' is missing; a whole model of architecture llama "
            "needs it; --what=ffn imports the feed-forward halves of its layers alone");
}

TEST(ModelTensors, theVocabularyIsStatedOrThatOfTheEmbedding) {
  EXPECT_EQ(errorOf(dense("llama").set("llama.vocab_size", uint32_t{128})), "no error");
  EXPECT_EQ(errorOf(dense("llama").set("llama.vocab_size", uint32_t{100})),
            "test.gguf: tensor 'token_embd.weight' has shape 128x64, expected 100x64 from the "
            "metadata");
  EXPECT_EQ(errorOf(dense("llama")
                        .removeTensor("output.weight")
                        .addTensor("output.weight", {100, kHidden}, kF16)),
            "test.gguf: tensor 'output.weight' has shape 100x64, expected 128x64 from the "
            "metadata");
}

TEST(ModelTensors, queriesKeysAndValuesMayBeOneTensor) {
  TestModel file = dense("llama");
  for (const char *name : {"q", "k", "v"})
    file.removeTensor("blk.1.attn_" + std::string(name) + ".weight");
  file.addTensor("blk.1.attn_qkv.weight", {kHidden + 2 * kKeys, kHidden}, kQ40)
      .addTensor("blk.1.attn_qkv.bias", {kHidden + 2 * kKeys});
  Opened opened(file);
  const ModelTensors tensors = cantFail(opened.find());
  const WeightSet &attention = tensors.layers()[1].attention;
  EXPECT_EQ(attention.get({TensorRole::Query}).rows, (DimensionPart{0, 128}));
  EXPECT_EQ(attention.get({TensorRole::Key}).rows, (DimensionPart{64, 128}));
  const Weight &value = attention.get({TensorRole::Value});
  EXPECT_EQ(value.rows, (DimensionPart{96, 128}));
  EXPECT_EQ(shapeOf(value), ArrayRef<int64_t>({32, 64}));
  EXPECT_EQ(value.tensors.front()->name, "blk.1.attn_qkv.weight");
  EXPECT_EQ(attention.get({TensorRole::Value, TensorKind::Bias}).columns, (DimensionPart{96, 128}));
  EXPECT_EQ(unreadOf(file.addTensor("blk.1.attn_q.weight", {kHidden, kHidden})),
            std::vector<std::string>{"blk.1.attn_q.weight"});
}

TEST(ModelTensors, ofTheAttentionHalfAreNeeded) {
  EXPECT_EQ(errorOf(dense("llama").removeTensor("blk.1.attn_k.weight")),
            "test.gguf: tensor 'blk.1.attn_k.weight' is missing; the attention half of layer 1 of "
            "architecture llama needs it; --what=ffn imports the feed-forward halves of its layers "
            "alone");
  TestModel wide = dense("llama").removeTensor("blk.0.attn_output.weight");
  EXPECT_EQ(errorOf(wide.addTensor("blk.0.attn_output.weight", {kHidden, kKeys})),
            "test.gguf: tensor 'blk.0.attn_output.weight' has shape 64x32, expected 64x64 from the "
            "metadata");
  EXPECT_THAT(
      errorOf(dense("llama").removeTensor("blk.1.ffn_up.weight")),
      HasSubstr("'blk.1.ffn_up.weight' is missing; layer 1 of architecture llama needs it"));
}

TEST(ModelTensors, biasesAreNeededWhereTheArchitectureHasThem) {
  TestModel qwen = dense("qwen2");
  EXPECT_THAT(errorOf(qwen), HasSubstr("'blk.0.attn_q.bias' is missing"));
  qwen = addToLayers(qwen, "attn_q.bias", {kHidden});
  qwen = addToLayers(qwen, "attn_k.bias", {kKeys});
  EXPECT_THAT(errorOf(qwen), HasSubstr("'blk.0.attn_v.bias' is missing"));
  qwen = addToLayers(qwen, "attn_v.bias", {kKeys});
  EXPECT_EQ(errorOf(qwen), "no error");
  Opened opened(addToLayers(qwen, "attn_output.bias", {kHidden}));
  EXPECT_TRUE(cantFail(opened.find())
                  .layers()[0]
                  .attention.has({TensorRole::AttentionOutput, TensorKind::Bias}));
}

TEST(ModelTensors, normsOfQueriesAndKeysAreOfAHeadOrOfAll) {
  TestModel qwen = dense("qwen3");
  EXPECT_THAT(errorOf(qwen), HasSubstr("'blk.0.attn_q_norm.weight' is missing"));
  qwen =
      addToLayers(addToLayers(qwen, "attn_q_norm.weight", {kHead}), "attn_k_norm.weight", {kHead});
  EXPECT_EQ(errorOf(qwen), "no error");
  EXPECT_EQ(unreadOf(addToLayers(dense("llama"), "attn_q_norm.weight", {kHead})).size(), 2u);

  TestModel olmoe = wholeMetadataOf("olmoe")
                        .addTensor("token_embd.weight", {kTokens, kHidden})
                        .addTensor("output_norm.weight", {kHidden});
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    addAttention(olmoe, layer);
    olmoe.addTensor(layer + "ffn_norm.weight", {kHidden})
        .addTensor(layer + "ffn_gate_inp.weight", {kExperts, kHidden})
        .addTensor(layer + "ffn_gate_exps.weight", {kExperts, kInner, kHidden}, kQ40)
        .addTensor(layer + "ffn_up_exps.weight", {kExperts, kInner, kHidden}, kQ40)
        .addTensor(layer + "ffn_down_exps.weight", {kExperts, kHidden, kInner}, kQ40);
  }
  olmoe = addToLayers(olmoe, "attn_q_norm.weight", {kHidden});
  EXPECT_EQ(errorOf(addToLayers(olmoe, "attn_k_norm.weight", {kHead})),
            "test.gguf: tensor 'blk.0.attn_k_norm.weight' has shape 16, expected 32 from the "
            "metadata");
  EXPECT_EQ(errorOf(addToLayers(olmoe, "attn_k_norm.weight", {kKeys})), "no error");
}

/// Four heads with keys of 16 + 8 and values of 16, made of latents of 32; all layers are dense.
static TestModel latent(bool hasLowQueries) {
  const std::string prefix = "deepseek2.attention.";
  TestModel file = wholeMetadataOf("deepseek2")
                       .set("deepseek2.leading_dense_block_count", uint32_t{2})
                       .set("deepseek2.feed_forward_length", static_cast<uint32_t>(kInner))
                       .set(prefix + "kv_lora_rank", uint32_t{32})
                       .set(prefix + "key_length_mla", uint32_t{24})
                       .set(prefix + "value_length_mla", uint32_t{16})
                       .set("deepseek2.rope.dimension_count", uint32_t{8})
                       .addTensor("token_embd.weight", {kTokens, kHidden})
                       .addTensor("output_norm.weight", {kHidden});
  if (hasLowQueries)
    file.set(prefix + "q_lora_rank", uint32_t{48});
  for (const std::string layer : {"blk.0.", "blk.1."}) {
    file.addTensor(layer + "attn_norm.weight", {kHidden})
        .addTensor(layer + "attn_kv_a_mqa.weight", {40, kHidden}, kQ40)
        .addTensor(layer + "attn_kv_a_norm.weight", {32})
        .addTensor(layer + "attn_k_b.weight", {4, 32, 16})
        .addTensor(layer + "attn_v_b.weight", {4, 16, 32}, kQ40)
        .addTensor(layer + "attn_output.weight", {kHidden, 64}, kQ40);
    if (hasLowQueries)
      file.addTensor(layer + "attn_q_a.weight", {48, kHidden}, kQ40)
          .addTensor(layer + "attn_q_a_norm.weight", {48})
          .addTensor(layer + "attn_q_b.weight", {96, 48});
    else
      file.addTensor(layer + "attn_q.weight", {96, kHidden}, kQ40);
    addFeedForward(file, layer);
  }
  return file;
}

TEST(ModelTensors, ofLatentsHaveAMatrixForEachHead) {
  Opened opened(latent(/*hasLowQueries=*/false));
  const ModelTensors tensors = cantFail(opened.find());
  const WeightSet &attention = tensors.layers()[1].attention;
  EXPECT_EQ(shapeOf(attention.get({TensorRole::Query})), ArrayRef<int64_t>({96, 64}));
  EXPECT_EQ(shapeOf(attention.get({TensorRole::KeyValueDown})), ArrayRef<int64_t>({40, 64}));
  EXPECT_EQ(shapeOf(attention.get({TensorRole::LatentKeyUp})), ArrayRef<int64_t>({4, 32, 16}));
  EXPECT_EQ(shapeOf(attention.get({TensorRole::LatentValueUp})), ArrayRef<int64_t>({4, 16, 32}));
  EXPECT_TRUE(tensors.unread().empty());

  Opened low(latent(/*hasLowQueries=*/true));
  const ModelTensors ofLow = cantFail(low.find());
  const WeightSet &lowAttention = ofLow.layers()[0].attention;
  EXPECT_EQ(shapeOf(lowAttention.get({TensorRole::QueryUp})), ArrayRef<int64_t>({96, 48}));
  EXPECT_FALSE(lowAttention.has({TensorRole::Query}));
  EXPECT_TRUE(ofLow.unread().empty());
  for (const char *name : {"attn_q_a", "attn_q_a_norm", "attn_q_b", "attn_kv_a_mqa",
                           "attn_kv_a_norm", "attn_k_b", "attn_v_b"}) {
    const std::string full = "blk.1." + std::string(name) + ".weight";
    EXPECT_THAT(errorOf(latent(/*hasLowQueries=*/true).removeTensor(full)),
                HasSubstr("'" + full + "' is missing; the attention half of layer 1"));
  }
}

/// The same with one tensor for what makes keys and values of latents, in layer 1.
TestModel fused(uint32_t type) {
  return latent(/*hasLowQueries=*/false)
      .removeTensor("blk.1.attn_k_b.weight")
      .removeTensor("blk.1.attn_v_b.weight")
      .addTensor("blk.1.attn_kv_b.weight", {128, 32}, type);
}

TEST(ModelTensors, whatMakesKeysAndValuesOfLatentsMayBeOneTensor) {
  for (const uint32_t type : {kF32, kQ40}) {
    Opened opened(fused(type));
    const ModelTensors tensors = cantFail(opened.find());
    const WeightSet &attention = tensors.layers()[1].attention;
    const Weight &keys = attention.get({TensorRole::LatentKeyUp});
    EXPECT_EQ(shapeOf(keys), ArrayRef<int64_t>({4, 32, 16}));
    EXPECT_EQ(keys.rows, (DimensionPart{0, 32}));
    EXPECT_TRUE(keys.layout.isJoined && keys.layout.isTransposed);
    EXPECT_EQ(keys.encoding, Encoding::F32);
    EXPECT_EQ(keys.layout.stored, type == kF32 ? std::nullopt : std::optional(Encoding::Q4_0));
    const Weight &values = attention.get({TensorRole::LatentValueUp});
    EXPECT_EQ(shapeOf(values), ArrayRef<int64_t>({4, 16, 32}));
    EXPECT_EQ(values.rows, (DimensionPart{16, 32}));
    EXPECT_EQ(values.layout, (MatrixLayout{/*isJoined=*/true}));
    EXPECT_EQ(values.encoding, type == kF32 ? Encoding::F32 : Encoding::Q4_0);
    EXPECT_TRUE(tensors.unread().empty());
  }
  EXPECT_THAT(errorOf(fused(kQ40)
                          .removeTensor("blk.1.attn_kv_b.weight")
                          .addTensor("blk.1.attn_kv_b.weight", {96, 32}, kQ40)),
              HasSubstr("'blk.1.attn_kv_b.weight' has shape 96x32, expected 128x32"));
  EXPECT_EQ(
      unreadOf(latent(/*hasLowQueries=*/false).addTensor("blk.1.attn_kv_b.weight", {128, 32})),
      std::vector<std::string>{"blk.1.attn_kv_b.weight"});
}

TEST(ModelTensors, matricesOfHeadsMayLieInOne) {
  Opened opened(latent(/*hasLowQueries=*/false)
                    .removeTensor("blk.1.attn_k_b.weight")
                    .addTensor("blk.1.attn_k_b.weight", {128, 16}));
  const ModelTensors tensors = cantFail(opened.find());
  const WeightSet &attention = tensors.layers()[1].attention;
  EXPECT_EQ(shapeOf(attention.get({TensorRole::LatentKeyUp})), ArrayRef<int64_t>({4, 32, 16}));
  EXPECT_EQ(attention.get({TensorRole::LatentKeyUp}).layout, (MatrixLayout{/*isJoined=*/true}));
  EXPECT_FALSE(attention.get({TensorRole::LatentValueUp}).layout);
}

TEST(ModelTensors, sinksAreNeededWhereTheArchitectureHasThem) {
  Opened opened(dense("llama"));
  Architecture withSinks = *opened.config.architecture;
  withSinks.attentionForm.sinks = true;
  opened.config.architecture = &withSinks;
  EXPECT_THAT(toString(opened.find().takeError()),
              HasSubstr("'blk.0.attn_sinks.weight' is missing"));
  Opened complete(addToLayers(dense("llama"), "attn_sinks.weight", {4}));
  complete.config.architecture = &withSinks;
  EXPECT_TRUE(cantFail(complete.find()).layers()[1].attention.has({TensorRole::Sinks}));
}

TEST(ModelTensors, factorsOfFrequenciesAreData) {
  TestModel file = dense("llama").addTensor("rope_freqs.weight", {kHead / 2}, kF32);
  EXPECT_EQ(errorOf(file),
            "test.gguf: tensor 'rope_freqs.weight' is needed to import a whole model, and the file "
            "has no data, only a header; --what=ffn imports the feed-forward halves of its layers "
            "alone");
  constexpr size_t kMostBytes = kTokens * kHidden * 4;
  Opened opened(file.fill(8.0f, kMostBytes));
  const std::vector<float> factors(kHead / 2, 8.0f);
  EXPECT_EQ(
      cantFail(opened.find()).frequencies(),
      ArrayRef(cantFail(rotaryFrequencies({16, 10000.0f, 1.0f, std::nullopt, ArrayRef(factors)}))));
  EXPECT_THAT(errorOf(file.fill(0.0f, kMostBytes)),
              HasSubstr("test.gguf: rotary embeddings: a factor of the frequencies is 0, it must "
                        "be from 0.000976562"));
  EXPECT_THAT(errorOf(dense("llama").addTensor("rope_freqs.weight", {kHead}, kF32)),
              HasSubstr("has shape 16, expected 8"));
}

TEST(ModelTensors, whatNobodyReadsIsListed) {
  TestModel file = dense("llama")
                       .addTensor("output.bias", {kTokens})
                       .addTensor("blk.0.attn_gate.weight", {kHidden})
                       .addTensor("blk.1.attn_q.scale", {1})
                       .addTensor("blk.2.attn_norm.weight", {kHidden})
                       .addTensor("blk.-1.attn_norm.weight", {kHidden});
  EXPECT_EQ(unreadOf(file),
            (std::vector<std::string>{"output.bias", "blk.0.attn_gate.weight", "blk.1.attn_q.scale",
                                      "blk.2.attn_norm.weight", "blk.-1.attn_norm.weight"}));
  Opened opened(file, "output.bias|blk.*(gate|scale|[21].attn_norm).*");
  ASSERT_THAT(toString(opened.find().takeError()), HasSubstr("blk.0.ffn_gate.weight"));
  EXPECT_EQ(unreadOf(file, "output.bias|.*attn_(gate|q\\.scale).*"),
            (std::vector<std::string>{"blk.2.attn_norm.weight", "blk.-1.attn_norm.weight"}));
}

TEST(ModelTensors, ofLayersThatPredictFurtherTokensAreLeftOut) {
  EXPECT_TRUE(unreadOf(dense("llama")
                           .set("llama.block_count", uint32_t{3})
                           .set("llama.nextn_predict_layers", uint32_t{1})
                           .addTensor("blk.2.nextn.eh_proj.weight", {kHidden}))
                  .empty());
}
