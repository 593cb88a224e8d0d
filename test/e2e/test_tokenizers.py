"""`sortie-run tokenize` against the packages `tokenizers` and `sentencepiece`, on random text."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import ToolError, Tools
from vocabularies import (
    PRE_TOKENIZERS,
    BytePairs,
    TextMaker,
    Vocabulary,
    sentence_piece_vocabulary,
    train_sentence_piece,
)

PLAIN = ("--no-add-special", "--no-parse-special")
PROSE = (Path(__file__).resolve().parents[2] / "docs" / "numerics.md").read_text()


class Model:
    """A model file and the tool that tokenizes by it."""

    def __init__(self, tools: Tools, path: Path) -> None:
        self.tools, self.path = tools, path

    def encode(self, text: str, *options: str) -> list[int]:
        source = self.path.with_suffix(".txt")
        source.write_bytes(text.encode())
        printed = self.tools.call("sortie-run", "tokenize", self.path, "--file", source, *options)
        return list(map(int, printed.split()))

    def decode(self, ids: list[int], *options: str) -> str:
        command = [self.tools.bin / "sortie-run", "tokenize", self.path, "--ids", "-", *options]
        done = subprocess.run(command, input=" ".join(map(str, ids)).encode(),
                              capture_output=True, check=True)
        return done.stdout.decode()

    def error(self, *arguments: object) -> str:
        with pytest.raises(ToolError) as caught:
            self.tools.call("sortie-run", "tokenize", self.path, *arguments)
        return str(caught.value)


@pytest.fixture(scope="module")
def byte_pairs() -> BytePairs:
    return BytePairs(TextMaker(1).make(20000) + PROSE, 4000)


@pytest.fixture
def write(tools: Tools, tmp_path: Path) -> Callable[..., Model]:
    def write(vocabulary: Vocabulary, **settings: str | int | bool) -> Model:
        return Model(tools, vocabulary.write(tmp_path / "model.gguf", **settings))
    return write


@pytest.mark.parametrize("pre", PRE_TOKENIZERS)
def test_byte_pairs(write: Callable[..., Model], byte_pairs: BytePairs, pre: str) -> None:
    model, reference = write(byte_pairs.vocabulary(), pre=pre), byte_pairs.reference(pre)
    for seed in range(4):
        text = TextMaker(100 + seed).make(2000)
        ids = model.encode(text)
        assert ids == reference.encode(text).ids
        assert model.decode(ids) == text


def test_expressions_differ(byte_pairs: BytePairs) -> None:
    """The vocabulary shows which expressions split a text."""
    text = TextMaker(7).make(2000)
    ids = {pre: tuple(byte_pairs.reference(pre).encode(text).ids) for pre in PRE_TOKENIZERS}
    assert ids["olmo"] == ids["gpt-2"]
    assert ids["glm4"] == ids["dbrx"] == ids["smaug-bpe"]
    assert ids["hunyuan"] == ids["bailingmoe"] == ids["bailingmoe2"] == ids["qwen2"]
    assert ids["minimax-m2"] == ids["gpt-4o"]
    assert len(set(ids.values())) == len(PRE_TOKENIZERS) - 7


@pytest.mark.sanitizer
def test_special_tokens(write: Callable[..., Model], byte_pairs: BytePairs) -> None:
    model, reference = write(byte_pairs.vocabulary(), pre="qwen2"), byte_pairs.reference("qwen2")
    maker = TextMaker(3)
    parts = [maker.make(5) + maker.random.choice([*byte_pairs.SPECIAL, "<|begin|", "<tool"])
             for _ in range(300)]
    text = "".join(parts)
    ids = model.encode(text)
    assert ids == reference.encode(text).ids
    assert model.decode(ids, "--show-special") == text
    assert model.decode(ids) == reference.decode(ids)

    reference.encode_special_tokens = True
    plain = model.encode(text, "--no-parse-special")
    assert plain == reference.encode(text).ids
    assert model.decode(plain) == text


def test_beginning_and_end(write: Callable[..., Model], byte_pairs: BytePairs) -> None:
    vocabulary = byte_pairs.vocabulary()
    begin, end = (vocabulary.tokens.index(token) for token in ("<|begin|>", "<|end|>"))
    ids = {"bos_token_id": begin, "eos_token_id": end}
    a = vocabulary.tokens.index("a")

    def encode(pre: str, *options: str, **settings: str | int | bool) -> list[int]:
        return write(vocabulary, pre=pre, **settings).encode("a", *options)

    assert encode("gpt-2", **ids) == [a]
    assert encode("gpt-2", **ids, add_bos_token=True) == [begin, a]
    assert encode("gpt-2", **ids, add_bos_token=True, add_eos_token=True) == [begin, a, end]
    assert encode("gpt-2", "--no-add-special", **ids, add_bos_token=True) == [a]
    assert encode("llama-bpe", **ids) == [begin, a]
    assert encode("llama-bpe", **ids, add_bos_token=False) == [a]
    assert encode("llama-bpe") == [a]


SENTENCE_PIECE = {
    "plain": ({}, {}),
    "no-prefix": ({"add_dummy_prefix": False}, {"add_space_prefix": False}),
    "extra-spaces": ({"remove_extra_whitespaces": True}, {"remove_extra_whitespaces": True}),
    "across-words": ({"split_by_whitespace": False, "split_by_unicode_script": False}, {}),
    "no-bytes": ({"byte_fallback": False}, {}),
}


@pytest.mark.parametrize("name", SENTENCE_PIECE)
def test_sentence_piece(write: Callable[..., Model], name: str) -> None:
    options, settings = SENTENCE_PIECE[name]
    reference = train_sentence_piece(TextMaker(2, rare=400).make(40000) + PROSE, 3000, **options)
    model = write(sentence_piece_vocabulary(reference), bos_token_id=1, eos_token_id=2,
                  unknown_token_id=0, **settings)
    for seed in range(4):
        text = TextMaker(100 + seed).make(2000)
        ids = model.encode(text, *PLAIN)
        assert ids == reference.encode(text)
        assert model.encode(text) == [1, *ids]
        if options.get("byte_fallback", True) and not options.get("remove_extra_whitespaces"):
            assert model.decode([1, *ids]) == text.replace("▁", " ") == reference.decode(ids)


def test_sentence_piece_after_special_tokens(write: Callable[..., Model]) -> None:
    """A space is put after each special token, as llama.cpp does, and is left out again."""
    reference = train_sentence_piece(PROSE, 2000, user_defined_symbols=["<tool>"])
    model = write(sentence_piece_vocabulary(reference, ["<tool>"]), add_eos_token=True,
                  bos_token_id=1, eos_token_id=2)
    tool = reference.piece_to_id("<tool>")
    ids = model.encode("one<tool>two</s> three")
    assert ids == [1, *reference.encode("one"), tool, *reference.encode("two"), 2,
                   *reference.encode(" three"), 2]
    assert model.decode(ids) == "one<tool>two three"
    assert model.decode(ids, "--show-special") == "<s>one<tool>two</s> three</s>"


def test_errors(write: Callable[..., Model], byte_pairs: BytePairs, tmp_path: Path) -> None:
    vocabulary = byte_pairs.vocabulary()
    model = write(vocabulary, pre="gpt-2")
    count = len(vocabulary.tokens)
    assert f"there is no token {count}; the tokens of this model are 0 to {count - 1}" in \
        model.error("--ids", f"0 {count}")
    text = tmp_path / "latin1.txt"
    text.write_bytes("Grüße".encode("latin-1"))
    assert "--file: byte 2 of the text (0xfc) is not UTF-8; convert the text to UTF-8" in \
        model.error("--file", text)
    assert "'tokenizer.ggml.pre' is missing" in write(vocabulary).error("--prompt", "a")
    assert "'tokenizer.ggml.pre' is 'mystery'; this version knows 'gpt-2', 'llama-bpe'" in \
        write(vocabulary, pre="mystery").error("--prompt", "a")
    vocabulary.merges[5] = "a never"
    assert "has in merge 5 ('a' and 'never') 'never', which is no token" in \
        write(vocabulary, pre="gpt-2").error("--prompt", "a")
