"""Ways to store weights beyond plain blocks: a lattice (IQ2_XXS), a scale at the head of each row
(IQ4_KS), strips of four rows (Q4_K_R4); on the CPU and, under the emulation, on CUDA."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gguf_model import Model
from tools import DIVISORS, Tools

PRESET = "qwen3-30b-a3b"
OPTIONS = {"activations": "int16", "max_tokens": "16"}


def checksums(tools: Tools, make_model: Callable, types: str, target: str) -> str:
    """Of nine tokens through one layer."""
    model = make_model(PRESET, types, DIVISORS[PRESET])
    chip = {"chip": "sm_80"} if target == "cuda" else {}
    program = tools.compile(model.path, target=target, **chip, **OPTIONS)
    return tools.checksums(program, model.path, model.function(0), model.input(9))


def test_strips_of_rows_have_the_bits_of_the_same_blocks(emulated: Tools,
                                                         make_model: Callable) -> None:
    """The quantizer makes the same weights of both types: they differ in their order alone."""
    expected = checksums(emulated, make_model, "q4_k", "cpu")
    assert "blk.0.ffn_out" in expected
    for types, target in (("q4_k_r4", "cpu"), ("q4_k_r4", "cuda")):
        assert checksums(emulated, make_model, types, target) == expected, (types, target)


@pytest.mark.parametrize("types", ["iq2_xxs", "iq4_ks"])
def test_the_device_has_the_bits_of_the_cpu(types: str, emulated: Tools,
                                            make_model: Callable) -> None:
    assert (checksums(emulated, make_model, types, "cuda")
            == checksums(emulated, make_model, types, "cpu"))


@pytest.mark.parametrize("types", ["iq2_xxs", "iq4_ks", "q4_k_r4"])
def test_numbers_that_are_not_finite_are_found(types: str, tools: Tools, make_model: Callable,
                                               tmp_path: Path) -> None:
    model = make_model(PRESET, types, DIVISORS[PRESET])
    verify = ("--verify-weights=full", f"--weights={model.path}")
    tools.call("sortie-run", tools.compile(model.path, target="cpu"), *verify)

    name = "blk.0.ffn_down_exps.weight"
    data = bytearray(model.path.read_bytes())
    # The scale of row 0, or of the first row of a strip: a float in a header, or a half.
    nan = b"\0\0\xc0\x7f" if types == "iq4_ks" else b"\0\x7e"
    first = Model(model.path).offset(name)
    data[first:first + len(nan)] = nan
    damaged = tmp_path / f"damaged-{types}.gguf"
    damaged.write_bytes(data)
    done = subprocess.run([tools.bin / "sortie-run", tools.compile(damaged, target="cpu"),
                           f"--weights={damaged}", "--verify-weights=full"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{name}: 1 scale, minimum or weight is not finite" in done.stdout
    assert "expert 0, row 0, columns 0 to 255: the scale is NaN" in done.stdout
