"""The proof on a GPU, run on the emulated device: it passes, it goes on where it stopped, and it
fails when the device computes something else."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from package import ARCHIVE, CONTRACT, read_manifest, read_whole_models, unpack
from parts import checksum_checks, expect_close, expect_same, sanitizer_checks, stability_checks
from sortie import Sortie
from suite import Check, Failure, Results, run_checks
from whole import whole_checks

HERE = Path(__file__).resolve().parent
BIN = Path(os.environ.get("SORTIE_BIN", HERE.parents[1] / "build" / "release" / "bin")).absolute()


def emulated() -> dict[str, str]:
    """The environment in which the emulation stands in for NVIDIA's libraries."""
    folder = BIN.parent / "emulation"
    assert (folder / "libcuda.so.1").exists(), f"{folder}: the emulation has not been built"
    return dict(os.environ, LD_LIBRARY_PATH=str(folder))


def prepared(output: Path, models: str) -> Path:
    """The archive with the models that match."""
    subprocess.run([HERE / "prepare.sh", output, "--bin", BIN, "--models", models,
                    "--no-benchmark"], env=emulated(), check=True)
    return output / ARCHIVE


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small archive: one of the studied models."""
    return prepared(tmp_path_factory.mktemp("gpu"), "qwen3.*q4_k_m-int8")


@pytest.fixture
def sortie(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sortie:
    monkeypatch.setenv("LD_LIBRARY_PATH", emulated()["LD_LIBRARY_PATH"])
    folder = unpack(archive, tmp_path / "unpacked")
    (tmp_path / "scratch").mkdir()
    return Sortie(folder, "cuda", tmp_path / "scratch")


def run_sh(archive: Path, results: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = emulated() | {"PYTHON": sys.executable, "TMPDIR": str(archive.parent)}
    return subprocess.run([HERE / "run.sh", "--results", results, *arguments, archive],
                          env=environment, capture_output=True, text=True, check=False)


def test_part_1_passes_and_is_not_run_again(archive: Path, tmp_path: Path) -> None:
    cut = run_sh(archive, tmp_path, "--part", "1", "--seconds", "0")
    assert cut.returncode == 1 and cut.stdout.endswith("0 passed, 0 failed\n")
    assert "2 are left: run this part again" in cut.stdout
    done = run_sh(archive, tmp_path, "--part", "1")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "2 passed, 0 failed"), done
    lines = (tmp_path / "part1.jsonl").read_text()
    again = run_sh(archive, tmp_path, "--part", "1", "--seconds", "0")
    assert again.returncode == 0 and (tmp_path / "part1.jsonl").read_text() == lines


def test_part_2_passes(sortie: Sortie, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    models = read_manifest(sortie.folder)
    checks = list(stability_checks(sortie, models, batches=(1, 7, 9), repetitions=2))
    assert run_checks(checks, Results(tmp_path / "results"), 600, 1) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{2 + 2 * 3 + 1 + 4 + 3} passed, 0 failed"


def test_bf16_has_bits_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts 1 and 2 of a model that promises less: close to the CPU, equal to itself."""
    monkeypatch.setenv("LD_LIBRARY_PATH", emulated()["LD_LIBRARY_PATH"])
    folder = unpack(prepared(tmp_path / "gpu", "olmoe.*-bf16-bf16"), tmp_path / "unpacked")
    (tmp_path / "scratch").mkdir()
    sortie = Sortie(folder, "cuda", tmp_path / "scratch")
    model, = read_manifest(folder)
    checks = [*checksum_checks(sortie, [model]), *stability_checks(sortie, [model], (1, 9), 1)]
    assert run_checks(checks, Results(tmp_path / "results"), 600, 1) == 0
    # The CPU's program is another one: had it been asked for its bits, this would have failed.
    with pytest.raises(Failure, match="first difference"):
        next(checksum_checks(sortie, [replace(model, contract=CONTRACT)])).run()


