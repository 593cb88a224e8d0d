"""Chat templates of the structure that public models have, by the names of Sortie's formats, and
the environment in which their Jinja runs. They are written for these tests: what each model's own
does with tools, pictures and settings is left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NoReturn

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

Message = dict[str, str]

#: Of the test models: the runner knows its hash.
OWN = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor -%}
{{ '<|im_start|>assistant\\n' }}"""

MACROS = """\
{%- macro chatml(messages) -%}
{%- for message in messages %}{{ '<|im_start|>%s\\n%s<|im_end|>\\n' | format(message.role,
    message.content) }}{% endfor -%}
{{ '<|im_start|>assistant\\n' }}
{%- endmacro -%}
{%- macro default(messages, text) -%}
{%- if messages[0].role != 'system' %}{{ '<|im_start|>system\\n' + text + '<|im_end|>\\n' }}
{%- endif %}{{ chatml(messages) }}
{%- endmacro -%}
{%- macro frames(messages, system, user, assistant) -%}
{%- set frames = {'system': system, 'user': user, 'assistant': assistant} -%}
{%- for message in messages %}{{ frames[message.role][0] + message.content
    + frames[message.role][1] }}{% endfor -%}
{%- endmacro -%}
{%- macro header(role, content) -%}
{{ '<|start_header_id|>' + role + '<|end_header_id|>\\n\\n' + (content | trim) + '<|eot_id|>' }}
{%- endmacro -%}
{%- set system = messages[0].content if messages[0].role == 'system' -%}
{%- set rest = messages[1:] if messages[0].role == 'system' else messages -%}
"""

def filled(template: str, **parts: str) -> str:
    """The template with parts in place of their names in capitals."""
    for name, part in parts.items():
        template = template.replace(name.upper(), part)
    return template


FORGETS_THINKING = """\
{%- set ns = namespace(kept=[]) -%}
{%- for message in messages -%}
{%- set content = message.content -%}
{%- if message.role == 'assistant' and '</think>' in content -%}
{%- set content = content.split('</think>')[-1] CUT -%}
{%- endif -%}
{%- set ns.kept = ns.kept + [{'role': message.role, 'content': content}] -%}
{%- endfor -%}
"""
QWEN3 = filled(FORGETS_THINKING, cut=".lstrip('\\n')") + "{{ chatml(ns.kept) }}"

LLAMA3 = """\
{{ bos_token }}
{%- for message in messages %}{{ header(message.role, message.content) }}{% endfor -%}
{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}"""

LLAMA31 = """\
{{ bos_token }}
{{- header('system', 'Cutting Knowledge Date: December 2023\\nToday Date: '
    + strftime_now('%d %b %Y') + '\\n\\n|') | replace('|<', (system or '') | trim ~ '<') }}
{%- for message in rest %}{{ header(message.role, message.content) }}{% endfor -%}
{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}"""

LLAMA2 = """\
{%- for message in rest -%}
{%- set content = message.content -%}
{%- if loop.first and system is defined -%}
{%- set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + content -%}
{%- endif -%}
{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' if message.role == 'user'
   else ' ' + content.strip() + ' ' + eos_token }}
{%- endfor -%}"""


def mistral(before: str, after: str, answer: str, place: str, trims: str = "") -> str:
    """`place` is the index of the prompt with the system message: loop.first or loop.last."""
    return f"""\
{{{{ bos_token }}}}
{{%- for message in rest -%}}
{{%- if message.role == 'user' -%}}
{{%- set content = message.content -%}}
{{%- if {place} and system is defined -%}}
{{%- set content = system + '\\n\\n' + content -%}}
{{%- endif -%}}
{{{{ '{before}' + content + '{after}' }}}}
{{%- else -%}}
{{{{ '{answer}' + message.content{trims} + eos_token }}}}
{{%- endif -%}}
{{%- endfor -%}}"""


DEEPSEEK = filled(FORGETS_THINKING, cut="") + """\
{{ bos_token + (system or '') }}
{%- for message in ns.kept if message.role != 'system' -%}
{{ '<｜User｜>' + message.content if message.role == 'user'
   else '<｜Assistant｜>PAST' + message.content + '<｜end▁of▁sentence｜>' }}
{%- endfor -%}
{{ '<｜Assistant｜>CUE' }}"""

