// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The tensors of a layer: where they are found, and what is refused in which words.

#include "TestModel.h"

#include "runtime/model/LayerTensors.h"

using namespace llvm;
using namespace sortie;
using namespace sortie::model;
using sortie::test::metadataOf;
using sortie::test::TestModel;

namespace {

constexpr uint32_t kF32 = 0, kF16 = 1, kQ40 = 2, kUnknown = 777;
constexpr uint64_t kExperts = 8, kWidth = 32, kHidden = 64;

/// A file opened, and what the layers of its model need.
struct Opened {
  explicit Opened(const TestModel &file, const std::optional<std::string> &ignored = std::nullopt)
      : model(file.open()), tensorsByLayer(*model),
        filter(cantFail(NameFilter::parse("--ignore-tensors", ignored))) {
    MetadataReader metadata(model->metadata());
    NameFilter keys = cantFail(NameFilter::parse("--ignore-keys", std::nullopt));
    config = cantFail(readConfig(*model, metadata, Scope::FeedForwardHalves, {}, keys));
  }

  Expected<LayerTensors> find(int64_t layer = 0) {
    return LayerTensors::find(*model, tensorsByLayer, config, layer, filter);
  }

  std::unique_ptr<gguf::Model> model;
  TensorsByLayer tensorsByLayer;
  NameFilter filter;
  Config config = {};
};

std::string errorOf(const TestModel &file,
                    const std::optional<std::string> &ignored = std::nullopt) {
  Opened opened(file, ignored);
  Expected<LayerTensors> tensors = opened.find();
  return tensors ? "no error" : toString(tensors.takeError());
}

/// Layer 0 without the experts' gate and up.
TestModel withoutGateAndUp(const std::string &architecture) {
  return metadataOf(architecture)
      .addTensor("blk.0.attn_q.weight", {kHidden, kHidden})
      .addTensor("blk.0.ffn_norm.weight", {kHidden})
      .addTensor("blk.0.ffn_gate_inp.weight", {kExperts, kHidden})
      .addTensor("blk.0.ffn_down_exps.weight", {kExperts, kHidden, kWidth}, kQ40);
}

TestModel layer(const std::string &architecture = "qwen3moe") {
  return withoutGateAndUp(architecture)
      .addTensor("blk.0.ffn_gate_exps.weight", {kExperts, kWidth, kHidden}, kQ40)
      .addTensor("blk.0.ffn_up_exps.weight", {kExperts, kWidth, kHidden}, kQ40);
}

ArrayRef<int64_t> shapeOf(const Weight &weight) { return weight.shape; }

} // namespace

TEST(TensorsByLayer, hasTheTensorsOfLayersAlone) {
  TestModel file;
  for (const char *name : {"token_embd.weight", "blk.3.a", "blk.0.b", "blk.3.c", "blk.x.d"})
    file.addTensor(name, {1});
  const std::unique_ptr<gguf::Model> model = file.open();
  const TensorsByLayer tensors(*model);
  EXPECT_EQ(tensors.last(), 3);
  ASSERT_EQ(tensors.of(3).size(), 2u);
  EXPECT_EQ(tensors.of(3)[1]->name, "blk.3.c");
  EXPECT_TRUE(tensors.of(1).empty());
  EXPECT_EQ(TensorsByLayer(*TestModel().open()).last(), -1);
}

TEST(LayerTensors, findsStackedExperts) {
  Opened opened(layer());
  Expected<LayerTensors> tensors = opened.find();
  ASSERT_TRUE(bool(tensors)) << toString(tensors.takeError());
  const Weight &gate = tensors->get({TensorRole::ExpertsGate});
  ASSERT_EQ(gate.tensors.size(), 1u);
  EXPECT_EQ(gate.tensors.front()->name, "blk.0.ffn_gate_exps.weight");
  EXPECT_EQ(gate.encoding, numerics::Encoding::Q4_0);
  EXPECT_EQ(shapeOf(gate), ArrayRef<int64_t>({8, 32, 64}));
  EXPECT_FALSE(gate.rows);
  EXPECT_EQ(shapeOf(tensors->get({TensorRole::ExpertsDown})), ArrayRef<int64_t>({8, 64, 32}));
  EXPECT_EQ(shapeOf(tensors->get({TensorRole::FeedForwardNorm})), ArrayRef<int64_t>({64}));
  EXPECT_FALSE(tensors->has({TensorRole::Router, TensorKind::Bias}));
  EXPECT_FALSE(tensors->hasShared());
  EXPECT_TRUE(tensors->unread().empty()) << "attention is left alone";
}

