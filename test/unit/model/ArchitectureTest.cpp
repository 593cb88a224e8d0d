// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of architectures.

#include "runtime/model/Architecture.h"

#include "gtest/gtest.h"

using namespace sortie;
using namespace sortie::model;

TEST(Architecture, isFoundByItsName) {
  for (const char *name : {"qwen3moe", "qwen2moe", "olmoe", "llama", "deepseek2", "gpt-oss",
                           "qwen2", "qwen3", "deepseek", "glm4moe", "dots1", "minimax-m2",
                           "hunyuan-moe", "ernie4_5-moe", "bailingmoe2", "granite", "granitemoe"}) {
    const Architecture *architecture = findArchitecture(name);
    ASSERT_NE(architecture, nullptr) << name;
    EXPECT_EQ(architecture->name, name);
  }
  EXPECT_EQ(findArchitecture("qwen"), nullptr);
  EXPECT_EQ(findArchitecture(""), nullptr);
  EXPECT_EQ(listArchitectures(),
            "qwen3moe, qwen2moe, olmoe, llama, deepseek2, gpt-oss, qwen2, qwen3, deepseek, "
            "glm4moe, dots1, minimax-m2, hunyuan-moe, ernie4_5-moe, bailingmoe2, granite, "
            "granitemoe");
}

TEST(Architecture, saysWhatFilesLeaveOut) {
  EXPECT_TRUE(findArchitecture("qwen3moe")->normalize);
  EXPECT_FALSE(findArchitecture("olmoe")->normalize);
  EXPECT_EQ(findArchitecture("qwen2moe")->shared, SharedExperts::Gated);
  EXPECT_EQ(findArchitecture("deepseek2")->shared, SharedExperts::Added);
  const Architecture *gptOss = findArchitecture("gpt-oss");
  EXPECT_EQ(gptOss->norm, TensorRole::PostAttentionNorm);
  EXPECT_EQ(gptOss->scoring, numerics::Scoring::SoftmaxAfterTopK);
  EXPECT_EQ(gptOss->activation.kind, numerics::GluKind::SwigluClamped);
  EXPECT_EQ(gptOss->activation.alpha, 1.702f);
  EXPECT_EQ(gptOss->activation.limit, 7.0f);
}

TEST(Architecture, saysHowItsAttentionIsMade) {
  EXPECT_EQ(findArchitecture("llama")->attentionForm.pairs, RotaryPairs::Neighbours);
  for (const char *name : {"qwen2", "qwen3", "qwen2moe", "qwen3moe", "olmoe", "gpt-oss"})
    EXPECT_EQ(findArchitecture(name)->attentionForm.pairs, RotaryPairs::Halves) << name;
  EXPECT_EQ(findArchitecture("qwen3")->attentionForm.norm, QueryKeyNorm::EachHead);
  EXPECT_EQ(findArchitecture("qwen3moe")->attentionForm.norm, QueryKeyNorm::EachHead);
  EXPECT_EQ(findArchitecture("olmoe")->attentionForm.norm, QueryKeyNorm::AllHeads);
  EXPECT_EQ(findArchitecture("qwen2")->attentionForm.biases, NeededBiases::QueryKeyValue);
  EXPECT_EQ(findArchitecture("qwen2moe")->attentionForm.biases, NeededBiases::QueryKeyValue);
  const AttentionForm &gptOss = findArchitecture("gpt-oss")->attentionForm;
  EXPECT_EQ(gptOss.biases, NeededBiases::All);
  EXPECT_TRUE(gptOss.sinks);
  EXPECT_TRUE(gptOss.alternatingWindow);
  EXPECT_FALSE(gptOss.yarnHasWholeEnds);
  EXPECT_TRUE(findArchitecture("deepseek2")->attentionForm.isLatent);
  EXPECT_EQ(findArchitecture("deepseek2")->attentionForm.pairs, RotaryPairs::Neighbours);
}

TEST(Architecture, knowsItsAttentionTensorsOneByOne) {
  const Architecture &qwen = *findArchitecture("qwen3moe");
  for (const char *name : {"attn_norm.weight", "attn_q.weight", "attn_q.bias", "attn_k_norm.weight",
                           "attn_v.scale", "attn_v.input_scale", "rope_freqs"})
    EXPECT_TRUE(isAttentionTensor(qwen, name)) << name;
  for (const char *name : {"attn_gate.weight", "attn_q.lora", "ffn_norm.weight",
                           "attn_sinks.weight", "attn_kv_b.weight", "attn_q.weight.bias", ""})
    EXPECT_FALSE(isAttentionTensor(qwen, name)) << name;
  EXPECT_TRUE(isAttentionTensor(*findArchitecture("gpt-oss"), "attn_sinks.weight"));
  EXPECT_TRUE(isAttentionTensor(*findArchitecture("deepseek2"), "attn_kv_b.weight"));
}
