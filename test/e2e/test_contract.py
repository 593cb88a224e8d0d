"""The determinism contract, on bits: another run, another number of threads, another instruction
set, another batch around a token must not show.

By default on four models that differ in everything that could show; SORTIE_EXHAUSTIVE=1
(`scripts/test.sh --exhaustive`) takes every preset in its usual types.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import gguf
import numpy as np
import pytest

from presets import USUAL_TYPES
from tools import DIVISORS, Tools

#: Presets and types: sub-scales with minimums, biases and a tail shorter than an activation block
#: (416), groups and shared experts, float arithmetic.
MODELS = [("qwen3-30b-a3b", "q4_k_m"), ("gpt-oss-20b", "mxfp4"), ("deepseek-v3", "q2_k"),
          ("olmoe-1b-7b", "bf16")]
if os.environ.get("SORTIE_EXHAUSTIVE"):
    MODELS = [(preset, types) for preset, usual in USUAL_TYPES.items() for types in usual]
WIDTHS = ("int16", "int8")
BATCHES = (1, 2, 7, 8, 9, 33, 512)
TOKENS = 512


@pytest.fixture(params=[(*model, width) for model in MODELS for width in WIDTHS],
                ids=lambda parameter: "-".join(parameter))
def layer(request: pytest.FixtureRequest, tools: Tools, make_model: Callable):
    """A model's routed layer, compiled: model, program, function."""
    preset, types, width = request.param
    model = make_model(preset, types, DIVISORS[preset])
    program = tools.compile(model.path, activations=width)
    return model, program, model.function(model.routed)


def same(actual: np.ndarray, expected: np.ndarray) -> bool:
    """Equal bits, NaNs and signs of zero included."""
    return actual.tobytes() == expected.tobytes()


def test_checksums_do_not_depend_on_the_machine(layer, tools: Tools) -> None:
    model, program, function = layer
    hidden = model.input(33)
    expected = tools.checksums(program, model.path, function, hidden, "--threads=1")
    assert f"blk.{model.routed}.ffn_out" in expected
    assert expected == tools.checksums(program, model.path, function, hidden, "--threads=1")
    for isa in tools.isas(program, model.path, function, hidden[:1]):
        for threads in (1, 2):
            got = tools.checksums(program, model.path, function, hidden, f"--threads={threads}",
                                  f"--cpu-isa={isa}")
            assert got == expected, f"{threads} threads, {isa}"


def test_a_token_does_not_see_its_batch(layer, tools: Tools) -> None:
    model, program, function = layer
    hidden = model.input(TOKENS)
    expected, = tools.run(program, model.path, function, hidden)
    batches = [np.arange(start, start + batch) for batch in BATCHES
               for start in sorted({0, TOKENS // 2 - batch // 2, TOKENS - batch})]
    batches.append(np.random.default_rng(1).permutation(TOKENS))
    outputs, _ = tools.submit(program, model.path, function, [hidden[rows] for rows in batches])
    for rows, actual in zip(batches, outputs):
        assert same(actual, expected[rows]), f"{len(rows)} tokens from {rows[0]}"


def test_fusion_does_not_show(layer, tools: Tools) -> None:
    """materialize=all stores every named value; those that both programs have are equal."""
    model, program, function = layer
    width = program.stem.rsplit("-", 1)[1]
    stored = tools.compile(model.path, activations=width, materialize="all")
    hidden = model.input(33)
    files = []
    for name, compiled in (("none", program), ("all", stored)):
        text = tools.checksums(compiled, model.path, function, hidden)
        path = tools.folder / f"checksums-{name}"
        path.write_text(text)
        files.append(path)
    assert " -" in files[0].read_text() and " -" not in files[1].read_text()
    tools.call("sortie-run", "--compare-checksums", *files)


def test_one_expert_gets_every_token(tools: Tools, make_model: Callable) -> None:
    """The other extreme of the sort: one long group, most experts empty."""
    model = make_model("qwen3-30b-a3b", "q4_0", 8, skew=1.0)
    function = model.function(0)
    program = tools.compile(model.path, with_ids=function)
    hidden = model.input(TOKENS)
    expected, ids = tools.run(program, model.path, function, hidden, ids=True)
    counts = np.bincount(ids.ravel(), minlength=128)
    assert counts.max() > 0.95 * TOKENS
    for token in (0, 100, 511):
        actual, = tools.run(program, model.path, function, hidden[token : token + 1])
        assert same(actual, expected[token : token + 1])


def test_every_expert_on_every_token(tools: Tools, make_model: Callable) -> None:
    """As many selected as there are experts: nothing is empty, even with one token."""
    model = make_model("mixtral-8x7b", "q4_0", 16, experts=2)
    function = model.function(0)
    program = tools.compile(model.path, with_ids=function)
    hidden = model.input(9)
    expected, ids = tools.run(program, model.path, function, hidden, ids=True)
    assert (np.sort(ids, axis=1) == [0, 1]).all()
    for token in range(9):
        actual, = tools.run(program, model.path, function, hidden[token : token + 1])
        assert same(actual, expected[token : token + 1])


def test_ties_go_to_the_lower_id(tools: Tools, make_model: Callable) -> None:
    """Experts 2i and 2i + 1 have the same router row, so their scores are equal to the bit."""
    model = make_model("qwen3-30b-a3b", "q8_0", 8)
    path = tools.folder / "ties.gguf"
    path.write_bytes(model.path.read_bytes())
    router = next(tensor for tensor in gguf.GGUFReader(path, "r+").tensors
                  if tensor.name == "blk.0.ffn_gate_inp.weight")
    router.data[1::2] = router.data[0::2]
    router.data.flush()
    function = model.function(0)
    program = tools.compile(path, with_ids=function)
    hidden = model.input(64)
    for isa in tools.isas(program, path, function, hidden[:1]):
        _, ids = tools.run(program, path, function, hidden, f"--cpu-isa={isa}", ids=True)
        assert (ids[:, 0::2] % 2 == 0).all(), "the lower id of a pair comes first"
        assert (ids[:, 1::2] == ids[:, 0::2] + 1).all(), "the higher id follows"


@pytest.mark.sanitizer
def test_no_tokens(tools: Tools, make_model: Callable) -> None:
    """An empty batch is a valid one."""
    model = make_model("qwen3-30b-a3b", "q4_k_m", 8)
    program = tools.compile(model.path)
    actual, = tools.run(program, model.path, model.function(0), model.input(0))
    assert actual.shape == (0, model.hidden) and actual.dtype == np.float32