TEST(LayerTensors, takesTheHalvesOfAMergedTensor) {
  Opened opened(withoutGateAndUp("qwen3moe")
                    .addTensor("blk.0.ffn_gate_up_exps.weight", {kExperts, 2 * kWidth, kHidden})
                    .addTensor("blk.0.ffn_gate_up_exps.scale", {kExperts}));
  Expected<LayerTensors> tensors = opened.find();
  ASSERT_TRUE(bool(tensors)) << toString(tensors.takeError());
  const Weight &gate = tensors->get({TensorRole::ExpertsGate});
  const Weight &up = tensors->get({TensorRole::ExpertsUp});
  EXPECT_EQ(gate.tensors, up.tensors);
  EXPECT_EQ(gate.rows, (DimensionPart{0, 64}));
  EXPECT_EQ(up.rows, (DimensionPart{32, 64}));
  EXPECT_EQ(shapeOf(up), ArrayRef<int64_t>({8, 32, 64}));
  EXPECT_TRUE(tensors->has({TensorRole::ExpertsUp, TensorKind::Scale}));
  EXPECT_FALSE(tensors->has({TensorRole::ExpertsDown, TensorKind::Scale}));
}

TEST(LayerTensors, takesATensorOfEachExpert) {
  TestModel file = withoutGateAndUp("llama");
  for (uint64_t expert = 0; expert < kExperts; ++expert)
    for (const char *projection : {"gate", "up"})
      file.addTensor("blk.0.ffn_" + std::string(projection) + "." + std::to_string(expert) +
                         ".weight",
                     {kWidth, kHidden}, kQ40);
  Opened opened(file);
  Expected<LayerTensors> tensors = opened.find();
  ASSERT_TRUE(bool(tensors)) << toString(tensors.takeError());
  const Weight &up = tensors->get({TensorRole::ExpertsUp});
  ASSERT_EQ(up.tensors.size(), 8u);
  EXPECT_EQ(up.tensors[7]->name, "blk.0.ffn_up.7.weight");
  EXPECT_EQ(shapeOf(up), ArrayRef<int64_t>({8, 32, 64}));

  TestModel mixed = file;
  mixed.removeTensor("blk.0.ffn_up.5.weight");
  EXPECT_NE(errorOf(mixed).find("tensor 'blk.0.ffn_up.5.weight' is missing"), std::string::npos);
  mixed.addTensor("blk.0.ffn_up.5.weight", {kWidth, kHidden}, kF16);
  EXPECT_EQ(errorOf(mixed),
            "test.gguf: tensor 'blk.0.ffn_up.5.weight' is stored as f16 and "
            "'blk.0.ffn_up.0.weight' as q4_0; the experts of a layer must be stored alike");
}

TEST(LayerTensors, widthsThatNoKeyStatesAreThoseOfTheTensors) {
  Opened opened(layer().remove("qwen3moe.expert_feed_forward_length"));
  Expected<LayerTensors> tensors = opened.find();
  ASSERT_TRUE(bool(tensors)) << toString(tensors.takeError());
  EXPECT_EQ(shapeOf(tensors->get({TensorRole::ExpertsUp})), ArrayRef<int64_t>({8, 32, 64}));
}

TEST(LayerTensors, refusesWhatIsMissingOrOfAnotherShapeOrType) {
  const std::string norm = "blk.0.ffn_norm.weight";
  EXPECT_EQ(errorOf(layer().removeTensor(norm)),
            "test.gguf: tensor 'blk.0.ffn_norm.weight' is missing; layer 0 of architecture "
            "qwen3moe needs it");
  EXPECT_EQ(errorOf(layer(), "blk\\.0\\.ffn_norm\\.weight"),
            "test.gguf: tensor 'blk.0.ffn_norm.weight' is matched by --ignore-tensors, but layer 0 "
            "of architecture qwen3moe needs it");
  EXPECT_EQ(errorOf(layer().removeTensor(norm).addTensor(norm, {kHidden / 2})),
            "test.gguf: tensor 'blk.0.ffn_norm.weight' has shape 32, expected 64 from the "
            "metadata");
  EXPECT_EQ(errorOf(layer().removeTensor(norm).addTensor(norm, {kHidden}, kF16)),
            "test.gguf: tensor 'blk.0.ffn_norm.weight' is stored as f16; norms, biases and scales "
            "must be f32");
  EXPECT_NE(errorOf(layer().removeTensor(norm).addTensor(norm, {kHidden}, kUnknown))
                .find("is stored as type 777, which this version does not compute with; supported "
                      "are f32, "),
            std::string::npos);
}

