// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Known templates. Each was run by Jinja and compared with its format, on conversations with and
// without a system message, thinking and white space at every end (docs/chat.md).

#include "runtime/chat/ChatFormat.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/BLAKE3.h"

using namespace llvm;

namespace sortie::chat {

namespace {

struct KnownTemplate {
  StringLiteral hash;
  StringLiteral format;
};

/// In the order of the formats; beside each a model that has it.
// clang-format off
constexpr KnownTemplate kTemplates[] = {
    {"372bff602955b6b33621224298891c8e", "chatml"}, // the test models of this project
    {"8ea527658b36167f985bc3d47dae075a", "chatml"}, // HuggingFaceTB/SmolLM-135M-Instruct
    {"3ea0f46fedd9b5fc3827188afb8bf7a1", "chatml"}, // cognitivecomputations/dolphin-2.5-mixtral-8x7b
    {"d9055a675c509bdb49162dbe29a4bcda", "chatml"}, // Qwen3-Coder
    {"5835b8a9498658ff5bfd06334f575829", "chatml"}, // Qwen/Qwen3-VL-4B-Instruct
    {"a3ad6cbfc9563934e60486dd1f48e296", "chatml"}, // Qwen/Qwen3-4B-Instruct-2507
    {"7cdcfde429eb7aa50f58b70747c3d504", "chatml"}, // Qwen3-Coder
    {"6f055039ff5db76cf3a9f1949183b679", "chatml"}, // ollama, chatml
    {"9cccc4de9016e580ec39966ee08df9f5", "chatml"}, // Qwen/Qwen3-Coder-30B-A3B-Instruct
    {"3b17a2cce854a694529c2e2ae9c2fa65", "chatml"}, // openbmb/MiniCPM3-4B
    {"067b70665195d21fc78cddd1c546aee2", "chatml"}, // teknium/OpenHermes-2.5-Mistral-7B
    {"d5fbff245ff2ef5cf85bbf95ba84cbfa", "chatml-bos"}, // internlm3-instruct
    {"3b3ad660b68a15796223773932bab21b", "chatml-bos"}, // LFM2-8B-A1B
    {"09717eddd4b4577aa67e3c98af8461fe", "chatml-bos"}, // HuggingFaceH4/zephyr-7b-gemma-v0.1
    {"1052779e6f94b485f6d2203c83e8dbc5", "chatml-bos"}, // ollama, chatml
    {"51dc2fd746e4bced537bb33c2c887091", "chatml-bos"}, // ollama, chatml
    {"498e4042b7624e082de96bc4356cb7cc", "qwen1.5"}, // ollama, chatml
    {"b1ddcf53be92717958bbf7ed7bad2874", "qwen1.5"}, // Qwen/Qwen1.5-72B-Chat
    {"b947443d72fa43e189fe0b1e49454abd", "qwen2"}, // MiniCPM-V-2.6
    {"cf6d9afe82a4574e0e7443dc544c6a2b", "qwen2"}, // XiYanSQL-QwenCoder-2504
    {"48148783874d367756d8937ce82fbfc1", "qwen2"}, // qwen1.5-chat
    {"879724dc37bf470a90a54bb9330368b0", "qwen2"}, // Qwen/Qwen2.5-VL-3B-Instruct
    {"e29dd3304b4222f13c7bd04ae2a7b7cb", "qwen2"}, // Qwen/Qwen2.5-7B-Instruct-1M
    {"b40a09a2b90e2f37a74aa906f15a04c1", "qwen2"}, // Qwen/Qwen2.5-Omni-3B
    {"cd49dd5a64b090d991082a120e36a58c", "qwen2"}, // seallms-v3
    {"21b357d417f248f0b6cf4278dcf6cb5e", "qwen2"}, // ollama, chatml
    {"bd9dedc4f8e23cdb01946de21d6dd5a4", "qwen2"}, // MadeAgents/Hammer2.1
    {"fec583fa8a02141eae850c0ffcb69ca6", "qwen2.5"}, // Qwen/Qwen2.5-3B-Instruct
    {"45fdf00a05e3daa5751bcd1de40a0a82", "qwen3"}, // Qwen/Qwen3-0.6B
    {"a0e2db0ccb42045e7f9ceef4dd6199a0", "qwen3"}, // Qwen3-Instruct
    {"b0f516e16b473b71173b28d0504b5252", "qwen3"}, // Baichuan-M2
    {"7353afd07c8545bb039a7cc45581b6bf", "qwen3"}, // Qwen3-Omni-Thinking
    {"87764425180b77cf4708f9650e7a6b51", "qwen3"}, // Qwen3-Omni-Instruct
    {"72a1a5e64f5ff443c86b9332e82c85af", "qwen3"}, // Qwen/Qwen3-4B
    {"2f6a48469179e9e30f208372e7cd0a9a", "qwen3-thinking"}, // QwQ-32B
    {"90f3ad1f96fab87a2fea0bdf3af88324", "qwen3-thinking"}, // Qwen/Qwen3-4B-Thinking-2507
    {"e6e8b72dca5080bba187e9eb15c667e3", "qwen3-thinking"}, // Qwen/Qwen3-VL-4B-Thinking
    {"eea3496be1643694e060e5d57d57cc7f", "qwen3-thinking"}, // Qwen/QwQ-32B
    {"2ff3b438de276e44f744a575e323cd7c", "smollm2"}, // HuggingFaceTB/SmolLM2-135M-Instruct
    {"f1083e7459b174504366a47883c2eee9", "yi-1.5"}, // Yi-1.5-chat
    {"e05d1a95c9a5554e5b5689427b160428", "yi-1.5"}, // ollama, chatml
    {"9b355d37cdb3f678ad153e9eec1de8ce", "phi-4"}, // LLM-Research/phi-4
    {"ffd449bfde97a41c77d711d2c5d0349f", "phi-4"}, // phi-4
    {"9ecccc8154915381e9f6d65875a4f5fc", "llama-2"}, // ollama, llama2-chat
    {"417dc0c59c3e23f87f43831990b8aeaf", "llama-2"}, // ollama, llama2-chat
    {"ab16d5a143b58283571c18dca5c81c89", "llama-3"}, // LLM-Research/Meta-Llama-3-8B-Instruct
    {"35e0e15de4dfd4f2bb55810c6349a96b", "llama-3"}, // Llama-3
    {"58c52110eb5475b88ce34ad65d107937", "llama-3.1"}, // meta-llama/Llama-3.1-8B-Instruct
    {"49409e66edadd06a2fbb55dd0792d59c", "llama-3.1"}, // LLM-Research/Llama-3.2-3B-Instruct
    {"b2a9e03aae35124a795e4f802bb8fb2f", "mistral-v0"}, // mistralai/Mixtral-8x7B-Instruct-v0.1
    {"916a308ca79b33e7029d49a29fd524bb", "mistral-v0-spaced"}, // TheBloke/Mistral-7B-Instruct-v0.1-GPTQ
    {"345089e3c0f15a89caeef45540c8e487", "mistral-v1"}, // mistralai/Mistral-7B-Instruct-v0.2
    {"f3671d543bbb7d1461b2f31caf703b91", "mistral-v3"}, // Mistral-Large-Instruct-2407
    {"a72293987a51c8e2b352e04ca1405488", "mistral-v3-tekken"}, // mistralai-Mistral-Nemo-Instruct-2407
    {"68e50c4b67b31bfe11d28c61f01b151f", "mistral-v3-tekken"}, // mistralai/Mistral-Nemo-Instruct-2407
    {"c0fb6773fbdf68a1737c8ec7d01c079b", "mistral-v7"}, // mistralai/Mistral-Large-Instruct-2411
    {"d0cca350eee2d96ce5e73dff593d1020", "deepseek-v2"}, // deepseek-ai/deepseek-llm-7b-chat
    {"908dd2e3d42a0bebb20a754ef444024e", "deepseek-v3"}, // deepseek-prover-v2
    {"c63e5fb4ebaa8e7feff7731711881b12", "deepseek-v3.1"}, // deepseek-ai-DeepSeek-V3.1
    {"baf55844da8a52900726bc9bcde8b175", "deepseek-r1"}, // deepseek-ai/DeepSeek-R1-Distill-Qwen-7B
    {"3c440194d48f092fc670caaa4d20793b", "deepseek-r1"}, // deepseek-ai/DeepSeek-R1
    {"1589a264ef597b931a6adc1648a4f4a8", "deepseek-r1"}, // deepseek-ai-DeepSeek-R1-Distill-Llama-8B
    {"1b3a64273318a4d6726531ef7a29d2dc", "deepseek-r1-0528"}, // deepseek-r1-0528
    {"e27f6bee28c147cf00766c831c660155", "deepseek-r1-0528"}, // deepseek-r1-0528-qwen3
    {"640e7672dce97c34130b275b704753a7", "deepseek-r1-0528"}, // skywork-or1
    {"8b9e80287a80f15ff3f6a94ffffbd825", "deepseek-r1-0528"}, // deepseek-ai/DeepSeek-R1
    {"c2bee380ac0d153ddc44a508d3d6e0a5", "kimi-k2"}, // moonlight-16b-a3b-instruct
    {"b5548c2ff8132d43c05bcf8e2ff90572", "kimi-k2"}, // moonshotai-Kimi-K2
    {"3f282d35e50b1ded6742467d592a75f5", "kimi-k2-named"}, // Kimi-K2-Instruct
    {"80e01aa93dbf09a17a78a2d3bf79acd6", "kimi-k2-thinking"}, // Kimi-K2-Thinking
    {"11ef539088f2489339a2da50cc1d5564", "kimi-k2-thinking"}, // moonshotai/Kimi-K2-Thinking
    {"1e20ff4955ac7f454f561b0fcb5bb607", "glm-4"}, // glm4-0414
    {"e7c31c158833d21468f62f40c22d8f06", "glm-4"}, // glm4-chat
    {"3f7a992ec3f9b653df8f62f00d4cb00b", "glm-4"}, // glm4-chat-1m
    {"8aacd227fe6b36365fd59b5afad3fb0e", "glm-4.6"}, // GLM-4.6
    {"085b828d07e192b3e925c3af3cedbb22", "glm-4.6"}, // GLM-4.6
    {"12de5d0b92eb2d1f26a4e9d05ef73d7b", "glm-4.7"}, // GLM-4.7
    {"3f83c1fb301fe7a79ac82c802192a4f1", "glm-4.7"}, // GLM-4.7-Flash
    {"aa50ebd67eccf2fda184bc0215ea7842", "glm-4.7"}, // zai-org/GLM-5.1
    {"ac91ce5e1082099a9a7589c349ab3dda", "gpt-oss"}, // openai-gpt-oss-120b
    {"878ceea7fccd2924bdaac5ad96e32fd6", "gpt-oss-short"}, // gpt-oss
    {"e15c4fef918bb5fbd8b01799f9341a18", "olmo"}, // olmo
    {"209fbe37f7d5f9b32643868a0830e709", "tulu"}, // tulu
    {"39d037f825f6713a46d65ad040b1f494", "zephyr"}, // HuggingFaceH4/zephyr-7b-beta
    {"fe06602dbb8446e048a7f1808bdb4ec5", "phi-3"}, // phi-3-mini-128k-instruct
    {"82d31a29f803a56bb13fb9f255574cb1", "phi-3"}, // LLM-Research/Phi-3.5-mini-instruct
    {"c761c5dd4d389f6862259b6871942a3d", "phi-3"}, // LLM-Research/Phi-3.5-vision-instruct
    {"baeaba4432c879a1804a8b204999207f", "granite-3"}, // ibm-granite-granite-4.1
    {"58bf829e0cdc996c20cfbb229a1f5f51", "granite-3"}, // ibm-granite/granite-3.0-8b-instruct
    {"7dcf3c2632a573b7b41d35368c6fa811", "granite-3"}, // ibm-granite/granite-3.x
    {"6563f468cb34a0d457934dd895f10101", "granite-3"}, // ibm-granite/granite-4.0
    {"fed8a717598c3c5c02783331c5506074", "granite-3"}, // ibm-granite/granite-4.1
    {"4de9c5628c711dc7778b1dcb0df66995", "ernie-4.5"}, // Ernie4.5
    {"1cd7ee5adc5cdd75910848090c98681c", "gemma"}, // google-gemma-2-2b-it
    {"3c5e76972b6d23f7e3af62d5568d1825", "gemma-3"}, // google/gemma-3-4b-it
    {"41ea3b1ed839fd39799d70f4b8924d9e", "gemma-3"}, // google/gemma-3n-E4B-it
};
// clang-format on

} // namespace

std::string hashOfTemplate(StringRef text) {
  TruncatedBLAKE3<16> hasher;
  hasher.update(text.rtrim());
  return toHex(hasher.final(), /*LowerCase=*/true);
}

const ChatFormat *recognizeTemplate(StringRef text) {
  const std::string hash = hashOfTemplate(text);
  const KnownTemplate *known =
      find_if(kTemplates, [&](const KnownTemplate &candidate) { return candidate.hash == hash; });
  return known == std::end(kTemplates) ? nullptr : findChatFormat(known->format);
}

} // namespace sortie::chat
