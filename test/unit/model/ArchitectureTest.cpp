// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The table of architectures.

#include "runtime/model/Architecture.h"

#include "gtest/gtest.h"

using namespace sortie;
using namespace sortie::model;

TEST(Architecture, isFoundByItsName) {
  for (const char *name : {"qwen3moe", "qwen2moe", "olmoe", "llama", "deepseek2", "gpt-oss"}) {
    const Architecture *architecture = findArchitecture(name);
    ASSERT_NE(architecture, nullptr) << name;
    EXPECT_EQ(architecture->name, name);
  }
  EXPECT_EQ(findArchitecture("qwen3"), nullptr);
  EXPECT_EQ(findArchitecture(""), nullptr);
  EXPECT_EQ(listArchitectures(), "qwen3moe, qwen2moe, olmoe, llama, deepseek2, gpt-oss");
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