TEST(LayerTensors, refusesTwoLayouts) {
  EXPECT_EQ(errorOf(layer().addTensor("blk.0.ffn_gate_up_exps.weight",
                                      {kExperts, 2 * kWidth, kHidden}, kQ40)),
            "test.gguf: tensors 'blk.0.ffn_gate_exps.weight' and 'blk.0.ffn_gate_up_exps.weight' "
            "belong to two layouts of the experts' gate, and which of them the model means is not "
            "known; --ignore-tensors=REGEX leaves out the tensors of one");
}

TEST(LayerTensors, listsWhatNobodyReads) {
  TestModel file = layer().addTensor("blk.0.ffn_up_exps.bias", {kExperts, kWidth}, kF32);
  Opened opened(file);
  Expected<LayerTensors> tensors = opened.find();
  ASSERT_TRUE(bool(tensors)) << toString(tensors.takeError());
  ASSERT_EQ(tensors->unread().size(), 1u);
  EXPECT_EQ(tensors->unread().front()->name, "blk.0.ffn_up_exps.bias");

  Opened ignoring(file, ".*\\.bias");
  tensors = ignoring.find();
  ASSERT_TRUE(bool(tensors)) << toString(tensors.takeError());
  EXPECT_TRUE(tensors->unread().empty());
  EXPECT_EQ(ignoring.filter.dropped().size(), 1u);
}

TEST(LayerTensors, aSelectionBiasNeedsAStatedScoring) {
  const std::string key = "deepseek2.expert_gating_func";
  for (const char *name : {"blk.0.exp_probs_b.bias", "blk.0.exp_probs_b"}) {
    TestModel file = layer("deepseek2").addTensor(name, {kExperts});
    EXPECT_EQ(errorOf(file),
              "test.gguf: tensor '" + std::string(name) +
                  "' is a bias for the selection of experts, and no metadata key "
                  "'deepseek2.expert_gating_func' says what the scores are. Models with such a "
                  "bias score by sigmoid (DeepSeek-V3, GLM-4.7-Flash, Kimi-K2) or by softmax: say "
                  "--gating=sigmoid or --gating=softmax");
    Opened opened(file.set(key, uint32_t{2}));
    Expected<LayerTensors> tensors = opened.find();
    ASSERT_TRUE(bool(tensors)) << toString(tensors.takeError());
    EXPECT_EQ(tensors->get({TensorRole::SelectionBias, TensorKind::Bias}).tensors.front()->name,
              name);
  }
  TestModel groups = layer("deepseek2")
                         .addTensor("blk.0.exp_probs_b.bias", {kExperts})
                         .set(key, uint32_t{1})
                         .set("deepseek2.expert_group_count", uint32_t{4})
                         .set("deepseek2.expert_group_used_count", uint32_t{2});
  EXPECT_NE(errorOf(groups).find("in groups with softmax scores; how such a model scores its groups"
                                 " is not known"),
            std::string::npos);
}

TEST(LayerTensors, findsSharedExperts) {
  TestModel file =
      layer("qwen2moe").set("qwen2moe.expert_shared_feed_forward_length", uint32_t{96});
  for (const char *name : {"gate", "up"})
    file.addTensor("blk.0.ffn_" + std::string(name) + "_shexp.weight", {96, kHidden});
  file.addTensor("blk.0.ffn_down_shexp.weight", {kHidden, 96});
  EXPECT_NE(errorOf(file).find("'blk.0.ffn_gate_inp_shexp.weight' is missing"), std::string::npos);
  Opened opened(file.addTensor("blk.0.ffn_gate_inp_shexp.weight", {kHidden}));
  Expected<LayerTensors> tensors = opened.find();
  ASSERT_TRUE(bool(tensors)) << toString(tensors.takeError());
  EXPECT_TRUE(tensors->hasShared());
  EXPECT_EQ(shapeOf(tensors->get({TensorRole::SharedUp})), ArrayRef<int64_t>({1, 96, 64}))
      << "the only expert of a routing";
}
