// Part of the Sortie project, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The formats.

#include "runtime/chat/ChatFormat.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace llvm;

namespace sortie::chat {

namespace {

constexpr Frame kChatmlSystem = {"<|im_start|>system\n", "<|im_end|>\n"};
constexpr Frame kChatmlPrompt = {"<|im_start|>user\n", "<|im_end|>\n"};
constexpr Frame kChatmlAnswer = {"<|im_start|>assistant\n", "<|im_end|>\n"};

constexpr Frame kLlama3Prompt = {"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"};
constexpr Frame kLlama3Answer = {"<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"};

constexpr Frame kDeepSeekPrompt = {"<｜User｜>", ""};
constexpr Frame kDeepSeekAnswer = {"<｜Assistant｜>", "<｜end▁of▁sentence｜>"};

constexpr StringLiteral kHarmonyBegin =
    "<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
    "Knowledge cutoff: 2024-06\nCurrent date: {date}\n\nReasoning: medium\n\n# Valid channels: "
    "analysis, commentary, final. Channel must be included for every message.<|end|>";
constexpr Frame kHarmonyPrompt = {"<|start|>user<|message|>", "<|end|>"};
constexpr Frame kHarmonyAnswer = {"<|start|>assistant<|channel|>final<|message|>", "<|end|>"};

constexpr Frame kKimiSystem = {"<|im_system|>system<|im_middle|>", "<|im_end|>"};
constexpr Frame kKimiPrompt = {"<|im_user|>user<|im_middle|>", "<|im_end|>"};
constexpr Frame kKimiAnswer = {"<|im_assistant|>assistant<|im_middle|>", "<|im_end|>"};

/// By family; within one, from the plainest on.
constexpr ChatFormat kFormats[] = {
    // ChatML and what Qwen and others made of it.
    {.name = "chatml", .system = kChatmlSystem, .prompt = kChatmlPrompt, .answer = kChatmlAnswer},
    {.name = "chatml-bos",
     .begin = "{bos}",
     .system = kChatmlSystem,
     .prompt = kChatmlPrompt,
     .answer = kChatmlAnswer},
    {.name = "qwen1.5",
     .system = kChatmlSystem,
     .withoutSystem = "<|im_start|>system\nYou are a helpful assistant<|im_end|>\n",
     .prompt = kChatmlPrompt,
     .answer = kChatmlAnswer},
    {.name = "qwen2",
     .system = kChatmlSystem,
     .withoutSystem = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n",
     .prompt = kChatmlPrompt,
     .answer = kChatmlAnswer},
    {.name = "qwen2.5",
     .system = kChatmlSystem,
     .withoutSystem = "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a "
                      "helpful assistant.<|im_end|>\n",
     .prompt = kChatmlPrompt,
     .answer = kChatmlAnswer},
    {.name = "qwen3",
     .system = kChatmlSystem,
     .prompt = kChatmlPrompt,
     .answer = kChatmlAnswer,
     .pastAnswer = PastAnswer::AfterThinkingLines},
    {.name = "qwen3-thinking",
     .system = kChatmlSystem,
     .prompt = kChatmlPrompt,
     .answer = kChatmlAnswer,
     .cue = "<|im_start|>assistant\n<think>\n",
     .pastAnswer = PastAnswer::AfterThinkingLines},
    {.name = "smollm2",
     .system = kChatmlSystem,
     .withoutSystem = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by "
                      "Hugging Face<|im_end|>\n",
     .prompt = kChatmlPrompt,
     .answer = kChatmlAnswer},
    {.name = "yi-1.5", .system = {}, .prompt = kChatmlPrompt, .answer = kChatmlAnswer},
    {.name = "phi-4",
     .system = {"<|im_start|>system<|im_sep|>", "<|im_end|>"},
     .prompt = {"<|im_start|>user<|im_sep|>", "<|im_end|>"},
     .answer = {"<|im_start|>assistant<|im_sep|>", "<|im_end|>"}},

    // Llama and Mistral.
    {.name = "llama-2",
     .systemPlace = SystemPlace::FirstPrompt,
     .system = {"<<SYS>>\n", "\n<</SYS>>\n\n"},
     .prompt = {"{bos}[INST] ", " [/INST]"},
     .answer = {" ", " {eos}"},
     .cue = "",
     .trimsPrompts = true,
     .trimsAnswers = true,
     .trimsEndWithSystem = true},
    {.name = "llama-3",
     .begin = "{bos}",
     .system = {"<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"},
     .prompt = kLlama3Prompt,
     .answer = kLlama3Answer,
     .trimsSystem = true,
     .trimsPrompts = true,
     .trimsAnswers = true},
    {.name = "llama-3.1",
     .begin = "{bos}",
     .system = {"<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December "
                "2023\nToday Date: {day}\n\n",
                "<|eot_id|>"},
     .withoutSystem = "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: "
                      "December 2023\nToday Date: {day}\n\n<|eot_id|>",
     .prompt = kLlama3Prompt,
     .answer = kLlama3Answer,
     .trimsSystem = true,
     .trimsPrompts = true,
     .trimsAnswers = true},
    {.name = "mistral-v0",
     .begin = "{bos}",
     .systemPlace = SystemPlace::Nowhere,
     .prompt = {"[INST] ", " [/INST]"},
     .answer = {"", "{eos}"}},
    {.name = "mistral-v0-spaced",
     .begin = "{bos}",
     .systemPlace = SystemPlace::Nowhere,
     .prompt = {"[INST] ", " [/INST]"},
     .answer = {"", "{eos} "}},
    {.name = "mistral-v1",
     .begin = "{bos}",
     .systemPlace = SystemPlace::FirstPrompt,
     .system = {"", "\n\n"},
     .prompt = {" [INST] ", " [/INST]"},
     .answer = {" ", "{eos}"},
     .cue = ""},
    {.name = "mistral-v3",
     .begin = "{bos}",
     .systemPlace = SystemPlace::LastPrompt,
     .system = {"", "\n\n"},
     .prompt = {"[INST] ", "[/INST]"},
     .answer = {" ", "{eos}"},
     .cue = "",
     .trimsAnswers = true},
    {.name = "mistral-v3-tekken",
     .begin = "{bos}",
     .systemPlace = SystemPlace::LastPrompt,
     .system = {"", "\n\n"},
     .prompt = {"[INST]", "[/INST]"},
     .answer = {"", "{eos}"}},
    {.name = "mistral-v7",
     .begin = "{bos}",
     .system = {"[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]"},
     .prompt = {"[INST] ", "[/INST]"},
     .answer = {" ", "{eos}"},
     .cue = ""},

    // DeepSeek.
    {.name = "deepseek-v2",
     .begin = "{bos}",
     .system = {"", "\n\n"},
     .prompt = {"User: ", "\n\n"},
     .answer = {"Assistant: ", "{eos}"},
     .cue = "Assistant:"},
    {.name = "deepseek-v3",
     .begin = "{bos}",
     .system = {},
     .prompt = kDeepSeekPrompt,
     .answer = kDeepSeekAnswer},
    {.name = "deepseek-v3.1",
     .begin = "{bos}",
     .system = {},
     .prompt = kDeepSeekPrompt,
     .answer = {"<｜Assistant｜><think></think>", "<｜end▁of▁sentence｜>"},
     .pastAnswer = PastAnswer::AfterThinking},
    {.name = "deepseek-r1",
     .begin = "{bos}",
     .system = {},
     .prompt = kDeepSeekPrompt,
     .answer = kDeepSeekAnswer,
     .cue = "<｜Assistant｜><think>\n",
     .pastAnswer = PastAnswer::AfterThinking},
    {.name = "deepseek-r1-0528",
     .begin = "{bos}",
     .system = {},
     .prompt = kDeepSeekPrompt,
     .answer = kDeepSeekAnswer,
     .pastAnswer = PastAnswer::AfterThinking},

    // Kimi, of DeepSeek's architecture as GLM-4.7-Flash.
    {.name = "kimi-k2",
     .system = kKimiSystem,
     .withoutSystem = "<|im_system|>system<|im_middle|>You are a helpful assistant<|im_end|>",
     .prompt = kKimiPrompt,
     .answer = kKimiAnswer},
    {.name = "kimi-k2-named",
     .system = kKimiSystem,
     .withoutSystem = "<|im_system|>system<|im_middle|>You are Kimi, an AI assistant created by "
                      "Moonshot AI.<|im_end|>\n",
     .prompt = kKimiPrompt,
     .answer = kKimiAnswer},
    {.name = "kimi-k2-thinking",
     .system = kKimiSystem,
     .withoutSystem = "<|im_system|>system<|im_middle|>You are Kimi, an AI assistant created by "
                      "Moonshot AI.<|im_end|>",
     .prompt = kKimiPrompt,
     .answer = {"<|im_assistant|>assistant<|im_middle|><think></think>", "<|im_end|>"},
     .cue = "<|im_assistant|>assistant<|im_middle|>"},

    // GLM.
    {.name = "glm-4",
     .begin = "[gMASK]<sop>",
     .system = {"<|system|>\n", ""},
     .prompt = {"<|user|>\n", ""},
     .answer = {"<|assistant|>\n", ""},
     .cue = "<|assistant|>"},
    {.name = "glm-4.6",
     .begin = "[gMASK]<sop>",
     .system = {"<|system|>\n", ""},
     .prompt = {"<|user|>\n", ""},
     .answer = {"<|assistant|>\n<think></think>\n", ""},
     .cue = "<|assistant|>",
     .pastAnswer = PastAnswer::AfterThinkingTrimmed},
    {.name = "glm-4.7",
     .begin = "[gMASK]<sop>",
     .system = {"<|system|>", ""},
     .prompt = {"<|user|>", ""},
     .answer = {"<|assistant|></think>", ""},
     .cue = "<|assistant|><think>",
     .pastAnswer = PastAnswer::AfterThinkingTrimmed},

    // gpt-oss (Harmony): a system message is a developer's to it.
    {.name = "gpt-oss",
     .begin = kHarmonyBegin,
     .system = {"<|start|>developer<|message|># Instructions\n\n", "\n\n<|end|>"},
     .prompt = kHarmonyPrompt,
     .answer = kHarmonyAnswer,
     .cue = "<|start|>assistant",
     .pastAnswer = PastAnswer::AfterLastChannel,
     .showsSpecial = true},
    {.name = "gpt-oss-short",
     .begin = kHarmonyBegin,
     .system = {"<|start|>developer<|message|># Instructions\n\n", "<|end|>"},
     .prompt = kHarmonyPrompt,
     .answer = kHarmonyAnswer,
     .cue = "<|start|>assistant",
     .pastAnswer = PastAnswer::AfterLastChannel,
     .showsSpecial = true},

    // OLMo and others with names of roles alone.
    {.name = "olmo",
     .begin = "{bos}",
     .system = {"<|system|>\n", "\n"},
     .prompt = {"<|user|>\n", "\n"},
     .answer = {"<|assistant|>\n", "{eos}\n"}},
    {.name = "tulu",
     .system = {"<|system|>\n", "\n"},
     .prompt = {"<|user|>\n", "\n"},
     .answer = {"<|assistant|>\n", "{eos}\n"}},
    {.name = "zephyr",
     .system = {"<|system|>\n", "{eos}\n"},
     .prompt = {"<|user|>\n", "{eos}\n"},
     .answer = {"<|assistant|>\n", "{eos}\n"}},
    {.name = "phi-3",
     .system = {"<|system|>\n", "<|end|>\n"},
     .prompt = {"<|user|>\n", "<|end|>\n"},
     .answer = {"<|assistant|>\n", "<|end|>\n"},
     .end = "<|end|>"},
    {.name = "granite-3",
     .system = {"<|start_of_role|>system<|end_of_role|>", "<|end_of_text|>\n"},
     .prompt = {"<|start_of_role|>user<|end_of_role|>", "<|end_of_text|>\n"},
     .answer = {"<|start_of_role|>assistant<|end_of_role|>", "<|end_of_text|>\n"}},
    {.name = "ernie-4.5",
     .begin = "<|begin_of_sentence|>",
     .system = {"", "\n"},
     .prompt = {"User: ", "\n"},
     .answer = {"Assistant: ", "<|end_of_sentence|>"},
     .end = "<|end_of_sentence|>"},

    // Gemma.
    {.name = "gemma",
     .begin = "{bos}",
     .systemPlace = SystemPlace::Nowhere,
     .prompt = {"<start_of_turn>user\n", "<end_of_turn>\n"},
     .answer = {"<start_of_turn>model\n", "<end_of_turn>\n"},
     .trimsPrompts = true,
     .trimsAnswers = true},
    {.name = "gemma-3",
     .begin = "{bos}",
     .systemPlace = SystemPlace::FirstPrompt,
     .system = {"", "\n\n"},
     .prompt = {"<start_of_turn>user\n", "<end_of_turn>\n"},
     .answer = {"<start_of_turn>model\n", "<end_of_turn>\n"},
     .trimsPrompts = true,
     .trimsAnswers = true},
};

/// The first name of a token in the frame of a prompt; empty: it has none.
StringRef firstMark(const ChatFormat &format) {
  StringRef text = format.prompt.before;
  text.consume_front("{bos}");
  text = text.ltrim();
  const bool isSquare = text.starts_with("[");
  if (!isSquare && !text.starts_with("<"))
    return "";
  return text.take_front(text.find(isSquare ? ']' : '>') + 1);
}

} // namespace

ArrayRef<ChatFormat> chatFormats() { return kFormats; }

const ChatFormat *findChatFormat(StringRef name) {
  const ChatFormat *format =
      find_if(kFormats, [&](const ChatFormat &candidate) { return candidate.name == name; });
  return format == std::end(kFormats) ? nullptr : format;
}

std::string chatFormatNames() {
  return join(map_range(kFormats, [](const ChatFormat &format) { return format.name.str(); }),
              ", ");
}

std::vector<StringRef> formatsLike(StringRef text) {
  std::vector<StringRef> names;
  for (const ChatFormat &format : kFormats)
    if (const StringRef mark = firstMark(format); !mark.empty() && text.contains(mark))
      names.push_back(format.name);
  return names;
}

} // namespace sortie::chat
