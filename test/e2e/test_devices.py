"""A program with functions for the CPU and for CUDA in one session of the C API, on the emulated
GPU: the bits of a program for the CPU alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tools import Tools

SOURCE = Path(__file__).parents[1] / "tools" / "sortie-run" / "Inputs" / "devices.mlir"
RUN_DEVICES = Path(__file__).parent / "run_devices.py"
PLAN = "moert.func(moert-plan-memory)"
FOR_CUDA = f"moert-select-kernels{{chips=sm_80}},{PLAN},moert-compile-kernels"


def run(tools: Tools, program: Path, x: np.ndarray, *arguments: str) -> tuple[dict, list[str]]:
    """All values of a run, and what it printed."""
    given, outputs = tools.folder / "devices.x.npy", tools.folder / "devices.npz"
    np.save(given, x)
    library = tools.bin.parent / "lib" / "libsortie.so"
    command = [sys.executable, RUN_DEVICES, library, program, given, outputs, *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                          env=tools.environment)
    assert done.returncode == 0, done.stderr
    with np.load(outputs) as values:
        return dict(values), done.stdout.splitlines()


@pytest.mark.parametrize("arguments", [(), ("--submit",)], ids=("run", "submit"))
def test_a_session_of_two_devices(arguments: tuple[str, ...], emulated: Tools) -> None:
    mixed, cpu = emulated.folder / "mixed.mlirbc", emulated.folder / "cpu.mlir"
    emulated.call("sortie-opt", SOURCE, f"--pass-pipeline=builtin.module({FOR_CUDA})",
                  "--emit-bytecode", "-o", mixed)
    plain = emulated.folder / "plain.mlir"
    plain.write_text(re.sub(r' target\("[a-z]*"\)', "", SOURCE.read_text()))
    emulated.call("sortie-opt", plain, f"--pass-pipeline=builtin.module({PLAN})", "-o", cpu)

    x = np.random.default_rng(3).standard_normal((13, 256), dtype=np.float32)
    expected, printed = run(emulated, cpu, x, *arguments)
    assert printed == ["cpu", "route cpu 0", "experts cpu 0", "finish cpu 0"]
    actual, printed = run(emulated, mixed, x, *arguments)
    assert printed[0].startswith("cpu, cuda:0 (")
    assert printed[1:] == ["route cpu 0", "experts cuda 0", "finish cuda 0"]
    assert np.isin(expected["ids"], (2, 3)).any() and np.isin(expected["ids"], (0, 1)).any()
    for name, value in expected.items():
        np.testing.assert_array_equal(actual[name], value, err_msg=name)
