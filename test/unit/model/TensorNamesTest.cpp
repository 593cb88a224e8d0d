// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Names of tensors: made, recognised, and listed for messages.

#include "TestModel.h"

#include "runtime/model/ExpertLayout.h"
#include "runtime/model/NameFilter.h"
#include "runtime/model/TensorList.h"
#include "runtime/model/TensorNames.h"

#include <set>

using namespace llvm;
using namespace sortie;
using namespace sortie::model;
using sortie::test::TestModel;

TEST(TensorNames, areMadeOfRoleAndKind) {
  EXPECT_EQ(TensorName{TensorRole::Router}.str(), "ffn_gate_inp.weight");
  EXPECT_EQ((TensorName{TensorRole::ExpertsGateUp, TensorKind::Bias}.str()),
            "ffn_gate_up_exps.bias");
  EXPECT_EQ((TensorName{TensorRole::SelectionBias, TensorKind::Bare}.str()), "exp_probs_b");
  EXPECT_EQ((TensorName{TensorRole::Query, TensorKind::InputScale}.str()), "attn_q.input_scale");
}

TEST(TensorNames, areDistinctAndRecognised) {
  std::set<std::string> names;
  for (int role = 0; role <= static_cast<int>(TensorRole::Output); ++role)
    for (int kind = 0; kind <= static_cast<int>(TensorKind::Bare); ++kind) {
      const TensorName name = {static_cast<TensorRole>(role), static_cast<TensorKind>(kind)};
      EXPECT_TRUE(names.insert(name.str()).second) << name.str();
      EXPECT_EQ(parseTensorName(name.str()), name) << name.str();
    }
}

TEST(TensorNames, othersAreNotRecognised) {
  for (const char *name :
       {"", ".weight", "ffn_gate.3.weight", "ffn_norm.weights", "FFN_NORM.weight",
        "ffn_norm.weight.weight", "blk.0.ffn_norm.weight", "ffn_norm.lora"})
    EXPECT_EQ(parseTensorName(name), std::nullopt) << name;
}

TEST(TensorNames, ofALayerHaveItsNumber) {
  EXPECT_EQ(layerName(Twine(12)), "blk.12");
  EXPECT_EQ(layerTensorName(12, "ffn_norm.weight"), "blk.12.ffn_norm.weight");
  const std::optional<NameInLayer> parts = parseLayerTensorName("blk.12.ffn_norm.weight");
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->layer, 12);
  EXPECT_EQ(parts->name, "ffn_norm.weight");
  for (const char *name : {"output.weight", "blk.", "blk.12", "blk.x.ffn_norm", "blk.1x.ffn_norm",
                           "blk.99999999999999999999.ffn_norm", "Blk.1.ffn_norm"})
    EXPECT_FALSE(parseLayerTensorName(name)) << name;
}

TEST(TensorNames, ofNetworks) {
  EXPECT_EQ(roleOf(Network::Dense, Projection::Gate), TensorRole::DenseGate);
  EXPECT_EQ(roleOf(Network::Experts, Projection::Down), TensorRole::ExpertsDown);
  EXPECT_EQ(roleOf(Network::SharedExperts, Projection::Up), TensorRole::SharedUp);
  EXPECT_EQ(projectionName(Projection::Up), "up");
  EXPECT_EQ(expertTensorName(Projection::Down, 31), "ffn_down.31.weight");
}

TEST(ExpertLayout, isRecognisedByNames) {
  auto layoutOf = [](StringRef name) { return findExpertLayout(name, Projection::Gate); };
  for (const char *kind : {".weight", ".bias", ".scale"}) {
    const std::string end = kind;
    EXPECT_EQ(layoutOf("ffn_gate_exps" + end), ExpertLayout::Stacked);
    EXPECT_EQ(layoutOf("ffn_gate_up_exps" + end), ExpertLayout::MergedGateAndUp);
    EXPECT_EQ(layoutOf("ffn_gate.17" + end), ExpertLayout::OneTensorAnExpert);
  }
  for (const char *name :
       {"ffn_gate.weight", "ffn_gate..weight", "ffn_gate.x.weight", "ffn_gate_exps",
        "ffn_gate_exps.input_scale", "ffn_up_exps.weight", "ffn_gate.3", "ffn_gate_shexp.weight"})
    EXPECT_EQ(layoutOf(name), std::nullopt) << name;
  EXPECT_EQ(findExpertLayout("ffn_gate_up_exps.weight", Projection::Up),
            ExpertLayout::MergedGateAndUp);
  EXPECT_EQ(findExpertLayout("ffn_gate_up_exps.weight", Projection::Down), std::nullopt);
}

TEST(TensorList, namesEachTensorOnceForAllItsLayers) {
  TestModel file;
  for (const char *name :
       {"blk.0.a", "blk.1.a", "blk.2.a", "output.bias", "blk.7.a", "blk.3.b.bias"})
    file.addTensor(name, {1});
  const std::unique_ptr<gguf::Model> model = file.open();
  std::vector<const gguf::Tensor *> tensors;
  for (const gguf::Tensor &tensor : model->tensors())
    tensors.push_back(&tensor);
  EXPECT_EQ(listTensors(tensors), "'blk.N.a' (N = 0-2, 7), 'blk.3.b.bias', 'output.bias'");
  EXPECT_EQ(listTensors({}), "");
}

TEST(NameFilter, matchesWholeNames) {
  NameFilter filter = cantFail(NameFilter::parse("--ignore", std::string("a|b.*c")));
  EXPECT_TRUE(filter.matches("a"));
  EXPECT_TRUE(filter.matches("bxc"));
  EXPECT_FALSE(filter.matches("ab"));
  EXPECT_FALSE(filter.matches("xbc"));
  EXPECT_FALSE(cantFail(NameFilter::parse("--ignore", std::nullopt)).matches(""));
}

TEST(NameFilter, errorsNameTheOption) {
  EXPECT_EQ(toString(NameFilter::parse("--ignore", std::string("")).takeError()),
            "--ignore: the regular expression is empty and matches no name; leave the option out "
            "to leave nothing out");
  EXPECT_EQ(toString(NameFilter::parse("--ignore", std::string("(")).takeError()),
            "--ignore: '(' is no regular expression: parentheses not balanced");
}

TEST(NameFilter, mustHaveBeenOfUse) {
  NameFilter filter = cantFail(NameFilter::parse("--ignore", std::string("a.*")));
  EXPECT_EQ(toString(filter.checkUsed()),
            "--ignore: 'a.*' matches nothing that the import reads or refuses; the expression has "
            "to match a whole name");
  filter.drop("ab");
  filter.drop("aa");
  EXPECT_FALSE(filter.checkUsed());
  EXPECT_EQ(filter.dropped(), (std::set<std::string>{"aa", "ab"}));
  EXPECT_FALSE(cantFail(NameFilter::parse("--ignore", std::nullopt)).checkUsed());
}
