"""Whole models on the emulated device (test/emulation): the bits of the CPU, value by value, and
through everything that keeps sequences. The checks are those of the proof on a GPU
(test/gpu/whole.py), on shorter texts.

By default on few models; SORTIE_EXHAUSTIVE=1 takes all of them, in all widths.
"""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mixed_run import NO_PAGE, PAGE
from reference_programs import SUPPORTED, WIDTHS, path_of
from tools import ToolError, Tools

E2E = Path(__file__).resolve().parent
sys.path.insert(0, str(E2E.parent / "gpu"))

from package import WholeModel  # noqa: E402
from sortie import Sortie  # noqa: E402
from whole import whole_checks  # noqa: E402

EXHAUSTIVE = bool(os.environ.get("SORTIE_EXHAUSTIVE"))
#: A window, sinks, biases, experts; latents with a dense layer.
MODELS = [("gpt-oss", "int16"), ("deepseek-v2", "kv")]
if EXHAUSTIVE:
    MODELS = list(itertools.product(SUPPORTED, WIDTHS))
CONTEXT, MOST_TOKENS = 1024, 256
#: Shorter than those of a real GPU: attention in spans and of a prompt.
RUNS = {"few tokens": [(0, 5), (130, 3), (600, 1)], "many tokens": [(0, 70), (3, 9)]}


class Whole:
    """A model, compiled for both devices."""

    def __init__(self, name: str, width: str, tools: Tools, folder: Path) -> None:
        self.tools = tools
        self.weights = path_of(name)
        options = WIDTHS[width] | {"max-tokens": str(MOST_TOKENS)}
        # PTX alone: the emulation compiles a kernel anew for each image.
        targets = {"cpu": {"target": "cpu"}, "cuda": {"target": "cuda", "chip": "compute_80"}}
        self.programs = {kind: tools.compile_whole(self.weights, CONTEXT, **target, **options)
                         for kind, target in targets.items()}
        (folder / "programs").mkdir()
        (folder / "bin").symlink_to(tools.bin)
        for kind, program in self.programs.items():
            (folder / "programs" / kind).symlink_to(program)
        (folder / "scratch").mkdir()
        self.sortie = Sortie(folder, "cuda:0", folder / "scratch")
        self.model = WholeModel(f"{name}-{width}", str(self.weights.relative_to(E2E.parents[1])),
                                CONTEXT // PAGE, 264, {kind: kind for kind in targets})

    def forward(self, kind: str, arrays: dict[str, np.ndarray], *arguments: object) -> str:
        """What sortie-run prints of a run of `forward`."""
        paths = {name: self.sortie.save(np.ascontiguousarray(array, np.int32))
                 for name, array in arrays.items()}
        return self.tools.call(
            "sortie-run", self.programs[kind], "--weights", self.weights, "--function=forward",
            "--symbol=pages=4", *(f"--input={name}={path}" for name, path in paths.items()),
            f"--output={self.sortie.file('logits.npy')}", *arguments)


@pytest.fixture(scope="module", params=MODELS, ids="-".join)
def whole(request: pytest.FixtureRequest, emulated: Tools,
          tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(*request.param, emulated, tmp_path_factory.mktemp("whole"))


@pytest.fixture(autouse=True)
def environment(emulated: Tools, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """That of the checks' own calls."""
    for name in ("LD_LIBRARY_PATH", "SORTIE_CACHE_DIR"):
        monkeypatch.setenv(name, emulated.environment[name])
    yield


def test_the_checks_of_the_proof(whole: Whole) -> None:
    """In the order in which failures say most."""
    names = []
    for check in whole_checks(whole.sortie, [whole.model], text=150, pieces=(64, 65), runs=RUNS,
                              generated=4):
        check.run()
        names.append(check.name)
    assert len(names) == len(RUNS) + 4 + 4


def test_sequences_of_the_c_api(whole: Whole) -> None:
    results = []
    for kind, device, options in (("cpu", "cpu", ()), ("cuda", "cuda:0", ("--eager",)),
                                  ("cuda", "cuda:0", ())):
        output = whole.sortie.file("sequences.npz")
        subprocess.run([sys.executable, E2E / "run_sequences.py", whole.tools.library,
                        whole.programs[kind], whole.weights, output, "--device", device, *options],
                       env=whole.tools.environment, check=True)
        with np.load(output) as arrays:
            results.append({name: arrays[name].tobytes() for name in arrays})
    assert results[0] == results[1] == results[2]


def arguments() -> dict[str, np.ndarray]:
    """Of a run of three tokens of sequence 0 of two, on page 2."""
    table = np.full((2, CONTEXT // PAGE), NO_PAGE)
    table[0, 0] = 2
    return {"tokens": np.arange(3), "positions": np.arange(3), "sequences": np.zeros(3, int),
            "pages": table, "rows": np.arange(3)}


def message(whole: Whole, kind: str, arrays: dict[str, np.ndarray], *options: object) -> str:
    """The error of a run, without what differs between devices: the number and kernel of a step."""
    with pytest.raises(ToolError) as error:
        whole.forward(kind, arrays, *options)
    text = str(error.value).splitlines()[-1]
    return re.sub(r" \(kernel '\w+'\)", "", re.sub(r"step \d+", "step", text))


#: One of each kind, and two where the first is named.
BAD = [("tokens", 1, 264), ("tokens", 2, -1), ("positions", 1, CONTEXT), ("positions", 0, -1),
       ("sequences", 2, 2), ("sequences", 1, -7), ("pages", (0, 0), 4), ("pages", (0, 0), NO_PAGE),
       ("positions", 2, 0), ("rows", 1, 3), ("rows", 0, -1), ("positions", 2, 200)]


def test_bad_places_are_those_of_the_cpu(whole: Whole) -> None:
    """Named alike, from graphs and eagerly."""
    for name, index, value in BAD:
        given = arguments()
        given[name][index] = value
        expected = message(whole, "cpu", given)
        for options in ((), ("--eager",)):
            assert message(whole, "cuda", given, *options) == expected, (name, index, value)
