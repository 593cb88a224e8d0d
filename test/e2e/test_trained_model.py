"""The four layers of the trained model on their recorded inputs, in both widths, on every
instruction set of the machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from compare import contribution_error
from tools import Tools

FOLDER = Path(__file__).resolve().parents[1] / "models" / "tiny-qwen3moe"
MODEL = FOLDER / "tiny-qwen3moe-q4_0.gguf"
LIMITS = {"int16": 1e-6, "int8": 5e-4}


@pytest.mark.sanitizer
@pytest.mark.parametrize("activations", LIMITS)
@pytest.mark.parametrize("layer", range(4))
def test_layer(layer: int, activations: str, tools: Tools) -> None:
    program = tools.compile(MODEL, activations=activations)
    function = f"blk_{layer}_ffn"
    hidden = np.load(FOLDER / f"q4_0.ffn_in_{layer}.npy")
    expected = np.load(FOLDER / f"q4_0.ffn_out_{layer}.npy")
    outputs = {isa: tools.run(program, MODEL, function, hidden, f"--cpu-isa={isa}")[0]
               for isa in tools.isas(program, MODEL, function, hidden[:1])}
    for isa, actual in outputs.items():
        assert actual.tobytes() == outputs["portable"].tobytes(), f"{isa} gives other bits"
    error = contribution_error(hidden, expected, outputs["portable"])
    print(f"nmse {error.nmse:.2e} on {', '.join(outputs)}")
    assert error.nmse <= LIMITS[activations]
