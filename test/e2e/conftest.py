"""Fixtures of the end-to-end tests: the tools, and models that are written once a session."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

TEST = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TEST / "e2e"), str(TEST / "models"), str(TEST / "reference")]

from make_gguf import activations, write_model  # noqa: E402
from presets import PRESETS, parse_types, scaled  # noqa: E402
from reference_programs import ReferencePrograms  # noqa: E402
from tools import Tools  # noqa: E402


@dataclass(frozen=True)
class TestModel:
    """A written model."""

    __test__ = False

    path: Path
    hidden: int
    layers: int
    dense_layers: int

    @property
    def routed(self) -> int:
        """A layer with experts: the last."""
        return self.layers - 1

    def function(self, layer: int) -> str:
        return f"blk_{layer}_ffn"

    def input(self, tokens: int, outliers: bool = False) -> np.ndarray:
        return activations(seed=7, tokens=tokens, hidden=self.hidden, outliers=outliers)


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the session, the same for all workers of pytest-xdist."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """The tools of $SORTIE_BIN, by default those of the release build."""
    default = TEST.parent / "build" / "release" / "bin"
    folder = Path(os.environ.get("SORTIE_BIN", default)).absolute()
    for tool in ("sortie-translate", "sortie-opt", "sortie-run"):
        assert (folder / tool).exists(), f"{folder / tool} has not been built; or set SORTIE_BIN"
    return Tools(folder, tmp_path_factory.mktemp("e2e"))


@pytest.fixture(scope="session")
def emulated(tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """The tools with the emulated libraries before all others."""
    folder = tools.bin.parent / "emulation"
    for library in ("libcuda.so.1", "libnvrtc.so.13"):
        assert (folder / library).exists(), f"{folder / library}: build the target emulated-driver"
    environment = {name: value for name, value in os.environ.items() if name != "SORTIE_NVRTC"}
    environment["LD_LIBRARY_PATH"] = str(folder)
    environment["SORTIE_CACHE_DIR"] = str(shared_folder(tmp_path_factory) / "kernels")
    return replace(tools, environment=environment)


@pytest.fixture(scope="session")
def make_model(tools: Tools) -> Callable[..., TestModel]:
    """Writes a preset, divided by `divide`, once a session for each combination of arguments."""
    made: dict[tuple, TestModel] = {}

    def make(preset: str, types: str, divide: int = 8, layers: int = 1, skew: float = 0.0,
             experts: int | None = None) -> TestModel:
        key = (preset, types, divide, layers, skew, experts)
        if key not in made:
            shape = scaled(PRESETS[preset], layers=layers, divisor=divide, experts=experts)
            name = "-".join(map(str, key)).replace(":", "+")
            path = tools.folder / f"{name}.gguf"
            write_model(path, shape, parse_types(types), seed=7, skew=skew)
            made[key] = TestModel(path, shape.hidden, layers, shape.dense_layers)
        return made[key]

    return make


@pytest.fixture(scope="session")
def programs(tools: Tools) -> ReferencePrograms:
    """Compiled reference models."""
    return ReferencePrograms(tools)
