"""Programs for CUDA on the emulated device (test/emulation): the same bits as the CPU device,
operation by operation.

The tools are used as they are: the emulated libnvrtc.so.13 compiles the kernels for the host, the
emulated libcuda.so.1 runs them. By default one model for each preset, which between them have every
class of format; SORTIE_EXHAUSTIVE=1 takes every preset in its usual types and both widths.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from presets import USUAL_TYPES
from tools import DIVISORS, ToolError, Tools, with_variables

#: Preset, types, width of activations: sub-scales of 32 and of 16 with minimums and without, scales
#: of groups with minimums and without, biases and a tail, shared experts, float arithmetic.
MODELS = [("qwen3-30b-a3b", "q4_k_m", "int16"), ("gpt-oss-20b", "mxfp4", "int8"),
          ("mixtral-8x7b", "q5_1", "int16"), ("deepseek-v2-lite", "q3_k_m", "int16"),
          ("deepseek-v3", "q2_k", "int8"), ("olmoe-1b-7b", "bf16", "int16")]
if os.environ.get("SORTIE_EXHAUSTIVE"):
    MODELS = [(preset, types, width) for preset, usual in USUAL_TYPES.items() for types in usual
              for width in ("int16", "int8")]
#: Tokens, seed of the schedule, further arguments of sortie-run.
RUNS = [(1, 0, ()), (37, 1, ("--eager",)), (37, 2, ())]


@pytest.mark.parametrize("preset, types, width", MODELS, ids=lambda value: value)
def test_the_device_has_the_bits_of_the_cpu(preset: str, types: str, width: str, emulated: Tools,
                                            make_model: Callable) -> None:
    model = make_model(preset, types, DIVISORS[preset])
    function = model.function(model.routed)
    options = {"activations": width, "max_tokens": "64"}
    expected_by = emulated.compile(model.path, target="cpu", **options)
    program = emulated.compile(model.path, target="cuda", chip="sm_80", **options)
    for tokens, seed, arguments in RUNS:
        hidden = model.input(tokens)
        expected = emulated.checksums(expected_by, model.path, function, hidden)
        assert f"blk.{model.routed}.ffn_out" in expected
        actual = with_variables(emulated, seed=seed).checksums(
            program, model.path, function, hidden, "--device=cuda:0", *arguments)
        assert actual == expected, f"{tokens} tokens, seed {seed}"


def test_every_image_has_the_same_bits(emulated: Tools, make_model: Callable) -> None:
    """The kernels of a chip with much shared memory, those of one with little, and PTX."""
    model = make_model("qwen3-30b-a3b", "q4_k_m", DIVISORS["qwen3-30b-a3b"])
    function = model.function(0)
    hidden = model.input(9)
    expected = emulated.checksums(emulated.compile(model.path, target="cpu"), model.path, function,
                                  hidden)
    for chip, capability in (("sm_90a", "9.0"), ("sm_89", "8.9"), ("compute_80", "12.0")):
        program = emulated.compile(model.path, target="cuda", chip=chip, max_tokens="64")
        device = with_variables(emulated, capability=capability)
        assert device.checksums(program, model.path, function, hidden) == expected, chip


@pytest.mark.parametrize("types", ["q4_k", "q5_1"])
def test_warpgroups_have_the_same_bits(types: str, emulated: Tools, make_model: Callable) -> None:
    """Few rows, and enough for warpgroups: eight experts have more than eight rows each."""
    model = make_model("mixtral-8x7b", types, DIVISORS["mixtral-8x7b"])
    function = model.function(0)
    expected_by = emulated.compile(model.path, target="cpu", max_tokens="64")
    program = emulated.compile(model.path, target="cuda", chip="sm_90a", max_tokens="64",
                               warpgroups="true")
    for tokens, seed in ((3, 0), (49, 1)):
        hidden = model.input(tokens)
        device = with_variables(emulated, capability="9.0", seed=seed)
        assert (device.checksums(program, model.path, function, hidden, "--device=cuda:0")
                == emulated.checksums(expected_by, model.path, function, hidden)), tokens


def test_fused_and_stored_values_are_equal(emulated: Tools, make_model: Callable) -> None:
    """materialize=all takes the unfused kernels."""
    model = make_model("gpt-oss-20b", "mxfp4", DIVISORS["gpt-oss-20b"])
    function = model.function(model.routed)
    hidden = model.input(5)
    texts = []
    for target in ("cpu", "cuda"):
        program = emulated.compile(model.path, target=target, materialize="all", max_tokens="64")
        texts.append(emulated.checksums(program, model.path, function, hidden))
    assert " -" not in texts[0]
    assert texts[1] == texts[0]


@pytest.mark.parametrize("arguments", [(), ("--eager",)], ids=("graphs", "eager"))
def test_submitted_runs(arguments: tuple[str, ...], emulated: Tools, make_model: Callable) -> None:
    """Several runs are on their way at once, and give the bits of runs that are waited for."""
    model = make_model("mixtral-8x7b", "q5_1", DIVISORS["mixtral-8x7b"])
    function = model.function(0)
    program = emulated.compile(model.path, target="cuda", chip="sm_80", activations="int16",
                               max_tokens="64")
    hidden = [model.input(tokens) for tokens in (5, 17, 5, 1)]
    expected = [emulated.run(program, model.path, function, x)[0] for x in hidden]
    actual, complete = emulated.submit(program, model.path, function, hidden, *arguments)
    assert complete == 0
    for array, other in zip(actual, expected):
        np.testing.assert_array_equal(array, other)


def test_no_tokens(emulated: Tools, make_model: Callable) -> None:
    model = make_model("mixtral-8x7b", "q5_1", DIVISORS["mixtral-8x7b"])
    program = emulated.compile(model.path, target="cuda", chip="sm_80", activations="int16",
                               max_tokens="64")
    actual, = emulated.run(program, model.path, model.function(0), model.input(0))
    assert actual.shape == (0, model.hidden) and actual.dtype == np.float32


def test_too_little_memory_is_reported(emulated: Tools, make_model: Callable) -> None:
    model = make_model("mixtral-8x7b", "q5_1", DIVISORS["mixtral-8x7b"])
    program = emulated.compile(model.path, target="cuda", chip="sm_80", activations="int16",
                               max_tokens="64")
    device = with_variables(emulated, memory=100_000)
    with pytest.raises(ToolError, match="exit code 1\n.*memory"):
        device.checksums(program, model.path, model.function(0), model.input(1))