GLM = filled(FORGETS_THINKING, cut="") + """\
[gMASK]<sop>
{%- for message in ns.kept -%}
{%- if message.role == 'assistant' -%}
{{ '<|assistant|>PAST' + message.content.strip() }}
{%- else -%}
{{ '<|' + message.role + '|>LINE' + message.content }}
{%- endif -%}
{%- endfor -%}
{{ '<|assistant|>CUE' }}"""


KIMI = """\
{%- for message in ([{'role': 'system', 'content': 'DEFAULT'}]
    if system is undefined else []) + messages -%}
{{ '<|im_' + message.role + '|>' + message.role + '<|im_middle|>'
   + ('PAST' if message.role == 'assistant' else '') + message.content + END }}
{%- endfor -%}
<|im_assistant|>assistant<|im_middle|>"""
KIMI_NAMED = filled(KIMI, default="You are Kimi, an AI assistant created by Moonshot AI.")

HARMONY = """\
{{ '<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\\n'
   'Knowledge cutoff: 2024-06\\nCurrent date: ' + strftime_now('%Y-%m-%d') +
   '\\n\\nReasoning: medium\\n\\n# Valid channels: analysis, commentary, final. '
   'Channel must be included for every message.<|end|>' }}
{%- if messages[0].role == 'system' -%}
{{ '<|start|>developer<|message|># Instructions\\n\\n' + system + '\\n\\n<|end|>' }}
{%- endif -%}
{%- for message in rest -%}
{{ '<|start|>user<|message|>' + message.content + '<|end|>' if message.role == 'user' else
   '<|start|>assistant<|channel|>final<|message|>' + message.content.split('<|message|>')[-1]
   + '<|end|>' }}
{%- endfor -%}
<|start|>assistant"""

GEMMA = """\
{{ bos_token }}
{%- for message in rest -%}
{{ '<start_of_turn>' + ('user' if message.role == 'user' else 'model') + '\\n'
   + (system + '\\n\\n' if loop.first and system is defined else '') + (message.content | trim)
   + '<end_of_turn>\\n' }}
{%- endfor -%}
{{ '<start_of_turn>model\\n' }}"""


def roles(begin: str, system: str, user: str, assistant: str) -> str:
    """With names of roles before each message, and these ends behind it."""
    ends = {"system": system, "user": user, "assistant": assistant}
    frames = ", ".join(f"['<|{role}|>\\n', {end}]" for role, end in ends.items())
    return f"{{{{ {begin} + frames(messages, {frames}) + '<|assistant|>\\n' }}}}"


def frames(system: str, user: str, assistant: str, begin: str, cue: str) -> str:
    return f"{{{{ {begin} + frames(messages, {system}, {user}, {assistant}) + '{cue}' }}}}"


LINE = "'\\n'"
END_LINE = "eos_token + '\\n'"

