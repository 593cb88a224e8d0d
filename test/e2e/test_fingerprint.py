"""What a program's fingerprint covers: the keys that the importer reads, the tensor table, samples
of the data; and that it can be computed from docs/runtime.md alone."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model_hashes import fingerprint
from rewrite_gguf import rewrite_model
from tools import ToolError, Tools

MODELS = Path(__file__).resolve().parents[1] / "models"
TRAINED = MODELS / "tiny-qwen3moe" / "tiny-qwen3moe-q4_0.gguf"
OLD_PROGRAM = (MODELS.parent / "tools" / "sortie-run" / "Inputs" / "old-fingerprint" /
               "tiny-qwen3moe.mlirbc")
REFUSED = "has fingerprint"


def imported(tools: Tools, model: Path) -> tuple[str, list[str]]:
    """The fingerprint that the importer writes, and the keys that it covers."""
    module = tools.call("sortie-translate", "--import-gguf", "--what=ffn", model)
    value = re.search(r'moe\.weights_fingerprint = "([^"]*)"', module)
    keys = re.search(r"moe\.fingerprint_keys = (\[[^]]*\])", module)
    assert value and keys
    return value[1], ast.literal_eval(keys[1])


def checksums(tools: Tools, program: Path, weights: Path) -> str:
    hidden = np.load(TRAINED.parent / "q4_0.ffn_in_0.npy")[:7]
    return tools.checksums(program, weights, "blk_0_ffn", hidden)


def test_is_what_the_documentation_states(tools: Tools, make_model: Callable) -> None:
    for model in (TRAINED, make_model("deepseek-v3", "q4_k_m", divide=16).path,
                  make_model("gpt-oss-20b", "mxfp4", divide=7).path):
        value, keys = imported(tools, model)
        assert value == fingerprint([model], keys)
        assert "general.architecture" in keys and "general.name" not in keys
        assert not [key for key in keys if key.startswith("tokenizer.")]


def test_covers_arrays_and_absent_keys(tools: Tools, tmp_path: Path) -> None:
    """By hand, because no import looks such keys up in this model."""
    keys = ["tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "general.name", "no.such.key"]
    model = rewrite_model(TRAINED, tmp_path / "model.gguf")[0]
    compiled = tools.compile(model).with_suffix(".mlir").read_text()
    text = re.sub(r'"2:[0-9a-f]{16}"', f'"{fingerprint([model], keys)}"', compiled)
    text = re.sub(r"fingerprint_keys = \[[^]]*\]",
                  "fingerprint_keys = [" + ", ".join(f'"{key}"' for key in keys) + "]", text)
    module, program = tmp_path / "keys.mlir", tmp_path / "keys.mlirbc"
    module.write_text(text)
    tools.call("sortie-opt", module, "--sortie-compile", "--emit-bytecode", "-o", program)
    assert checksums(tools, program, model)
    for changes in ({"general.name": "other"}, {"no.such.key": 1}):
        other = rewrite_model(TRAINED, tmp_path / "other.gguf", changes)[0]
        with pytest.raises(ToolError, match=REFUSED):
            checksums(tools, program, other)


@pytest.mark.parametrize("changes, remove", [
    ({"tokenizer.chat_template": "a corrected one"}, []),
    ({"general.name": "renamed", "general.url": "https://example.org"}, []),
    ({"qwen3moe.context_length": 1 << 20}, []),
    ({}, ["general.description"]),
])
def test_text_may_change(changes: dict, remove: list[str], tools: Tools, tmp_path: Path) -> None:
    program = tools.compile(TRAINED)
    model = rewrite_model(TRAINED, tmp_path / "model.gguf", changes, remove)[0]
    assert model.read_bytes() != TRAINED.read_bytes()
    assert checksums(tools, program, model) == checksums(tools, program, TRAINED)


def test_a_split_model_is_the_same(tools: Tools, tmp_path: Path) -> None:
    parts = rewrite_model(TRAINED, tmp_path / "model.gguf",
                          {"tokenizer.chat_template": "in parts"}, parts=3)
    assert len(parts) == 3
    value, keys = imported(tools, parts[0])
    assert value == imported(tools, TRAINED)[0] == fingerprint(parts, keys)
    program = tools.compile(TRAINED)
    assert checksums(tools, program, parts[0]) == checksums(tools, program, TRAINED)


@pytest.mark.parametrize("changes", [
    {"qwen3moe.expert_used_count": 2},
    {"qwen3moe.attention.layer_norm_rms_epsilon": 1e-5},
    {"qwen3moe.Expert_temperature": 2.0},  # a key that was not there: the import would refuse it
])
def test_keys_that_were_read_may_not_change(changes: dict, tools: Tools, tmp_path: Path) -> None:
    model = rewrite_model(TRAINED, tmp_path / "model.gguf", changes)[0]
    with pytest.raises(ToolError, match=REFUSED):
        checksums(tools, tools.compile(TRAINED), model)


def test_other_weights_are_refused(tools: Tools, make_model: Callable, tmp_path: Path) -> None:
    """Another finetune, of the same names, shapes and metadata."""
    first = make_model("qwen3-30b-a3b", "q8_0", experts=8)
    program = tools.compile(first.path)
    other = tmp_path / "other.gguf"
    shutil.copy(first.path, other)
    data = bytearray(other.read_bytes())
    data[-1] ^= 1
    other.write_bytes(data)
    # In the form that modules and --describe have, with the rule.
    written = rf"{REFUSED} 2:[0-9a-f]{{16}}, .* model with fingerprint 2:[0-9a-f]{{16}};"
    with pytest.raises(ToolError, match=written):
        tools.checksums(program, other, "blk_0_ffn", first.input(3))


def test_old_programs_keep_their_rule(tools: Tools, tmp_path: Path) -> None:
    """The program was compiled by sortie-opt before there were keys in fingerprints."""
    assert checksums(tools, OLD_PROGRAM, TRAINED) == checksums(tools, tools.compile(TRAINED),
                                                               TRAINED)
    model = rewrite_model(TRAINED, tmp_path / "model.gguf",
                          {"tokenizer.chat_template": "corrected"})[0]
    with pytest.raises(ToolError, match="refuses a changed chat template, too"):
        checksums(tools, OLD_PROGRAM, model)
