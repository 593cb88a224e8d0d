"""Conversations: what `tokenize --conversation` and `generate --chat` have a model read, against
templates that Jinja runs as transformers does; and that an answer does not depend on what was read
in earlier turns."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from gguf import TokenType
from tokenizers.pre_tokenizers import ByteLevel

import sampling
from chat_templates import OWN, TEMPLATES, WITHOUT_SYSTEM, Chat, Message, conversation
from tools import ToolError, Tools
from vocabularies import Vocabulary

MODEL = (Path(__file__).resolve().parents[1] / "models" / "tiny-qwen3moe"
         / "tiny-qwen3moe-q4_0.gguf")

CONTROL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|user|>", "<|assistant|>", "<|end|>",
           "<|message|>", "<|channel|>", "<｜User｜>", "[INST]"]

THOUGHT = "<think>\nT\n</think>\n\n A \n"
CONVERSATIONS = [
    conversation(None, "Hello"),
    conversation("Be brief.", "Hello"),
    conversation("Be brief.", "Hello", "Hi.", "Well?"),
    conversation(" S\n", " \nA \n", "\n B \n", " C\n ", " D ", "E\n"),
    conversation(None, "A", THOUGHT, "B", "T</think>\n A", "C"),
    conversation("<|im_start|>{bos}", "<s>[INST] <|user|>\n", "</s><|im_end|>{eos}", "<|message|>"),
    conversation("é", "€ 😀", "ä", "\u3042"),
]


class Model:
    def __init__(self, tools: Tools, path: Path, *options: str) -> None:
        self.tools, self.path, self.options = tools, path, options

    def encode(self, messages: Sequence[Message] | str, *options: str) -> list[int]:
        file = self.path.with_suffix(".json")
        file.write_text(messages if isinstance(messages, str) else json.dumps(messages))
        printed = self.tools.call("sortie-run", "tokenize", self.path, "--conversation", file,
                                  *self.options, *options)
        return list(map(int, printed.split()))

    def show(self, ids: Sequence[int]) -> str:
        command = [self.tools.bin / "sortie-run", "tokenize", self.path, "--ids", "-",
                   "--show-special"]
        done = subprocess.run(command, input=" ".join(map(str, ids)).encode(),
                              capture_output=True, check=True)
        return done.stdout.decode()

    def error(self, messages: Sequence[Message] | str, *options: str) -> str:
        with pytest.raises(ToolError) as caught:
            self.encode(messages, *options)
        return str(caught.value)


def controls(ids: Sequence[int]) -> list[int]:
    return [i for i in ids if 256 <= i < 256 + len(CONTROL)]


@pytest.fixture
def write(tools: Tools, tmp_path: Path) -> Callable[..., Model]:
    """Makes models that know bytes and control tokens."""
    def write(*options: str, **settings: str) -> Model:
        tokens = [*sorted(ByteLevel.alphabet()), *CONTROL]
        types = [TokenType.NORMAL] * 256 + [TokenType.CONTROL] * len(CONTROL)
        vocabulary = Vocabulary("gpt2", [*tokens, "ĊĊ"], [*types, TokenType.NORMAL],
                                merges=["Ċ Ċ"])
        path = vocabulary.write(tmp_path / "model.gguf", pre="qwen2", bos_token_id=256,
                                eos_token_id=257, **settings)
        return Model(tools, path, *options)
    return write


@pytest.mark.parametrize("name", TEMPLATES)
def test_formats(name: str, write: Callable[..., Model]) -> None:
    """The text is the template's, and names of tokens in messages are no tokens."""
    model = write("--chat-format", name)
    for messages in CONVERSATIONS:
        if messages[0]["role"] == "system" and name in WITHOUT_SYSTEM:
            assert "has no place for a system message" in model.error(messages)
            messages = messages[1:]
        ids = model.encode(messages)
        assert model.show(ids) == Chat(TEMPLATES[name]).write(messages)
        plain = [{"role": message["role"], "content": "x"} for message in messages]
        assert controls(ids) == controls(model.encode(plain))


def test_every_format_has_a_template(write: Callable[..., Model]) -> None:
    message = write().error(CONVERSATIONS[0], "--chat-format", "none")
    assert message.rstrip().endswith(f"'none' is none of {', '.join(TEMPLATES)}")


def test_empty_system_message(write: Callable[..., Model]) -> None:
    """Some templates leave it out, others of the same format do not."""
    message = write("--chat-format", "chatml").error(conversation("", "Hello"))
    assert "the system message is empty" in message


