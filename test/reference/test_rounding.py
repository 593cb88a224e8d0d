"""The float64 model with rounded activations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gguf_model import Model
from rounding import CACHE, MOST, PRODUCTS, error, main, rounded
from whole_model import WholeModel

REFERENCES = Path(__file__).parents[1] / "models" / "references"


def test_rounding_by_hand() -> None:
    """A scale for each block: of 128 elements, and of the two that are left."""
    x = np.zeros(130)
    x[:3] = MOST, 0.6, -1.5
    x[128:] = 2 * MOST, 3.1
    expected = np.zeros(130)
    expected[:3] = MOST, 1, -2
    expected[128:] = 2 * MOST, 4
    np.testing.assert_array_equal(rounded(x), expected)
    np.testing.assert_array_equal(rounded(x, 130)[:3], [MOST + 1, 0, -2])


@pytest.mark.parametrize("name, least, most", [("olmoe", 8e-9, 3e-8),
                                               ("ernie4_5-moe", 1.5e-7, 6e-7)])
def test_some_models_make_errors_larger(name: str, least: float, most: float) -> None:
    """No arithmetic with int16 activations has an error below 1e-7 for each of them."""
    tokens = np.load(REFERENCES / name / "reference.npz")["tokens"][0]
    model = WholeModel(Model(REFERENCES / name / "model.gguf"))
    assert error(model, tokens, []) == 0
    assert least < error(model, tokens, PRODUCTS + CACHE) < most
    # One rounding alone, which nothing follows.
    assert 2e-9 < error(model, tokens, ["logits"]) < 5e-9


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "tokens.npy", np.arange(4))
    path = REFERENCES / "granite" / "model.gguf"
    assert main([str(path), "--tokens", str(tmp_path / "tokens.npy")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["all", *PRODUCTS, *CACHE]
    assert all(float(line.partition(":")[2]) > 0 for line in lines)
