"""Products of heads (`lm.head_matmul`) for CUDA on the emulated device: the bits of the CPU
device."""

from __future__ import annotations

import re

import numpy as np
import pytest

from tools import Tools, with_variables

HEADS = 3
#: The weights' type, elements of a head of the input, and of the output, width of activations:
#: the shapes of latent attention, tails, and weights that are not quantized.
PRODUCTS = [("!moe.block<q8_0>", 128, 512, "int16"), ("!moe.block<q4_K>", 512, 128, "int8"),
            ("!moe.block<q5_0>", 96, 40, "int16"), ("f16", 128, 70, "int16"),
            ("bf16", 100, 33, "int16"), ("f32", 512, 32, "int16")]


def module(weights: str, elements: int, outputs: int) -> str:
    rows, result = f"tensor<?x{HEADS * elements}xf32>", f"tensor<?x{HEADS * outputs}xf32>"
    matrices = f"tensor<{HEADS}x{outputs}x{elements}x{weights}>"
    return f"""
      module attributes {{moe.contract = #moe.contract<run, batch, device>}} {{
        func.func @f(%x: {rows} {{moe.name = "hidden"}}) -> ({result} {{moe.name = "y"}}) {{
          %w = moe.weight "w" : {matrices}
          %y = lm.head_matmul %x, %w : ({rows}, {matrices}) -> {result}
          return %y : {result}
        }}
      }}"""


@pytest.mark.parametrize("weights, elements, outputs, width", PRODUCTS)
def test_the_device_has_the_bits_of_the_cpu(weights: str, elements: int, outputs: int, width: str,
                                            emulated: Tools) -> None:
    name = re.sub(r"\W+", "-", f"heads-{weights}-{elements}")
    source = emulated.folder / f"{name}.mlir"
    source.write_text(module(weights, elements, outputs))
    programs = {}
    for target in ("cpu", "cuda chip=sm_80"):
        programs[target] = source.with_suffix(f".{target[:4]}.mlirbc")
        emulated.call("sortie-opt", source, "--emit-bytecode", "-o", programs[target],
                      f"--sortie-compile=target={target} activations={width} max-tokens=512")
    random = np.random.default_rng(5)
    for tokens in (1, 9, 130):
        x = random.standard_normal((tokens, HEADS * elements)).astype(np.float32)
        expected, actual = (with_variables(emulated, seed=tokens).checksums(
            program, "random:seed=3", "f", x) for program in programs.values())
        assert actual == expected, f"{tokens} tokens"