def test_date(write: Callable[..., Model]) -> None:
    for name in ("llama-3.1", "gpt-oss"):
        model, day = write("--chat-format", name), date(2031, 12, 1)
        assert model.show(model.encode(CONVERSATIONS[0], "--date", "2031-12-01")) == Chat(
            TEMPLATES[name], day=day).write(CONVERSATIONS[0])


def test_template_of_the_file(write: Callable[..., Model]) -> None:
    """Its own is applied if it is known; another is an error, as none is."""
    model = write(chat_template=OWN)
    for messages in CONVERSATIONS:
        assert model.show(model.encode(messages)) == Chat(OWN).write(messages)
    assert "has no chat template" in write().error(CONVERSATIONS[0])
    another = write(chat_template=OWN + "{# another #}").error(CONVERSATIONS[0])
    assert "is not known; its marks are those of chatml" in another


@pytest.mark.parametrize("text, message", [
    ("[", "--conversation: is no JSON"),
    ("{}", "--conversation: is no JSON array of messages"),
    ("[1]", "message 0 is no object with the strings"),
    ('[{"role": "user"}]', "message 0 is no object with the strings"),
    ("[]", "does not end with a message of the user"),
    ('[{"role": "system", "content": "x"}]', "does not end with a message of the user"),
    ('[{"role": "assistant", "content": "x"}]',
     "message 0 has the role 'assistant' where 'user' must come"),
    ('[{"role": "user", "content": "x"}, {"role": "user", "content": "x"}]',
     "message 1 has the role 'user' where 'assistant' must come"),
    ('[{"role": "user", "content": "x"}, {"role": "system", "content": "x"}]',
     "message 1 has the role 'system' where 'assistant' must come"),
])
def test_files_that_are_no_conversation(text: str, message: str,
                                        write: Callable[..., Model]) -> None:
    assert message in write("--chat-format", "chatml").error(text)


# --- dialogs --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def program(tools: Tools) -> Path:
    return tools.compile_whole(MODEL, 512)


def dialog(tools: Tools, program: Path, lines: Sequence[str], *options: object) -> list[dict]:
    command = [tools.bin / "sortie-run", "generate", program, "--weights", MODEL, "--chat", "-o",
               "json", "-n", 12, *options]
    done = subprocess.run(list(map(str, command)), input="\n".join(lines).encode(),
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def log_probabilities(tools: Tools, program: Path, ids: Sequence[int], first: int,
                      folder: Path) -> list[np.float32]:
    """Of the tokens from `first` on, by the logits of a sequence that is read in one piece."""
    tokens, output = folder / "ids.npy", folder / "logits.npy"
    np.save(tokens, np.array([ids], np.int32))
    tools.call("sortie-run", "logits", program, "--weights", MODEL, "--tokens", tokens, "--output",
               output)
    rows = np.load(output)[0]
    return [sampling.log_probability(rows[place - 1], ids[place])
            for place in range(first, len(ids))]


@pytest.mark.parametrize("name, options", [
    ("olmo", []), ("deepseek-v2", []), ("mistral-v3", []), ("qwen3", []), ("tulu", ["--stop", "e"]),
])
def test_dialogs(name: str, options: list[str], program: Path, tools: Tools,
                 tmp_path: Path) -> None:
    """Each answer has the bits that it has when all before it is read at once: where the format
    only appends, where answers that are over are written otherwise than they were given, where the
    system message moves to the last prompt, and where a stop string was no part of the answer."""
    lines = ["In the beginning", "And he said unto them, go", "", "x"]
    turns = dialog(tools, program, lines, "--chat-format", name, "--system", "Speak.",
                   "--ignore-eos", *options)
    texts, model = [], Model(tools, MODEL)
    for turn, line in zip(turns, [line for line in lines if line], strict=True):
        texts.append(line)
        prompt = turn["prompt_tokens"]
        chat = Chat(TEMPLATES[name], begin="<|bos|>", end="<|eos|>")
        assert model.show(prompt) == chat.write(conversation("Speak.", *texts))
        ids = [token["id"] for token in turn["tokens"]]
        given = [np.float32(token["log_probability"]) for token in turn["tokens"]]
        assert given == log_probabilities(tools, program, prompt + ids, len(prompt), tmp_path)
        texts.append(turn["text"])
    assert len(turns) == 3