TEMPLATES: dict[str, str] = {
    "chatml": OWN,
    "chatml-bos": "{{ bos_token + chatml(messages) }}",
    "qwen1.5": "{{ default(messages, 'You are a helpful assistant') }}",
    "qwen2": "{{ default(messages, 'You are a helpful assistant.') }}",
    "qwen2.5": "{{ default(messages, 'You are Qwen, created by Alibaba Cloud. You are a helpful "
               "assistant.') }}",
    "qwen3": QWEN3,
    "qwen3-thinking": QWEN3 + "{{ '<think>\\n' }}",
    "smollm2": "{{ default(messages, 'You are a helpful AI assistant named SmolLM, trained by "
               "Hugging Face') }}",
    "yi-1.5": "{{ (system or '') + chatml(rest) }}",
    "phi-4": frames("['<|im_start|>system<|im_sep|>', '<|im_end|>']",
                    "['<|im_start|>user<|im_sep|>', '<|im_end|>']",
                    "['<|im_start|>assistant<|im_sep|>', '<|im_end|>']", "''",
                    "<|im_start|>assistant<|im_sep|>"),
    "llama-2": LLAMA2,
    "llama-3": LLAMA3,
    "llama-3.1": LLAMA31,
    "mistral-v0": mistral("[INST] ", " [/INST]", "", "false"),
    "mistral-v0-spaced": mistral("[INST] ", " [/INST]", "", "false").replace(
        "+ eos_token", "+ eos_token + ' '"),
    "mistral-v1": mistral(" [INST] ", " [/INST]", " ", "loop.first"),
    "mistral-v3": mistral("[INST] ", "[/INST]", " ", "loop.last", ".strip()"),
    "mistral-v3-tekken": mistral("[INST]", "[/INST]", "", "loop.last"),
    "mistral-v7": frames("['[SYSTEM_PROMPT] ', '[/SYSTEM_PROMPT]']", "['[INST] ', '[/INST]']",
                         "[' ', eos_token]", "bos_token", ""),
    "deepseek-v2": frames("['', '\\n\\n']", "['User: ', '\\n\\n']", "['Assistant: ', eos_token]",
                          "bos_token", "Assistant:"),
    "deepseek-v3": frames("['', '']", "['<｜User｜>', '']",
                          "['<｜Assistant｜>', '<｜end▁of▁sentence｜>']", "bos_token",
                          "<｜Assistant｜>"),
    "deepseek-v3.1": filled(DEEPSEEK, past="<think></think>", cue="<think></think>"),
    "deepseek-r1": filled(DEEPSEEK, past="", cue="<think>\\n"),
    "deepseek-r1-0528": filled(DEEPSEEK, past="", cue=""),
    "kimi-k2": filled(KIMI, default="You are a helpful assistant", past="",
                      end="'<|im_end|>'"),
    "kimi-k2-named": filled(KIMI_NAMED, end="'<|im_end|>' + ('\\n' if loop.first "
                                            "and system is undefined else '')", past=""),
    "kimi-k2-thinking": filled(KIMI_NAMED, end="'<|im_end|>'", past="<think></think>"),
    "glm-4": frames("['<|system|>\\n', '']", "['<|user|>\\n', '']", "['<|assistant|>\\n', '']",
                    "'[gMASK]<sop>'", "<|assistant|>"),
    "glm-4.6": filled(GLM, past="\\n<think></think>\\n", line="\\n", cue=""),
    "glm-4.7": filled(GLM, past="</think>", line="", cue="<think>"),
    "gpt-oss": HARMONY,
    "gpt-oss-short": HARMONY.replace("+ '\\n\\n<|end|>'", "+ '<|end|>'"),
    "olmo": roles("bos_token", LINE, LINE, END_LINE),
    "tulu": roles("''", LINE, LINE, END_LINE),
    "zephyr": roles("''", END_LINE, END_LINE, END_LINE),
    "phi-3": roles("''", *["'<|end|>\\n'"] * 3),
    "granite-3": frames("['<|start_of_role|>system<|end_of_role|>', '<|end_of_text|>\\n']",
                        "['<|start_of_role|>user<|end_of_role|>', '<|end_of_text|>\\n']",
                        "['<|start_of_role|>assistant<|end_of_role|>', '<|end_of_text|>\\n']", "''",
                        "<|start_of_role|>assistant<|end_of_role|>"),
    "ernie-4.5": frames("['', '\\n']", "['User: ', '\\n']",
                        "['Assistant: ', '<|end_of_sentence|>']", "'<|begin_of_sentence|>'",
                        "Assistant: "),
    "gemma": GEMMA,
    "gemma-3": GEMMA,
}

#: Formats without a place for a system message.
WITHOUT_SYSTEM = ("mistral-v0", "mistral-v0-spaced", "gemma")


@dataclass(frozen=True)
class Chat:
    """A Jinja template as transformers runs it, with the names of a model's tokens."""

    template: str
    begin: str = "<s>"
    end: str = "</s>"
    day: date = date(2024, 7, 26)

    def write(self, messages: Sequence[Message]) -> str:
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        environment.globals |= {"strftime_now": self.day.strftime, "raise_exception": _fail}
        return environment.from_string(MACROS + self.template).render(
            messages=messages, bos_token=self.begin, eos_token=self.end,
            add_generation_prompt=True)


def _fail(message: Any) -> NoReturn:
    raise TemplateError(message)


def conversation(system: str | None, *texts: str) -> list[Message]:
    """Prompts and answers in turn, after a system message."""
    begin = [] if system is None else [{"role": "system", "content": system}]
    return begin + [{"role": ("user", "assistant")[i % 2], "content": text}
                    for i, text in enumerate(texts)]
