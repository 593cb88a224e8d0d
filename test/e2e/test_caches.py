"""What lies around attention, on the CPU and on the emulated GPU, in sessions of the C API, which
say how many pages caches have: equal values, equal bytes of pages, and equal errors."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tools import Tools

SOURCE, RUN_CACHES = (Path(__file__).parent / name
                      for name in ("Inputs/caches.mlir", "run_caches.py"))
PLAN = "moert.func(moert-plan-memory)"
FOR_CUDA = f"moert-select-kernels{{chips=sm_80}},{PLAN},moert-compile-kernels"
PAGES = 7

Run = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def programs(emulated: Tools) -> dict[str, Path]:
    paths = {}
    for target, passes in (("cpu", PLAN), ("cuda", FOR_CUDA)):
        paths[target] = emulated.folder / f"caches-{target}.mlirbc"
        emulated.call("sortie-opt", SOURCE, f"--pass-pipeline=builtin.module({passes})",
                      "--emit-bytecode", "-o", paths[target])
    return paths


def run(tools: Tools, program: Path, runs: list[Run], *arguments: str) -> dict:
    """The outputs and errors of runs of one session."""
    given, results = tools.folder / "caches.in.npz", tools.folder / "caches.out.npz"
    np.savez(given, **{f"{i}.{name}": array for i, inputs in enumerate(runs)
                       for name, array in inputs.items()})
    command = [sys.executable, RUN_CACHES, tools.library, program, given, results, PAGES,
               *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          env=tools.environment)
    assert done.returncode == 0, done.stderr
    with np.load(results) as values:
        return dict(values)


def make_run(tokens: int, first: int = 0) -> Run:
    """So many tokens of three sequences in turn, from position `first` on."""
    random = np.random.default_rng(tokens)
    arrays = {"tokens": random.integers(0, 64, tokens),
              "positions": first + np.arange(tokens) // 3, "sequences": np.arange(tokens) % 3,
              "pages": [[2, 5], [0, 6], [3, 1]], "index": [5, 6, 1] if first else [2, 0, 3]}
    return {name: np.array(array, np.int32) for name, array in arrays.items()}


def changed(run: Run, name: str, index: int | tuple, value: int) -> Run:
    array = run[name].copy()
    array[index] = value
    return run | {name: array}


@pytest.mark.parametrize("arguments", [(), ("--eager",)], ids=("graphs", "eager"))
def test_both_devices_keep_the_same_pages(arguments: tuple, emulated: Tools,
                                          programs: dict[str, Path]) -> None:
    """Runs of few tokens and of many, over the end of pages, of none, and the first again."""
    runs = [make_run(5), make_run(64), make_run(41, first=120), make_run(1, first=200),
            make_run(0), make_run(5), make_run(33, first=128)]
    expected = run(emulated, programs["cpu"], runs)
    assert not any(name.endswith("error") for name in expected)
    assert len(np.unique(expected["6.cached"])) > 1000
    actual = run(emulated, programs["cuda"], runs, *arguments)
    assert list(actual) == list(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)


CORRECT = "correct the positions, sequences or pages that the caller passes"
#: What is changed in a run of 40 tokens, and what the error says of it.
FAULTS = [
    ("tokens", 33, 64, "moert.embed with table: position 33 of its index has row 64, rows are 0 to "
                       "63; correct the index that the caller passes"),
    ("tokens", 1, -1, "position 1 of its index has row -1, rows are 0 to 63"),
    ("sequences", 39, 3, "moert.append with cache: token 39 has sequence 3, the page table has "
                         f"sequences 0 to 2; {CORRECT}"),
    ("sequences", 0, -1, "token 0 has sequence -1, the page table has sequences 0 to 2"),
    ("positions", 2, 256, "token 2 has position 256, the page table has places for 256 positions"),
    ("positions", 38, -5, "token 38 has position -5, the page table has places for 256 positions"),
    ("pages", (1, 0), PAGES, "token 1 sees page 7, the cache has pages 0 to 6"),
    ("pages", (2, 0), -1, "token 2 sees page -1, the cache has pages 0 to 6"),
    ("positions", 36, 3, "token 9 and token 36 have one place in the cache"),
    ("index", 2, PAGES, "moert.read_rows with cache: position 2 of its index has row 7, rows are 0 "
                        "to 6; correct the index that the caller passes"),
]


def test_faults_are_told_as_on_the_cpu(emulated: Tools, programs: dict[str, Path]) -> None:
    """In one session, which is as good as before after each."""
    good = make_run(40)
    runs = [changed(good, *fault[:3]) for fault in FAULTS]
    expected, actual = (run(emulated, programs[target], [*runs, good])
                        for target in ("cpu", "cuda"))
    for i, (*_, message) in enumerate(FAULTS):
        on_cpu, on_gpu = (re.sub(r"step \d+, ", "", str(results[f"{i}.error"]))
                          for results in (expected, actual))
        assert message in on_cpu
        # The kernel's name is all that is more.
        assert re.sub(r" \(kernel '\w+'\)", "", on_gpu) == on_cpu
    last = len(FAULTS)
    for name in (f"{last}.x", f"{last}.cached"):
        np.testing.assert_array_equal(actual[name], expected[name])


def test_what_is_wrong_appends_nothing(emulated: Tools, programs: dict[str, Path]) -> None:
    """A page is as it was before a run that had a bad place."""
    before, other = make_run(40), make_run(39, first=20)
    bad = changed(other, "sequences", 38, 9)
    look = make_run(0)
    results = run(emulated, programs["cuda"], [before, bad, look])
    assert "has sequence 9" in str(results["1.error"])
    np.testing.assert_array_equal(results["2.cached"], results["0.cached"])