def test_layers_written_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Part 1 of a layer that no preset has: each check compares what it should."""
    monkeypatch.setenv("LD_LIBRARY_PATH", emulated()["LD_LIBRARY_PATH"])
    folder = unpack(prepared(tmp_path / "gpu", "expert-scales-bf16:f32:q8_0"),
                    tmp_path / "unpacked")
    (tmp_path / "scratch").mkdir()
    sortie = Sortie(folder, "cuda", tmp_path / "scratch")
    model, = read_manifest(folder)
    checks = list(checksum_checks(sortie, [model]))
    assert [check.name for check in checks] == ["layer", "layer-all"]
    assert run_checks(checks, Results(tmp_path / "results"), 600, 1) == 0


def test_whole_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                      capsys: pytest.CaptureFixture[str]) -> None:
    """Part 5 on short texts; test/e2e/test_whole_models_cuda.py has more of them."""
    monkeypatch.setenv("LD_LIBRARY_PATH", emulated()["LD_LIBRARY_PATH"])
    folder = unpack(prepared(tmp_path / "gpu", "whole-llama-int16"), tmp_path / "unpacked")
    (tmp_path / "scratch").mkdir()
    sortie = Sortie(folder, "cuda", tmp_path / "scratch")
    model, = read_whole_models(folder)
    assert read_manifest(folder) == [] and model.other_images == []
    checks = list(whole_checks(sortie, [model], text=9, pieces=(4,),
                               runs={"few tokens": [(0, 5), (130, 3)]}, generated=2))
    assert run_checks(checks, Results(tmp_path / "results"), 600, 1) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{2 + 2 + 4} passed, 0 failed"
    # Other texts are told apart.
    with pytest.raises(Failure, match="first difference"):
        study = checks[0].run.func.__self__
        sortie.compare(study.checksums([(0, 5)], "cpu"), study.checksums([(1, 5)], "cuda"))


def test_cublas_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                  capsys: pytest.CaptureFixture[str]) -> None:
    """With it, the dense layer and the shared experts are checked; without it, skipped."""
    monkeypatch.setenv("LD_LIBRARY_PATH", emulated()["LD_LIBRARY_PATH"])
    folder = unpack(prepared(tmp_path / "gpu", "deepseek-v2-lite-bf16-bf16"), tmp_path / "unpacked")
    (tmp_path / "scratch").mkdir()
    sortie = Sortie(folder, "cuda", tmp_path / "scratch")
    model, = read_manifest(folder)
    checks = [check for check in stability_checks(sortie, [model], (9,), 1)
              if check.group.endswith("cublas")]
    assert run_checks(checks, Results(tmp_path / "results"), 600, 1) == 0
    assert capsys.readouterr().out.endswith("8 passed, 0 failed\n")

    (tmp_path / "driver").mkdir()
    (tmp_path / "driver" / "libcuda.so.1").symlink_to(BIN.parent / "emulation" / "libcuda.so.1")
    for version in (12, 13):  # before those that the system may have
        (tmp_path / "driver" / f"libcublas.so.{version}").write_text("no library")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path / "driver"))
    assert run_checks(checks, Results(tmp_path / "none"), 600, 1) == 0
    out = capsys.readouterr().out
    assert f"SKIPPED {checks[0].key}: libcublas cannot be loaded\n" in out
    assert out.endswith("0 passed, 0 failed, 8 skipped\n")


def test_another_program_is_told_apart(archive: Path, sortie: Sortie) -> None:
    """Checks fail when the program of one side computes something else."""
    model = read_manifest(sortie.folder)[0]
    graph = archive.parent / "scratch" / f"qwen3-30b-a3b-q4_k_m-{CONTRACT}.mlir"
    subprocess.run([BIN / "sortie-opt", graph, "--sortie-compile=target=cpu activations=int16",
                    "--emit-bytecode", "-o", sortie.folder / "programs" / "wide.mlirbc"],
                   check=True)
    wrong = replace(model, programs=model.programs | {"cpu": "wide.mlirbc"})
    checks = {check.key: check for check in [
        *checksum_checks(sortie, [wrong]), *stability_checks(sortie, [wrong], (9,), 1)]}
    for key, message in ((": blk_0_ffn", "first difference"), (", again: 0", "first difference"),
                         (", again: after 1 replays", "after replays: . of 9 rows differ"),
                         (", submitted: 2 runs, graph", "2 submitted runs: . of 9 rows differ")):
        with pytest.raises(Failure, match=message):
            checks[f"{model.name}{key}"].run()


def test_sums_that_are_far_are_told() -> None:
    rows = np.ones((4, 8), dtype=np.float32)
    expect_close(rows * np.float32(1 + 1e-6), rows)
    for wrong in (rows * np.float32(1.001), np.full_like(rows, np.nan)):
        with pytest.raises(Failure, match="the GPU's result is far from the CPU's"):
            expect_close(wrong, rows)


def test_rows_that_differ_are_counted() -> None:
    rows = np.ones((4, 8), dtype=np.float32)
    changed = rows.copy()
    changed[2, 5] = -0.0
    expect_same(rows, rows, "nothing")
    with pytest.raises(Failure, match="a batch: 1 of 4 rows differ, first row 2"):
        expect_same(changed, rows, "a batch")


def test_failures_are_counted_and_tried_again(
        tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    attempts = []

    def fail() -> None:
        attempts.append(1)
        raise Failure("first line\nsecond line")

    checks = [Check("a", "good", lambda: None), Check("b", "bad", fail)]
    results = tmp_path / "results"
    for _ in range(2):
        assert run_checks(checks, Results(results), 60, 2) == 1
    assert len(attempts) == 2
    out = capsys.readouterr().out
    assert "FAILED b: bad\n  first line\n  second line" in out
    assert out.endswith("1 passed, 1 failed\n")


def test_sanitizers_run_the_program(sortie: Sortie, tmp_path: Path,
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for compute-sanitizer that runs its program and finds a race."""
    models = read_manifest(sortie.folder)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(Failure, match="compute-sanitizer is not installed"):
        next(sanitizer_checks(sortie, models)).run()
    tool = tmp_path / "compute-sanitizer"
    tool.write_text("""#!/bin/sh
tool=$2 status=$4; shift 4
"$@" || exit
[ $tool != racecheck ] || { echo "a race"; exit $status; }
""")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    checks = {check.group: check for check in sanitizer_checks(sortie, models)}
    assert list(checks) == ["memcheck", "racecheck", "synccheck"]
    checks["memcheck"].run()
    checks["synccheck"].run()
    with pytest.raises(Failure, match="exit code 9\na race"):
        checks["racecheck"].run()
