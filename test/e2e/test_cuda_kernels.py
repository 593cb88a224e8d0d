"""Every kernel of every preset compiles for three generations of GPUs, and none spills registers or
uses local memory. No GPU is needed, NVRTC is: without it these tests fail.

By default each preset is taken with a few of its types, for Hopper and one of the other chips in
turn: both have the same registers, and test/unit/codegen/KernelSourceTest.cpp compiles each kind of
kernel in each format for all chips. SORTIE_EXHAUSTIVE=1 takes all types, both widths of activations
and all chips.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from presets import USUAL_TYPES
from tools import DIVISORS, Tools

CHIPS = ("sm_80", "sm_89", "sm_90a")
EXHAUSTIVE = bool(os.environ.get("SORTIE_EXHAUSTIVE"))

#: Each preset once or twice, each type at least once.
MODELS = [("qwen3-30b-a3b", "q4_k_m", "int16"), ("qwen3-30b-a3b", "iq4_xs", "int8"),
          ("olmoe-1b-7b", "bf16", "int16"), ("olmoe-1b-7b", "q3_k_m", "int16"),
          ("mixtral-8x7b", "q8_0", "int16"), ("mixtral-8x7b", "q4_0", "int8"),
          ("deepseek-v2-lite", "q5_k_m", "int16"), ("deepseek-v2-lite", "iq4_nl", "int16"),
          ("deepseek-v2", "q4_k_m", "int16"), ("qwen1.5-moe-a2.7b", "q8_0", "int16"),
          ("deepseek-v3", "q2_k", "int16"), ("deepseek-v3", "q6_k", "int8"),
          ("gpt-oss-20b", "mxfp4", "int16"), ("glm-4.5-air", "q4_k_m", "int16")]
if EXHAUSTIVE:
    MODELS = [(preset, types, width) for preset, usual in USUAL_TYPES.items() for types in usual
              for width in ("int16", "int8")]

LINE = re.compile(r"^(?P<kernel>\w+) (?P<chip>\w+): (?P<rest>.*)$")


def chips_of(model: tuple[str, str, str]) -> tuple[str, ...]:
    """The chips that a model is compiled for."""
    return CHIPS if EXHAUSTIVE else (CHIPS[MODELS.index(model) % 2], CHIPS[2])


def test_every_preset_is_compiled() -> None:
    assert {preset for preset, _, _ in MODELS} == set(USUAL_TYPES)


def expect_clean(tools: Tools, model: Path, chips: tuple[str, ...], contract: str,
                 **options: str) -> set[str]:
    """The names of the model's kernels, all of which compile for all `chips` without a spill."""
    mlir = tools.folder / f"{model.stem}.mlir"
    tools.call("sortie-translate", "--import-gguf", "--what=ffn", model, f"--contract={contract}",
               "-o", mlir)
    text = " ".join(f"{name}={value}" for name, value in options.items())
    done = subprocess.run(
        [str(tools.bin / "sortie-opt"), str(mlir),
         f"--sortie-compile=target=cuda chip={','.join(chips)} print-schedule {text}",
         "--emit-bytecode", "-o", str(mlir.with_suffix(".mlirbc"))],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stderr, done.stderr

    lines = [match for line in done.stderr.splitlines() if (match := LINE.match(line))]
    kernels = {match["kernel"] for match in lines}
    for chip in (*chips, "compute_80"):
        assert {match["kernel"] for match in lines if match["chip"] == chip} == kernels
    for match in lines:
        if match["chip"] in chips:
            assert re.search(r"\b[1-9]\d* registers, 0 bytes spilled, 0 bytes local\b",
                             match["rest"]), match[0]
    return kernels


@pytest.mark.parametrize("preset, types, width", MODELS, ids=lambda value: value)
def test_kernels_compile_and_are_clean(preset: str, types: str, width: str, tools: Tools,
                                       make_model: Callable) -> None:
    model = make_model(preset, types, DIVISORS[preset], layers=2)
    kernels = expect_clean(tools, model.path, chips_of((preset, types, width)), "run,batch,device",
                           activations=width)
    assert any(kernel.startswith("route") for kernel in kernels), kernels
    assert any("glu_matmul" in kernel for kernel in kernels), kernels


@pytest.mark.parametrize("preset, types", [("olmoe-1b-7b", "bf16"), ("gpt-oss-20b", "f16"),
                                           ("deepseek-v2-lite", "f32")], ids=lambda value: value)
def test_bf16_kernels_compile_and_are_clean(preset: str, types: str, tools: Tools,
                                            make_model: Callable) -> None:
    model = make_model(preset, types, DIVISORS[preset], layers=2)
    kernels = expect_clean(tools, model.path, CHIPS, "run,batch", unquantized="bf16")
    assert any(kernel.startswith("glu_matmul_bf16") for kernel in kernels), kernels
    assert any(kernel.startswith("matmul_bf16") for kernel in kernels), kernels
